//! The rate limit: a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::options::RateLimit;

/// The calls of one key that were let in within the last window. Those that are turned away do not
/// count, so that a client that comes back when it was told to gets in.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Option<RateLimit>,
    admitted: VecDeque<Duration>,
}

impl Limiter {
    pub(crate) fn new(limit: Option<RateLimit>) -> Self {
        Self { limit, admitted: VecDeque::new() }
    }

    /// Lets a call in, or says after how many whole seconds there is room again.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<(), u64> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let window = Duration::try_from_secs_f64(limit.window_seconds).unwrap_or_default();
        while self.admitted.front().is_some_and(|&call| call.saturating_add(window) <= now) {
            self.admitted.pop_front();
        }
        if self.admitted.len() < limit.requests as usize {
            self.admitted.push_back(now);
            return Ok(());
        }
        let room = self.admitted.front().map_or(window, |&call| call.saturating_add(window) - now);
        Err((room.as_secs_f64().ceil() as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(requests: u32, window_seconds: f64) -> Limiter {
        Limiter::new(Some(RateLimit { requests, window_seconds }))
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
    fn never_more_than_the_limit_in_any_window_and_the_advice_holds() {
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
    fn no_limit_and_no_room() {
        let mut none = Limiter::new(None);
        assert!((0..1000).all(|_| none.admit(at(0.0)).is_ok()));
        assert_eq!(limiter(0, 60.0).admit(at(0.0)), Err(60));
    }
}
