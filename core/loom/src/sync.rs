//! `tokio::sync::Notify` by its documentation, over loom's mutex.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::lock::{Mutex, lock};

pub(crate) struct Notify(Mutex<State>);

#[derive(Default)]
struct State {
    /// What `notify_one` left for the next one that waits.
    has_permit: bool,
    /// How often all were notified.
    rounds: usize,
    next: usize,
    waiting: BTreeMap<usize, Waker>,
    /// The one that `notify_one` has notified, until it is polled.
    notified: Option<usize>,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::default()))
    }

    /// It counts for `notify_waiters` from now on, and for `notify_one` from its first poll on.
    pub(crate) fn notified(&self) -> futures::Notified<'_> {
        let mut state = lock(&self.0);
        state.next += 1;
        futures::Notified { notify: self, number: state.next, rounds: state.rounds }
    }

    pub(crate) fn notify_one(&self) {
        let mut state = lock(&self.0);
        let waker = match state.waiting.pop_first() {
            None => {
                state.has_permit = true;
                None
            }
            Some((number, waker)) => {
                state.notified = Some(number);
                Some(waker)
            }
        };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn notify_waiters(&self) {
        let mut state = lock(&self.0);
        state.rounds += 1;
        let wakers = std::mem::take(&mut state.waiting);
        drop(state);
        wakers.into_values().for_each(Waker::wake);
    }
}

pub(crate) mod futures {
    use super::*;

    pub(crate) struct Notified<'a> {
        pub(super) notify: &'a Notify,
        pub(super) number: usize,
        pub(super) rounds: usize,
    }

    impl Future for Notified<'_> {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            let mut state = lock(&self.notify.0);
            if state.rounds != self.rounds || state.notified == Some(self.number) {
                if state.notified == Some(self.number) {
                    state.notified = None;
                }
                return Poll::Ready(());
            }
            if std::mem::take(&mut state.has_permit) {
                return Poll::Ready(());
            }
            state.waiting.insert(self.number, context.waker().clone());
            Poll::Pending
        }
    }

    impl Drop for Notified<'_> {
        fn drop(&mut self) {
            let mut state = lock(&self.notify.0);
            state.waiting.remove(&self.number);
            // One that was notified and is not polled again passes it on.
            if state.notified == Some(self.number) {
                state.notified = None;
                drop(state);
                self.notify.notify_one();
            }
        }
    }
}
