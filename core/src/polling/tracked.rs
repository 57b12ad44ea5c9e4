//! The record of one tracked generation.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::Polling;
use super::forecast::Shape;
use super::wait_state::WaitState;
use crate::model::{Generation, GenerationId, Update, Via};

/// Identifies a wait among those of a watchlist.
pub(crate) type WaitId = u64;
/// Identifies a poll, so that the result of one that was aborted is recognized.
pub(crate) type PollId = u64;

/// The records of all tracked generations, by id. They are boxed since a map has up to twice the
/// slots that it needs.
pub(crate) type Records = HashMap<GenerationId, Box<Tracked>>;

/// A generation that at least one wait is interested in.
pub(crate) struct Tracked {
    pub(super) state: WaitState,
    /// What durations are learned by.
    pub(super) route: String,
    /// How it is polled: as often as the most demanding of its waits asks for.
    pub(super) polling: WaitPolling,
    /// What its waits ask for, and how many of them ask for the same. Nearly always it is one entry.
    pollings: Vec<(WaitPolling, usize)>,
    /// When it was created; when it was first tracked, as long as that is not known.
    pub(super) created_at: Duration,
    pub(super) creation_known: bool,
    /// When a create or a poll has last shown its state.
    pub(super) seen_at: Option<Duration>,
    /// The earliest time of the next poll: a failed poll pushes it back.
    pub(super) not_before: Duration,
    /// Whether the next poll goes before those that the planner chooses by their worth.
    pub(super) urgent: bool,
    /// Its place among the urgent ones.
    pub(super) urgent_number: Option<u64>,
    pub(super) poll: Option<InFlight>,
    /// How many polls were sent.
    pub(super) polls: u32,
    /// The progress that its waits were last shown.
    progress: f64,
    /// What has made the next poll due.
    pub(super) next_via: Via,
    /// Its place in one of the planner's queues, while it is in one.
    pub(super) queue: Option<Queue>,
}

/// A poll that was sent and has no result yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    pub(super) id: PollId,
    pub(super) via: Via,
}

/// The planner's queue that a generation is in, and its key there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queue {
    /// When it is due, and its number among the urgent ones.
    Urgent(Duration, u64),
    /// When its safety interval elapses.
    Relying(Duration),
    /// When its shortest interval elapses.
    Polled(Duration),
}

/// How one wait asks for its generation to be polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitPolling {
    pub(super) intervals: Polling,
    /// Whether webhooks report the end, so that polls are only a safety net.
    pub(super) relies_on_webhooks: bool,
}

impl WaitPolling {
    /// The shortest intervals that one of the two asks for. One without webhooks is enough to need
    /// polls.
    fn merge(self, other: Self) -> Self {
        let (a, b) = (self.intervals, other.intervals);
        Self {
            intervals: Polling {
                min_interval: a.min_interval.min(b.min_interval),
                max_interval: a.max_interval.min(b.max_interval),
                safety_interval: a.safety_interval.min(b.safety_interval),
                typical: a.typical,
            },
            relies_on_webhooks: self.relies_on_webhooks && other.relies_on_webhooks,
        }
    }
}

/// One wait for the end of a generation. `H` is the I/O half's handle of it: nothing here uses it.
pub(crate) struct Wait<H> {
    pub(super) handle: H,
    pub(super) polling: WaitPolling,
    pub(super) deadline: Duration,
    /// When it ends in any case: its deadline, or some time later while its final poll is in flight.
    pub(super) ends_at: Duration,
    /// Whether it wants updates, or only the end.
    pub(super) updates: bool,
    /// How many polls the generation had before it began.
    pub(super) polls_before: u32,
}

/// The part of `typical` below which an interval counts as no more demand: intervals of 0, as tests
/// set, would be more than any budget.
const MIN_DEMAND_INTERVAL: f64 = 0.01;
/// A generation that is said to be older than this says nothing about how long they take: the
/// service's clock or its `created_at` is wrong, or it was stuck.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

impl Tracked {
    /// The record of a generation that is tracked from now on, for one wait.
    pub(super) fn new(now: Duration, created_at: Option<Duration>, polling: WaitPolling) -> Self {
        Self {
            state: WaitState::new(),
            route: String::new(),
            polling,
            // A growing Vec would start with room for four.
            pollings: vec![(polling, 1)],
            created_at: created_at.unwrap_or(now),
            creation_known: created_at.is_some(),
            seen_at: created_at,
            not_before: Duration::ZERO,
            // The state of one that comes from elsewhere is unknown: it may have ended long ago.
            urgent: created_at.is_none(),
            urgent_number: None,
            poll: None,
            polls: 0,
            progress: 0.0,
            next_via: Via::Poll,
            queue: None,
        }
    }

    /// One more wait. Returns whether that changes how the generation is polled.
    pub(super) fn add_wait(&mut self, polling: WaitPolling) -> bool {
        if let Some((_, waits)) = self.pollings.iter_mut().find(|(other, _)| *other == polling) {
            *waits += 1;
            return false;
        }
        self.pollings.push((polling, 1));
        self.merge_polling()
    }

    /// A wait has ended. Returns whether that changes how the generation is polled.
    pub(super) fn remove_wait(&mut self, polling: WaitPolling) -> bool {
        let Some(at) = self.pollings.iter().position(|(other, _)| *other == polling) else {
            return false;
        };
        self.pollings[at].1 -= 1;
        if self.pollings[at].1 > 0 {
            return false;
        }
        self.pollings.swap_remove(at);
        self.merge_polling()
    }

    pub(super) fn has_waits(&self) -> bool {
        !self.pollings.is_empty()
    }

    fn merge_polling(&mut self) -> bool {
        let merged = self.pollings.iter().map(|(polling, _)| *polling).reduce(WaitPolling::merge);
        let before = self.polling;
        self.polling = merged.unwrap_or(before);
        self.polling != before
    }

    /// A poll or a create has shown the generation's state.
    pub(super) fn seen(&mut self, now: Duration) {
        self.seen_at = Some(now);
        self.not_before = Duration::ZERO;
    }

    /// Takes what only the first snapshots can say: the route, and when it was created.
    pub(super) fn describe(&mut self, generation: &Generation, now: Duration, wall: SystemTime) {
        if self.route.is_empty() {
            self.route = route(generation);
        }
        if self.creation_known {
            return;
        }
        // By the service's clock, which may be ahead of this machine's: then the age is unknown.
        let age = generation.created_at.and_then(|at| wall.duration_since(at).ok());
        if let Some(age) = age.filter(|age| *age <= MAX_AGE) {
            self.created_at = now.saturating_sub(age);
            self.creation_known = true;
        }
    }

    /// How long a generation that has just been seen to end has taken, as far as that is known.
    pub(super) fn duration(&self, generation: &Generation, now: Duration) -> Option<Duration> {
        let latency = generation.latency_ms.map(Duration::from_millis);
        let Some(seen_at) = self.seen_at else {
            // First seen after its end: it may have ended long ago, so its age says nothing.
            return latency.filter(|latency| *latency <= MAX_AGE);
        };
        let age = now.saturating_sub(self.created_at);
        // The service's own figure is better than what polls can show, within what they have shown:
        // a latency that contradicts them is measured from another moment.
        let shortest = seen_at.saturating_sub(self.created_at).min(age);
        match latency {
            _ if !self.creation_known => latency.filter(|latency| *latency <= MAX_AGE),
            Some(latency) => Some(latency.clamp(shortest, age)),
            // It ended somewhere between the last two polls. If they are far apart, as after a wait
            // that began late, that says nothing.
            None => (age - shortest <= age / 2).then(|| shortest + (age - shortest) / 2),
        }
    }

    /// The longest time between two polls, with budget to spare.
    pub(super) fn max_interval(&self) -> Duration {
        let WaitPolling { intervals, relies_on_webhooks } = self.polling;
        let interval =
            if relies_on_webhooks { intervals.safety_interval } else { intervals.max_interval };
        // A caller who raises the minimum above the others, or sets one of them to 0, means the
        // minimum.
        interval.max(intervals.min_interval)
    }

    /// What its waits are shown.
    pub(super) fn update(
        &mut self,
        now: Duration,
        generation: Generation,
        shape: Shape,
        via: Via,
    ) -> Update {
        let elapsed = now.saturating_sub(self.created_at);
        self.progress =
            if generation.is_final() { 1.0 } else { shape.progress(elapsed, self.progress) };
        let (expected, progress) = (shape.median(), self.progress);
        Update { generation, elapsed, expected, progress, via }
    }

    /// When its shortest interval elapses.
    pub(super) fn eligible_at(&self) -> Duration {
        let min_interval = self.polling.intervals.min_interval;
        self.last_seen().saturating_add(min_interval).max(self.not_before)
    }

    /// When its longest interval elapses, stretched by this factor.
    pub(super) fn overdue_at(&self, stretch: f64) -> Duration {
        let interval = self.max_interval().as_secs_f64() * stretch;
        let interval = Duration::try_from_secs_f64(interval).unwrap_or(Duration::MAX);
        self.last_seen().saturating_add(interval).max(self.not_before)
    }

    /// The polls a second that polling it at its longest interval takes.
    pub(super) fn demand(&self) -> f64 {
        let shortest = self.polling.intervals.typical.as_secs_f64() * MIN_DEMAND_INTERVAL;
        1.0 / self.max_interval().as_secs_f64().max(shortest).max(1e-3)
    }

    /// What a poll of it is worth, in seconds of unseen time.
    pub(super) fn index(&self, shape: Shape, now: Duration) -> f64 {
        let (seen, age) = self.ages(now);
        shape.index(seen, age)
    }

    /// Its age when it was last seen running, and its age now, in seconds.
    pub(super) fn ages(&self, now: Duration) -> (f64, f64) {
        let age = |at: Duration| at.saturating_sub(self.created_at).as_secs_f64();
        (age(self.last_seen()), age(now))
    }

    pub(super) fn last_seen(&self) -> Duration {
        self.seen_at.unwrap_or(self.created_at)
    }
}

/// The service's word for what generations have in common that take equally long.
fn route(generation: &Generation) -> String {
    let part = |part: &Option<String>| part.as_deref().unwrap_or_default().to_owned();
    [part(&generation.engine), part(&generation.model), part(&generation.provider)].join(" ")
}

#[cfg(test)]
mod tests;
