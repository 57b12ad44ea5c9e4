//! The state of a stream, which it shares with its steps.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bindings_common::lock;
use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt};
use pipevideo::Error;
use tokio::sync::{Mutex, Semaphore};

/// The state of a stream of items such as updates or chunks.
pub(crate) struct StreamState<S, T> {
    stream: Mutex<Option<S>>,
    /// Items that have arrived and have not been taken: a step that is interrupted leaves its item here
    /// for the next step.
    unread: std::sync::Mutex<VecDeque<Result<T, Error>>>,
    /// Closed with the stream. It never has permits, so `acquire` returns only then.
    open: Semaphore,
}

impl<T, S: Stream<Item = Result<T, Error>> + Unpin> StreamState<S, T> {
    pub(crate) fn new(stream: S) -> Arc<Self> {
        Arc::new(Self {
            stream: Mutex::new(Some(stream)),
            unread: std::sync::Mutex::default(),
            open: Semaphore::new(0),
        })
    }

    /// Takes the next item that has arrived; `None` at the end.
    pub(crate) fn take(&self) -> Option<Result<T, Error>> {
        lock(&self.unread).pop_front()
    }

    /// Waits until there is an item to take, or the end.
    pub(crate) async fn advance(&self) {
        let mut stream = self.stream.lock().await;
        let Some(open) = stream.as_mut().filter(|_| lock(&self.unread).is_empty()) else { return };
        let closed = pin!(self.open.acquire());
        // An item goes into the queue in the same poll that yields it, so an abort cannot lose it.
        let next = match select(closed, pin!(open.next())).await {
            Either::Left(_) => None,
            Either::Right((next, _)) => next,
        };
        if !matches!(next, Some(Ok(_))) {
            *stream = None;
        }
        lock(&self.unread).extend(next);
    }

    /// Ends the stream; a step that waits ends, too.
    pub(crate) fn close(&self) {
        self.open.close();
    }
}
