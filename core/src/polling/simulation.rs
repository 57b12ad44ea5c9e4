//! A simulation of the planner against polling in turn: how long after its end is a generation
//! noticed?
//!
//! `cargo test -p pipevideo simulation -- --nocapture` prints the table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Polling;
use super::budget::{Budget, Class, Denial, RateLimit};
use super::fixture::{Plan, id};
use super::planner::Next;
use crate::model::GenerationId;

/// The mean time between the end of a generation and the poll that notices it, and the number of
/// polls.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    lag: f64,
    polls: usize,
}

/// When generations are created, and how long each takes.
struct Load {
    creates: Vec<Duration>,
    takes: Vec<Duration>,
}

fn load(creates: impl Iterator<Item = f64>, seed: u64) -> Load {
    let mut random = fastrand::Rng::with_seed(seed);
    let creates: Vec<_> = creates.map(Duration::from_secs_f64).collect();
    let mut normal = || {
        let (u, v): (f64, f64) = (1.0 - random.f64(), random.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let takes = creates.iter().map(|_| Duration::from_secs_f64(90.0 * (0.5 * normal()).exp()));
    let takes = takes.collect();
    Load { creates, takes }
}

fn per_minute(rate: u32) -> impl Iterator<Item = f64> {
    let gap = 60.0 / f64::from(rate);
    (0..40 * rate).map(move |i| f64::from(i) * gap)
}

/// What chooses the polls.
trait Policy {
    fn add(&mut self, now: Duration, id: GenerationId);
    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next;
    fn seen(&mut self, now: Duration, id: &GenerationId, ended: Option<Duration>);
}

impl Policy for Plan {
    fn add(&mut self, now: Duration, id: GenerationId) {
        self.add_created(id.as_str(), now, Polling::default());
    }

    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        Plan::next(self, now, budget)
    }

    fn seen(&mut self, now: Duration, id: &GenerationId, ended: Option<Duration>) {
        match ended {
            None => Plan::seen(self, now, id.as_str(), None),
            Some(took) => {
                self.planner.forecast.learn("", took);
                self.remove(id.as_str());
            }
        }
    }
}

/// Polling in turn, as fast as the same budget allows, or evenly paced.
#[derive(Default)]
struct InTurn {
    paced: bool,
    paced_until: Duration,
    seen: BTreeMap<GenerationId, Duration>,
}

impl Policy for InTurn {
    fn add(&mut self, now: Duration, id: GenerationId) {
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
        let (polls, window) = budget.poll_rate(now, 0, 1.0).unwrap();
        match budget.acquire(now, Class::Poll) {
            Ok(()) => {
                self.paced_until = now + window / polls as u32;
                Next::Poll(id.clone())
            }
            Err(Denial::Until(at)) => Next::DeniedUntil(at),
            Err(Denial::UntilChange) => Next::WhenChanged,
        }
    }

    fn seen(&mut self, now: Duration, id: &GenerationId, ended: Option<Duration>) {
        if ended.is_some() {
            self.seen.remove(id);
        } else if let Some(seen) = self.seen.get_mut(id) {
            *seen = now;
        }
    }
}

/// Runs a load with responses that take no time, and checks that the service would never respond 429.
fn run(policy: &mut dyn Policy, load: &Load) -> Outcome {
    let limit = RateLimit::default();
    let mut budget = Budget::new(Some(limit));
    let mut sent: Vec<Duration> = Vec::new();
    let mut waiting: Vec<usize> = (0..load.creates.len()).rev().collect();
    let mut ends: BTreeMap<GenerationId, (Duration, Duration)> = BTreeMap::new();
    let (mut now, mut lag, mut polls) = (Duration::ZERO, 0.0, 0);
    while !waiting.is_empty() || !ends.is_empty() {
        let mut wake = Duration::MAX;
        while let Some(index) = waiting.last().copied() {
            if load.creates[index] > now {
                wake = wake.min(load.creates[index]);
                break;
            }
            match budget.acquire(now, Class::Direct) {
                Ok(()) => {
                    budget.release(now, Class::Direct);
                    sent.push(now);
                    waiting.pop();
                    let id = id(&format!("gen_{index:05}"));
                    ends.insert(id.clone(), (now, now + load.takes[index]));
                    policy.add(now, id);
                }
                Err(Denial::Until(at)) => {
                    wake = wake.min(at);
                    break;
                }
                Err(Denial::UntilChange) => unreachable!("responses take no time"),
            }
        }
        match policy.next(now, &mut budget) {
            Next::Poll(id) => {
                budget.release(now, Class::Poll);
                sent.push(now);
                polls += 1;
                let (created_at, end) = ends[&id];
                let ended = (end <= now).then(|| end - created_at);
                if ended.is_some() {
                    lag += (now - end).as_secs_f64();
                    ends.remove(&id);
                }
                policy.seen(now, &id, ended);
                continue;
            }
            Next::At(at) | Next::DeniedUntil(at) => wake = wake.min(at),
            Next::WhenChanged => {}
        }
        assert!(wake > now && wake < Duration::MAX, "nothing is stuck");
        now = wake;
    }
    let too_many =
        sent.windows(limit.requests as usize + 1).any(|w| w[w.len() - 1] < w[0] + limit.per);
    assert!(!too_many, "the service would have responded 429");
    Outcome { lag: lag / load.creates.len() as f64, polls }
}

/// The mean over several seeds of the planner with its first guess, of polling in turn, and of
/// polling in turn at an even pace.
fn compare(creates: impl Fn() -> Box<dyn Iterator<Item = f64>>, typical: f64) -> [Outcome; 3] {
    let mut sums = [Outcome { lag: 0.0, polls: 0 }; 3];
    let seeds = 8;
    for seed in 0..seeds {
        let load = load(creates(), seed);
        let mut policies: [Box<dyn Policy>; 3] = [
            Box::new(Plan::new(Duration::from_secs_f64(typical))),
            Box::new(InTurn::default()),
            Box::new(InTurn { paced: true, ..InTurn::default() }),
        ];
        for (sum, policy) in sums.iter_mut().zip(&mut policies) {
            let outcome = run(policy.as_mut(), &load);
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
        let creates = || Box::new(per_minute(rate)) as Box<dyn Iterator<Item = f64>>;
        let (lag, _) = row(&name, 90.0, compare(creates, 90.0));
        assert!(lag <= 0.72, "{name}: {lag}");
        for typical in [45.0, 180.0] {
            let (lag, _) = row(&name, typical, compare(creates, typical));
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
