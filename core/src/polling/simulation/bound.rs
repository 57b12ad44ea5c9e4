//! How soon ends could be noticed at best: a bound that no policy can be below.
//!
//! The problem is relaxed: the polls of all generations together need to respect each window's limit
//! on average only, and the durations' distribution is known. Its Lagrangian dual puts a price on the
//! polls of each window. At given prices every generation is a problem of its own, which dynamic
//! programming solves. Every choice of prices gives a bound; gradient ascent finds a good one.

use super::{Durations, MEDIAN, MIXTURE, Pattern, REQUESTS, WINDOW};

/// The polls of a window without creates: what the budget leaves to them.
const POLLS: f64 = 90.0;
/// The grid on which polls may be sent, in seconds. A policy may send them at any time, which gains
/// less than the last digit of the figures.
const GRID: f64 = 0.5;
/// The shortest and the longest time between two polls of a generation, in steps of the grid.
const MIN_STEPS: usize = 4;
const MAX_STEPS: usize = 800;
/// Windows start each second.
const STEP: f64 = 1.0;
/// The rounds of the ascent. Twice as many raise the bound by less than a hundredth.
const ROUNDS: usize = 3000;

/// Durations of one kind on the grid: the share that has ended, and the integral of that share.
struct Ends {
    ended: Vec<f64>,
    integral: Vec<f64>,
}

/// A generation's best schedule at some prices: its cost and, for each step of the grid, how many
/// polls it takes on average.
struct Schedule {
    cost: f64,
    polls: Vec<f64>,
}

impl Ends {
    fn new(median: f64, sigma: f64, horizon: f64) -> Self {
        let share = |age: f64| {
            let z = (age / median).ln() / sigma;
            if age <= 0.0 { 0.0 } else { 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2) }
        };
        let steps = (horizon / GRID) as usize;
        let ended: Vec<f64> = (0..=steps).map(|step| share(step as f64 * GRID)).collect();
        let mut integral = vec![0.0];
        for step in 1..=steps {
            let middle = share((step as f64 - 0.5) * GRID);
            let simpson = (ended[step - 1] + 4.0 * middle + ended[step]) * GRID / 6.0;
            integral.push(integral[step - 1] + simpson);
        }
        Self { ended, integral }
    }

    /// The mean time for which an end between two polls stays unseen, times its chance.
    fn unseen(&self, from: usize, to: usize) -> f64 {
        self.integral[to] - self.integral[from] - (to - from) as f64 * GRID * self.ended[from]
    }

    /// Solves the problem of one generation, backwards from the horizon. `price` is that of a poll at
    /// each step.
    fn schedule(&self, price: impl Fn(usize) -> f64) -> Schedule {
        let last = self.ended.len() - 1;
        let prices: Vec<f64> = (0..=last).map(price).collect();
        let (mut cost, mut next) = (vec![0.0; last + 1], vec![last; last + 1]);
        for from in (0..last).rev() {
            let running = 1.0 - self.ended[from];
            let polls = (from + MIN_STEPS).min(last)..=(from + MAX_STEPS).min(last);
            let costs =
                polls.map(|to| (self.unseen(from, to) + prices[to] * running + cost[to], to));
            if let Some((least, to)) = costs.min_by(|(a, _), (b, _)| a.total_cmp(b)) {
                (cost[from], next[from]) = (least, to);
            }
        }
        let (mut polls, mut at) = (vec![0.0; last + 1], 0);
        while at < last {
            polls[next[at]] += 1.0 - self.ended[at];
            at = next[at];
        }
        Schedule { cost: cost[0], polls }
    }
}

fn kinds(durations: Durations) -> Vec<(f64, f64)> {
    match durations {
        Durations::Sigma(sigma) => vec![(MEDIAN, sigma)],
        Durations::Mixture => MIXTURE.iter().map(|median| (*median, 0.5)).collect(),
    }
}

/// The bound on the mean lag, in seconds.
pub(super) fn bound(pattern: Pattern, durations: Durations) -> f64 {
    match pattern {
        Pattern::PerMinute(rate) => steady(f64::from(rate), durations),
        Pattern::AtOnce(count) => at_once(f64::from(count), durations),
    }
}

/// A steady load has one price.
fn steady(rate: f64, durations: Durations) -> f64 {
    let ends: Vec<_> =
        kinds(durations).iter().map(|kind| Ends::new(kind.0, kind.1, 3000.0)).collect();
    let each = POLLS.min(f64::from(REQUESTS) - rate) / rate;
    let value = |price: f64| {
        let costs: f64 = ends.iter().map(|ends| ends.schedule(|_| price).cost).sum();
        costs / ends.len() as f64 - price * each
    };
    // It is concave in the price: a golden-section search.
    let (mut low, mut high) = (0.0, 600.0);
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    for _ in 0..30 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if value(left) < value(right) {
            low = left;
        } else {
            high = right;
        }
    }
    value((low + high) / 2.0)
}

/// The creates of a burst, in the windows in which the limiter has room for them: when, and how many.
/// After the first window polls have their guaranteed fifth.
fn batches(count: f64) -> Vec<(f64, f64)> {
    let mut batches: Vec<(f64, f64)> = Vec::new();
    let (mut left, mut at) = (count, 0.0);
    while left > 0.0 {
        let room = if at == 0.0 { f64::from(REQUESTS) } else { 0.8 * f64::from(REQUESTS) };
        batches.push((at, left.min(room)));
        left -= room;
        at += WINDOW;
    }
    batches
}

/// A burst has a price for each window, however it lies.
fn at_once(count: f64, durations: Durations) -> f64 {
    let batches = batches(count);
    let created_last = batches.last().map_or(0.0, |(at, _)| *at);
    let kinds = kinds(durations);
    let horizon = created_last + kinds.iter().map(|(median, _)| 8.0 * median).fold(0.0, f64::max);
    let ends: Vec<_> = kinds.iter().map(|kind| Ends::new(kind.0, kind.1, horizon)).collect();
    let windows = (horizon / STEP) as usize;
    let span = (WINDOW / STEP) as usize;
    let room: Vec<f64> = (0..windows)
        .map(|start| {
            let start = start as f64 * STEP;
            let inside = |at: f64| at >= start && at < start + WINDOW;
            let creates = batches.iter().filter(|(at, _)| inside(*at)).map(|(_, count)| count);
            POLLS.min(f64::from(REQUESTS) - creates.sum::<f64>())
        })
        .collect();
    let second = |step: usize, at: f64| ((step as f64 * GRID + at) / STEP) as usize;

    let mut prices = vec![0.0f64; windows];
    let (mut mean, mut square) = (vec![0.0; windows], vec![0.0; windows]);
    let mut best = f64::MIN;
    for round in 0..ROUNDS {
        // A poll pays for every window that it lies in.
        let mut paid = vec![0.0; windows];
        for (start, price) in prices.iter().enumerate() {
            paid[start..(start + span).min(windows)].iter_mut().for_each(|paid| *paid += price);
        }
        let (mut value, mut polls) = (0.0, vec![0.0; windows]);
        for (at, count) in &batches {
            let each = count / ends.len() as f64;
            for ends in &ends {
                let price = |step| paid.get(second(step, *at)).copied().unwrap_or(0.0);
                let schedule = ends.schedule(price);
                value += each * schedule.cost;
                for (step, share) in schedule.polls.iter().enumerate() {
                    if let Some(polls) = polls.get_mut(second(step, *at)) {
                        *polls += each * share;
                    }
                }
            }
        }
        value -= prices.iter().zip(&room).map(|(price, room)| price * room).sum::<f64>();
        best = best.max(value);
        // Adam, with smaller and smaller steps.
        let rate = 0.036 * STEP / (1.0 + round as f64 / 100.0);
        for start in 0..windows {
            let used: f64 = polls[start..(start + span).min(windows)].iter().sum();
            let gradient = used - room[start];
            mean[start] += 0.2 * (gradient - mean[start]);
            square[start] += 0.05 * (gradient * gradient - square[start]);
            let step = rate * mean[start] / (square[start].sqrt() + 1e-6);
            prices[start] = (prices[start] + step).max(0.0);
        }
    }
    best / count
}
