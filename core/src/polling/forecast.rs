//! How long generations take, learned from those that ended, and what a poll of one is worth.

use std::collections::BTreeMap;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};
use std::time::Duration;

/// The durations of generations, by route: engine, model and provider together.
///
/// Durations are modelled as log-normal. Every generation that ends teaches its route and what all
/// routes have in common, which is where a route without an estimate of its own begins. Older ones
/// lose their weight.
#[derive(Clone)]
pub(crate) struct Forecast {
    /// The first guess at the median.
    pub(crate) typical: Duration,
    all: Estimate,
    routes: BTreeMap<String, Estimate>,
}

/// The maximum number of routes with an estimate of their own. A catalogue has a handful of engines
/// and models; a route beyond the maximum has the estimate of all.
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
        let all = Estimate {
            mean: typical.as_secs_f64().max(1e-3).ln(),
            variance: Estimate::PRIOR_VARIANCE,
            weight: Estimate::PRIOR_WEIGHT,
        };
        Self { typical, all, routes: BTreeMap::new() }
    }

    /// A generation of this route took this long.
    pub(crate) fn learn(&mut self, route: &str, took: Duration) {
        if let Some(estimate) = self.routes.get_mut(route) {
            estimate.learn(took);
        } else if self.routes.len() < MAX_ROUTES {
            // What other routes have taught is a first guess, however many they are.
            let mut estimate = Estimate { weight: Estimate::PRIOR_WEIGHT, ..self.all };
            estimate.learn(took);
            self.routes.insert(route.to_owned(), estimate);
        }
        self.all.learn(took);
    }

    /// The distribution of the durations of this route.
    pub(crate) fn shape(&self, route: &str) -> Shape {
        let estimate = self.routes.get(route).unwrap_or(&self.all);
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
const WIDE_SHARE: f64 = 0.1;
const WIDER: f64 = 3.0;
/// Below this share of generations that still run, the distribution says nothing: one that is so
/// late is as likely to end within its age again as not.
const MIN_ALIVE: f64 = 1e-9;
/// The smallest rate, in ends a second, at which running generations end. It keeps divisions finite.
const MIN_HAZARD: f64 = 1e-9;
/// The smallest share of generations that are still running, to divide by.
const TINY: f64 = 1e-12;
/// The largest progress of a generation that has not ended.
const MAX_PROGRESS: f64 = 0.99;
/// Halvings that find a median to a thousandth.
const HALVINGS: usize = 10;

impl Shape {
    /// The duration that half of the generations stay below.
    pub(crate) fn median(&self) -> Duration {
        // From 2 ms to 2 days: beyond that an estimate is a mistake, and must not overflow a Duration.
        Duration::from_secs_f64(self.mean.clamp(-6.0, 12.0).exp())
    }

    /// The age in seconds that half of the generations reach which are still running at this age.
    pub(crate) fn median_after(&self, age: f64) -> f64 {
        let (mut low, mut high) = (age, age.max(self.median().as_secs_f64()));
        let alive = self.alive_since(age);
        while alive(high) > 0.5 {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            *(if alive(middle) > 0.5 { &mut low } else { &mut high }) = middle;
        }
        high
    }

    /// The share of its time that has passed of a generation that is still running at this age, but not
    /// less than what was shown before: the estimate may fall when others end, or when this one takes
    /// unusually long.
    pub(crate) fn progress(&self, age: Duration, shown: f64) -> f64 {
        let age = age.as_secs_f64();
        (age / self.median_after(age)).min(MAX_PROGRESS).max(shown)
    }

    /// The price, in seconds, at which a poll is just right at age `now` of a generation that was
    /// running at age `seen`.
    ///
    /// It is the first-order condition of the optimal inspection schedule (Barlow, Hunter and
    /// Proschan, 1963), solved for the price of an inspection. With a constant hazard `h` and the
    /// interval `d` it is `h d² / 2`, about the unseen time that the poll ends.
    pub(crate) fn index(&self, seen: f64, now: f64) -> f64 {
        if now <= seen {
            return 0.0;
        }
        let hazard = self.survival_and_hazard(now).1;
        let alive = self.alive(seen, now).max(TINY);
        let q = (1.0 - alive) / (alive * hazard);
        let r = (2.0 / hazard).sqrt();
        // The positive solution of x² + r x = q, without the difference of two large numbers.
        let x = 2.0 * q / (r + (r * r + 4.0 * q).sqrt());
        x * x
    }

    /// The share of generations still running at age `now`, of those that were running at age `seen`.
    pub(crate) fn alive(&self, seen: f64, now: f64) -> f64 {
        self.alive_since(seen)(now)
    }

    /// The same, of several ages for one `seen`.
    pub(crate) fn alive_since(&self, seen: f64) -> impl Fn(f64) -> f64 + use<> {
        let (shape, before) = (*self, self.survival_and_hazard(seen).0);
        move |now| {
            if before < MIN_ALIVE {
                // The survival that belongs to the hazard `1 / age`.
                return seen / now.max(seen);
            }
            shape.survival_and_hazard(now).0 / before
        }
    }

    /// The share of generations that take longer than this age in seconds, and the rate a second at
    /// which those end.
    pub(crate) fn survival_and_hazard(&self, age: f64) -> (f64, f64) {
        if age <= 0.0 {
            return (1.0, MIN_HAZARD);
        }
        let off = age.ln() - self.mean;
        let (mut survival, mut density) = (0.0, 0.0);
        for (share, sigma) in [(1.0 - WIDE_SHARE, self.sigma), (WIDE_SHARE, WIDER * self.sigma)] {
            let z = off / sigma;
            survival += share * 0.5 * libm::erfc(z * FRAC_1_SQRT_2);
            density += share * (-0.5 * z * z).exp() / (sigma * age * TAU.sqrt());
        }
        if survival < MIN_ALIVE {
            return (survival, (1.0 / age).max(MIN_HAZARD));
        }
        (survival, (density / survival).max(MIN_HAZARD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// The hazard is minus the derivative of the logarithm of the survival.
    #[test]
    fn survival_and_hazard_belong_together() {
        let shape = Forecast::new(seconds(90.0)).shape("");
        for age in [5.0, 40.0, 90.0, 200.0, 900.0] {
            let survival = |age| shape.survival_and_hazard(age).0;
            let (survives, hazard) = shape.survival_and_hazard(age);
            let step = 1e-4 * age;
            let slope = (survival(age - step) - survival(age + step)) / (2.0 * step * survives);
            assert!((slope / hazard - 1.0).abs() < 1e-5, "{age}: {slope} {hazard}");
        }
        let (_, late) = shape.survival_and_hazard(1e7);
        assert_eq!(late, 1e-7, "where the distribution says nothing");
        let (at_median, _) = shape.survival_and_hazard(90.0);
        assert!((at_median - 0.5).abs() < 1e-12, "{at_median}");
    }

    /// Where the hazard hardly changes, the index is the square-root rule: `h d² / 2`.
    #[test]
    fn the_index_of_a_short_interval_is_half_the_hazard_times_its_square() {
        let shape = Forecast::new(seconds(90.0)).shape("");
        for age in [60.0, 90.0, 150.0] {
            let (_, hazard) = shape.survival_and_hazard(age);
            let index = shape.index(age - 0.5, age);
            assert!((index / (hazard * 0.125) - 1.0).abs() < 0.1, "{age}: {index}");
        }
    }

    #[test]
    fn the_median_of_those_still_running_moves_on_with_their_age() {
        let shape = Forecast::new(seconds(90.0)).shape("");
        for age in [0.0, 30.0, 90.0, 500.0, 1e5, 1e9] {
            let median = shape.median_after(age);
            let alive = shape.alive(age, median);
            assert!(median > age && (alive - 0.5).abs() < 0.01, "{age}: {median}, {alive}");
        }
        assert!((shape.median_after(0.0) - 90.0).abs() < 0.2);
        let late = shape.median_after(1e9);
        assert!((late / 1e9 - 2.0).abs() < 0.01, "where the distribution says nothing: {late}");
    }

    /// The guess is worth two: a generation moves the mean by a third of its distance, and the
    /// variance by a fifth.
    #[test]
    fn an_estimate_is_the_mean_and_variance_of_logarithms() {
        let mut estimate = Forecast::new(seconds(90.0)).all;
        let (before, off) = (estimate.mean, 3f64.ln());
        estimate.learn(seconds(270.0));
        assert_eq!(estimate.weight, 3.0);
        assert!((estimate.mean - before - off / 3.0).abs() < 1e-12, "{}", estimate.mean);
        let variance = 0.3 + (off * off * 2.0 / 3.0 - 0.3) / 5.0;
        assert!((estimate.variance - variance).abs() < 1e-12, "{}", estimate.variance);
    }

    #[test]
    fn a_wrong_guess_is_unlearned() {
        let mut forecast = Forecast::new(seconds(45.0));
        for took in [70.0, 110.0, 95.0, 82.0, 130.0, 90.0, 60.0, 105.0, 88.0, 92.0] {
            forecast.learn("hyperframes", seconds(took));
        }
        let median = |route| forecast.shape(route).median().as_secs_f64();
        assert!((75.0..100.0).contains(&median("hyperframes")), "{}", median("hyperframes"));
        assert_eq!(median("lottie"), median("hyperframes"), "the best guess at an unknown route");
    }

    #[test]
    fn a_new_route_begins_with_what_all_have_taught_and_soon_has_its_own() {
        let mut forecast = Forecast::new(seconds(90.0));
        for _ in 0..100 {
            forecast.learn("hyperframes", seconds(30.0));
        }
        let median = |forecast: &Forecast, route| forecast.shape(route).median().as_secs_f64();
        assert!((28.0..35.0).contains(&median(&forecast, "lottie")));
        for _ in 0..6 {
            forecast.learn("lottie", seconds(300.0));
        }
        assert!(median(&forecast, "lottie") > 150.0, "{}", median(&forecast, "lottie"));
        assert!((28.0..32.0).contains(&median(&forecast, "hyperframes")));
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
        /// The index is zero at the last poll, grows with the time that passes, and stays finite.
        #[test]
        fn the_index_grows_with_time(
            typical in prop_oneof![0.0f64..1e4, Just(0.0), Just(1e19)],
            seen in prop_oneof![0.0f64..1e6, 0.0f64..300.0, Just(1e19)],
            more in 0.0f64..1e4,
            yet in 0.0f64..1e4,
        ) {
            let shape = Forecast::new(seconds(typical)).shape("");
            prop_assert_eq!(shape.index(seen, seen), 0.0);
            let (sooner, later) = (shape.index(seen, seen + more), shape.index(seen, seen + more + yet));
            prop_assert!(sooner >= 0.0 && later.is_finite());
            // Where the hazard falls or the distribution ends, it may lose a little.
            prop_assert!(later >= 0.9 * sooner, "{sooner} {later}");
        }
    }
}
