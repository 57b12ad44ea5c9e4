//! The events that were acknowledged.

use std::sync::Mutex;

use crate::lock::lock;
use crate::recent_ids::RecentIds;

/// The ids of the events that were acknowledged most recently. All clients that share their state
/// share one, and so do the clones of a [`Webhook`](super::Webhook).
///
/// Secrets do not separate it: clients that share their state have one key and so one account, where
/// an id names one event. They change with a rotation too, and a repeated delivery would be new.
#[derive(Default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub(crate) struct Acknowledged(Mutex<RecentIds<()>>);

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Acknowledged {
    /// Records the id of an event that was handled.
    pub(crate) fn insert(&self, id: &str) {
        lock(&self.0).insert(id, ());
    }
}

impl Acknowledged {
    pub(super) fn contains(&self, id: &str) -> bool {
        lock(&self.0).get(id).is_some()
    }
}
