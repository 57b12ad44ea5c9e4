//! What chooses the polls: the planner, and polling in turn.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Polling;
use super::super::budget::{Budget, Class, Denial};
use super::super::fixture::Plan;
use super::super::planner::Next;
use super::Polled;
use crate::model::GenerationId;

pub(super) trait Policy {
    fn created(&mut self, now: Duration, id: GenerationId, route: usize);
    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next;
    fn polled(&mut self, now: Duration, id: &GenerationId, polled: Polled);
}

/// The route of a generation, as the planner knows it.
pub(super) const ROUTES: [&str; 3] = ["short", "middle", "long"];

impl Policy for Plan {
    fn created(&mut self, now: Duration, id: GenerationId, route: usize) {
        self.add_created(id.as_str(), now, Polling::default());
        self.change(id.as_str(), |_, _, record| record.route = ROUTES[route].to_owned());
    }

    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        Plan::next(self, now, budget)
    }

    fn polled(&mut self, now: Duration, id: &GenerationId, polled: Polled) {
        match polled {
            Polled::Running => self.seen(now, id.as_str(), None),
            Polled::Failed => self.failed(now, id.as_str(), now + Duration::from_secs(1)),
            Polled::Ended(took) => {
                let route = self.records[id].route.clone();
                self.planner.forecast.learn(&route, Duration::from_secs_f64(took));
                self.remove(id.as_str());
            }
        }
    }
}

/// Polling in turn, as fast as the same budget allows, or at an even pace.
#[derive(Default)]
pub(super) struct InTurn {
    evenly: bool,
    next_at: Duration,
    /// When each was last seen; `None` while its poll is in flight.
    seen: BTreeMap<GenerationId, Option<Duration>>,
}

impl InTurn {
    pub(super) fn evenly() -> Self {
        Self { evenly: true, ..Self::default() }
    }
}

impl Policy for InTurn {
    fn created(&mut self, now: Duration, id: GenerationId, _: usize) {
        self.seen.insert(id, Some(now));
    }

    fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        let rested = self.seen.iter().filter_map(|(id, seen)| Some((id, (*seen)?)));
        let Some((id, seen)) = rested.min_by_key(|(_, seen)| *seen) else {
            return Next::WhenChanged;
        };
        let due = seen + Polling::default().min_interval;
        let due = if self.evenly { due.max(self.next_at) } else { due };
        if due > now {
            return Next::At(due);
        }
        let rate = budget.poll_rate(now, 0, 1.0).unwrap();
        match budget.acquire(now, Class::Poll) {
            Ok(()) => {
                self.next_at = now + Duration::from_secs_f64(1.0 / rate.a_second());
                let id = id.clone();
                self.seen.insert(id.clone(), None);
                Next::Poll(id)
            }
            Err(Denial::Until(at)) => Next::DeniedUntil(at),
            Err(Denial::UntilChange) => Next::WhenChanged,
        }
    }

    fn polled(&mut self, now: Duration, id: &GenerationId, polled: Polled) {
        match polled {
            Polled::Ended(_) => self.seen.remove(id),
            Polled::Running | Polled::Failed => self.seen.insert(id.clone(), Some(now)),
        };
    }
}
