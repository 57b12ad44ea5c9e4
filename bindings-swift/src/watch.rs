//! A generation's updates, one after another.

use std::sync::{Arc, Mutex};

use bindings_common::lock;
use bindings_macros::barrier;
use pipevideo::Update;

use crate::call::CancelHandle;
use crate::errors::Failure;

/// A stream of updates. Dropping it stops the stream, but not the generation.
#[derive(Default, uniffi::Object)]
pub(crate) struct Watch {
    /// `None` while a call waits for an update, and after the end. What is wrong with the options is
    /// thrown in place of the first update.
    watch: Arc<Mutex<Option<Result<pipevideo::Watch, Failure>>>>,
}

impl Watch {
    pub(crate) fn new(watch: Result<pipevideo::Watch, Failure>) -> Self {
        Self { watch: Arc::new(Mutex::new(Some(watch))) }
    }
}

#[barrier(default)]
#[uniffi::export]
impl Watch {
    /// Returns the next update, or `None` at the end. Cancelling the call ends the stream.
    pub(crate) async fn next(&self, cancel: Arc<CancelHandle>) -> Result<Option<Update>, Failure> {
        let Some(watch) = lock(&self.watch).take() else { return Ok(None) };
        let mut watch = watch?;
        let slot = self.watch.clone();
        let work = async move {
            let next = watch.next().await.transpose()?;
            if next.is_some() {
                *lock(&slot) = Some(Ok(watch));
            }
            Ok(next)
        };
        cancel.run(work).await
    }
}
