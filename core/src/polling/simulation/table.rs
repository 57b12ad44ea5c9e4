//! The figures of the documents, and those that the tests hold.

use super::super::fixture::Plan;
use super::Pattern::{AtOnce, PerMinute};
use super::bound::bound;
use super::policies::{InTurn, Policy, ROUTES};
use super::*;

/// The loads of the table, with the [`bound`] of each for durations of sigma 0.5.
const LOADS: [(Pattern, f64); 10] = [
    (PerMinute(2), 1.00),
    (PerMinute(5), 2.06),
    (PerMinute(10), 4.16),
    (PerMinute(20), 9.86),
    (PerMinute(30), 18.81),
    (PerMinute(45), 58.74),
    (AtOnce(20), 3.62),
    (AtOnce(60), 12.65),
    (AtOnce(120), 27.04),
    (AtOnce(300), 87.87),
];
const DURATIONS: [Durations; 4] =
    [Durations::Sigma(0.3), Durations::Sigma(0.5), Durations::Sigma(0.8), Durations::Mixture];

/// A mean with its standard error.
#[derive(Clone, Copy, Debug)]
struct Mean {
    mean: f64,
    error: f64,
}

fn mean(values: &[f64]) -> Mean {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Mean { mean, error: (variance / count).sqrt() }
}

#[derive(Clone, Copy, Debug)]
enum Who {
    /// The planner, after sixty ends of each route.
    Learned,
    /// The planner, with only this first guess, in seconds.
    Guess(f64),
    InTurn,
    Evenly,
}

impl Who {
    fn policy(self, durations: Durations, seed: u64) -> Box<dyn Policy> {
        match self {
            Self::Learned => {
                let mut plan = Plan::new(duration(MEDIAN));
                let mut random = fastrand::Rng::with_seed(!seed);
                for nth in 0..180 {
                    let (route, took) = durations.draw(nth, &mut random);
                    plan.planner.forecast.learn(ROUTES[route], duration(took));
                }
                Box::new(plan)
            }
            Self::Guess(typical) => Box::new(Plan::new(duration(typical))),
            Self::InTurn => Box::new(InTurn::default()),
            Self::Evenly => Box::new(InTurn::evenly()),
        }
    }

    /// The lag and the polls of a generation, over several seeds.
    fn measure(self, world: World, seeds: u64) -> (Mean, Mean) {
        let outcomes = (0..seeds).map(|seed| {
            let outcome = run(self.policy(world.durations, seed).as_mut(), world, seed);
            (outcome.lag, outcome.polls)
        });
        let (lags, polls): (Vec<_>, Vec<_>) = outcomes.unzip();
        (mean(&lags), mean(&polls))
    }
}

#[test]
fn polls_come_within_a_tenth_of_what_is_possible() {
    for (pattern, bound) in LOADS {
        let most = match pattern {
            PerMinute(10 | 30) | AtOnce(20 | 60 | 120) => 1.10,
            // The others are steady loads like these, and take long.
            _ => continue,
        };
        let (lag, _) = Who::Learned.measure(World::new(pattern), 8);
        println!(
            "{pattern:?}: {:.2} ± {:.2}, {:.3} of the bound",
            lag.mean,
            lag.error,
            lag.mean / bound
        );
        assert!(lag.mean <= most * bound + 2.0 * lag.error, "{pattern:?}: {lag:?}");
        let (evenly, _) = Who::Evenly.measure(World::new(pattern), 8);
        assert!(
            lag.mean <= 1.05 * evenly.mean + 2.0 * lag.error,
            "{pattern:?}: {lag:?} {evenly:?}"
        );
    }
}

#[test]
fn a_wrong_first_guess_costs_little_in_a_burst() {
    for typical in [45.0, 180.0] {
        let (lag, _) = Who::Guess(typical).measure(World::new(AtOnce(60)), 8);
        assert!(lag.mean <= 1.12 * 12.65 + 2.0 * lag.error, "{typical}: {lag:?}");
    }
}

/// A row of the figures, with tabs: what, the load, who, the lag, its error, the polls of a
/// generation, their error, and the bound if it is known.
fn row(what: &str, world: World, who: Who, seeds: u64, bound: Option<f64>) {
    let (lag, polls) = who.measure(world, seeds);
    let bound = bound.map_or(String::new(), |bound| format!("{bound:.2}"));
    println!(
        "{what}\t{:?}\t{who:?}\t{:.2}\t{:.2}\t{:.2}\t{:.2}\t{bound}",
        world.pattern, lag.mean, lag.error, polls.mean, polls.error
    );
}

#[test]
#[ignore = "takes minutes: `cargo xtask simulate` runs it"]
fn figures() {
    let seeds = std::env::var("SEEDS").map_or(64, |seeds| seeds.parse().unwrap());
    for durations in DURATIONS {
        for (pattern, bound) in LOADS {
            let world = World { durations, ..World::new(pattern) };
            let bound = (durations == Durations::Sigma(0.5)).then_some(bound);
            for who in [Who::Learned, Who::Evenly] {
                row(&format!("{durations:?}"), world, who, seeds, bound);
            }
            if bound.is_some() {
                row(&format!("{durations:?}"), world, Who::InTurn, seeds, bound);
            }
        }
    }
    for pattern in [PerMinute(10), PerMinute(30), AtOnce(60), AtOnce(300)] {
        for typical in [45.0, 90.0, 180.0] {
            row("guess", World::new(pattern), Who::Guess(typical), seeds, None);
        }
    }
    for (trouble, pattern) in [
        (Trouble::Refusal, AtOnce(60)),
        (Trouble::Doubled, PerMinute(20)),
        (Trouble::Network, PerMinute(10)),
        (Trouble::Network, PerMinute(30)),
        (Trouble::Network, AtOnce(60)),
    ] {
        for who in [Who::Learned, Who::Evenly] {
            row(
                &format!("{trouble:?}"),
                World { trouble, ..World::new(pattern) },
                who,
                seeds,
                None,
            );
        }
    }
}

/// The bounds of [`LOADS`].
#[test]
#[ignore = "takes minutes: `cargo xtask simulate` runs it"]
fn bounds() {
    for (pattern, expected) in LOADS {
        let bound = bound(pattern, Durations::Sigma(0.5));
        println!("{pattern:?}: {bound:.2}");
        assert!((bound / expected - 1.0).abs() < 0.01, "{pattern:?}: {bound} and not {expected}");
    }
}
