//! The request budget of one key: when the next request may be sent, and what a 429 changes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use self::link::Noted;
use self::shared::Sharing;
use super::throttle::{REGAINED, Throttle};

/// How many requests a key may make in a window.
///
/// ```
/// use pipevideo::RateLimit;
/// use std::time::Duration;
///
/// assert_eq!(RateLimit::default(), RateLimit::new(100, Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RateLimit {
    /// The maximum number of requests in any window.
    pub requests: u32,
    /// The length of the window.
    pub per: Duration,
}

impl RateLimit {
    /// At most `requests` in any window of length `per`.
    pub fn new(requests: u32, per: Duration) -> Self {
        Self { requests, per }
    }
}

impl Default for RateLimit {
    /// The service's documented limit.
    fn default() -> Self {
        Self { requests: 100, per: Duration::from_secs(60) }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A call that its caller waits for: a create, a retrieve, an account's usage.
    Direct,
    /// A poll, which the planner chose and could as well choose later.
    Poll,
}

/// The polls that a planner may send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PollRate {
    /// The polls of a window without direct calls.
    pub(crate) polls: f64,
    /// The polls of a window that the direct calls of the last one leave.
    pub(crate) left: f64,
    /// The length of the window, in seconds.
    pub(crate) window: f64,
}

impl PollRate {
    /// The polls a second beside the direct calls.
    pub(crate) fn a_second(self) -> f64 {
        self.left / self.window
    }
}

/// Why a request may not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Not before this time.
    Until(Duration),
    /// Not before something changes: a response arrives, or a call with priority is sent.
    UntilChange,
}

/// The requests of one key: those in flight, and those of the last window.
///
/// A request counts from when it is sent until a window after its response: wherever in between
/// the service has counted it, no window of the service's holds more than the limit.
pub(crate) struct Budget {
    limit: Option<RateLimit>,
    /// When the requests of the last window got their response, oldest first.
    released: VecDeque<(Duration, Class)>,
    /// How many requests have ever got one. The last of them has this number less one.
    released_count: u64,
    /// How many requests of the window, in flight or not, are direct calls and polls.
    direct: usize,
    polls: usize,
    /// The direct calls that wait for room.
    waiting: usize,
    /// Until when direct calls leave polls their guaranteed share, since a poll was denied.
    polls_guaranteed_until: Duration,
    /// The direct calls since the last poll, as far as they count for the next one.
    calls_since_poll: usize,
    /// What refused polls have left of the limit. A poll is as cheap as a request can be, so the key
    /// itself is refused.
    of_key: Throttle,
    /// What refused direct calls have left of it: the service may refuse creates alone.
    of_calls: Throttle,
    /// The demand of each planner for polls, and when it last asked for its rate.
    demands: BTreeMap<PlannerNumber, (f64, Duration)>,
    sharing: Sharing,
    /// The number of the first released request that the shared window does not know.
    reported: u64,
    /// The 429s that it does not know.
    refusals: Vec<Noted>,
}

/// Distinguishes the planners of one key: each runtime and each way to the service has its own.
pub(crate) type PlannerNumber = u64;

/// The share of the limit that polls leave to direct calls. A tenth is six seconds of the window:
/// a create that comes while polls use all they may waits no longer than that.
const RESERVE: f64 = 0.1;
/// The share of the limit that direct calls leave to polls which have no room. A fifth polls ten
/// generations about every half a minute, however many reads a program makes.
const GUARANTEED_TO_POLLS: f64 = 0.2;
/// The planner counts on at least one in this many of the polls' slots, even in a burst of direct
/// calls: bursts are short, and a plan without polls would starve the waits.
const MIN_POLL_SHARE: f64 = 4.0;
/// Where a fifth of the limit is less than one request, every fifth request is guaranteed to polls.
const CALLS_PER_POLL: usize = 4;

impl Budget {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            released: VecDeque::new(),
            released_count: 0,
            direct: 0,
            polls: 0,
            waiting: 0,
            polls_guaranteed_until: Duration::ZERO,
            calls_since_poll: 0,
            of_key: Throttle::new(),
            of_calls: Throttle::new(),
            demands: BTreeMap::new(),
            sharing: Sharing::Alone,
            reported: 0,
            refusals: Vec::new(),
        }
    }

    /// The limit of requests, if there is one.
    pub(crate) fn limit(&self) -> Option<RateLimit> {
        self.limit
    }

    /// Acquires the right to send one request now. It is given back with
    /// [`release`](Self::release) or [`release_unsent`](Self::release_unsent).
    pub(crate) fn acquire(&mut self, now: Duration, class: Class) -> Result<(), Denial> {
        // Also without a limit of our own: the service has the last word.
        let frozen_until = self.frozen_until(class);
        if now < frozen_until {
            return Err(Denial::Until(frozen_until));
        }
        if let Some(limit) = self.limit {
            self.evict_expired(now, limit);
            self.check_link(now);
            match &mut self.sharing {
                Sharing::Linked(link) => link.take(now, class)?,
                Sharing::Alone | Sharing::CutOff(_) => self.own_room(now, limit, class)?,
            }
        }
        *self.count(class) += 1;
        self.calls_since_poll = match class {
            // No more than that of a second poll, or polls could make up for an hour without waits.
            Class::Direct => (self.calls_since_poll + 1).min(2 * CALLS_PER_POLL - 1),
            Class::Poll => self.calls_since_poll.saturating_sub(CALLS_PER_POLL),
        };
        Ok(())
    }

    fn frozen_until(&self, class: Class) -> Duration {
        let of_key = self.of_key.frozen_until();
        match class {
            Class::Direct => of_key.max(self.of_calls.frozen_until()),
            Class::Poll => of_key,
        }
    }

    /// Whether this process's window has room.
    fn own_room(&mut self, now: Duration, limit: RateLimit, class: Class) -> Result<(), Denial> {
        match class {
            Class::Direct => self.direct_room(now, limit),
            Class::Poll => {
                let room = self.poll_room(now, limit);
                if room.is_err() {
                    // The slots of a full window come free within the next one.
                    let windows = limit.per.saturating_mul(2);
                    self.polls_guaranteed_until = now.saturating_add(windows);
                }
                room
            }
        }
    }

    fn direct_room(&self, now: Duration, limit: RateLimit) -> Result<(), Denial> {
        let own = self.of_calls.allowance(now, limit);
        let is_direct = |class| class == Class::Direct;
        // What is in flight counts until a window after its response, and what is kept for polls is free
        // again when their guarantee ends. So a call that waits needs no other event than its time.
        let latest = now.saturating_add(limit.per);
        let not_after = |at: Duration| {
            move |denial| match denial {
                Denial::Until(until) => Denial::Until(until.min(at)),
                Denial::UntilChange => Denial::Until(latest.min(at)),
            }
        };
        let room = self.room(self.direct, own, (now, limit, &self.of_calls), is_direct);
        room.map_err(not_after(Duration::MAX))?;
        let allowance = self.allowance(now, limit);
        let kept = if now < self.polls_guaranteed_until {
            self.guaranteed_to_polls(allowance).saturating_sub(self.polls)
        } else {
            0
        };
        let used = self.direct + self.polls;
        let room =
            self.room(used, allowance.saturating_sub(kept), (now, limit, &self.of_key), |_| true);
        let kept_until = if kept > 0 { self.polls_guaranteed_until } else { Duration::MAX };
        room.map_err(not_after(kept_until))
    }

    fn poll_room(&self, now: Duration, limit: RateLimit) -> Result<(), Denial> {
        let allowance = self.allowance(now, limit);
        // Beyond their guaranteed share, polls leave a slot to each call that waits for one.
        let is_guaranteed = self.polls < self.guaranteed_to_polls(allowance);
        let waiting = if is_guaranteed { 0 } else { self.waiting_for_slots(now, limit) };
        let (cap, by) = (allowance.saturating_sub(waiting), (now, limit, &self.of_key));
        self.room(self.direct + self.polls, cap, by, |_| true)?;
        self.room(self.polls, for_polls(allowance), by, |class| class == Class::Poll)
    }

    /// The waiting calls that a free slot would let through. While the service refuses calls, polls
    /// need not leave slots to them.
    fn waiting_for_slots(&self, now: Duration, limit: RateLimit) -> usize {
        if now < self.of_calls.frozen_until() {
            return 0;
        }
        self.waiting.min(self.of_calls.allowance(now, limit).saturating_sub(self.direct))
    }

    /// The part of an allowance that polls get in any case.
    fn guaranteed_to_polls(&self, allowance: usize) -> usize {
        let is_due = self.calls_since_poll >= CALLS_PER_POLL;
        ((allowance as f64 * GUARANTEED_TO_POLLS) as usize).max(usize::from(is_due))
    }

    /// Whether less than `cap` is used; if not, when enough of the requests that count will have
    /// left the window, or the allowance will have grown enough.
    fn room(
        &self,
        used: usize,
        cap: usize,
        (now, limit, by): (Duration, RateLimit, &Throttle),
        counts: impl Fn(Class) -> bool,
    ) -> Result<(), Denial> {
        let Some(excess) = used.checked_sub(cap) else { return Ok(()) };
        let leaving = self.released.iter().filter(|(_, class)| counts(*class)).nth(excess);
        let left_at = leaving.map(|(released, _)| released.saturating_add(limit.per));
        let grown_at = by.grows_at(now, excess + 1, limit);
        let at = left_at.into_iter().chain(grown_at).min();
        Err(at.map_or(Denial::UntilChange, Denial::Until))
    }

    fn count(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Direct => &mut self.direct,
            Class::Poll => &mut self.polls,
        }
    }

    /// A request got its response, or was abandoned after it may have been sent.
    pub(crate) fn release(&mut self, now: Duration, class: Class) {
        match self.limit {
            // It counts until a window after its response.
            Some(_) => {
                self.released.push_back((now, class));
                self.released_count += 1;
            }
            None => self.release_unsent(class),
        }
    }

    /// A request was never sent. It does not count.
    pub(crate) fn release_unsent(&mut self, class: Class) {
        *self.count(class) -= 1;
        if class == Class::Direct {
            self.calls_since_poll = self.calls_since_poll.saturating_sub(1);
        }
    }

    /// The service responded 429 to a request that was sent at `sent`. Requests stop for as long as the
    /// response says, and continue at half the rate. A refused direct call leaves polls as they are
    /// until one of them is refused as well.
    pub(crate) fn on_rate_limited(
        &mut self,
        now: Duration,
        sent: Duration,
        class: Class,
        pause: Option<Duration>,
    ) {
        let limit = self.limit;
        self.throttle(class).on_rate_limited(now, sent, pause, limit);
        self.note_refusal(sent, class, false);
    }

    /// The service responded 429 once more to a call that it has refused before. That is one refusal:
    /// requests stop again, and the rate stays.
    pub(crate) fn on_refused_again(
        &mut self,
        now: Duration,
        class: Class,
        pause: Option<Duration>,
    ) {
        self.throttle(class).freeze(now, pause);
        self.note_refusal(now, class, true);
    }

    fn throttle(&mut self, class: Class) -> &mut Throttle {
        match class {
            Class::Direct => &mut self.of_calls,
            Class::Poll => &mut self.of_key,
        }
    }

    /// Sets how many direct calls wait for room. Polls leave it to them.
    pub(crate) fn set_waiting(&mut self, calls: usize) {
        self.waiting = calls;
    }

    /// How many more direct calls may be sent now; `None` without a limit.
    pub(crate) fn left(&mut self, now: Duration) -> Option<usize> {
        let limit = self.limit?;
        self.evict_expired(now, limit);
        if now < self.frozen_until(Class::Direct) {
            return Some(0);
        }
        let others = self.others().used;
        let direct = self.direct + others.direct;
        let used = direct + self.polls + others.poll;
        let of_key = self.allowance(now, limit).saturating_sub(used);
        let of_calls = self.of_calls.allowance(now, limit).saturating_sub(direct);
        Some(of_key.min(of_calls))
    }

    /// The polls that a planner may send; `None` without a limit. The planners of a key share them by
    /// demand.
    pub(crate) fn poll_rate(
        &mut self,
        now: Duration,
        planner: PlannerNumber,
        demand: f64,
    ) -> Option<PollRate> {
        let limit = self.limit?;
        self.evict_expired(now, limit);
        let allowance = self.allowance(now, limit);
        let polls = for_polls(allowance) as f64;
        // Direct calls come in bursts: what they leave of one window says little about the next.
        let others = self.others();
        let left = allowance.saturating_sub(self.direct + others.used.direct) as f64;
        self.demands.insert(planner, (demand, now));
        // A planner that has not asked for a window is on a runtime that nothing drives.
        self.demands.retain(|_, (_, asked)| now.saturating_sub(*asked) <= limit.per);
        let total = self.demand() + others.demand;
        let share = if total > 0.0 { demand / total } else { 1.0 };
        Some(PollRate {
            polls: (polls * share).max(1.0),
            left: (left.clamp(polls / MIN_POLL_SHARE, polls) * share).max(1.0),
            window: window(limit),
        })
    }

    /// Drops the requests that have left the window.
    fn evict_expired(&mut self, now: Duration, limit: RateLimit) {
        while let Some((released, class)) = self.released.front().copied()
            && released.saturating_add(limit.per) <= now
        {
            self.released.pop_front();
            *self.count(class) -= 1;
        }
    }
}

/// The length of the window, in seconds. One of zero is a caller's mistake that must not divide by zero.
pub(super) fn window(limit: RateLimit) -> f64 {
    limit.per.as_secs_f64().max(1e-3)
}

/// The part of an allowance that polls may use.
fn for_polls(allowance: usize) -> usize {
    let reserve = (allowance as f64 * RESERVE).ceil() as usize;
    allowance.saturating_sub(reserve).max(1)
}

// With paths, since `core/loom` compiles this file from elsewhere.
#[path = "budget/link.rs"]
mod link;
#[path = "budget/shared.rs"]
pub(crate) mod shared;
#[cfg(test)]
mod tests;
