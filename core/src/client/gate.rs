//! The budget of one key, shared by everything that this process does with it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock;
use super::followers::Followers;
use super::recent::Recent;
use super::webhooks::Inbox;
use crate::error::{Error, ErrorKind};
use crate::follow::budget::{Budget, Class, RateLimit, Refusal};
use crate::retry::PATIENCE;
use crate::wire::BaseUrl;

/// What all clients with the same key, base URL and rate limit share.
pub(crate) struct Shared {
    pub(crate) gate: Arc<Gate>,
    /// The generations that this process has created, and when.
    pub(crate) created: Mutex<Recent>,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) followers: Followers,
}

/// Who shares: the same key at the same place, with the same limit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) base_url: BaseUrl,
    pub(crate) key: String,
    pub(crate) rate_limit: Option<RateLimit>,
}

static SHARED: LazyLock<Mutex<HashMap<Identity, Weak<Shared>>>> = LazyLock::new(Mutex::default);

impl Shared {
    /// What the clients of this identity share; without one (the key is a function) nothing is.
    pub(crate) fn of(identity: Option<Identity>, rate_limit: Option<RateLimit>) -> Arc<Self> {
        let new = || {
            Arc::new(Self {
                gate: Arc::new(Gate::new(rate_limit)),
                created: Mutex::default(),
                inbox: Mutex::default(),
                followers: Followers::default(),
            })
        };
        let Some(identity) = identity else { return new() };
        let mut all = lock(&SHARED);
        all.retain(|_, shared| shared.strong_count() > 0);
        let slot = all.entry(identity).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let shared = new();
            *slot = Arc::downgrade(&shared);
            shared
        })
    }
}

/// Forgets what the clients of this process share: those built from now on share anew.
///
/// For a child that has come out of a `fork`. It inherits what its parent's calls were in the middle
/// of, places in a queue and requests that nobody will answer here. Clients of the parent are to be
/// neither used nor dropped in the child, since their connections are the parent's too.
///
/// ```
/// // In the child:
/// pipevideo::forget_shared_state();
/// let client = pipevideo::Client::builder().api_key("pv_example").build()?;
/// # let _ = client;
/// # Ok::<(), pipevideo::Error>(())
/// ```
pub fn forget_shared_state() {
    lock(&SHARED).clear();
}

/// Lets requests through as the budget allows: direct calls in their order and before polls.
pub(crate) struct Gate {
    budget: Mutex<Budget>,
    /// Held by the direct call whose turn is next.
    turn: tokio::sync::Mutex<()>,
    /// An answer has come, or a call that had priority has gone.
    changed: Notify,
}

impl Gate {
    fn new(rate_limit: Option<RateLimit>) -> Self {
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
    pub(crate) async fn enter(self: &Arc<Self>) -> Result<Permit, Error> {
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
    gate: Arc<Gate>,
    class: Class,
    taken_at: Duration,
    sent: bool,
}

impl Permit {
    fn new(gate: &Arc<Gate>, class: Class) -> Self {
        Self { gate: gate.clone(), class, taken_at: clock::now(), sent: true }
    }

    /// The request never left.
    pub(crate) fn not_sent(mut self) {
        self.sent = false;
    }

    /// The service answered 429.
    pub(crate) fn limited(self, pause: Option<Duration>) {
        self.gate.budget().limited(clock::now(), self.taken_at, pause);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut budget = self.gate.budget();
        match self.sent {
            true => budget.answered(clock::now(), self.class),
            false => budget.not_sent(self.class),
        }
        drop(budget);
        self.gate.changed.notify_waiters();
    }
}

/// A direct call that waits: polls give way to it.
struct Queued<'a>(&'a Gate);

impl<'a> Queued<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.budget().queue();
        Self(gate)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.budget().unqueue();
        self.0.changed.notify_waiters();
    }
}

/// The mutexes here are held for a few lines that do not panic; if one did, its state is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
