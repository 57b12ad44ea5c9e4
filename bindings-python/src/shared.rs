//! What a call shares between the runtime's thread, where it runs, and its waiter in Python.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::bridge::LoopQueue;
use crate::outcome::Outcome;
use crate::runtime::lock;

/// What happens on the way to the outcome.
pub(crate) enum Event {
    Update(Box<pipevideo::Update>),
    Progress(pipevideo::Progress),
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
    /// An event loop, which belongs to Python: nothing here keeps it alive.
    Loop(Weak<LoopQueue>),
    /// The waiter has left: nobody.
    Nobody,
}

impl Shared {
    pub(crate) fn new(waiter: Waiter) -> Arc<Self> {
        let state = State { events: VecDeque::new(), outcome: None, waiter, queued: false };
        Arc::new(Self(Mutex::new(state)))
    }

    /// What a loop knows this call by.
    pub(crate) fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
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
            Waiter::Loop(queue) => {
                if let Some(queue) = queue.upgrade()
                    && !std::mem::replace(&mut state.queued, true)
                {
                    queue.push(self.clone());
                }
            }
            Waiter::Nobody => {}
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

    pub(crate) fn has_news(&self) -> bool {
        let state = lock(&self.0);
        state.outcome.is_some() || !state.events.is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.0).outcome.is_some()
    }

    /// Rests the thread until there may be news, at most for so long.
    pub(crate) fn rest(&self, limit: Duration) {
        if !self.has_news() {
            std::thread::park_timeout(limit);
        }
    }

    /// Wakes the thread that blocks, if one does, for what is not this call's.
    pub(crate) fn nudge(&self) {
        if let Waiter::Thread(thread) = &lock(&self.0).waiter {
            thread.unpark();
        }
    }

    /// The queue of the loop that waits, as long as there is one.
    pub(crate) fn queue(&self) -> Option<Arc<LoopQueue>> {
        match &lock(&self.0).waiter {
            Waiter::Loop(queue) => queue.upgrade(),
            _ => None,
        }
    }

    /// The loop takes this call out of its queue.
    pub(crate) fn taken(&self) {
        lock(&self.0).queued = false;
    }

    /// The future that the loop waits for, if it does.
    pub(crate) fn future<'py>(self: &Arc<Self>, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.queue()?.future(py, self)
    }

    /// The waiter leaves: whatever is told from now on wakes nobody.
    pub(crate) fn leave(self: &Arc<Self>) {
        let queue = self.queue();
        lock(&self.0).waiter = Waiter::Nobody;
        if let Some(queue) = queue {
            drop(queue.take_future(self));
        }
    }
}
