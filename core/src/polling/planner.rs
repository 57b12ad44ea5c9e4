//! Which tracked generation is polled next, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use super::budget::{Budget, Class, Denial, PlannerNumber};
use super::forecast::{Forecast, Shape};
use super::tracked::{QueueKeys, Records, Tracked, WaitPolling};
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
/// A poll is worth the expected time since its generation ended unnoticed. While the
/// budget is enough, each generation is polled within `max_interval`. When it is not, a poll is
/// spent only where it is worth [`WORTH`], so that budget is left when the ends come; the poll that
/// is worth most goes first, and polls are spread evenly over the window. What a window has to
/// spare goes to generations that have not been seen for `max_interval`, whatever that is worth.
///
/// The records are the watchlist's. The planner adds two queues of their ids.
pub(crate) struct Planner {
    number: PlannerNumber,
    pub(super) forecast: Forecast,
    /// The ids of generations without a poll in flight, by when they are due. Urgent ones are due at
    /// zero, in the order in which they became urgent.
    due: BTreeSet<((Duration, u64), GenerationId)>,
    next_urgent: u64,
    /// The same ids, by when their longest poll interval elapses.
    overdue: BTreeSet<(Duration, GenerationId)>,
    /// The ids of records that have changed since their queue keys were computed, sorted so that the
    /// same events lead to the same polls.
    changed: BTreeSet<GenerationId>,
    /// The polls a second that polling every generation at its longest interval takes.
    demand: f64,
    /// Whether there is more demand than budget, and the load when all due times were last set.
    crowded: bool,
    load: f64,
    /// Before this time, a poll would run ahead of an even pace.
    paced_until: Duration,
    /// How many records have been examined, for the tests that bound the cost of a decision.
    #[cfg(test)]
    pub(super) work: std::cell::Cell<usize>,
}

/// The expected unseen time, in seconds, below which a poll is not worth a request once the budget
/// is used up. Found by simulation: lower values spend the window before the ends come.
const WORTH: f64 = 0.7;
/// How much more a poll has to be worth for each time that the demand exceeds the budget. Found by
/// simulation at 20 and 30 generations a minute.
const SCARCITY: f64 = 0.2;
/// By what factor the load changes before all due times are set anew: computing them costs a pass
/// over all records, and due times that are off by half a step do no harm.
const RELOAD: f64 = 1.5;
/// How many polls may catch up at once with an even pace. More would empty the window in bursts,
/// fewer would lose the slots that a late timer leaves.
const BURST: u32 = 2;
/// Every generation is polled again within this many rounds of all, however little its poll is worth;
/// sooner if the demand is little more than the budget. It bounds starvation.
const ROUNDS: f64 = 4.0;
/// Halvings of an interval of seconds that find a due time to a few hundredths of a second.
const HALVINGS: usize = 8;

impl Planner {
    /// A planner with nothing to poll. The number distinguishes it among those of its key.
    pub(crate) fn new(number: PlannerNumber, forecast: Forecast) -> Self {
        Self {
            number,
            forecast,
            due: BTreeSet::new(),
            next_urgent: 0,
            overdue: BTreeSet::new(),
            changed: BTreeSet::new(),
            demand: 0.0,
            crowded: false,
            load: 0.0,
            paced_until: Duration::ZERO,
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
        self.leave_queues(id, record);
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

    /// The median duration of generations of this route.
    pub(super) fn expected(&self, route: &str) -> Duration {
        self.forecast.shape(route).median()
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
        let poll_rate = budget.poll_rate(now, self.number, self.demand);
        self.schedule(records, poll_rate);
        let id = match self.choose(now, records, budget) {
            Ok(id) => id,
            Err(next) => return next,
        };
        if let Some(record) = records.get_mut(&id) {
            self.leave_queues(&id, record);
            record.urgent = false;
            record.urgent_number = None;
        }
        if let Some((polls, window)) = poll_rate {
            // The pace catches up with the clock, but never by more than a burst.
            let gap = window / u32::try_from(polls).unwrap_or(u32::MAX);
            let behind = now.saturating_sub(gap.saturating_mul(BURST));
            self.paced_until = self.paced_until.max(behind).saturating_add(gap);
        }
        Next::Poll(id)
    }

    /// Chooses the generation to poll and charges the budget, or returns when to call again.
    fn choose(
        &self,
        now: Duration,
        records: &Records,
        budget: &mut Budget,
    ) -> Result<GenerationId, Next> {
        let Some(((first, _), id)) = self.due.first() else { return Err(Next::WhenChanged) };
        // Urgent polls are due at time zero, and are not held back by the pace.
        let by_worth = self.crowded && !first.is_zero();
        let at = if by_worth { self.paced_until.max(*first) } else { *first };
        let mut spared = None;
        if at > now {
            // Nothing is worth a poll yet. A window with room to spare still polls what is overdue.
            let overdue = self.overdue.first().filter(|_| self.crowded);
            let all = records.len();
            let spare = overdue.map_or(Duration::MAX, |(at, _)| budget.spare_at(now, all).max(*at));
            if spare > now {
                return Err(Next::At(at.min(spare)));
            }
            spared = overdue.map(|(_, id)| id.clone());
        }
        match budget.acquire(now, Class::Poll) {
            Ok(()) => {}
            Err(Denial::Until(at)) => return Err(Next::DeniedUntil(at)),
            Err(Denial::UntilChange) => return Err(Next::WhenChanged),
        }
        let best = if spared.is_none() && by_worth { self.most_unseen(now, records) } else { None };
        Ok(spared.or(best).unwrap_or_else(|| id.clone()))
    }

    /// Of the generations that are due, the one with the poll that is worth most.
    fn most_unseen(&self, now: Duration, records: &Records) -> Option<GenerationId> {
        let due = self.due.iter().take_while(|((due, _), _)| *due <= now);
        let unseen = due.filter_map(|(_, id)| {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let record = records.get(id)?;
            Some((record.unseen(self.forecast.shape(&record.route), now), id))
        });
        unseen.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, id)| id.clone())
    }

    /// Computes the queue keys of the records that have changed; of all records, if the load has.
    fn schedule(&mut self, records: &mut Records, poll_rate: Option<(usize, Duration)>) {
        let load = self.load_under(poll_rate);
        let crowded = load > 1.0;
        // Due times depend on the load, but recomputing all of them at each change of it would make
        // a decision cost a pass over all records.
        let changed = load.max(self.load) > RELOAD * load.min(self.load);
        if crowded != self.crowded || (crowded && changed) {
            self.crowded = crowded;
            self.load = load;
            let waiting = self.due.iter().map(|(_, id)| id.clone());
            self.changed.extend(waiting);
        }
        for id in std::mem::take(&mut self.changed) {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let Some(record) = records.get_mut(&id) else { continue };
            self.leave_queues(&id, record);
            // Its result will bring it back.
            if record.poll.is_some() {
                continue;
            }
            let due = if record.urgent {
                let number = record.urgent_number.get_or_insert(self.next_urgent);
                self.next_urgent += u64::from(*number == self.next_urgent);
                (record.not_before, *number)
            } else {
                (due_at(record, self.forecast.shape(&record.route), load), 0)
            };
            let keys = QueueKeys { due, overdue: record.overdue_at() };
            record.queue_keys = Some(keys);
            self.due.insert((keys.due, id.clone()));
            self.overdue.insert((keys.overdue, id));
        }
    }

    fn leave_queues(&mut self, id: &GenerationId, record: &mut Tracked) {
        if let Some(keys) = record.queue_keys.take() {
            self.due.remove(&(keys.due, id.clone()));
            self.overdue.remove(&(keys.overdue, id.clone()));
        }
    }

    /// The share of the budget that the demand takes.
    fn load_under(&self, poll_rate: Option<(usize, Duration)>) -> f64 {
        let Some((polls, window)) = poll_rate else { return 0.0 };
        self.demand * window.as_secs_f64() / polls as f64
    }
}

/// When a poll of this generation is worth a request.
fn due_at(record: &Tracked, shape: Shape, load: f64) -> Duration {
    if record.polling.relies_on_webhooks {
        return record.overdue_at();
    }
    let crowded = load > 1.0;
    let seen_at = record.last_seen();
    let min_interval = record.polling.intervals.min_interval;
    let longest = if crowded {
        let rounds = ROUNDS.min(load * load);
        Duration::try_from_secs_f64(rounds * load / record.demand()).unwrap_or(Duration::MAX)
    } else {
        record.polling.intervals.max_interval
    };
    let earliest = seen_at.saturating_add(min_interval);
    let latest = seen_at.saturating_add(longest.max(min_interval));
    let worth = if crowded { WORTH * (1.0 + SCARCITY * (load - 1.0)) } else { WORTH * load };
    let enough = |at: Duration| record.unseen(shape, at) >= worth;
    let due = if earliest == latest || enough(earliest) {
        earliest
    } else if !enough(latest) {
        latest
    } else {
        let (mut low, mut high) = (earliest, latest);
        for _ in 0..HALVINGS {
            let middle = low + (high - low) / 2;
            *(if enough(middle) { &mut high } else { &mut low }) = middle;
        }
        high
    };
    due.max(record.not_before)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
