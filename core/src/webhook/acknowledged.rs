//! The events that were acknowledged.

use std::sync::{Mutex, OnceLock};

use crate::lock::lock;
use crate::recent_ids::RecentIds;

/// The ids of the events that were acknowledged most recently. All clients that share their state
/// share one, and so do the clones of a [`Webhook`](super::Webhook).
///
/// Secrets do not separate it: clients that share their state have one key and so one account, where
/// an id names one event. They change with a rotation too, and a repeated delivery would be new.
#[derive(Default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub(crate) struct Acknowledged {
    ids: Mutex<RecentIds<()>>,
    publish: OnceLock<Box<Publish>>,
}

/// Tells other processes of an event.
type Publish = dyn Fn(&str) + Send + Sync;

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Acknowledged {
    /// Records the id of an event that was handled.
    pub(crate) fn insert(&self, id: &str) {
        self.insert_received(id);
        if let Some(publish) = self.publish.get() {
            publish(id);
        }
    }
}

impl Acknowledged {
    /// Records the id of an event that another process has handled.
    pub(crate) fn insert_received(&self, id: &str) {
        lock(&self.ids).insert(id, ());
    }

    /// Has other processes learn from now on what is acknowledged here.
    #[cfg(feature = "redis")]
    pub(crate) fn publish_to(&self, publish: impl Fn(&str) + Send + Sync + 'static) {
        // Set once, before the first event.
        let _ = self.publish.set(Box::new(publish));
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        lock(&self.ids).get(id).is_some()
    }
}
