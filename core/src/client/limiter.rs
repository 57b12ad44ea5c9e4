//! The limiter: lets requests through as the budget of their key allows.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::client_state::lock;
use super::clock;
use crate::error::{Error, ErrorKind};
use crate::polling::budget::{Budget, Class, Denial, RateLimit};
use crate::retry::MAX_RETRY_AFTER;

/// Lets requests through as the budget allows: direct calls in their order, and before polls.
pub(crate) struct Limiter {
    budget: Mutex<Budget>,
    /// Held by the direct call that is next in the queue.
    turn: tokio::sync::Mutex<()>,
    /// Notified when a response arrives, or a call with priority was sent.
    changed: Notify,
}

impl Limiter {
    pub(crate) fn new(rate_limit: Option<RateLimit>) -> Self {
        Self {
            budget: Mutex::new(Budget::new(rate_limit)),
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        }
    }

    pub(crate) fn budget(&self) -> MutexGuard<'_, Budget> {
        lock(&self.budget)
    }

    /// Completes when the budget has changed since this was called.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Waits until a direct call may be sent.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] if the service has stopped the key for longer than
    /// [`MAX_RETRY_AFTER`].
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Permit, Error> {
        let permit = || Permit::new(self, Class::Direct);
        if self.budget().acquire_unqueued(clock::now()) {
            return Ok(permit());
        }
        let _queued = Queued::new(self);
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.changed();
            let denial = match self.budget().acquire(clock::now(), Class::Direct) {
                Ok(()) => return Ok(permit()),
                Err(denial) => denial,
            };
            match denial {
                Denial::Until(at) => tokio::select! {
                    () = clock::sleep_until(at) => {}
                    () = changed => {}
                },
                Denial::UntilChange => changed.await,
                Denial::Frozen(at) => {
                    let pause = at.saturating_sub(clock::now());
                    if pause > MAX_RETRY_AFTER {
                        return Err(frozen(pause));
                    }
                    clock::sleep_until(at).await;
                }
            }
        }
    }

    /// The permit of a poll that the planner has just charged to the budget. A poll that is aborted
    /// before it begins gives its permit back by dropping it.
    pub(crate) fn poll_permit(self: &Arc<Self>) -> Permit {
        Permit::new(self, Class::Poll)
    }
}

fn frozen(pause: Duration) -> Error {
    let message = format!(
        "the rate limit of this key is exceeded, and the service refuses requests for another {} s. \
         Try again then; other processes may share the key.",
        pause.as_secs()
    );
    Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(pause))
}

/// The right to send one request. Dropping it gives it back to the budget.
pub(crate) struct Permit {
    limiter: Arc<Limiter>,
    class: Class,
    taken_at: Duration,
    sent: bool,
}

impl Permit {
    fn new(limiter: &Arc<Limiter>, class: Class) -> Self {
        Self { limiter: limiter.clone(), class, taken_at: clock::now(), sent: true }
    }

    /// The request was never sent, and does not count.
    pub(crate) fn not_sent(mut self) {
        self.sent = false;
    }

    /// The service responded 429.
    pub(crate) fn on_rate_limited(self, pause: Option<Duration>) {
        self.limiter.budget().on_rate_limited(clock::now(), self.taken_at, pause);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut budget = self.limiter.budget();
        if self.sent {
            budget.release(clock::now(), self.class);
        } else {
            budget.release_unsent(self.class);
        }
        drop(budget);
        self.limiter.changed.notify_waiters();
    }
}

/// A direct call that waits for room. Polls leave it the next slot.
struct Queued<'a>(&'a Limiter);

impl<'a> Queued<'a> {
    fn new(limiter: &'a Limiter) -> Self {
        limiter.budget().queue();
        Self(limiter)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.budget().unqueue();
        self.0.changed.notify_waiters();
    }
}
