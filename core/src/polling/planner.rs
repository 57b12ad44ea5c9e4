//! All generations that are followed together: whose poll is next, and when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::budget::{Budget, Class, Refusal};
use super::forecast::{Forecast, Shape};

/// How often a generation is looked at.
///
/// ```
/// use pipevideo::Polling;
/// use std::time::Duration;
///
/// let polling = Polling { typical: Duration::from_secs(40), ..Polling::default() };
/// assert_eq!(polling.min_interval, Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// Never more often than this. 0 is allowed, for tests.
    pub min_interval: Duration,
    /// At most this far apart, while the budget allows. 0 is allowed, for tests.
    pub max_interval: Duration,
    /// So far apart where waits rest on webhooks: what a lost delivery costs at most.
    pub safety_interval: Duration,
    /// A first guess at the time that half of the generations take; learned from what is seen.
    pub typical: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(2),
            max_interval: Duration::from_secs(5),
            safety_interval: Duration::from_secs(60),
            typical: Duration::from_secs(90),
        }
    }
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Look at this generation now; the budget has been charged.
    Look(Arc<str>),
    /// Ask again at this time, or when something has changed.
    At(Duration),
    /// Ask again when something has changed.
    WhenChanged,
}

/// Chooses whose poll the budget is spent on.
///
/// A look is worth the expected time that its generation has been finished unseen. While there is
/// budget for everybody, each is looked at within `max_interval`. When there is not, a look is
/// spent only where it is worth [`WORTH`], so that the budget is there when the ends come; the one
/// that is worth most goes first, and looks are spread evenly over the window. What a window has to
/// spare goes to those that have not been seen for `max_interval`, whatever that is worth.
pub(crate) struct Planner {
    pub(crate) forecast: Forecast,
    entries: HashMap<Arc<str>, Entry>,
    /// The entries that are not under way, by when they are due; urgent ones at time zero.
    due: BTreeSet<(Duration, Arc<str>)>,
    /// The same, by when they will not have been seen for the longest time that there may be.
    overdue: BTreeSet<(Duration, Arc<str>)>,
    /// Those of whom something new is known since their due time was set.
    changed: Vec<Arc<str>>,
    /// The looks in a second that it takes to look at everybody each `max_interval`.
    demand: f64,
    /// Whether there are more to look at than the budget allows, and the load when all due times
    /// were last set.
    crowded: bool,
    load: f64,
    /// Before this, a look would run ahead of an even pace.
    paced_until: Duration,
    /// How many entries have been looked over, for the tests that bound it.
    #[cfg(test)]
    work: std::cell::Cell<usize>,
}

struct Entry {
    kind: String,
    polling: Polling,
    /// Whether webhooks tell of its end: polls only make sure.
    rests: bool,
    /// When it was created, as far as is known.
    born: Duration,
    /// When it was last seen.
    seen: Duration,
    /// No look before this, whatever it is worth: a failed look pushes the next one back.
    not_before: Duration,
    /// Its places in the two queues, if it has them.
    places: Option<(Duration, Duration)>,
    urgent: bool,
    under_way: bool,
}

/// The expected unseen time, in seconds, below which a look is not worth a request once the budget
/// is used up; less while there is budget to spare, and more the scarcer it is.
const WORTH: f64 = 0.7;
const SCARCITY: f64 = 0.2;
/// By what factor the load has changed when all due times are set anew.
const RETHINK: f64 = 1.5;
/// How many polls may catch up at once with an even pace.
const BURST: u32 = 2;
/// Even the least worthy is looked at again within so many turns of all; sooner where the load is
/// little more than the budget carries.
const TURNS: f64 = 4.0;

impl Planner {
    /// `typical` is a first guess at the time that half of the generations take.
    pub(crate) fn new(typical: Duration) -> Self {
        Self {
            forecast: Forecast::new(typical),
            entries: HashMap::new(),
            due: BTreeSet::new(),
            overdue: BTreeSet::new(),
            changed: Vec::new(),
            demand: 0.0,
            crowded: false,
            load: 0.0,
            paced_until: Duration::ZERO,
            #[cfg(test)]
            work: std::cell::Cell::default(),
        }
    }

    /// Follows a generation, born and last seen at these times; one that has not been seen is
    /// looked at as soon as the budget allows. One that is followed already begins anew.
    pub(crate) fn add(
        &mut self,
        id: Arc<str>,
        kind: String,
        born: Duration,
        seen: Option<Duration>,
        polling: Polling,
    ) {
        self.remove(&id);
        let entry = Entry {
            kind,
            polling,
            rests: false,
            born,
            seen: seen.unwrap_or(born),
            not_before: Duration::ZERO,
            places: None,
            urgent: seen.is_none(),
            under_way: false,
        };
        self.demand += entry.demand();
        self.entries.insert(id.clone(), entry);
        self.changed.push(id);
    }

    /// Webhooks will tell of this generation's end.
    pub(crate) fn rest(&mut self, id: &str) {
        self.pace(id, |entry| entry.rests = true);
    }

    /// One more wants to know of this generation, perhaps more often than those before, or without
    /// webhooks.
    pub(crate) fn join(&mut self, id: &str, polling: Polling, rests: bool) {
        self.pace(id, |entry| {
            entry.rests &= rests;
            entry.polling.min_interval = entry.polling.min_interval.min(polling.min_interval);
            entry.polling.max_interval = entry.polling.max_interval.min(polling.max_interval);
            entry.polling.safety_interval =
                entry.polling.safety_interval.min(polling.safety_interval);
        });
    }

    fn pace(&mut self, id: &str, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get(id) else { return };
        self.demand -= entry.demand();
        self.change(id, change);
        self.demand += self.entries[id].demand();
    }

    /// Stops following a generation.
    pub(crate) fn remove(&mut self, id: &str) {
        self.leave_queues(id);
        if let Some(entry) = self.entries.remove(id) {
            self.demand -= entry.demand();
        }
    }

    fn leave_queues(&mut self, id: &str) {
        let Some((id, _)) = self.entries.get_key_value(id) else { return };
        let id = id.clone();
        let entry = self.entries.get_mut(&id).expect("it was just found");
        if let Some((due, overdue)) = entry.places.take() {
            self.due.remove(&(due, id.clone()));
            self.overdue.remove(&(overdue, id));
        }
    }

    /// Makes a look due at once, whatever it is worth; if one is under way, when it has come back.
    pub(crate) fn hurry(&mut self, id: &str) {
        self.change(id, |entry| {
            entry.urgent = true;
            entry.not_before = Duration::ZERO;
        });
    }

    /// A generation's kind has become known.
    pub(crate) fn describe(&mut self, id: &str, kind: String) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.kind = kind;
        }
    }

    /// A look has brought this generation's state, and perhaps when it was born.
    pub(crate) fn seen(&mut self, now: Duration, id: &str, born: Option<Duration>) {
        self.change(id, |entry| {
            entry.seen = now;
            entry.not_before = Duration::ZERO;
            entry.born = born.unwrap_or(entry.born);
            entry.under_way = false;
        });
    }

    /// A look has failed: the next one no sooner than this.
    pub(crate) fn missed(&mut self, now: Duration, id: &str, not_before: Duration) {
        self.change(id, |entry| {
            entry.not_before = not_before.max(now.saturating_add(entry.polling.min_interval));
            entry.under_way = false;
            // What a webhook has told of, or what makes sure, is not put off to the next safety look.
            entry.urgent |= entry.rests;
        });
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Entry)) {
        if let Some((id, _)) = self.entries.get_key_value(id) {
            let id = id.clone();
            change(self.entries.get_mut(&id).expect("it was just found"));
            self.changed.push(id);
        }
    }

    /// How old a generation is, and what such generations take.
    pub(crate) fn progress(&self, now: Duration, id: &str) -> (Duration, Duration) {
        match self.entries.get(id) {
            Some(entry) => {
                (now.saturating_sub(entry.born), self.forecast.shape(&entry.kind).median())
            }
            None => (Duration::ZERO, self.forecast.shape("").median()),
        }
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        let rate = budget.poll_rate(now);
        self.schedule(rate);
        let id = match self.choose(now, budget) {
            Ok(id) => id,
            Err(next) => return next,
        };
        self.leave_queues(&id);
        let entry = self.entries.get_mut(&id).expect("what is due is followed");
        entry.under_way = true;
        entry.urgent = false;
        if let Some((polls, window)) = rate {
            let gap = window / u32::try_from(polls).unwrap_or(u32::MAX);
            let behind = now.saturating_sub(gap.saturating_mul(BURST));
            self.paced_until = self.paced_until.max(behind).saturating_add(gap);
        }
        Next::Look(id)
    }

    /// Whose turn it is; the budget has been charged.
    fn choose(&self, now: Duration, budget: &mut Budget) -> Result<Arc<str>, Next> {
        let Some((first, id)) = self.due.first() else { return Err(Next::WhenChanged) };
        let by_worth = self.crowded && !first.is_zero();
        let at = if by_worth { self.paced_until.max(*first) } else { *first };
        let mut spared = None;
        if at > now {
            let overdue = self.overdue.first().filter(|_| self.crowded);
            let all = self.entries.len();
            let spare = overdue.map_or(Duration::MAX, |(at, _)| budget.spare_at(now, all).max(*at));
            if spare > now {
                return Err(Next::At(at.min(spare)));
            }
            spared = overdue.map(|(_, id)| id.clone());
        }
        match budget.take(now, Class::Poll) {
            Ok(()) => {}
            Err(Refusal::Until(at) | Refusal::Frozen(at)) => return Err(Next::At(at)),
            Err(Refusal::UntilChange) => return Err(Next::WhenChanged),
        }
        let worthiest = if spared.is_none() && by_worth { self.worthiest(now) } else { None };
        Ok(spared.or(worthiest).unwrap_or_else(|| id.clone()))
    }

    /// Of those that are due, the one that has most likely been finished unseen for longest.
    fn worthiest(&self, now: Duration) -> Option<Arc<str>> {
        let due = self.due.iter().take_while(|(due, _)| *due <= now);
        due.map(|(_, id)| {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            let entry = &self.entries[id];
            let shape = self.forecast.shape(&entry.kind);
            (
                shape.unseen(entry.seen.saturating_sub(entry.born), now.saturating_sub(entry.born)),
                id,
            )
        })
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, id)| id.clone())
    }

    /// Sets when those are due of whom something new is known: all, if the load is another than
    /// when they were last set.
    fn schedule(&mut self, poll_rate: Option<(usize, Duration)>) {
        let load = self.load_under(poll_rate);
        let crowded = load > 1.0;
        let changed = load.max(self.load) > RETHINK * load.min(self.load);
        if crowded != self.crowded || (crowded && changed) {
            self.crowded = crowded;
            self.load = load;
            let waiting = self.due.iter().map(|(_, id)| id.clone());
            self.changed.extend(waiting);
        }
        for id in std::mem::take(&mut self.changed) {
            #[cfg(test)]
            self.work.set(self.work.get() + 1);
            self.leave_queues(&id);
            let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.under_way) else {
                continue;
            };
            let due = match entry.urgent {
                true => entry.not_before,
                false => entry.next_look(self.forecast.shape(&entry.kind), load),
            };
            let overdue = entry.overdue();
            entry.places = Some((due, overdue));
            self.due.insert((due, id.clone()));
            self.overdue.insert((overdue, id));
        }
    }

    /// The share of the budget that this takes.
    fn load_under(&self, poll_rate: Option<(usize, Duration)>) -> f64 {
        let Some((polls, window)) = poll_rate else { return 0.0 };
        self.demand * window.as_secs_f64() / polls as f64
    }
}

impl Entry {
    /// How far its looks may be apart.
    fn longest(&self) -> Duration {
        match self.rests {
            true => self.polling.safety_interval,
            false => self.polling.max_interval.max(self.polling.min_interval),
        }
    }

    /// When it has not been seen for so long.
    fn overdue(&self) -> Duration {
        self.seen.saturating_add(self.longest()).max(self.not_before)
    }

    /// The looks in a second that it takes to look at it so often.
    fn demand(&self) -> f64 {
        1.0 / self.longest().as_secs_f64().max(1.0)
    }

    /// When a look will be worth it.
    fn next_look(&self, shape: Shape, load: f64) -> Duration {
        let polling = &self.polling;
        if self.rests {
            return self.overdue();
        }
        let earliest = self.seen.saturating_add(polling.min_interval);
        let longest = match load > 1.0 {
            true => Duration::try_from_secs_f64(TURNS.min(load * load) * load / self.demand())
                .unwrap_or(Duration::MAX),
            false => polling.max_interval,
        };
        let latest = self.seen.saturating_add(longest.max(polling.min_interval));
        let worth = match load > 1.0 {
            true => WORTH * (1.0 + SCARCITY * (load - 1.0)),
            false => WORTH * load,
        };
        let seen_age = self.seen.saturating_sub(self.born);
        let enough = |at: Duration| shape.unseen(seen_age, at.saturating_sub(self.born)) >= worth;
        let due = if earliest == latest || enough(earliest) {
            earliest
        } else if !enough(latest) {
            latest
        } else {
            // Eight halvings find it to a few hundredths of a second.
            let (mut low, mut high) = (earliest, latest);
            for _ in 0..8 {
                let middle = low + (high - low) / 2;
                *(if enough(middle) { &mut high } else { &mut low }) = middle;
            }
            high
        };
        due.max(self.not_before)
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "planner_properties.rs"]
mod properties;
