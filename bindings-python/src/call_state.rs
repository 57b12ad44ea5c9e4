//! The state of a call, which the runtime's thread shares with the waiter in Python.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::thread::Thread;
use std::time::Duration;

use crate::bridge::LoopQueue;
use crate::outcome::Outcome;
use bindings_common::lock;

/// An event before the outcome.
pub(crate) enum Event {
    Update(Box<pipevideo::Update>),
    Progress(pipevideo::Progress),
}

/// What a waiter takes from a call.
pub(crate) enum News {
    Event(Event),
    Outcome(Outcome),
}

/// The state of a call. Its lock is never held while Python code runs.
pub(crate) struct CallState(Mutex<State>);

struct State {
    events: VecDeque<Event>,
    /// Whether only the latest event is kept.
    keeps_latest: bool,
    outcome: Option<Outcome>,
    waiter: Waiter,
    /// Whether the call is in the loop's queue.
    queued: bool,
}

/// What is woken when a call has news.
pub(crate) enum Waiter {
    Thread(Thread),
    /// An event loop. The reference is weak, since the loop belongs to Python.
    Loop(Weak<LoopQueue>),
    /// Nothing, since the waiter has left.
    Gone,
}

impl CallState {
    pub(crate) fn new(waiter: Waiter) -> Arc<Self> {
        let state = State {
            events: VecDeque::new(),
            keeps_latest: false,
            outcome: None,
            waiter,
            queued: false,
        };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Identifies this call among those of a loop.
    pub(crate) fn key(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// Adds an event.
    pub(crate) fn push(self: &Arc<Self>, event: Event) {
        let mut state = lock(&self.0);
        if state.keeps_latest {
            state.events.clear();
        }
        state.events.push_back(event);
        self.notify(&mut state);
    }

    /// From now on keeps only the latest event, since the callback may be slower than they come.
    pub(crate) fn keep_latest(&self) {
        let mut state = lock(&self.0);
        state.keeps_latest = true;
        let latest = state.events.pop_back();
        state.events.clear();
        state.events.extend(latest);
    }

    /// Sets the outcome if there is none yet.
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
            Waiter::Gone => {}
        }
    }

    /// Takes the next event or, after all events, the outcome.
    pub(crate) fn take_news(&self) -> Option<News> {
        let mut state = lock(&self.0);
        match state.events.pop_front() {
            Some(event) => Some(News::Event(event)),
            None => state.outcome.take().map(News::Outcome),
        }
    }

    /// Takes the outcome that no waiter has received.
    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        lock(&self.0).outcome.take()
    }

    pub(crate) fn has_news(&self) -> bool {
        let state = lock(&self.0);
        state.outcome.is_some() || !state.events.is_empty()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.0).outcome.is_some()
    }

    /// Parks the thread until there may be news, but no longer than the limit.
    pub(crate) fn wait_for_news(&self, limit: Duration) {
        if !self.has_news() {
            std::thread::park_timeout(limit);
        }
    }

    /// Unparks the thread that waits, if a thread does, for news that do not belong to this call.
    pub(crate) fn unpark(&self) {
        if let Waiter::Thread(thread) = &lock(&self.0).waiter {
            thread.unpark();
        }
    }

    /// Returns the queue of the loop that waits, if a loop does.
    pub(crate) fn queue(&self) -> Option<Arc<LoopQueue>> {
        match &lock(&self.0).waiter {
            Waiter::Loop(queue) => queue.upgrade(),
            _ => None,
        }
    }

    /// Records that the call is no longer in the loop's queue.
    pub(crate) fn set_dequeued(&self) {
        lock(&self.0).queued = false;
    }

    /// Removes the waiter: later events wake nothing.
    pub(crate) fn leave(self: &Arc<Self>) {
        let queue = self.queue();
        lock(&self.0).waiter = Waiter::Gone;
        if let Some(queue) = queue {
            drop(queue.take_future(self));
        }
    }
}
