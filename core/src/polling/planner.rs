//! Which tracked generation is polled next, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use super::budget::{Budget, Class, Denial, PlannerNumber, PollRate};
use super::forecast::Forecast;
use super::price::Price;
use super::tracked::{Queue, Records, Tracked, WaitPolling};
use crate::model::GenerationId;

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Poll this generation now. The budget has been charged.
    Poll(GenerationId),
    /// Call again at this time, or when something has changed.
    At(Duration),
    /// A poll is due and the budget has no room. Call again at this time, or when the budget changes.
    DeniedUntil(Duration),
    /// Call again when something has changed.
    WhenChanged,
}

/// Chooses the generation to spend the budget on.
///
/// Urgent polls go first. Of the others, the poll that is worth most is sent as soon as it is worth
/// its [`Price`]; a generation's [`index`](Shape::index) says what its poll is worth. Where the budget
/// has room, a generation that has not been seen for `max_interval` is polled whatever that is worth.
/// Without a limit each is polled at its `min_interval`.
///
/// The records are the watchlist's. The planner adds queues of their ids; one with a poll in flight
/// is in none.
pub(crate) struct Planner {
    number: PlannerNumber,
    pub(super) forecast: Forecast,
    /// By when they are due, then in the order in which they became urgent.
    urgent: BTreeSet<((Duration, u64), GenerationId)>,
    next_urgent: u64,
    /// Those that rely on polling, by when their shortest interval elapses.
    polled: BTreeSet<(Duration, GenerationId)>,
    /// Those that rely on webhooks, by when their safety interval elapses.
    relying: BTreeSet<(Duration, GenerationId)>,
    /// The ids of records that have changed since they were last put into a queue, sorted so that the
    /// same events lead to the same polls.
    changed: BTreeSet<GenerationId>,
    /// The polls a second that polling every generation at its longest interval takes.
    demand: f64,
    price: Price,
    /// When the price is estimated anew.
    estimate_at: Duration,
    /// The generation of the last scan, as long as its poll is not sent, and the time of the next one.
    chosen: Option<GenerationId>,
    scan_at: Duration,
    /// How many records have been examined, for the tests that bound the cost of a decision.
    #[cfg(test)]
    pub(super) work: std::cell::Cell<usize>,
}

/// A poll has to be worth at least this part of `min_interval`, 25 ms by default: what a request is
/// worth where the budget is not scarce. Found by simulation: with twice as much, two generations a
/// minute are noticed later than by polling in turn.
const FLOOR: f64 = 1.0 / 80.0;
/// The part of `min_interval`, half a second by default, after which another scan may come to another
/// result.
const STEP: u32 = 4;
/// The shortest step, with intervals of 0 for example: a scan takes less than a hundredth of it.
const MIN_STEP: Duration = Duration::from_millis(5);
/// The generations that one scan examines, those first that were not seen for longest. With more, a
/// scan of all would cost more than the best of them gains.
const EXAMINED: usize = 128;
/// An estimate of the price is a pass over all. With more than this many it is as much rarer.
const ESTIMATED: usize = 64;
/// While others spend the polls, those that rely on webhooks wait for this many rounds of all: they take
/// at most a quarter of the polls.
const ROUNDS: f64 = 4.0;

impl Planner {
    /// A planner with nothing to poll. The number distinguishes it among those of its key.
    pub(crate) fn new(number: PlannerNumber, forecast: Forecast) -> Self {
        Self {
            number,
            forecast,
            urgent: BTreeSet::new(),
            next_urgent: 0,
            polled: BTreeSet::new(),
            relying: BTreeSet::new(),
            changed: BTreeSet::new(),
            demand: 0.0,
            price: Price::default(),
            estimate_at: Duration::ZERO,
            chosen: None,
            scan_at: Duration::ZERO,
            #[cfg(test)]
            work: std::cell::Cell::default(),
        }
    }

    /// A record was added.
    pub(super) fn on_added(&mut self, id: &GenerationId, record: &Tracked) {
        self.demand += record.demand();
        self.changed.insert(id.clone());
    }

    /// A record was removed.
    pub(super) fn on_removed(&mut self, id: &GenerationId, record: &mut Tracked) {
        self.leave_queue(id, record);
        self.changed.remove(id);
        self.demand -= record.demand();
    }

    /// One more wait is interested in this generation, perhaps in more frequent polls than the others.
    pub(super) fn on_wait_added(
        &mut self,
        now: Duration,
        id: &GenerationId,
        record: &mut Tracked,
        polling: WaitPolling,
    ) {
        self.update_polling(id, record, |record| record.add_wait(polling));
        // What the others have seen is as good as a poll of its own, if it is recent.
        let interval = polling.intervals.max_interval.max(polling.intervals.min_interval);
        let is_recent = record.seen_at.is_some_and(|at| now.saturating_sub(at) <= interval);
        if !is_recent && record.poll.is_none() {
            record.urgent = true;
            self.changed.insert(id.clone());
        }
    }

    /// A wait has ended. Without it, the generation may need less polls.
    pub(super) fn on_wait_removed(
        &mut self,
        id: &GenerationId,
        record: &mut Tracked,
        polling: WaitPolling,
    ) {
        self.update_polling(id, record, |record| record.remove_wait(polling));
    }

    fn update_polling(
        &mut self,
        id: &GenerationId,
        record: &mut Tracked,
        change: impl FnOnce(&mut Tracked) -> bool,
    ) {
        let before = record.demand();
        if change(record) {
            self.demand += record.demand() - before;
            self.changed.insert(id.clone());
        }
    }

    /// Makes a poll due at once, whatever it is worth; if one is in flight, when it has returned.
    pub(super) fn poll_now(&mut self, id: &GenerationId, record: &mut Tracked) {
        // A webhook or a deadline is better evidence than the backoff after a failed poll.
        record.urgent = true;
        record.not_before = Duration::ZERO;
        self.changed.insert(id.clone());
    }

    /// A poll has returned a snapshot.
    pub(super) fn on_seen(&mut self, now: Duration, id: &GenerationId, record: &mut Tracked) {
        record.seen(now);
        self.changed.insert(id.clone());
    }

    /// A poll has failed. The next one is sent no sooner than this.
    pub(super) fn on_poll_failed(
        &mut self,
        now: Duration,
        id: &GenerationId,
        record: &mut Tracked,
        not_before: Duration,
    ) {
        record.not_before =
            not_before.max(now.saturating_add(record.polling.intervals.min_interval));
        // The poll was made for a webhook or as the safety poll: the next safety interval is too
        // late to make up for it.
        record.urgent |= record.polling.relies_on_webhooks;
        self.changed.insert(id.clone());
    }

    /// What to do now.
    pub(super) fn next(
        &mut self,
        now: Duration,
        records: &mut Records,
        budget: &mut Budget,
    ) -> Next {
        if records.is_empty() {
            // Sums of floating-point numbers drift.
            self.demand = 0.0;
        }
        self.enqueue_changed(records);
        let rate = budget.poll_rate(now, self.number, self.demand);
        let (id, is_urgent) = match self.choose(now, records, rate) {
            Ok(chosen) => chosen,
            Err(Duration::MAX) => return Next::WhenChanged,
            Err(at) => return Next::At(at),
        };
        match budget.acquire(now, Class::Poll) {
            Ok(()) => {}
            Err(Denial::Until(at)) => return Next::DeniedUntil(at),
            Err(Denial::UntilChange) => return Next::WhenChanged,
        }
        if !is_urgent {
            self.price.spend();
            // The next one may be worth its price as well.
            self.scan_at = now;
        }
        if let Some(record) = records.get_mut(&id) {
            self.leave_queue(&id, record);
            record.urgent = false;
            record.urgent_number = None;
        }
        Next::Poll(id)
    }

    /// The generation to poll, if the budget grants it, and whether that is urgent; or when to call
    /// again.
    fn choose(
        &mut self,
        now: Duration,
        records: &Records,
        rate: Option<PollRate>,
    ) -> Result<(GenerationId, bool), Duration> {
        let mut wake = Duration::MAX;
        if let Some(((due, _), id)) = self.urgent.first() {
            if *due <= now {
                return Ok((id.clone(), true));
            }
            wake = *due;
        }
        let chosen = match rate {
            Some(rate) => self.choose_by_price(now, records, rate),
            // Nothing else needs the budget.
            None => {
                self.polled.union(&self.relying).next().map_or(Err(Duration::MAX), |(at, id)| {
                    if *at <= now { Ok(id.clone()) } else { Err(*at) }
                })
            }
        };
        chosen.map(|id| (id, false)).map_err(|at| at.min(wake))
    }

    fn choose_by_price(
        &mut self,
        now: Duration,
        records: &Records,
        rate: PollRate,
    ) -> Result<GenerationId, Duration> {
        self.price.advance(now, rate, self.polled.len());
        let load = (self.demand / rate.a_second()).max(1.0);
        // After some rounds of all, those that rely on webhooks go first.
        let (mut wake, first) = self.turn(records, load, ROUNDS);
        if wake <= now
            && let Some(id) = first
        {
            return Ok(id);
        }
        if let Some((eligible_at, _)) = self.polled.first() {
            let mut scan_at = self.scan_at.max(*eligible_at);
            if scan_at <= now {
                self.chosen = self.scan(now, records, rate, load);
                scan_at = self.scan_at;
            }
            if let Some(id) = &self.chosen {
                return Ok(id.clone());
            }
            wake = wake.min(scan_at);
        }
        // While the others leave polls, they have their turn in each round.
        if self.polled.is_empty() || self.price.has_spare() {
            let (at, first) = self.turn(records, load, 1.0);
            if at <= now
                && let Some(id) = first
            {
                return Ok(id);
            }
            wake = wake.min(at);
        }
        Err(wake)
    }

    /// The first of those that rely on webhooks, and when it is due if they are polled once in so many
    /// rounds of all.
    fn turn(&self, records: &Records, load: f64, rounds: f64) -> (Duration, Option<GenerationId>) {
        let first = self.relying.first();
        let Some((id, record)) = first.and_then(|(_, id)| Some((id, records.get(id)?))) else {
            return (Duration::MAX, None);
        };
        let stretch = if load > 1.0 { rounds * load } else { 1.0 };
        (record.overdue_at(stretch), Some(id.clone()))
    }

    /// Finds a poll that is worth its price, or one that is overdue, and sets the time of the next
    /// scan.
    fn scan(
        &mut self,
        now: Duration,
        records: &Records,
        rate: PollRate,
        load: f64,
    ) -> Option<GenerationId> {
        let step = self.step(records);
        if self.estimate_at <= now {
            self.estimate(now, records, rate);
            let steps = u32::try_from(self.polled.len() / ESTIMATED).unwrap_or(u32::MAX).max(1);
            self.estimate_at = now.saturating_add(step.saturating_mul(steps));
        }
        let price = self.price.now();
        // With more demand than budget, polls for being overdue become rare: at twice the budget they
        // take a quarter of it, at four times a sixteenth.
        let stretch = load.powi(3);
        let (mut best, mut overdue) = ((0.0, None), (Duration::MAX, None));
        for (_, id) in self.polled.iter().take_while(|(at, _)| *at <= now).take(EXAMINED) {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let Some(record) = records.get(id) else { continue };
            let index = record.index(self.forecast.shape(&record.route), now);
            let min_interval = record.polling.intervals.min_interval;
            if index >= price.max(FLOOR * min_interval.as_secs_f64()) && index > best.0 {
                best = (index, Some(id));
            }
            let overdue_at = record.overdue_at(stretch);
            if overdue_at < overdue.0 {
                overdue = (overdue_at, Some(id));
            }
        }
        let (overdue_at, overdue) = overdue;
        let next_overdue = if overdue_at > now { overdue_at } else { Duration::MAX };
        self.scan_at = now.saturating_add(step).min(next_overdue);
        best.1.or(overdue.filter(|_| overdue_at <= now)).cloned()
    }

    /// The time between two scans.
    fn step(&self, records: &Records) -> Duration {
        let first = self.polled.first().and_then(|(_, id)| records.get(id));
        let min_interval =
            first.map_or(Duration::ZERO, |record| record.polling.intervals.min_interval);
        (min_interval / STEP).max(MIN_STEP)
    }

    fn estimate(&mut self, now: Duration, records: &Records, rate: PollRate) {
        let record = |(_, id): &(Duration, GenerationId)| records.get(id);
        let forecast = &self.forecast;
        let ages = self.polled.iter().filter_map(record).map(|record| {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let (seen, age) = record.ages(now);
            (forecast.shape(&record.route), seen, age)
        });
        self.price.estimate(rate, ages);
    }

    /// Puts the records that have changed into the queue that they belong to.
    fn enqueue_changed(&mut self, records: &mut Records) {
        for id in std::mem::take(&mut self.changed) {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let Some(record) = records.get_mut(&id) else { continue };
            self.leave_queue(&id, record);
            // Its result will bring it back.
            if record.poll.is_some() {
                continue;
            }
            let queue = if record.urgent {
                let number = *record.urgent_number.get_or_insert(self.next_urgent);
                self.next_urgent += u64::from(number == self.next_urgent);
                Queue::Urgent(record.not_before, number)
            } else if record.polling.relies_on_webhooks {
                Queue::Relying(record.overdue_at(1.0))
            } else {
                Queue::Polled(record.eligible_at())
            };
            record.queue = Some(queue);
            match queue {
                Queue::Urgent(at, number) => self.urgent.insert(((at, number), id)),
                Queue::Relying(at) => self.relying.insert((at, id)),
                Queue::Polled(at) => self.polled.insert((at, id)),
            };
        }
    }

    fn leave_queue(&mut self, id: &GenerationId, record: &mut Tracked) {
        match record.queue.take() {
            None => return,
            Some(Queue::Urgent(at, number)) => self.urgent.remove(&((at, number), id.clone())),
            Some(Queue::Relying(at)) => self.relying.remove(&(at, id.clone())),
            Some(Queue::Polled(at)) => self.polled.remove(&(at, id.clone())),
        };
        self.chosen.take_if(|chosen| chosen == id);
    }
}

#[cfg(test)]
mod operations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
