//! The request budget of one key: when the next request may be sent, and what a 429 changes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::retry::DEFAULT_RATE_LIMIT_PAUSE;

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
    /// How many requests of the window, in flight or not, are direct calls and polls.
    direct: usize,
    polls: usize,
    /// The direct calls that wait for room.
    waiting: usize,
    /// Until when direct calls leave polls their guaranteed share, since a poll was denied.
    polls_guaranteed_until: Duration,
    frozen_until: Duration,
    /// The share of the limit that the last 429 left, and when that was.
    share: f64,
    cut_at: Duration,
}

/// The share of the limit that polls leave to direct calls. A tenth is six seconds of the window:
/// a create that comes while polls use all they may waits no longer than that.
const RESERVE: f64 = 0.1;
/// The share of the limit that direct calls leave to polls which have no room. A fifth polls ten
/// generations about every half a minute, however many reads a program makes.
const GUARANTEED_TO_POLLS: f64 = 0.2;
/// Up to this share of the limit is spent even on polls that are worth little. Found by simulation:
/// the last third is what the ends of many generations at once need.
const SPARE: f64 = 2.0 / 3.0;
/// The planner counts on at least one in this many of the polls' slots, even in a burst of direct
/// calls: bursts are short, and a plan without polls would starve the waits.
const MIN_POLL_SHARE: usize = 4;
/// The share of the limit that is restored in every window after a 429, slow enough to notice another
/// process with the same key.
const REGAINED: f64 = 0.1;

impl Budget {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            released: VecDeque::new(),
            direct: 0,
            polls: 0,
            waiting: 0,
            polls_guaranteed_until: Duration::ZERO,
            frozen_until: Duration::ZERO,
            share: 1.0,
            cut_at: Duration::ZERO,
        }
    }

    /// Acquires the right to send one request now. It is given back with
    /// [`release`](Self::release) or [`release_unsent`](Self::release_unsent).
    pub(crate) fn acquire(&mut self, now: Duration, class: Class) -> Result<(), Denial> {
        // Also without a limit of our own: the service has the last word.
        if now < self.frozen_until {
            return Err(Denial::Until(self.frozen_until));
        }
        if let Some(limit) = self.limit {
            self.evict_expired(now, limit);
            match class {
                Class::Direct => self.direct_room(now, limit)?,
                Class::Poll => {
                    let room = self.poll_room(now, limit);
                    if room.is_err() {
                        // The slots of a full window come free within the next one.
                        let windows = limit.per.saturating_mul(2);
                        self.polls_guaranteed_until = now.saturating_add(windows);
                    }
                    room?;
                }
            }
        }
        *self.count(class) += 1;
        Ok(())
    }

    fn direct_room(&self, now: Duration, limit: RateLimit) -> Result<(), Denial> {
        let allowance = self.allowance(now);
        let kept = if now < self.polls_guaranteed_until {
            guaranteed_to_polls(allowance).saturating_sub(self.polls)
        } else {
            0
        };
        let room = self.room(self.direct + self.polls, allowance - kept, limit, |_| true);
        // What is kept for polls is free again when their guarantee ends.
        match room {
            Err(Denial::Until(at)) if kept > 0 => {
                Err(Denial::Until(at.min(self.polls_guaranteed_until)))
            }
            Err(Denial::UntilChange) if kept > 0 => Err(Denial::Until(self.polls_guaranteed_until)),
            room => room,
        }
    }

    fn poll_room(&self, now: Duration, limit: RateLimit) -> Result<(), Denial> {
        let allowance = self.allowance(now);
        // Beyond their guaranteed share, polls leave a slot to each call that waits.
        let waiting = if self.polls < guaranteed_to_polls(allowance) { 0 } else { self.waiting };
        let cap = allowance.saturating_sub(waiting);
        self.room(self.direct + self.polls, cap, limit, |_| true)?;
        self.room(self.polls, for_polls(allowance), limit, |class| class == Class::Poll)
    }

    /// Whether less than `cap` is used; if not, when enough of the requests that count will have
    /// left the window.
    fn room(
        &self,
        used: usize,
        cap: usize,
        limit: RateLimit,
        counts: impl Fn(Class) -> bool,
    ) -> Result<(), Denial> {
        let Some(excess) = used.checked_sub(cap) else { return Ok(()) };
        let leaving = self.released.iter().filter(|(_, class)| counts(*class)).nth(excess);
        Err(leaving.map_or(Denial::UntilChange, |(released, _)| {
            Denial::Until(released.saturating_add(limit.per))
        }))
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
            Some(_) => self.released.push_back((now, class)),
            None => self.release_unsent(class),
        }
    }

    /// A request was never sent. It does not count.
    pub(crate) fn release_unsent(&mut self, class: Class) {
        *self.count(class) -= 1;
    }

    /// The service responded 429 to a request that was sent at `sent`. The key stops for as long as
    /// the response says and continues at half the rate, which grows back slowly: other processes
    /// may share the key.
    pub(crate) fn on_rate_limited(
        &mut self,
        now: Duration,
        sent: Duration,
        pause: Option<Duration>,
    ) {
        self.frozen_until =
            self.frozen_until.max(now.saturating_add(pause.unwrap_or(DEFAULT_RATE_LIMIT_PAUSE)));
        // Requests that were sent before the last cut met the same full window.
        if sent >= self.cut_at {
            self.share = self.share_at(now) / 2.0;
            self.cut_at = self.frozen_until;
        }
    }

    /// Sets how many direct calls wait for room. Polls leave it to them.
    pub(crate) fn set_waiting(&mut self, calls: usize) {
        self.waiting = calls;
    }

    /// How many more requests may be sent now; `None` without a limit.
    pub(crate) fn left(&mut self, now: Duration) -> Option<usize> {
        let limit = self.limit?;
        self.evict_expired(now, limit);
        let used = self.direct + self.polls;
        Some(if now < self.frozen_until { 0 } else { self.allowance(now).saturating_sub(used) })
    }

    /// How many polls a window has room for beside the direct calls of the last one, and its
    /// length; `None` without a limit.
    pub(crate) fn poll_rate(&mut self, now: Duration) -> Option<(usize, Duration)> {
        let limit = self.limit?;
        self.evict_expired(now, limit);
        let allowance = self.allowance(now);
        let polls = for_polls(allowance);
        // Direct calls come in bursts: what they leave of one window says little about the next.
        let room = allowance.saturating_sub(self.direct).clamp(polls / MIN_POLL_SHARE, polls);
        Some((room.max(1), limit.per))
    }

    /// When the window has room for this many more polls, whatever they are worth, if nothing else is
    /// sent.
    pub(crate) fn spare_at(&mut self, now: Duration, polls: usize) -> Duration {
        let Some(limit) = self.limit else { return now };
        self.evict_expired(now, limit);
        let cap = (self.allowance(now) as f64 * SPARE) as usize;
        let used = self.direct + self.polls + self.waiting;
        match self.room((used + polls).saturating_sub(1), cap, limit, |_| true) {
            Ok(()) => now.max(self.frozen_until),
            Err(Denial::Until(at)) => at.max(self.frozen_until),
            Err(Denial::UntilChange) => Duration::MAX,
        }
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

    fn allowance(&self, now: Duration) -> usize {
        let requests = self.limit.map_or(0, |limit| limit.requests);
        // At least one, or nothing would ever find out that the limit has risen again.
        ((f64::from(requests) * self.share_at(now)) as usize).max(1)
    }

    fn share_at(&self, now: Duration) -> f64 {
        // A window of zero is a caller's mistake that must not divide by zero.
        let window = self.limit.map_or(1.0, |limit| limit.per.as_secs_f64()).max(1e-3);
        let since = now.saturating_sub(self.cut_at).as_secs_f64();
        (self.share + REGAINED * since / window).min(1.0)
    }
}

/// The part of an allowance that polls may use.
fn for_polls(allowance: usize) -> usize {
    let reserve = (allowance as f64 * RESERVE).ceil() as usize;
    allowance.saturating_sub(reserve).max(1)
}

/// The part of an allowance that polls get in any case. An allowance of less than five has none: a
/// single request must remain possible for a call.
fn guaranteed_to_polls(allowance: usize) -> usize {
    (allowance as f64 * GUARANTEED_TO_POLLS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: Duration = Duration::from_secs(1);

    fn budget(requests: u32, seconds: u32) -> Budget {
        Budget::new(Some(RateLimit { requests, per: S * seconds }))
    }

    #[test]
    fn a_slot_is_free_a_window_after_its_response() {
        let mut b = budget(2, 60);
        assert_eq!(b.acquire(S, Class::Direct), Ok(()));
        assert_eq!(b.acquire(S, Class::Direct), Ok(()));
        assert_eq!(b.acquire(S * 2, Class::Direct), Err(Denial::UntilChange));
        b.release(S * 3, Class::Direct);
        assert_eq!(b.acquire(S * 4, Class::Direct), Err(Denial::Until(S * 63)));
        assert_eq!(b.acquire(S * 63, Class::Direct), Ok(()));
    }

    #[test]
    fn polls_leave_a_reserve_and_yield_to_waiting_calls() {
        let mut b = budget(100, 60);
        for _ in 0..90 {
            assert_eq!(b.acquire(S, Class::Poll), Ok(()));
            b.release(S, Class::Poll);
        }
        assert_eq!(b.acquire(S, Class::Poll), Err(Denial::Until(S * 61)));
        assert_eq!(b.acquire(S, Class::Direct), Ok(()));
        b.release_unsent(Class::Direct);
        assert_eq!(b.left(S), Some(10));

        let mut b = budget(10, 60);
        b.acquire(S, Class::Direct).unwrap();
        b.set_waiting(1);
        for _ in 0..8 {
            assert_eq!(b.acquire(S, Class::Poll), Ok(()));
        }
        assert_eq!(b.acquire(S, Class::Poll), Err(Denial::UntilChange));
        b.set_waiting(0);
        assert_eq!(b.acquire(S, Class::Poll), Ok(()));
        assert_eq!(b.acquire(S, Class::Poll), Err(Denial::UntilChange));
    }

    #[test]
    fn reads_leave_polls_a_fifth_once_a_poll_was_denied() {
        let mut b = budget(10, 60);
        for _ in 0..10 {
            assert_eq!(b.acquire(S, Class::Direct), Ok(()));
            b.release(S, Class::Direct);
        }
        b.set_waiting(40);
        assert_eq!(b.acquire(S * 2, Class::Poll), Err(Denial::Until(S * 61)));
        let mut granted = (0, 0);
        for _ in 0..40 {
            granted.0 += usize::from(b.acquire(S * 61, Class::Direct).is_ok());
            granted.1 += usize::from(b.acquire(S * 61, Class::Poll).is_ok());
        }
        assert_eq!(granted, (8, 2));
    }

    #[test]
    fn a_429_freezes_then_halves_then_recovers() {
        let mut b = budget(100, 60);
        b.acquire(S, Class::Direct).unwrap();
        b.release(S * 2, Class::Direct);
        b.on_rate_limited(S * 2, S, Some(S * 42));
        assert_eq!(b.acquire(S * 43, Class::Direct), Err(Denial::Until(S * 44)));
        assert_eq!(b.left(S * 44), Some(49), "half of it, and one is used");
        b.on_rate_limited(S * 3, S * 2, None);
        assert_eq!(b.left(S * 44), Some(49), "sent before the cut: nothing new");
        assert_eq!(b.left(S * 104), Some(60));
        assert_eq!(b.left(S * 1000), Some(100));
    }

    #[test]
    fn extreme_limits_and_pauses_do_not_panic() {
        for requests in [1, 2, u32::MAX] {
            for per in [Duration::from_nanos(1), S, Duration::MAX] {
                let mut b = Budget::new(Some(RateLimit { requests, per }));
                for class in [Class::Poll, Class::Direct] {
                    for now in [Duration::ZERO, S, Duration::MAX / 2] {
                        if b.acquire(now, class).is_ok() {
                            b.release(now, class);
                        }
                        assert!(b.left(now).unwrap() <= requests as usize);
                        assert!(b.poll_rate(now).unwrap().0 >= 1);
                    }
                }
                b.on_rate_limited(S, S, Some(Duration::MAX));
                assert_eq!(b.acquire(S, Class::Direct), Err(Denial::Until(Duration::MAX)));
            }
        }
        let mut one = budget(1, 60);
        assert_eq!(one.acquire(S, Class::Poll), Ok(()), "a limit of one is not all reserve");
        one.release(S, Class::Poll);
        one.set_waiting(1);
        assert!(one.acquire(S * 61, Class::Poll).is_err(), "but a waiting call goes first");
        assert_eq!(one.acquire(S * 61, Class::Direct), Ok(()));
    }

    #[test]
    fn no_limit_still_respects_a_429() {
        let mut b = Budget::new(None);
        assert_eq!(b.left(S), None);
        assert_eq!(b.acquire(S, Class::Poll), Ok(()));
        b.on_rate_limited(S, S, Some(S));
        assert_eq!(b.acquire(S, Class::Poll), Err(Denial::Until(S * 2)));
        assert_eq!(b.acquire(S * 2, Class::Poll), Ok(()));
    }

    proptest! {
        /// Wherever between sending and response the service counts a request, none of its windows
        /// holds more than the limit.
        #[test]
        fn no_window_holds_more_than_the_limit(
            requests in 1u32..20,
            steps in prop::collection::vec((0u64..4000, 0u64..3000, 0.0f64..1.0, any::<bool>()), 1..300),
        ) {
            let per = S * 10;
            let mut b = Budget::new(Some(RateLimit { requests, per }));
            let mut now = Duration::ZERO;
            let mut open: Vec<(Duration, Class)> = Vec::new();
            let mut counted = Vec::new();
            for (pause, latency, place, direct) in steps {
                now += Duration::from_millis(pause);
                open.sort_by_key(|(end, _)| *end);
                while open.first().is_some_and(|(end, _)| *end <= now) {
                    let (end, class) = open.remove(0);
                    b.release(end, class);
                }
                let class = if direct { Class::Direct } else { Class::Poll };
                if b.acquire(now, class).is_ok() {
                    let latency = Duration::from_millis(latency);
                    counted.push(now + latency.mul_f64(place));
                    open.push((now + latency, class));
                }
            }
            counted.sort();
            for first in &counted {
                let within = counted.iter().filter(|at| *at >= first && **at < *first + per).count();
                prop_assert!(within <= requests as usize);
            }
        }

        /// A request that is denied until a time is granted at that time, if nothing else happens.
        #[test]
        fn a_denial_names_the_time_of_the_next_grant(requests in 1u32..20, taken in 1u32..20) {
            let mut b = budget(requests, 60);
            for i in 0..taken.min(requests) {
                b.acquire(S * i, Class::Direct).unwrap();
                b.release(S * i, Class::Direct);
            }
            for class in [Class::Direct, Class::Poll] {
                match b.acquire(S * 20, class) {
                    Err(Denial::Until(at)) => {
                        prop_assert!(b.acquire(at - Duration::from_nanos(1), class).is_err());
                        prop_assert_eq!(b.acquire(at, class), Ok(()));
                    }
                    other => prop_assert_eq!(other, Ok(())),
                }
                b.release_unsent(class);
            }
        }
    }
}
