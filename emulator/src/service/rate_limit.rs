//! The rate limit, a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::options::RateLimit;

/// The requests that were admitted within the last window.
///
/// Denied requests do not count, so that a client that waits for `retry_after` is admitted.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    limit: Option<RateLimit>,
    admitted: VecDeque<Duration>,
}

impl RateLimiter {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self { limit, admitted: VecDeque::new() }
    }

    /// How many requests the window that ends now has admitted. 0 without a limit.
    pub(crate) fn used(&mut self, now: Duration) -> usize {
        let window = self.limit.map_or(Duration::ZERO, |limit| limit.window());
        while self.admitted.front().is_some_and(|&at| at.saturating_add(window) <= now) {
            self.admitted.pop_front();
        }
        self.admitted.len()
    }

    /// Admits a request, or returns the whole seconds after which one will be admitted again.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<(), u64> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        if self.used(now) < limit.requests as usize {
            self.admitted.push_back(now);
            return Ok(());
        }
        let window = limit.window();
        let ends = self.admitted.front().map(|&at| at.saturating_add(window));
        let room = ends.map_or(window, |ends| ends.saturating_sub(now));
        Err((room.as_secs_f64().ceil() as u64).max(1))
    }
}

impl RateLimit {
    fn window(&self) -> Duration {
        Duration::try_from_secs_f64(self.window_seconds).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(requests: u32, window_seconds: f64) -> RateLimiter {
        RateLimiter::new(Some(RateLimit { requests, window_seconds }))
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(1000.0 + seconds)
    }

    #[test]
    fn the_window_slides() {
        let mut limiter = limiter(2, 60.0);
        assert_eq!(limiter.admit(at(0.0)), Ok(()));
        assert_eq!(limiter.admit(at(30.0)), Ok(()));
        assert_eq!(limiter.admit(at(30.5)), Err(30));
        assert_eq!(limiter.admit(at(59.9)), Err(1));
        assert_eq!(limiter.admit(at(60.0)), Ok(()));
        assert_eq!(limiter.admit(at(61.0)), Err(29));
    }

    #[test]
    fn no_window_exceeds_the_limit_and_retry_after_is_right() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut limiter = limiter(5, 10.0);
        let (mut now, mut admitted) = (0.0, Vec::new());
        for _ in 0..5000 {
            now += rng.f64() * 3.0;
            match limiter.admit(at(now)) {
                Ok(()) => admitted.push(now),
                Err(seconds) => {
                    now += seconds as f64;
                    assert_eq!(limiter.admit(at(now)), Ok(()));
                    admitted.push(now);
                }
            }
        }
        assert!(admitted.windows(6).all(|calls| calls[5] - calls[0] > 10.0 - 1e-6));
    }

    #[test]
    fn no_limit_admits_all_and_a_limit_of_zero_none() {
        let mut none = RateLimiter::new(None);
        assert!((0..1000).all(|_| none.admit(at(0.0)).is_ok()));
        assert_eq!(limiter(0, 60.0).admit(at(0.0)), Err(60));
    }
}
