//! The planner against polling in turn, simulated: how long after its end is a generation noticed?
//!
//! `cargo test -p pipevideo simulation -- --nocapture` prints the table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::{Budget, Class, RateLimit, Refusal};
use super::planner::{Next, Planner, Polling};

/// How long after its end a generation was noticed, at the mean, and with how many polls.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    lag: f64,
    polls: usize,
}

/// When generations are wanted, and how long each takes.
struct Load {
    births: Vec<Duration>,
    takes: Vec<Duration>,
}

fn load(births: impl Iterator<Item = f64>, seed: u64) -> Load {
    let mut random = fastrand::Rng::with_seed(seed);
    let births: Vec<_> = births.map(Duration::from_secs_f64).collect();
    let mut normal = || {
        let (u, v): (f64, f64) = (1.0 - random.f64(), random.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let takes = births.iter().map(|_| Duration::from_secs_f64(90.0 * (0.5 * normal()).exp()));
    let takes = takes.collect();
    Load { births, takes }
}

fn per_minute(rate: u32) -> impl Iterator<Item = f64> {
    let gap = 60.0 / f64::from(rate);
    (0..40 * rate).map(move |i| f64::from(i) * gap)
}

/// Who chooses the polls.
trait Chooser {
    fn add(&mut self, now: Duration, id: Arc<str>);
    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next;
    fn seen(&mut self, now: Duration, id: &str, ended: Option<Duration>);
}

impl Chooser for Planner {
    fn add(&mut self, now: Duration, id: Arc<str>) {
        Planner::add(self, id, String::new(), now, Some(now), Polling::default());
    }

    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        Planner::next(self, now, budget)
    }

    fn seen(&mut self, now: Duration, id: &str, ended: Option<Duration>) {
        match ended {
            None => Planner::seen(self, now, id, None),
            Some(took) => {
                self.forecast.learn("", took);
                self.remove(id);
            }
        }
    }
}

/// Polling in turn, as fast as the same budget allows, or evenly paced.
#[derive(Default)]
struct InTurn {
    paced: bool,
    paced_until: Duration,
    seen: BTreeMap<Arc<str>, Duration>,
}

impl Chooser for InTurn {
    fn add(&mut self, now: Duration, id: Arc<str>) {
        self.seen.insert(id, now);
    }

    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        let Some((id, seen)) = self.seen.iter().min_by_key(|(_, seen)| **seen) else {
            return Next::WhenChanged;
        };
        let due = *seen + Polling::default().min_interval;
        if due > now {
            return Next::At(due);
        }
        if self.paced && self.paced_until > now {
            return Next::At(self.paced_until);
        }
        let (polls, window) = budget.poll_rate(now).unwrap();
        match budget.take(now, Class::Poll) {
            Ok(()) => {
                self.paced_until = now + window / polls as u32;
                Next::Look(id.clone())
            }
            Err(Refusal::Until(at) | Refusal::Frozen(at)) => Next::At(at),
            Err(Refusal::UntilChange) => Next::WhenChanged,
        }
    }

    fn seen(&mut self, now: Duration, id: &str, ended: Option<Duration>) {
        if ended.is_some() {
            self.seen.remove(id);
        } else if let Some(seen) = self.seen.get_mut(id) {
            *seen = now;
        }
    }
}

/// Runs a load with answers at once, and checks that the service would never have said 429.
fn run(chooser: &mut dyn Chooser, load: &Load) -> Outcome {
    let limit = RateLimit::default();
    let mut budget = Budget::new(Some(limit));
    let mut sent: Vec<Duration> = Vec::new();
    let mut waiting: Vec<usize> = (0..load.births.len()).rev().collect();
    let mut ends: BTreeMap<Arc<str>, (Duration, Duration)> = BTreeMap::new();
    let (mut now, mut lag, mut polls) = (Duration::ZERO, 0.0, 0);
    while !waiting.is_empty() || !ends.is_empty() {
        let mut wake = Duration::MAX;
        while let Some(index) = waiting.last().copied() {
            if load.births[index] > now {
                wake = wake.min(load.births[index]);
                break;
            }
            match budget.take(now, Class::Direct) {
                Ok(()) => {
                    budget.answered(now, Class::Direct);
                    sent.push(now);
                    waiting.pop();
                    let id: Arc<str> = format!("gen_{index:05}").into();
                    ends.insert(id.clone(), (now, now + load.takes[index]));
                    chooser.add(now, id);
                }
                Err(Refusal::Until(at) | Refusal::Frozen(at)) => {
                    wake = wake.min(at);
                    break;
                }
                Err(Refusal::UntilChange) => unreachable!("answers come at once"),
            }
        }
        match chooser.next(now, &mut budget) {
            Next::Look(id) => {
                budget.answered(now, Class::Poll);
                sent.push(now);
                polls += 1;
                let (born, end) = ends[&id];
                let ended = (end <= now).then(|| end - born);
                if ended.is_some() {
                    lag += (now - end).as_secs_f64();
                    ends.remove(&id);
                }
                chooser.seen(now, &id, ended);
                continue;
            }
            Next::At(at) => wake = wake.min(at),
            Next::WhenChanged => {}
        }
        assert!(wake > now && wake < Duration::MAX, "nothing is stuck");
        now = wake;
    }
    let too_many =
        sent.windows(limit.requests as usize + 1).any(|w| w[w.len() - 1] < w[0] + limit.per);
    assert!(!too_many, "the service would have answered 429");
    Outcome { lag: lag / load.births.len() as f64, polls }
}

/// The mean over several seeds of the planner with its first guess, of polling in turn, and of
/// polling in turn at an even pace.
fn compare(births: impl Fn() -> Box<dyn Iterator<Item = f64>>, typical: f64) -> [Outcome; 3] {
    let mut sums = [Outcome { lag: 0.0, polls: 0 }; 3];
    let seeds = 8;
    for seed in 0..seeds {
        let load = load(births(), seed);
        let mut choosers: [Box<dyn Chooser>; 3] = [
            Box::new(Planner::new(Duration::from_secs_f64(typical))),
            Box::new(InTurn::default()),
            Box::new(InTurn { paced: true, ..InTurn::default() }),
        ];
        for (sum, chooser) in sums.iter_mut().zip(&mut choosers) {
            let outcome = run(chooser.as_mut(), &load);
            sum.lag += outcome.lag / seeds as f64;
            sum.polls += outcome.polls / seeds as usize;
        }
    }
    sums
}

/// Prints a row; the planner's lag and polls as shares of polling in turn.
fn row(name: &str, typical: f64, [ours, turns, paced]: [Outcome; 3]) -> (f64, f64) {
    let (lag, polls) = (ours.lag / turns.lag, ours.polls as f64 / turns.polls as f64);
    println!(
        "{name:>12} {typical:>5} s {:>7.1} s {:>5} {:>7.1} s {:>5} {lag:>7.2} {polls:>6.2} {:>7.1} s {:>5}",
        ours.lag, ours.polls, turns.lag, turns.polls, paced.lag, paced.polls
    );
    (lag, polls)
}

#[test]
fn simulation() {
    println!(
        "        load   guess    planner polls    in turn polls   ratio  polls  (in turn, evenly)"
    );
    for rate in [10, 20, 30] {
        let name = format!("{rate} a minute");
        let births = || Box::new(per_minute(rate)) as Box<dyn Iterator<Item = f64>>;
        let (lag, _) = row(&name, 90.0, compare(births, 90.0));
        assert!(lag <= 0.72, "{name}: {lag}");
        for typical in [45.0, 180.0] {
            let (lag, _) = row(&name, typical, compare(births, typical));
            assert!(lag <= 1.0, "{name}, guessed {typical} s: {lag}");
        }
    }
    let at_once = || Box::new(std::iter::repeat_n(0.0, 60)) as Box<dyn Iterator<Item = f64>>;
    let (lag, polls) = row("60 at once", 90.0, compare(at_once, 90.0));
    assert!(lag <= 0.7 && polls <= 0.7, "60 at once: {lag}, {polls}");
    for typical in [45.0, 180.0] {
        let (lag, _) = row("60 at once", typical, compare(at_once, typical));
        assert!(lag <= 1.0, "60 at once, guessed {typical} s: {lag}");
    }
    let more = || Box::new(std::iter::repeat_n(0.0, 120)) as Box<dyn Iterator<Item = f64>>;
    let (lag, _) = row("120 at once", 90.0, compare(more, 90.0));
    assert!(lag <= 1.0, "more than a window holds: {lag}");
}
