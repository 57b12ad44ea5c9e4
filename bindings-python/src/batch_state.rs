//! The state of a batch, which it shares with its steps.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bindings_common::{BatchFeed, lock};
use futures_util::future::select;
use pipevideo::{Batch, BatchHandle, BatchOutput, BatchRequest, BatchRun, BatchSummary, Error};
use tokio::sync::Mutex;

/// The state of a batch.
pub(crate) struct BatchState {
    run: Mutex<Stage>,
    feed: BatchFeed,
    handle: std::sync::Mutex<Option<BatchHandle>>,
    /// What has arrived and has not been taken: a step that is interrupted leaves it here for the next
    /// step.
    unread: std::sync::Mutex<VecDeque<Output>>,
    /// Whether the last step found room for a request.
    fed_last: AtomicBool,
}

enum Stage {
    New(Box<Batch>),
    Running(BatchRun),
    Ended,
}

/// What a step of a batch yields.
pub(crate) enum Output {
    /// The run has room for a request.
    Room,
    Next(Result<BatchOutput, Error>),
}

/// What ends a step.
enum Step {
    Room,
    Next(Option<Result<BatchOutput, Error>>),
}

impl BatchState {
    pub(crate) fn new((batch, feed): (Batch, BatchFeed)) -> Arc<Self> {
        Arc::new(Self {
            run: Mutex::new(Stage::New(Box::new(batch))),
            feed,
            handle: std::sync::Mutex::default(),
            unread: std::sync::Mutex::default(),
            fed_last: AtomicBool::new(false),
        })
    }

    /// Takes what has arrived; `None` at the end.
    pub(crate) fn take(&self) -> Option<Output> {
        lock(&self.unread).pop_front()
    }

    /// Waits until there is something to take, or the end. Room for a request counts only if the step
    /// feeds the run.
    pub(crate) async fn advance(&self, feeds: bool) {
        let mut stage = self.run.lock().await;
        if !lock(&self.unread).is_empty() {
            return;
        }
        // On the runtime, where the run spawns its task.
        if matches!(*stage, Stage::New(_))
            && let Stage::New(batch) = std::mem::replace(&mut *stage, Stage::Ended)
        {
            let run = batch.run();
            *lock(&self.handle) = Some(run.handle());
            *stage = Stage::Running(run);
        }
        let Stage::Running(run) = &mut *stage else { return };
        let step = {
            let next = pin!(async { Step::Next(run.next_output().await) });
            let room = pin!(async {
                if feeds && self.feed.ready().await { Step::Room } else { pending().await }
            });
            // In turn: neither slow requests nor a slow loop keep the other side from going on.
            if self.fed_last.load(Ordering::Relaxed) {
                select(next, room).await.factor_first().0
            } else {
                select(room, next).await.factor_first().0
            }
        };
        // It goes into the queue in the poll that yields it, so an abort cannot lose it.
        self.fed_last.store(matches!(step, Step::Room), Ordering::Relaxed);
        match step {
            Step::Room => lock(&self.unread).push_back(Output::Room),
            Step::Next(next) => {
                if !matches!(next, Some(Ok(_))) {
                    *stage = Stage::Ended;
                }
                lock(&self.unread).extend(next.map(Output::Next));
            }
        }
    }

    /// Returns once the run has room for a request, or false if it takes no more.
    pub(crate) async fn room(&self) -> bool {
        self.feed.ready().await
    }

    pub(crate) fn push(&self, request: BatchRequest) {
        // A run that takes no more is stopping.
        let _ = self.feed.try_push(request);
    }

    /// There are no more requests.
    pub(crate) fn finish(&self) {
        self.feed.finish();
    }

    /// Stops the run without waiting for its end.
    pub(crate) fn halt(&self) {
        self.feed.finish();
        if let Some(handle) = &*lock(&self.handle) {
            handle.stop();
        }
    }

    /// Stops the run, and returns once it has ended.
    pub(crate) async fn stop(&self) {
        self.halt();
        let mut stage = self.run.lock().await;
        if let Stage::Running(run) = &mut *stage {
            run.stop().await;
        }
        *stage = Stage::Ended;
    }

    pub(crate) fn summary(&self) -> BatchSummary {
        lock(&self.handle).as_ref().map(BatchHandle::summary).unwrap_or_default()
    }
}
