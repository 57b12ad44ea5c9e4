//! A call of the core, on the runtime, until it is done or cancelled.

use std::future::Future;
use std::sync::Mutex;

use bindings_common::{catch_async, lock};
use bindings_macros::barrier;
use pipevideo::Submission;
use tokio::task::AbortHandle;

use crate::errors::Failure;
use crate::runtime::runtime;

/// Cancels a call. UniFFI does not pass on the cancellation of a host's task, so each call takes one
/// of these.
#[derive(Default, uniffi::Object)]
pub(crate) struct CancelHandle(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    New,
    Running(AbortHandle),
    Cancelled,
}

#[barrier(default)]
#[uniffi::export]
impl CancelHandle {
    #[uniffi::constructor]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Stops the call, also one that has not started yet.
    pub(crate) fn cancel(&self) {
        if let Stage::Running(task) = std::mem::replace(&mut *lock(&self.0), Stage::Cancelled) {
            task.abort();
        }
    }
}

impl CancelHandle {
    /// Runs a call to its end. When this returns `Cancelled`, its request has been dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = {
            let mut stage = lock(&self.0);
            if matches!(*stage, Stage::Cancelled) {
                return Err(Failure::CANCELLED);
            }
            let task = runtime()?.spawn(catch_async(work));
            *stage = Stage::Running(task.abort_handle());
            task
        };
        match task.await {
            Ok(result) => result.unwrap_or_else(|error| Err(error.into())),
            Err(_) => Err(Failure::CANCELLED),
        }
    }

    /// Runs a call that creates a generation. If the call is cancelled when its create may have been
    /// sent, the failure says what is known about it.
    pub(crate) async fn run_create<T: Send + 'static>(
        &self,
        submission: Submission,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.run(work).await {
            // The future was dropped before that, so the submission no longer changes.
            Err(Failure::Cancelled { .. }) => Err(Failure::Cancelled {
                uncertain: submission.uncertain().map(|error| Box::new((&error).into())),
            }),
            result => result,
        }
    }
}
