//! How generations are polled until they end: pure, with time as an argument.
//!
//! A [`Watchlist`](watchlist::Watchlist) holds one record per tracked generation. Commands, poll
//! results, webhooks and timeouts go in; actions and the next timeout come out, as in quinn-proto.
//! The poll driver of the I/O half executes the actions. A time is a [`Duration`] since some start;
//! nothing here reads a clock.

#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "the link to Redis uses the rest"))]
pub(crate) mod budget;
#[cfg(any(test, fuzzing))]
mod fixture;
pub(crate) mod forecast;
pub(crate) mod planner;
mod price;
pub(crate) mod queue;
#[cfg(test)]
mod simulation;
mod throttle;
pub(crate) mod tracked;
pub(crate) mod wait_state;
pub(crate) mod watchlist;

use std::time::Duration;

/// How often a generation is polled.
///
/// ```
/// use pipevideo::Polling;
/// use std::time::Duration;
///
/// let polling = Polling::default().typical(Duration::from_secs(40));
/// assert_eq!(polling.min_interval, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Polling {
    /// The shortest time between two polls of a generation. 0 is allowed, for tests.
    pub min_interval: Duration,
    /// The longest time between two polls of a generation, while the budget allows it. 0 is
    /// allowed, for tests.
    pub max_interval: Duration,
    /// The poll interval while webhooks are configured: how late a lost delivery is noticed.
    pub safety_interval: Duration,
    /// A first guess at the median duration of a generation. The library learns the real one from
    /// the generations that it sees end.
    pub typical: Duration,
}

impl Polling {
    /// Sets the shortest time between two polls of a generation.
    #[must_use]
    pub fn min_interval(self, min_interval: Duration) -> Self {
        Self { min_interval, ..self }
    }

    /// Sets the longest time between two polls of a generation, while the budget allows it.
    #[must_use]
    pub fn max_interval(self, max_interval: Duration) -> Self {
        Self { max_interval, ..self }
    }

    /// Sets the poll interval while webhooks are configured.
    #[must_use]
    pub fn safety_interval(self, safety_interval: Duration) -> Self {
        Self { safety_interval, ..self }
    }

    /// Sets the first guess at the median duration of a generation.
    #[must_use]
    pub fn typical(self, typical: Duration) -> Self {
        Self { typical, ..self }
    }
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            // The service's guide advises to poll every 2 to 5 s.
            min_interval: Duration::from_secs(2),
            max_interval: Duration::from_secs(5),
            // The service retries a delivery at once and after 5 s; a minute is past both.
            safety_interval: Duration::from_secs(60),
            // The guide says "30 s to several minutes".
            typical: Duration::from_secs(90),
        }
    }
}
