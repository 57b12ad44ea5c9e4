//! The budget of one key, shared by everything that this process does with it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::client_state::lock;
use super::clock;
use crate::error::{Error, ErrorKind};
use crate::polling::budget::{Budget, Class, RateLimit, Refusal};
use crate::retry::PATIENCE;

/// Lets requests through as the budget allows: direct calls in their order and before polls.
pub(crate) struct Limiter {
    budget: Mutex<Budget>,
    /// Held by the direct call whose turn is next.
    turn: tokio::sync::Mutex<()>,
    /// An answer has come, or a call that had priority has gone.
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

    /// Waits for a direct call's turn.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] if the service has said to wait for longer than anybody would.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Permit, Error> {
        let permit = || Permit::new(self, Class::Direct);
        if self.budget().take_unqueued(clock::now()) {
            return Ok(permit());
        }
        let _queued = Queued::new(self);
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.changed();
            let refusal = match self.budget().take(clock::now(), Class::Direct) {
                Ok(()) => return Ok(permit()),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Until(at) => tokio::select! {
                    () = clock::sleep_until(at) => {}
                    () = changed => {}
                },
                Refusal::UntilChange => changed.await,
                Refusal::Frozen(at) => {
                    let pause = at.saturating_sub(clock::now());
                    if pause > PATIENCE {
                        return Err(frozen(pause));
                    }
                    clock::sleep_until(at).await;
                }
            }
        }
    }

    /// The permit of a poll that the planner has just charged. It goes with the look from then on:
    /// one that is given up before it has begun gives its place back too.
    pub(crate) fn poll_permit(self: &Arc<Self>) -> Permit {
        Permit::new(self, Class::Poll)
    }
}

fn frozen(pause: Duration) -> Error {
    let message = format!(
        "the service has stopped this key for {} s more. Try again then; other processes may share \
         the key.",
        pause.as_secs()
    );
    Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(pause))
}

/// The right to send one request. However it ends, the budget hears of it.
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

    /// The request never left.
    pub(crate) fn not_sent(mut self) {
        self.sent = false;
    }

    /// The service answered 429.
    pub(crate) fn limited(self, pause: Option<Duration>) {
        self.limiter.budget().limited(clock::now(), self.taken_at, pause);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut budget = self.limiter.budget();
        match self.sent {
            true => budget.answered(clock::now(), self.class),
            false => budget.not_sent(self.class),
        }
        drop(budget);
        self.limiter.changed.notify_waiters();
    }
}

/// A direct call that waits: polls give way to it.
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
