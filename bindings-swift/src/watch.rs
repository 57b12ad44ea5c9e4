//! A generation's updates, one after another.

use std::sync::{Arc, Mutex};

use pipevideo::Update;

use crate::call::{Cancel, lock};
use crate::errors::Failure;
use crate::options;

/// Dropping it stops following, never the generation.
#[derive(uniffi::Object)]
pub(crate) struct Watch {
    /// Empty while an update is waited for, and after the end.
    watch: Arc<Mutex<Option<pipevideo::Watch>>>,
    deadline: Mutex<Option<f64>>,
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, deadline: Option<f64>) -> Self {
        Self { watch: Arc::new(Mutex::new(Some(watch))), deadline: Mutex::new(deadline) }
    }
}

#[uniffi::export]
impl Watch {
    /// The next update, or none at the end. One that is cancelled ends it.
    pub(crate) async fn next(&self, cancel: Arc<Cancel>) -> Result<Option<Update>, Failure> {
        let deadline = options::deadline(lock(&self.deadline).take())?;
        let Some(mut watch) = lock(&self.watch).take() else { return Ok(None) };
        if let Some(deadline) = deadline {
            watch = watch.deadline(deadline);
        }
        let place = self.watch.clone();
        let work = async move {
            let next = watch.next().await.transpose()?;
            if next.is_some() {
                *lock(&place) = Some(watch);
            }
            Ok(next)
        };
        cancel.run(work).await
    }
}
