//! What a call shares between the runtime's thread, where it runs, and its waiter in Python.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use pyo3::intern;
use pyo3::prelude::*;

use crate::bridge::LoopQueue;
use crate::outcome::Outcome;
use crate::runtime::lock;
use crate::token::TokenRequest;

/// What happens on the way to the outcome.
pub(crate) enum Event {
    Update(Box<pipevideo::Update>),
    Progress(pipevideo::Progress),
    Token(TokenRequest),
}

/// What the waiter finds.
pub(crate) enum News {
    Event(Event),
    Outcome(Outcome),
}

/// A call's state on the border. Its lock is never held while Python runs.
pub(crate) struct Shared(Mutex<State>);

struct State {
    events: VecDeque<Event>,
    outcome: Option<Outcome>,
    waiter: Waiter,
    /// Whether the loop's queue has this call already.
    queued: bool,
}

/// Who is woken when there are news.
pub(crate) enum Waiter {
    Thread(Thread),
    Loop { queue: Arc<LoopQueue>, future: Option<Py<PyAny>> },
}

impl Shared {
    pub(crate) fn new(waiter: Waiter) -> Arc<Self> {
        let state = State { events: VecDeque::new(), outcome: None, waiter, queued: false };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Tells what has happened.
    pub(crate) fn tell(self: &Arc<Self>, event: Event) {
        let mut state = lock(&self.0);
        state.events.push_back(event);
        self.notify(&mut state);
    }

    /// Tells how it ended, unless that is known already.
    pub(crate) fn end(self: &Arc<Self>, outcome: impl FnOnce() -> Outcome) {
        let mut state = lock(&self.0);
        if state.outcome.is_none() {
            state.outcome = Some(outcome());
            self.notify(&mut state);
        }
    }

    fn notify(self: &Arc<Self>, state: &mut State) {
        match &state.waiter {
            Waiter::Thread(thread) => thread.unpark(),
            Waiter::Loop { queue, .. } => {
                if !std::mem::replace(&mut state.queued, true) {
                    queue.push(self.clone());
                }
            }
        }
    }

    /// The next news: events in their order, then the outcome.
    pub(crate) fn news(&self) -> Option<News> {
        let mut state = lock(&self.0);
        match state.events.pop_front() {
            Some(event) => Some(News::Event(event)),
            None => state.outcome.take().map(News::Outcome),
        }
    }

    /// Rests the thread until there may be news, at most for so long.
    pub(crate) fn rest(&self, limit: Duration) {
        let news = {
            let state = lock(&self.0);
            state.outcome.is_some() || !state.events.is_empty()
        };
        if !news {
            std::thread::park_timeout(limit);
        }
    }

    /// Sets the future that is to be resolved when there are news; false if there are some.
    pub(crate) fn set_future(&self, new: Py<PyAny>) -> bool {
        let mut state = lock(&self.0);
        if state.outcome.is_some() || !state.events.is_empty() {
            return false;
        }
        let old = match &mut state.waiter {
            Waiter::Loop { future, .. } => future.replace(new),
            Waiter::Thread(_) => None,
        };
        // Its destructor may run Python, which must not find the lock held.
        drop(state);
        drop(old);
        true
    }

    /// Resolves the future that waits, if one does; on the loop's thread.
    pub(crate) fn wake_waiter(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = lock(&self.0);
        state.queued = false;
        let future = match &mut state.waiter {
            Waiter::Loop { future, .. } => future.take(),
            Waiter::Thread(_) => None,
        };
        drop(state);
        let Some(future) = future.map(|future| future.into_bound(py)) else { return Ok(()) };
        if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(())
    }
}
