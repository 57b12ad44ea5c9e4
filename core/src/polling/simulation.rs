//! A simulation of the planner beside polling in turn: how long after its end is a generation
//! noticed?
//!
//! `cargo xtask simulate` runs all of it and writes the figures into the documents.
#![allow(clippy::print_stdout, reason = "the figures are the result")]

mod bound;
mod policies;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use self::policies::Policy;
use super::budget::{Budget, Class, Denial, RateLimit};
use super::fixture::id;
use super::planner::Next;
use crate::model::GenerationId;

/// The requests in any window, and the window's length in seconds.
const REQUESTS: u32 = 100;
const WINDOW: f64 = 60.0;
/// The median duration, in seconds.
const MEDIAN: f64 = 90.0;
/// For how many minutes a steady load lasts, and which generations count, by when they are created:
/// not those of the beginning, when there are few, nor those of the end, when creates leave room.
const MINUTES: u32 = 45;
const COUNTED: std::ops::Range<f64> = 600.0..2400.0;

/// When creates are called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pattern {
    PerMinute(u32),
    AtOnce(u32),
}

/// How long generations take. All are log-normal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Durations {
    /// With this sigma.
    Sigma(f64),
    /// Three routes in turn: a median of 40, 90 and 240 s, sigma 0.5.
    Mixture,
}

const MIXTURE: [f64; 3] = [40.0, MEDIAN, 240.0];

/// What is not as usual.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    /// The service refuses a poll a minute after the first create, for 10 s.
    Refusal,
    /// Those that are created in the second half take twice as long.
    Doubled,
    /// Responses take 50 to 500 ms, and one poll of fifty fails.
    Network,
}

#[derive(Clone, Copy, Debug)]
struct World {
    pattern: Pattern,
    durations: Durations,
    trouble: Trouble,
}

/// A generation that the world wants to create.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    at: f64,
    takes: f64,
    route: usize,
    counts: bool,
}

impl World {
    fn new(pattern: Pattern) -> Self {
        Self { pattern, durations: Durations::Sigma(0.5), trouble: Trouble::None }
    }

    fn wanted(&self, random: &mut fastrand::Rng) -> Vec<Wanted> {
        let (count, gap) = match self.pattern {
            Pattern::PerMinute(rate) => (MINUTES * rate, 60.0 / f64::from(rate)),
            Pattern::AtOnce(count) => (count, 0.0),
        };
        let middle = f64::from(MINUTES) * 30.0;
        let wanted = (0..count).map(|nth| {
            let at = f64::from(nth) * gap;
            let (route, takes) = self.durations.draw(nth as usize, random);
            let is_doubled = self.trouble == Trouble::Doubled && at >= middle;
            let takes = if is_doubled { 2.0 * takes } else { takes };
            Wanted { at, takes, route, counts: gap == 0.0 || COUNTED.contains(&at) }
        });
        wanted.collect()
    }
}

impl Durations {
    /// The route and the duration of the nth generation.
    fn draw(self, nth: usize, random: &mut fastrand::Rng) -> (usize, f64) {
        let (route, median, sigma) = match self {
            Self::Sigma(sigma) => (0, MEDIAN, sigma),
            Self::Mixture => (nth % 3, MIXTURE[nth % 3], 0.5),
        };
        (route, median * (sigma * normal(random)).exp())
    }
}

/// A number from the standard normal distribution.
fn normal(random: &mut fastrand::Rng) -> f64 {
    let (u, v) = (1.0 - random.f64(), random.f64());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The mean time from the end of a generation to the response that shows it, in seconds, and the polls
/// of a generation.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    lag: f64,
    polls: f64,
}

/// What a poll in flight will return.
struct Poll {
    id: GenerationId,
    outcome: Polled,
}

#[derive(Clone, Copy, Debug)]
enum Polled {
    Running,
    /// It has ended, after this many seconds.
    Ended(f64),
    Failed,
}

/// One run. Times are in seconds.
struct Run<'a> {
    world: World,
    policy: &'a mut dyn Policy,
    random: fastrand::Rng,
    budget: Budget,
    now: f64,
    /// The generations that are not created yet, last first.
    wanted: Vec<Wanted>,
    /// When each generation was created, when it ends, and whether it counts.
    running: BTreeMap<GenerationId, (f64, f64, bool)>,
    in_flight: Vec<(f64, Poll)>,
    /// When the service counted each request.
    counted: Vec<f64>,
    refused: bool,
    lags: Vec<f64>,
    created: u32,
    polls: u32,
}

fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Runs a world until everything has ended, and checks that the service would never respond 429 of its
/// own accord.
fn run(policy: &mut dyn Policy, world: World, seed: u64) -> Outcome {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut wanted = world.wanted(&mut random);
    wanted.reverse();
    let limit = RateLimit::new(REQUESTS, duration(WINDOW));
    let mut run = Run {
        world,
        policy,
        random,
        budget: Budget::new(Some(limit)),
        now: 0.0,
        wanted,
        running: BTreeMap::new(),
        in_flight: Vec::new(),
        counted: Vec::new(),
        refused: false,
        lags: Vec::new(),
        created: 0,
        polls: 0,
    };
    loop {
        run.receive();
        let wake = run.create().min(run.poll());
        if run.wanted.is_empty() && run.running.is_empty() {
            break;
        }
        let response = run.in_flight.iter().map(|(at, _)| *at).fold(f64::MAX, f64::min);
        assert!(wake.min(response) < f64::MAX, "nothing is stuck");
        // A Duration has nanoseconds.
        run.now = wake.min(response).max(run.now + 2e-9);
    }
    run.counted.sort_by(f64::total_cmp);
    let too_many =
        run.counted.windows(REQUESTS as usize + 1).any(|w| w[w.len() - 1] < w[0] + WINDOW - 1e-6);
    assert!(!too_many, "the service would have responded 429");
    let lag = run.lags.iter().sum::<f64>() / run.lags.len() as f64;
    Outcome { lag, polls: f64::from(run.polls) / f64::from(run.created) }
}

impl Run<'_> {
    fn at(&self) -> Duration {
        duration(self.now)
    }

    fn receive(&mut self) {
        self.in_flight.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        while self.in_flight.last().is_some_and(|(at, _)| *at <= self.now)
            && let Some((_, poll)) = self.in_flight.pop()
        {
            self.budget.release(self.at(), Class::Poll);
            if let Polled::Ended(_) = poll.outcome
                && let Some((_, end, true)) = self.running.remove(&poll.id)
            {
                self.lags.push(self.now - end);
            }
            self.policy.polled(self.at(), &poll.id, poll.outcome);
        }
    }

    /// Sends the creates for which there is room, and returns when there will be for the next.
    fn create(&mut self) -> f64 {
        let due = self.wanted.iter().rev().take_while(|wanted| wanted.at <= self.now).count();
        for waiting in (0..due).rev() {
            match self.budget.acquire(self.at(), Class::Direct) {
                Ok(()) => {}
                Err(Denial::Until(at)) => return at.as_secs_f64(),
                Err(Denial::UntilChange) => return f64::MAX,
            }
            self.budget.set_waiting(waiting);
            self.budget.release(self.at(), Class::Direct);
            self.counted.push(self.now);
            let Some(next) = self.wanted.pop() else { break };
            let id = id(&format!("gen_{:05}", self.created));
            self.created += 1;
            self.running.insert(id.clone(), (self.now, self.now + next.takes, next.counts));
            self.policy.created(self.at(), id, next.route);
        }
        self.wanted.last().map_or(f64::MAX, |next| next.at)
    }

    /// Sends the polls that the policy chooses, and returns when to ask it again.
    fn poll(&mut self) -> f64 {
        loop {
            match self.policy.next(self.at(), &mut self.budget) {
                Next::Poll(id) => self.send(id),
                Next::At(at) | Next::DeniedUntil(at) => return at.as_secs_f64(),
                Next::WhenChanged => return f64::MAX,
            }
            if self.in_flight.iter().any(|(at, _)| *at <= self.now) {
                self.receive();
            }
        }
    }

    fn send(&mut self, id: GenerationId) {
        self.polls += 1;
        let is_slow = self.world.trouble == Trouble::Network;
        let latency = if is_slow { 0.05 + 0.45 * self.random.f64() } else { 0.0 };
        let counted = self.now + latency / 2.0;
        self.counted.push(counted);
        let (created_at, end, _) = self.running[&id];
        let is_refused =
            self.world.trouble == Trouble::Refusal && !self.refused && self.now >= WINDOW;
        let outcome = if is_refused {
            self.refused = true;
            let now = self.at();
            self.budget.on_rate_limited(now, now, Class::Poll, Some(duration(10.0)));
            Polled::Failed
        } else if is_slow && self.random.f64() < 0.02 {
            Polled::Failed
        } else if end <= counted {
            Polled::Ended(end - created_at)
        } else {
            Polled::Running
        };
        self.in_flight.push((self.now + latency, Poll { id, outcome }));
    }
}
