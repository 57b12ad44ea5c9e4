//! What 429s leave of a limit, and how it grows back.

use std::time::Duration;

use super::budget::shared::Throttled;
use super::budget::{RateLimit, window};
use crate::retry::DEFAULT_RATE_LIMIT_PAUSE;

/// Stops after a 429, continues with half of the limit, and grows back slowly: other processes may
/// share the key.
#[derive(Debug)]
pub(super) struct Throttle {
    frozen_until: Duration,
    /// The share of the limit that the last cut left, and when that was.
    share: f64,
    cut_at: Duration,
}

/// The share of the limit that is restored in every window after a 429, slow enough to notice another
/// process with the same key.
pub(super) const REGAINED: f64 = 0.1;
/// A time is named this much later than computed, so that rounding does not make it too early.
const ROUNDING: Duration = Duration::from_millis(1);

impl Throttle {
    pub(super) fn new() -> Self {
        Self { frozen_until: Duration::ZERO, share: 1.0, cut_at: Duration::ZERO }
    }

    /// The service responded 429 to a request that was sent at `sent`.
    pub(super) fn on_rate_limited(
        &mut self,
        now: Duration,
        sent: Duration,
        pause: Option<Duration>,
        limit: Option<RateLimit>,
    ) {
        self.freeze(now, pause);
        // Requests that were sent before the last cut met the same full window.
        if sent >= self.cut_at {
            self.share = self.share_at(now, limit) / 2.0;
            self.cut_at = self.frozen_until;
        }
    }

    /// Stops for this long, and leaves the share as it is.
    pub(super) fn freeze(&mut self, now: Duration, pause: Option<Duration>) {
        let until = now.saturating_add(pause.unwrap_or(DEFAULT_RATE_LIMIT_PAUSE));
        self.frozen_until = self.frozen_until.max(until);
    }

    /// Takes over what is left of a limit that other processes share.
    pub(super) fn adopt(&mut self, now: Duration, throttled: Throttled) {
        let frozen_for = Duration::from_millis(throttled.frozen);
        self.frozen_until = self.frozen_until.max(now.saturating_add(frozen_for));
        if throttled.share < 1.0 || self.share < 1.0 {
            self.share = throttled.share.clamp(0.0, 1.0);
            self.cut_at = self.frozen_until.max(now);
        }
    }

    /// Until when nothing may be sent.
    pub(super) fn frozen_until(&self) -> Duration {
        self.frozen_until
    }

    /// How many requests a window may hold.
    pub(super) fn allowance(&self, now: Duration, limit: RateLimit) -> usize {
        let requests = f64::from(limit.requests) * self.share_at(now, Some(limit));
        // At least one, or nothing would ever find out that the limit has risen again.
        (requests as usize).max(1)
    }

    /// When the allowance will have grown by this many; `None` if the limit is less than that.
    pub(super) fn grows_at(&self, now: Duration, by: usize, limit: RateLimit) -> Option<Duration> {
        let share =
            self.allowance(now, limit).saturating_add(by) as f64 / f64::from(limit.requests);
        if share > 1.0 {
            return None;
        }
        let windows = (share - self.share).max(0.0) / REGAINED;
        let since = Duration::try_from_secs_f64(windows * window(limit)).ok()?;
        Some(self.cut_at.saturating_add(since).max(now).saturating_add(ROUNDING))
    }

    fn share_at(&self, now: Duration, limit: Option<RateLimit>) -> f64 {
        let since = now.saturating_sub(self.cut_at).as_secs_f64();
        (self.share + REGAINED * since / limit.map_or(1.0, window)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);
    const LIMIT: RateLimit = RateLimit { requests: 100, per: Duration::from_secs(60) };

    fn cut(times: u32) -> Throttle {
        let mut throttle = Throttle::new();
        for nth in 0..times {
            throttle.on_rate_limited(S * nth, S * nth, Some(Duration::ZERO), Some(LIMIT));
        }
        throttle
    }

    #[test]
    fn a_429_stops_for_its_time_or_a_second_and_a_later_one_never_shortens_that() {
        let mut throttle = Throttle::new();
        throttle.on_rate_limited(S, S, None, Some(LIMIT));
        assert_eq!(throttle.frozen_until(), S * 2);
        throttle.on_rate_limited(S, S, Some(S * 42), Some(LIMIT));
        assert_eq!(throttle.frozen_until(), S * 43);
        throttle.freeze(S * 2, Some(S));
        assert_eq!(throttle.frozen_until(), S * 43);
    }

    #[test]
    fn it_halves_and_a_tenth_of_the_limit_grows_back_in_each_window() {
        let throttle = cut(1);
        let allowances = [0, 60, 120, 300, 10_000].map(|at| throttle.allowance(S * at, LIMIT));
        assert_eq!(allowances, [50, 60, 70, 100, 100]);
        let one = RateLimit::new(1, S * 60);
        assert_eq!(cut(20).allowance(S * 20, one), 1, "never less than one");
    }

    #[test]
    fn requests_that_were_sent_before_the_cut_do_not_cut_again() {
        let mut throttle = Throttle::new();
        throttle.on_rate_limited(S * 2, S, Some(S), Some(LIMIT));
        throttle.on_rate_limited(S * 3, S * 2, Some(S), Some(LIMIT));
        assert_eq!(throttle.allowance(S * 3, LIMIT), 50);
        throttle.on_rate_limited(S * 4, S * 3, Some(S), Some(LIMIT));
        assert_eq!(throttle.allowance(S * 4, LIMIT), 25, "sent after it");
    }

    #[test]
    fn it_grows_back_to_the_whole_limit_and_no_further() {
        let throttle = cut(1);
        assert_eq!(throttle.grows_at(S, 50, LIMIT), Some(S * 300 + ROUNDING));
        assert_eq!(throttle.grows_at(S, 51, LIMIT), None);
    }

    #[test]
    fn freezing_alone_leaves_the_share() {
        let mut throttle = Throttle::new();
        throttle.freeze(S, Some(S));
        assert_eq!(throttle.allowance(S * 2, LIMIT), 100);
    }

    #[test]
    fn a_share_that_others_have_regained_is_taken_over() {
        let mut throttle = cut(1);
        throttle.adopt(S, Throttled { share: 0.25, frozen: 0 });
        assert_eq!(throttle.allowance(S, LIMIT), 25);
        throttle.adopt(S, Throttled::default());
        assert_eq!(throttle.allowance(S, LIMIT), 100);
        // A whole share says nothing of requests that are in flight.
        let mut whole = Throttle::new();
        whole.adopt(S * 5, Throttled::default());
        whole.on_rate_limited(S * 6, S * 4, Some(S), Some(LIMIT));
        assert_eq!(whole.allowance(S * 7, LIMIT), 50);
    }

    proptest! {
        /// At the time that it names, and not before, the allowance has grown by that much.
        #[test]
        fn it_names_when_it_will_have_grown(
            requests in 1u32..1000,
            seconds in 1u32..100,
            cuts in 0u32..8,
            now in 0u32..500,
            by in 1usize..50,
        ) {
            let limit = RateLimit::new(requests, S * seconds);
            let (throttle, now) = (cut(cuts), S * (now + 10));
            let before = throttle.allowance(now, limit);
            match throttle.grows_at(now, by, limit) {
                None => prop_assert!(before + by > requests as usize),
                Some(at) => {
                    prop_assert!(at > now && throttle.allowance(at, limit) >= before + by);
                    // Near the boundary, either is right.
                    let early = at.saturating_sub(ROUNDING * 3);
                    prop_assert!(early <= now || throttle.allowance(early, limit) < before + by);
                }
            }
        }
    }
}
