//! How long generations take, learned from those that ended: the chance that one has ended since
//! its last poll.

use std::collections::BTreeMap;
use std::time::Duration;

/// The durations of generations, by route: engine, model and provider together.
///
/// Durations are modelled as log-normal. Each route begins with the prior and learns from the
/// generations that end. Older ones lose their weight.
#[derive(Clone)]
pub(crate) struct Forecast {
    /// The first guess at the median.
    pub(crate) typical: Duration,
    prior: Estimate,
    routes: BTreeMap<String, Estimate>,
}

/// The maximum number of routes with an estimate of their own. A catalogue has a handful of engines
/// and models; a route beyond the maximum keeps the prior.
const MAX_ROUTES: usize = 64;

#[derive(Clone, Copy)]
struct Estimate {
    /// The mean and variance of the logarithm of seconds.
    mean: f64,
    variance: f64,
    /// The number of generations that the estimate is worth.
    weight: f64,
}

impl Estimate {
    /// A first guess outweighs one generation, but not three: in the simulation a guess that is
    /// wrong by a factor of two is unlearned within ten.
    const PRIOR_WEIGHT: f64 = 2.0;
    /// A sigma of 0.55, slightly wider than the 0.5 of the simulation: too wide a prior costs less
    /// than one that is too narrow.
    const PRIOR_VARIANCE: f64 = 0.3;
    /// The weight of everything learned so far is at most this, so that a service that becomes
    /// faster or slower shows within an hour of normal use.
    const MAX_WEIGHT: f64 = 60.0;

    fn learn(&mut self, took: Duration) {
        // The logarithm of zero is not a number; a millisecond is as good as zero.
        let seen = took.as_secs_f64().max(1e-3).ln();
        self.weight = (self.weight + 1.0).min(Self::MAX_WEIGHT);
        let off = seen - self.mean;
        self.mean += off / self.weight;
        let spread = off * (seen - self.mean);
        self.variance += (spread - self.variance) / (self.weight + 2.0);
    }
}

impl Forecast {
    /// `typical` is a first guess at the median.
    pub(crate) fn new(typical: Duration) -> Self {
        let prior = Estimate {
            mean: typical.as_secs_f64().max(1e-3).ln(),
            variance: Estimate::PRIOR_VARIANCE,
            weight: Estimate::PRIOR_WEIGHT,
        };
        Self { typical, prior, routes: BTreeMap::new() }
    }

    /// A generation of this route took this long.
    pub(crate) fn learn(&mut self, route: &str, took: Duration) {
        if let Some(estimate) = self.routes.get_mut(route) {
            estimate.learn(took);
        } else if self.routes.len() < MAX_ROUTES {
            let mut estimate = self.prior;
            estimate.learn(took);
            self.routes.insert(route.to_owned(), estimate);
        }
    }

    /// The distribution of the durations of this route.
    pub(crate) fn shape(&self, route: &str) -> Shape {
        let estimate = self.routes.get(route).unwrap_or(&self.prior);
        // A few equal durations in a row must not make the next one seem certain.
        Shape { mean: estimate.mean, sigma: estimate.variance.sqrt().clamp(0.1, 2.0) }
    }
}

/// A distribution of durations: log-normal, with a share that is spread wider, so that neither a
/// wrong guess nor a straggler is ever considered impossible.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    mean: f64,
    sigma: f64,
}

/// The share that is spread wider, and by which factor. Found by simulation.
const WIDE_SHARE: f64 = 0.2;
const WIDER: f64 = 3.0;
/// Below this share of generations that still run, the difference of two cumulative shares has lost
/// most of the digits of a double.
const MIN_ALIVE: f64 = 1e-6;

impl Shape {
    /// The duration that half of the generations stay below.
    pub(crate) fn median(&self) -> Duration {
        // 2 ms to 2 days: beyond that an estimate is a mistake, and must not overflow a Duration.
        Duration::from_secs_f64(self.mean.clamp(-6.0, 12.0).exp())
    }

    /// The expected time, in seconds, for which a generation of age `now` has been over unnoticed, if
    /// it was still running when last seen at age `seen`.
    pub(crate) fn unseen(&self, seen: Duration, now: Duration) -> f64 {
        let (a, b) = (seen.as_secs_f64(), now.as_secs_f64());
        if b <= a {
            return 0.0;
        }
        let (mut unseen, mut alive) = (0.0, 0.0);
        for (share, sigma) in [(1.0 - WIDE_SHARE, self.sigma), (WIDE_SHARE, WIDER * self.sigma)] {
            let (ended, before) = self.cumulative(sigma, a);
            let (_, until) = self.cumulative(sigma, b);
            unseen += share * (until - before - (b - a) * ended);
            alive += share * (1.0 - ended);
        }
        if alive < MIN_ALIVE {
            // So late that the distribution says nothing: assume that it ends within its age again.
            return ((b - a).powi(2) / (2.0 * a)).min(b - a);
        }
        (unseen / alive).clamp(0.0, b - a)
    }

    /// The share that has ended by this age in seconds, and the integral of that share up to it.
    fn cumulative(&self, sigma: f64, age: f64) -> (f64, f64) {
        if age <= 0.0 {
            return (0.0, 0.0);
        }
        let z = (age.ln() - self.mean) / sigma;
        let ended = normal(z);
        let average = (self.mean + sigma * sigma / 2.0).exp();
        (ended, age * ended - average * normal(z - sigma))
    }
}

/// The normal distribution's cumulative function.
fn normal(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn unseen_time_is_an_integral_of_the_distribution() {
        let shape = Forecast::new(seconds(90.0)).shape("");
        let (a, b) = (60.0, 80.0);
        let share = |age: f64| {
            (1.0 - WIDE_SHARE) * shape.cumulative(shape.sigma, age).0
                + WIDE_SHARE * shape.cumulative(WIDER * shape.sigma, age).0
        };
        let steps = 20_000;
        let sum: f64 = (0..steps)
            .map(|i| share(a + (b - a) * (f64::from(i) + 0.5) / f64::from(steps)) - share(a))
            .sum();
        let expected = sum * (b - a) / f64::from(steps) / (1.0 - share(a));
        let got = shape.unseen(seconds(a), seconds(b));
        assert!((got - expected).abs() < 1e-4, "{got} {expected}");
    }

    #[test]
    fn a_wrong_guess_is_unlearned() {
        let mut forecast = Forecast::new(seconds(45.0));
        for took in [70.0, 110.0, 95.0, 82.0, 130.0, 90.0, 60.0, 105.0, 88.0, 92.0] {
            forecast.learn("hyperframes", seconds(took));
        }
        let median = forecast.shape("hyperframes").median().as_secs_f64();
        assert!((75.0..100.0).contains(&median), "{median}");
        assert_eq!(forecast.shape("lottie").median().as_secs_f64().round(), 45.0);
    }

    #[test]
    fn unseen_time_is_at_most_the_time_that_has_passed() {
        let unseen = |typical, a, b| Forecast::new(typical).shape("").unseen(a, b);
        let (short, long) = (seconds(10.0), seconds(10_000.0));
        assert!(unseen(Duration::ZERO, short, long) <= 9_990.0);
        for typical in [Duration::ZERO, Duration::MAX] {
            for (a, b) in [(short, long), (Duration::ZERO, Duration::MAX), (short, Duration::MAX)] {
                let (missed, passed) = (unseen(typical, a, b), (b - a).as_secs_f64());
                assert!((0.0..=passed).contains(&missed), "{typical:?} {a:?} {b:?} {missed}");
            }
        }
    }

    #[test]
    fn routes_are_bounded() {
        let mut forecast = Forecast::new(seconds(90.0));
        for route in 0..1000 {
            forecast.learn(&route.to_string(), seconds(10.0));
        }
        assert_eq!(forecast.routes.len(), MAX_ROUTES);
    }

    proptest! {
        /// The unseen time grows with the time that passes, and never exceeds it.
        #[test]
        fn grows_with_time(
            typical in 0.0f64..1e4, seen in 0.0f64..1e6, more in 0.0f64..1e4, yet in 0.0f64..1e4,
        ) {
            let shape = Forecast::new(seconds(typical)).shape("");
            let at = |age: f64| shape.unseen(seconds(seen), seconds(age));
            prop_assert!(at(seen + more) >= 0.0 && at(seen + more) <= more + 1e-9);
            prop_assert!(at(seen + more + yet) >= at(seen + more) - 1e-6 * (1.0 + seen));
        }
    }
}
