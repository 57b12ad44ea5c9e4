//! A generation's updates, one after another.

use std::sync::{Arc, Mutex};

use bindings_common::lock;
use bindings_macros::barrier;
use pipevideo::Update;

use crate::call::CancelHandle;
use crate::errors::Failure;
use crate::options;

/// A stream of updates. Dropping it stops the stream, but not the generation.
#[derive(Default, uniffi::Object)]
pub(crate) struct Watch {
    /// `None` while a call waits for an update, and after the end.
    watch: Arc<Mutex<Option<pipevideo::Watch>>>,
    deadline: Mutex<Option<f64>>,
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, deadline: Option<f64>) -> Self {
        Self { watch: Arc::new(Mutex::new(Some(watch))), deadline: Mutex::new(deadline) }
    }
}

#[barrier(default)]
#[uniffi::export]
impl Watch {
    /// Returns the next update, or `None` at the end. Cancelling the call ends the stream.
    pub(crate) async fn next(&self, cancel: Arc<CancelHandle>) -> Result<Option<Update>, Failure> {
        let deadline = options::deadline(lock(&self.deadline).take())?;
        let Some(mut watch) = lock(&self.watch).take() else { return Ok(None) };
        if let Some(deadline) = deadline {
            watch = watch.deadline(deadline);
        }
        let slot = self.watch.clone();
        let work = async move {
            let next = watch.next().await.transpose()?;
            if next.is_some() {
                *lock(&slot) = Some(watch);
            }
            Ok(next)
        };
        cancel.run(work).await
    }
}
