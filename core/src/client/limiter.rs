//! The limiter: lets requests through as the budget of their key allows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::clock;
use crate::lock::{Mutex, lock};
use crate::polling::budget::shared::MAX_SILENCE;
use crate::polling::budget::{Budget, Class, RateLimit};
use crate::polling::queue::{Queue, TicketId, Turn};

/// What is reported of a call that waits for longer than a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It waits, until the budget may have room for the first call in the queue in this time. It is
    /// unknown if that depends on the responses to other requests.
    Begun { room_in: Option<Duration> },
    /// It has waited this long, and goes out.
    Ended { waited: Duration },
}

/// How long a call waits before that is reported: a person perceives a tenth of a second as no delay.
const HOLD_NOTICE: Duration = Duration::from_millis(100);

/// Lets requests through as the budget allows: direct calls in their order, and before polls.
///
/// Nothing that others wait for is held across an await by the future of a call: a call that waits
/// has a ticket, and the room that it is granted is withdrawn if its future is not polled.
pub(crate) struct Limiter {
    state: Mutex<State>,
    /// Notified when a request got its response, or a call has left the queue: polls may have room.
    changed: Notify,
    /// Notified when the window that other processes share has to be asked for room.
    pub(crate) report_due: Notify,
}

struct State {
    budget: Budget,
    queue: Queue,
    /// How the calls in the queue are woken.
    wakers: BTreeMap<TicketId, Arc<Notify>>,
    /// The requests in flight, by the number of their permit.
    leases: BTreeMap<u64, Lease>,
    next_permit: u64,
}

/// A request in flight.
struct Lease {
    expires_at: Duration,
    class: Class,
}

/// How long a request may stay in flight before its slot is given back as if it had ended. The
/// permit of a call belongs to its future, which may never be polled again; and a service that has
/// not responded within its own window has long counted the request.
const LEASE: Duration = Duration::from_secs(60);

impl Limiter {
    pub(crate) fn new(rate_limit: Option<RateLimit>) -> Self {
        let state = State {
            budget: Budget::new(rate_limit),
            queue: Queue::default(),
            wakers: BTreeMap::new(),
            leases: BTreeMap::new(),
            next_permit: 0,
        };
        Self { state: Mutex::new(state), changed: Notify::new(), report_due: Notify::new() }
    }

    /// Waits until a direct call may be sent.
    #[cfg_attr(not(test), allow(dead_code, reason = "for the tests, those of loom too"))]
    pub(crate) async fn acquire(self: &Arc<Self>) -> Permit {
        self.acquire_after(Duration::ZERO, |_| {}).await
    }

    /// Waits until a direct call may be sent, which has waited this long for Redis already. If that
    /// takes longer than a moment, `on_hold` is called at once and at the end.
    pub(crate) async fn acquire_after(
        self: &Arc<Self>,
        waited: Duration,
        on_hold: impl Fn(Hold),
    ) -> Permit {
        // The common case takes the lock once: there is room, and no other call waits for it.
        let began = clock::now();
        let number = self.update(began, |state| {
            let granted = state.queue.acquire_unqueued(began, &mut state.budget);
            if !granted {
                state.budget.has_waited_since(began.saturating_sub(waited));
            }
            granted.then(|| state.lease(began, Class::Direct))
        });
        if let Some(number) = number {
            return Permit::new(self, number, Class::Direct, began);
        }
        let ticket = Ticket::new(self);
        let mut notice_at = began.saturating_add(HOLD_NOTICE);
        loop {
            let now = clock::now();
            let at = match ticket.turn(now) {
                Turn::Granted => {
                    if notice_at == Duration::MAX {
                        on_hold(Hold::Ended { waited: now.saturating_sub(began) });
                    }
                    return self.permit(now, Class::Direct);
                }
                Turn::Waiting(at) => at,
            };
            if now >= notice_at {
                notice_at = Duration::MAX;
                let room_in = (at < Duration::MAX).then(|| at.saturating_sub(now));
                on_hold(Hold::Begun { room_in });
            }
            tokio::select! {
                () = clock::sleep_until(at.min(notice_at)) => {}
                // It keeps one notification, so none between the two lines is missed.
                () = ticket.woken.notified() => {}
            }
        }
    }

    /// Runs a function on the budget that the calls leave to polls. Returns its result, when to run it
    /// again if the budget does not change before, and a future that completes when it does.
    pub(crate) fn poll_with<T>(
        &self,
        f: impl FnOnce(&mut Budget) -> T,
    ) -> (T, Duration, Notified<'_>) {
        // Before the budget is read, so that no change is missed.
        let changed = self.changed.notified();
        let now = clock::now();
        let (result, next_event) = self.update(now, |state| {
            // Calls that wait have priority, also those that are about to be polled for the first time.
            let denial = state.queue.serve(now, &mut state.budget);
            let result = f(&mut state.budget);
            (result, state.queue.next_event(denial).min(state.next_expiry()))
        });
        (result, next_event, changed)
    }

    /// Changes the state, and wakes the calls to which that grants room. No lock is held while they are
    /// woken.
    fn update<T>(&self, now: Duration, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, woken, is_report_due) = {
            let mut state = lock(&self.state);
            state.expire_leases(now);
            let result = change(&mut state);
            (result, state.take_woken(), state.budget.is_report_due(now))
        };
        woken.iter().for_each(|call| call.notify_one());
        if is_report_due {
            self.report_due.notify_one();
        }
        result
    }

    /// The limit, as the client has set it.
    pub(crate) fn limit(&self) -> Option<RateLimit> {
        lock(&self.state).budget.limit()
    }

    /// The number of requests left in this window; `None` without a limit.
    pub(crate) fn left(&self) -> Option<usize> {
        lock(&self.state).budget.left(clock::now())
    }

    /// How long a call may wait for Redis. While it does not answer, no time.
    pub(crate) fn redis_timeout(&self) -> Duration {
        if lock(&self.state).budget.is_out_of_reach() { Duration::ZERO } else { MAX_SILENCE }
    }

    /// How many processes share the limit, as last known.
    pub(crate) fn processes(&self) -> usize {
        lock(&self.state).budget.other_processes() + 1
    }

    /// The permit of a poll that the planner has just charged to the budget. A poll that is aborted
    /// before it begins gives its permit back by dropping it.
    pub(crate) fn poll_permit(self: &Arc<Self>) -> Permit {
        self.permit(clock::now(), Class::Poll)
    }

    fn permit(self: &Arc<Self>, now: Duration, class: Class) -> Permit {
        let number = self.update(now, |state| state.lease(now, class));
        Permit::new(self, number, class, now)
    }
}

impl State {
    fn take_woken(&mut self) -> Vec<Arc<Notify>> {
        let woken = self.queue.take_woken();
        woken.iter().filter_map(|ticket| self.wakers.get(ticket).cloned()).collect()
    }

    /// Records a request in flight, for which the budget was charged. Returns its number.
    fn lease(&mut self, now: Duration, class: Class) -> u64 {
        let number = self.next_permit;
        self.next_permit += 1;
        self.leases.insert(number, Lease { expires_at: now.saturating_add(LEASE), class });
        number
    }

    fn expire_leases(&mut self, now: Duration) {
        while let Some(lease) = self.leases.first_entry().filter(|l| l.get().expires_at <= now) {
            self.budget.release(now, lease.remove().class);
        }
    }

    fn next_expiry(&self) -> Duration {
        self.leases.first_key_value().map_or(Duration::MAX, |(_, lease)| lease.expires_at)
    }
}

/// The place of a call in the queue, which it leaves however it ends.
struct Ticket<'a> {
    limiter: &'a Limiter,
    id: TicketId,
    woken: Arc<Notify>,
}

impl<'a> Ticket<'a> {
    fn new(limiter: &'a Limiter) -> Self {
        let woken = Arc::new(Notify::new());
        let mut state = lock(&limiter.state);
        let id = state.queue.push();
        state.wakers.insert(id, woken.clone());
        Self { limiter, id, woken }
    }

    fn turn(&self, now: Duration) -> Turn {
        self.limiter.update(now, |state| match state.queue.turn(now, self.id, &mut state.budget) {
            Turn::Waiting(at) => Turn::Waiting(at.min(state.next_expiry())),
            turn => turn,
        })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = clock::now();
        let has_left = self.limiter.update(now, |state| {
            state.wakers.remove(&self.id);
            state.queue.leave(now, self.id, &mut state.budget)
        });
        if has_left {
            // One call less waits, so polls may have room.
            self.limiter.changed.notify_waiters();
        }
    }
}

/// The right to send one request. Dropping it gives it back to the budget.
pub(crate) struct Permit {
    limiter: Arc<Limiter>,
    number: u64,
    class: Class,
    acquired_at: Duration,
    sent: bool,
    was_refused: bool,
}

impl Permit {
    fn new(limiter: &Arc<Limiter>, number: u64, class: Class, acquired_at: Duration) -> Self {
        Self {
            limiter: limiter.clone(),
            number,
            class,
            acquired_at,
            sent: false,
            was_refused: false,
        }
    }

    /// The request is about to be sent. From now on it counts, however it ends: the service may have
    /// seen it.
    pub(crate) fn start(&mut self) {
        self.sent = true;
    }

    /// The request was never sent, and does not count.
    pub(crate) fn not_sent(mut self) {
        self.sent = false;
    }

    /// Says whether the service has refused the same call before.
    pub(crate) fn of_call(mut self, was_refused: bool) -> Self {
        self.was_refused = was_refused;
        self
    }

    /// The service responded 429.
    pub(crate) fn on_rate_limited(self, pause: Option<Duration>) {
        let (now, sent) = (clock::now(), self.acquired_at);
        self.limiter.update(now, |state| {
            if self.was_refused {
                state.budget.on_refused_again(now, self.class, pause);
            } else {
                state.budget.on_rate_limited(now, sent, self.class, pause);
            }
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = clock::now();
        self.limiter.update(now, |state| {
            // One that has expired was given back already.
            let Some(lease) = state.leases.remove(&self.number) else { return };
            if self.sent {
                state.budget.release(now, lease.class);
            } else {
                state.budget.release_unsent(lease.class);
            }
            state.queue.serve(now, &mut state.budget);
        });
        self.limiter.changed.notify_waiters();
    }
}

#[cfg(feature = "redis")]
mod link;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
