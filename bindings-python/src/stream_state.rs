//! The state of a watch, which it shares with its steps.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bindings_common::lock;
use futures_util::future::{Either, select};
use pipevideo::{Error, Update};
use tokio::sync::{Mutex, Semaphore};

/// The state of a watch.
pub(crate) struct WatchState {
    watch: Mutex<Option<pipevideo::Watch>>,
    /// Updates that have arrived and have not been taken: a step that is interrupted leaves its update
    /// here for the next step.
    unread: std::sync::Mutex<VecDeque<Result<Update, Error>>>,
    /// Closed with the watch. It never has permits, so `acquire` returns only then.
    open: Semaphore,
}

impl WatchState {
    pub(crate) fn new(watch: pipevideo::Watch) -> Arc<Self> {
        Arc::new(Self {
            watch: Mutex::new(Some(watch)),
            unread: std::sync::Mutex::default(),
            open: Semaphore::new(0),
        })
    }

    /// Takes the next update that has arrived; `None` at the end.
    pub(crate) fn take(&self) -> Option<Result<Update, Error>> {
        lock(&self.unread).pop_front()
    }

    /// Waits until there is an update to take, or the end.
    pub(crate) async fn advance(&self) {
        let mut watch = self.watch.lock().await;
        let Some(open) = watch.as_mut().filter(|_| lock(&self.unread).is_empty()) else { return };
        let closed = pin!(self.open.acquire());
        // An update goes into the queue in the same poll that yields it, so an abort cannot lose it.
        let next = match select(closed, pin!(open.next())).await {
            Either::Left(_) => None,
            Either::Right((next, _)) => next,
        };
        if !matches!(next, Some(Ok(_))) {
            *watch = None;
        }
        lock(&self.unread).extend(next);
    }

    /// Ends the watch; a step that waits ends, too.
    pub(crate) fn close(&self) {
        self.open.close();
    }
}
