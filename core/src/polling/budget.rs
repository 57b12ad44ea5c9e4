//! The requests that one key may make in a window: when may the next one go, and what a 429 teaches.

use std::collections::VecDeque;
use std::time::Duration;

/// How many requests a key may make in how long a time.
///
/// ```
/// use pipevideo::RateLimit;
/// use std::time::Duration;
///
/// let default = RateLimit::default();
/// assert_eq!((default.requests, default.per), (100, Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Requests in any window.
    pub requests: u32,
    /// The length of the window.
    pub per: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests: 100, per: Duration::from_secs(60) }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A call that somebody waits for: a create, a retrieve, an account's usage.
    Direct,
    /// A poll, which the planner chose and could as well choose later.
    Poll,
}

/// Why a request may not go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not before this time.
    Until(Duration),
    /// Not before something changes: an answer comes, or a call that has priority has gone.
    UntilChange,
    /// The service said 429: not before this time.
    Frozen(Duration),
}

/// The requests of one key: those under way, and those of the last window.
///
/// A request counts from when it is sent until a window after its answer: wherever in between the
/// service has counted it, no window of the service's holds more than the limit.
pub(crate) struct Budget {
    limit: Option<RateLimit>,
    /// When the answers of the last window came, and to whom, oldest first.
    answered: VecDeque<(Duration, Class)>,
    /// How many requests of the window, answered or under way, are direct calls and polls.
    direct: usize,
    polls: usize,
    /// Direct calls that wait for their turn.
    waiting: usize,
    frozen_until: Duration,
    /// The share of the limit that was left by the last 429, and when that was.
    share: f64,
    cut_at: Duration,
}

/// The share of the limit that polls leave to direct calls.
const RESERVE: f64 = 0.1;
/// Up to this share of the limit is spent even on polls that are worth little.
const SPARE: f64 = 2.0 / 3.0;
/// Polls are planned as if a burst of direct calls left them at least one in so many of theirs.
const LEAST_SHARE: usize = 4;
/// The share of the limit that comes back in each window after a 429.
const REGAINED: f64 = 0.1;
/// How long a 429 that says nothing else stops the key.
const UNTOLD_PAUSE: Duration = Duration::from_secs(1);

impl Budget {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self {
            limit,
            answered: VecDeque::new(),
            direct: 0,
            polls: 0,
            waiting: 0,
            frozen_until: Duration::ZERO,
            share: 1.0,
            cut_at: Duration::ZERO,
        }
    }

    /// Takes the right to send one request now. What is taken must be given back with
    /// [`answered`](Self::answered) or [`not_sent`](Self::not_sent).
    pub(crate) fn take(&mut self, now: Duration, class: Class) -> Result<(), Refusal> {
        if now < self.frozen_until {
            return Err(Refusal::Frozen(self.frozen_until));
        }
        if let Some(limit) = self.limit {
            self.forget(now, limit);
            let allowance = self.allowance(now);
            let used = self.direct + self.polls;
            match class {
                Class::Direct => self.room(used, allowance, limit, |_| true)?,
                Class::Poll => {
                    self.room(used, allowance.saturating_sub(self.waiting), limit, |_| true)?;
                    let is_poll = |class| class == Class::Poll;
                    self.room(self.polls, for_polls(allowance), limit, is_poll)?;
                }
            }
        }
        *self.count(class) += 1;
        Ok(())
    }

    /// Takes the right to send a direct call now, if nobody waits before it.
    pub(crate) fn take_unqueued(&mut self, now: Duration) -> bool {
        self.waiting == 0 && self.take(now, Class::Direct).is_ok()
    }

    /// Whether fewer than `cap` are used, or when enough of those that count leave the window.
    fn room(
        &self,
        used: usize,
        cap: usize,
        limit: RateLimit,
        counts: impl Fn(Class) -> bool,
    ) -> Result<(), Refusal> {
        let Some(excess) = used.checked_sub(cap) else { return Ok(()) };
        let leaving = self.answered.iter().filter(|(_, class)| counts(*class)).nth(excess);
        Err(leaving.map_or(Refusal::UntilChange, |(came, _)| {
            Refusal::Until(came.saturating_add(limit.per))
        }))
    }

    fn count(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Direct => &mut self.direct,
            Class::Poll => &mut self.polls,
        }
    }

    /// A request has its answer, or was given up after it may have been sent.
    pub(crate) fn answered(&mut self, now: Duration, class: Class) {
        match self.limit {
            Some(_) => self.answered.push_back((now, class)),
            None => self.not_sent(class),
        }
    }

    /// A request never left: it counts for nothing.
    pub(crate) fn not_sent(&mut self, class: Class) {
        *self.count(class) -= 1;
    }

    /// The service answered 429 to a request that was sent at `sent`: the key stops for as long as
    /// it says, and goes on at half the rate. The rate creeps back: others may share the key.
    pub(crate) fn limited(&mut self, now: Duration, sent: Duration, pause: Option<Duration>) {
        self.frozen_until =
            self.frozen_until.max(now.saturating_add(pause.unwrap_or(UNTOLD_PAUSE)));
        // Those sent before the last cut say nothing new.
        if sent >= self.cut_at {
            self.share = self.share_at(now) / 2.0;
            self.cut_at = self.frozen_until;
        }
    }

    /// A direct call begins to wait for its turn.
    pub(crate) fn queue(&mut self) {
        self.waiting += 1;
    }

    /// A direct call has its turn, or waits no longer.
    pub(crate) fn unqueue(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// How many more requests may go now; `None` without a limit.
    pub(crate) fn left(&mut self, now: Duration) -> Option<usize> {
        let limit = self.limit?;
        self.forget(now, limit);
        let used = self.direct + self.polls;
        Some(match now < self.frozen_until {
            true => 0,
            false => self.allowance(now).saturating_sub(used),
        })
    }

    /// How many polls a window has room for beside the direct calls of the last one, and its
    /// length; `None` without a limit.
    pub(crate) fn poll_rate(&mut self, now: Duration) -> Option<(usize, Duration)> {
        let limit = self.limit?;
        self.forget(now, limit);
        let allowance = self.allowance(now);
        let polls = for_polls(allowance);
        // Direct calls come in bursts: what they leave of one window says little of the next.
        let room = allowance.saturating_sub(self.direct).clamp(polls / LEAST_SHARE, polls);
        Some((room.max(1), limit.per))
    }

    /// When, if nothing more is sent, a window can spare so many polls, whatever they are worth.
    pub(crate) fn spare_at(&mut self, now: Duration, polls: usize) -> Duration {
        let Some(limit) = self.limit else { return now };
        self.forget(now, limit);
        let cap = (self.allowance(now) as f64 * SPARE) as usize;
        let used = self.direct + self.polls + self.waiting;
        match self.room((used + polls).saturating_sub(1), cap, limit, |_| true) {
            Ok(()) => now.max(self.frozen_until),
            Err(Refusal::Until(at) | Refusal::Frozen(at)) => at.max(self.frozen_until),
            Err(Refusal::UntilChange) => Duration::MAX,
        }
    }

    /// Forgets what has left the window.
    fn forget(&mut self, now: Duration, limit: RateLimit) {
        while let Some((came, class)) = self.answered.front().copied()
            && came.saturating_add(limit.per) <= now
        {
            self.answered.pop_front();
            *self.count(class) -= 1;
        }
    }

    fn allowance(&self, now: Duration) -> usize {
        let requests = self.limit.map_or(0, |limit| limit.requests);
        ((f64::from(requests) * self.share_at(now)) as usize).max(1)
    }

    fn share_at(&self, now: Duration) -> f64 {
        let window = self.limit.map_or(1.0, |limit| limit.per.as_secs_f64()).max(1e-3);
        let since = now.saturating_sub(self.cut_at).as_secs_f64();
        (self.share + REGAINED * since / window).min(1.0)
    }
}

/// What polls may use of an allowance.
fn for_polls(allowance: usize) -> usize {
    let reserve = (allowance as f64 * RESERVE).ceil() as usize;
    allowance.saturating_sub(reserve).max(1)
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
    fn a_slot_is_free_a_window_after_its_answer() {
        let mut b = budget(2, 60);
        assert_eq!(b.take(S, Class::Direct), Ok(()));
        assert_eq!(b.take(S, Class::Direct), Ok(()));
        assert_eq!(b.take(S * 2, Class::Direct), Err(Refusal::UntilChange));
        b.answered(S * 3, Class::Direct);
        assert_eq!(b.take(S * 4, Class::Direct), Err(Refusal::Until(S * 63)));
        assert_eq!(b.take(S * 63, Class::Direct), Ok(()));
    }

    #[test]
    fn polls_leave_a_reserve_and_give_way_to_those_who_wait() {
        let mut b = budget(100, 60);
        for _ in 0..90 {
            assert_eq!(b.take(S, Class::Poll), Ok(()));
            b.answered(S, Class::Poll);
        }
        assert_eq!(b.take(S, Class::Poll), Err(Refusal::Until(S * 61)));
        assert_eq!(b.take(S, Class::Direct), Ok(()));
        b.not_sent(Class::Direct);
        assert_eq!(b.left(S), Some(10));

        let mut b = budget(10, 60);
        b.take(S, Class::Direct).unwrap();
        b.queue();
        for _ in 0..8 {
            assert_eq!(b.take(S, Class::Poll), Ok(()));
        }
        assert_eq!(b.take(S, Class::Poll), Err(Refusal::UntilChange));
        b.unqueue();
        assert_eq!(b.take(S, Class::Poll), Ok(()));
        assert_eq!(b.take(S, Class::Poll), Err(Refusal::UntilChange));
    }

    #[test]
    fn a_429_freezes_then_halves_then_creeps_back() {
        let mut b = budget(100, 60);
        b.take(S, Class::Direct).unwrap();
        b.answered(S * 2, Class::Direct);
        b.limited(S * 2, S, Some(S * 42));
        assert_eq!(b.take(S * 43, Class::Direct), Err(Refusal::Frozen(S * 44)));
        assert_eq!(b.left(S * 44), Some(49), "half of it, and one is used");
        b.limited(S * 3, S * 2, None);
        assert_eq!(b.left(S * 44), Some(49), "sent before the cut: nothing new");
        assert_eq!(b.left(S * 104), Some(60));
        assert_eq!(b.left(S * 1000), Some(100));
    }

    #[test]
    fn any_limit_and_any_pause_will_do() {
        for requests in [1, 2, u32::MAX] {
            for per in [Duration::from_nanos(1), S, Duration::MAX] {
                let mut b = Budget::new(Some(RateLimit { requests, per }));
                for class in [Class::Poll, Class::Direct] {
                    for now in [Duration::ZERO, S, Duration::MAX / 2] {
                        if b.take(now, class).is_ok() {
                            b.answered(now, class);
                        }
                        assert!(b.left(now).unwrap() <= requests as usize);
                        assert!(b.poll_rate(now).unwrap().0 >= 1);
                    }
                }
                b.limited(S, S, Some(Duration::MAX));
                assert_eq!(b.take(S, Class::Direct), Err(Refusal::Frozen(Duration::MAX)));
            }
        }
        let mut one = budget(1, 60);
        assert_eq!(one.take(S, Class::Poll), Ok(()), "a limit of one is not all reserve");
        one.answered(S, Class::Poll);
        one.queue();
        assert!(one.take(S * 61, Class::Poll).is_err(), "but whoever waits goes first");
        assert_eq!(one.take(S * 61, Class::Direct), Ok(()));
    }

    #[test]
    fn no_limit_still_respects_a_429() {
        let mut b = Budget::new(None);
        assert_eq!(b.left(S), None);
        assert_eq!(b.take(S, Class::Poll), Ok(()));
        b.limited(S, S, Some(S));
        assert_eq!(b.take(S, Class::Poll), Err(Refusal::Frozen(S * 2)));
        assert_eq!(b.take(S * 2, Class::Poll), Ok(()));
    }

    proptest! {
        /// Wherever between sending and answering the service counts a request, no window of its
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
                    b.answered(end, class);
                }
                let class = if direct { Class::Direct } else { Class::Poll };
                if b.take(now, class).is_ok() {
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

        /// What is refused until a time is granted at that time, if nothing else happens.
        #[test]
        fn a_time_that_is_named_is_kept(requests in 1u32..20, taken in 1u32..20) {
            let mut b = budget(requests, 60);
            for i in 0..taken.min(requests) {
                b.take(S * i, Class::Direct).unwrap();
                b.answered(S * i, Class::Direct);
            }
            for class in [Class::Direct, Class::Poll] {
                match b.take(S * 20, class) {
                    Err(Refusal::Until(at)) => {
                        prop_assert!(b.take(at - Duration::from_nanos(1), class).is_err());
                        prop_assert_eq!(b.take(at, class), Ok(()));
                    }
                    other => prop_assert_eq!(other, Ok(())),
                }
                b.not_sent(class);
            }
        }
    }
}
