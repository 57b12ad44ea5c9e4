//! The generations that are polled, the waits for them, and what their polls lead to.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Polling;
use super::budget::{Budget, PlannerNumber};
use super::forecast::{Forecast, Shape};
use super::planner::{Next, Planner};
use super::tracked::{InFlight, PollId, Records, Tracked, Wait, WaitId, WaitPolling};
use super::wait_state::Snapshot;
use crate::error::Error;
use crate::model::{Generation, GenerationId, Update, Via};

/// All tracked generations of one key, with one record for each.
///
/// It is driven from outside, like a state machine of quinn-proto: what happens goes in through the
/// `handle_…` methods, what has to be done comes out of [`take_actions`](Self::take_actions).
/// [`handle_timeout`](Self::handle_timeout) is called after each event, and again at the time that
/// it returns. `H` is the caller's handle of a wait; it comes back in the actions.
pub(crate) struct Watchlist<H> {
    pub(super) records: Records,
    /// The waits for the generation of each record, which has at least one. In one map, so that one of
    /// many waits for a generation is found and removed quickly.
    waits: BTreeMap<(GenerationId, WaitId), Wait<H>>,
    pub(super) planner: Planner,
    /// When waits end unless their generation does so before.
    deadlines: BTreeSet<(Duration, GenerationId, WaitId)>,
    in_flight: usize,
    next_poll: PollId,
    actions: Vec<Action<H>>,
}

/// What a caller asks for.
pub(crate) enum Command<H> {
    Watch(Box<Watch<H>>),
    /// Ends a wait that is no longer of interest. It gets no action.
    Leave {
        id: GenerationId,
        wait: WaitId,
    },
    /// Ends the waits for which the function returns an error.
    End(fn(&H) -> Option<Error>),
}

/// A wait for the end of a generation.
pub(crate) struct Watch<H> {
    pub(crate) id: GenerationId,
    pub(crate) wait: WaitId,
    pub(crate) handle: H,
    pub(crate) deadline: Duration,
    pub(crate) polling: Polling,
    pub(crate) relies_on_webhooks: bool,
    /// When this process created the generation, if it did.
    pub(crate) created_at: Option<Duration>,
    /// What its create has just returned.
    pub(crate) created: Option<Snapshot>,
    /// Whether the wait wants updates, or only the end.
    pub(crate) updates: bool,
}

/// What has to be done.
pub(crate) enum Action<H> {
    /// Poll a generation through the client of one of its waits. The budget has been charged.
    Poll { id: GenerationId, poll: PollId, handle: H },
    /// Abort a poll: no wait needs its result.
    Abort(PollId),
    /// Show an update to a wait. Until the next one, the shape says how the progress goes on.
    Update { handle: H, update: Box<Update>, shape: Shape },
    /// End a wait, after this many polls since it began.
    End { handle: H, end: Result<Arc<Generation>, Error>, polls: u32 },
}

/// What a poll led to, as far as the log reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollOutcome {
    /// It failed, and the next one may be sent after this pause.
    RepeatAfter(Duration),
    /// A webhook caused it, and the generation has not ended.
    WebhookUnconfirmed,
}

/// When [`Watchlist::handle_timeout`] has to be called again, if no other event comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout {
    pub(crate) at: Duration,
    /// Also when the budget changes: a poll is due, and the budget does not say when it has room.
    pub(crate) on_budget_change: bool,
    /// A poll is due, and the budget has no room for it until then.
    pub(crate) denied_until: Option<Duration>,
}

/// The maximum number of polls in flight: over HTTP/1.1 each takes a connection of its own, and
/// servers commonly limit those of one client to about a hundred.
const MAX_IN_FLIGHT: usize = 50;
/// How long past its deadline a wait still accepts the response to its final poll. The service
/// responds well within a second; a caller who has set a deadline wants to be back soon after it.
const FINAL_POLL_GRACE: Duration = Duration::from_secs(2);

impl<H: Clone> Watchlist<H> {
    /// An empty list, with its number among those of its key, and what is known about durations.
    pub(crate) fn new(number: PlannerNumber, forecast: Forecast) -> Self {
        Self {
            records: Records::new(),
            waits: BTreeMap::new(),
            planner: Planner::new(number, forecast),
            deadlines: BTreeSet::new(),
            in_flight: 0,
            next_poll: 0,
            actions: Vec::new(),
        }
    }

    /// What is known about durations by now.
    pub(crate) fn forecast(&self) -> &Forecast {
        &self.planner.forecast
    }

    /// Whether nothing is tracked.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What has to be done since the last call, in this order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action<H>> {
        std::mem::take(&mut self.actions)
    }

    /// A caller asks for something.
    pub(crate) fn handle_command(&mut self, now: Duration, wall: SystemTime, command: Command<H>) {
        match command {
            Command::Watch(watch) => self.watch(now, wall, *watch),
            Command::Leave { id, wait } => self.remove_wait(&id, wait),
            Command::End(error) => self.end_with(error),
        }
    }

    /// A verified webhook says that a generation has ended. The event itself ends no wait: the poll
    /// that it makes due also brings the usage and the cost.
    pub(crate) fn handle_webhook(&mut self, id: &GenerationId) {
        if let Some(record) = self.records.get_mut(id) {
            record.next_via = Via::Webhook;
            self.planner.poll_now(id, record);
        }
    }

    /// A poll has returned, or failed. `entropy` is drawn evenly from 0 to 1.
    pub(crate) fn handle_poll_result(
        &mut self,
        now: Duration,
        wall: SystemTime,
        id: &GenerationId,
        poll: PollId,
        result: Result<Snapshot, Error>,
        entropy: f64,
    ) -> Option<PollOutcome> {
        let record = self.records.get_mut(id)?;
        // The result of an aborted poll may arrive after the id was tracked anew.
        let in_flight = record.poll.take_if(|in_flight| in_flight.id == poll)?;
        self.in_flight -= 1;
        match result {
            Ok(snapshot) => {
                self.on_snapshot(now, wall, id, &snapshot, in_flight.via);
                let is_unconfirmed =
                    in_flight.via == Via::Webhook && !snapshot.generation.is_final();
                is_unconfirmed.then_some(PollOutcome::WebhookUnconfirmed)
            }
            Err(error) => self.on_poll_failed(now, id, &error, entropy),
        }
    }

    /// Starts the polls that are due and that the budget allows, and ends waits at their deadline.
    pub(crate) fn handle_timeout(&mut self, now: Duration, budget: &mut Budget) -> Timeout {
        let reached = self.pop_deadlines(now);
        for (id, _) in &reached {
            // Each of these waits gets one final poll, unless one is in flight already.
            if let Some(record) = self.records.get_mut(id).filter(|record| record.poll.is_none()) {
                self.planner.poll_now(id, record);
            }
        }
        let mut next = self.start_polls(now, budget);
        if !reached.is_empty() {
            // A final poll that has no room yet may still be sent within the grace.
            let has_room = match next {
                Next::At(at) | Next::DeniedUntil(at) => at < now.saturating_add(FINAL_POLL_GRACE),
                _ => true,
            };
            for (id, wait) in reached {
                self.extend_or_expire(now, &id, wait, has_room);
            }
            // With fewer generations to poll, the others may be due sooner.
            next = self.start_polls(now, budget);
        }
        let deadline = self.deadlines.first().map_or(Duration::MAX, |(ends_at, ..)| *ends_at);
        match next {
            Next::At(at) => {
                Timeout { at: at.min(deadline), on_budget_change: false, denied_until: None }
            }
            // Room may come earlier, when a request turns out not to have been sent.
            Next::DeniedUntil(at) => {
                Timeout { at: at.min(deadline), on_budget_change: true, denied_until: Some(at) }
            }
            _ => Timeout { at: deadline, on_budget_change: true, denied_until: None },
        }
    }

    /// The handle of one of the waits.
    pub(crate) fn any_handle(&self) -> Option<&H> {
        self.waits.values().next().map(|wait| &wait.handle)
    }

    fn watch(&mut self, now: Duration, wall: SystemTime, watch: Watch<H>) {
        let Watch { id, wait, deadline, updates, .. } = watch;
        let polling =
            WaitPolling { intervals: watch.polling, relies_on_webhooks: watch.relies_on_webhooks };
        let (record, is_first) = match self.records.entry(id.clone()) {
            Entry::Occupied(record) => (record.into_mut(), false),
            Entry::Vacant(vacant) => {
                let record = Tracked::new(now, watch.created_at, polling);
                (vacant.insert(Box::new(record)), true)
            }
        };
        if is_first {
            if let Some(created) = &watch.created {
                record.describe(&created.generation, now, wall);
            }
            self.planner.on_added(&id, record);
        } else {
            self.planner.on_wait_added(now, &id, record, polling);
            // What the others have seen is news to this one.
            if updates && let Some(last) = record.state.last() {
                let shape = self.planner.forecast.shape(&record.route);
                let update = Box::new(record.update(now, last, shape, Via::Poll));
                let handle = watch.handle.clone();
                self.actions.push(Action::Update { handle, update, shape });
            }
        }
        let polls_before = record.polls;
        let (handle, ends_at) = (watch.handle, deadline);
        let state = Wait { handle, polling, deadline, ends_at, updates, polls_before };
        self.waits.insert((id.clone(), wait), state);
        self.deadlines.insert((deadline, id.clone(), wait));
        if let Some(created) = watch.created {
            self.show(now, &id, &created, Via::Poll);
        }
    }

    fn start_polls(&mut self, now: Duration, budget: &mut Budget) -> Next {
        while self.in_flight < MAX_IN_FLIGHT {
            let id = match self.planner.next(now, &mut self.records, budget) {
                Next::Poll(id) => id,
                next => return next,
            };
            // The planner returns ids of records, and a record has waits, or it is removed.
            let Some((_, wait)) = self.waits.range(all_of(&id)).next() else { continue };
            let Some(record) = self.records.get_mut(&id) else { continue };
            let handle = wait.handle.clone();
            record.polls = record.polls.saturating_add(1);
            let via = std::mem::replace(&mut record.next_via, Via::Poll);
            let poll = self.next_poll;
            record.poll = Some(InFlight { id: poll, via });
            self.next_poll = poll.wrapping_add(1);
            self.in_flight += 1;
            self.actions.push(Action::Poll { id, poll, handle });
        }
        Next::WhenChanged
    }

    fn on_snapshot(
        &mut self,
        now: Duration,
        wall: SystemTime,
        id: &GenerationId,
        snapshot: &Snapshot,
        via: Via,
    ) {
        let Some(record) = self.records.get_mut(id) else { return };
        let generation = &snapshot.generation;
        record.describe(generation, now, wall);
        if generation.is_final()
            && let Some(took) = record.duration(generation, now)
        {
            self.planner.forecast.learn(&record.route, took);
        }
        // A create shows a generation too, but says nothing about polls: a 404 may follow it.
        record.state.on_poll_succeeded();
        self.planner.on_seen(now, id, record);
        self.show(now, id, snapshot, via);
        // An end that the final poll brings is still an end, so the deadlines come after it.
        self.expire(now, id);
    }

    /// Shows a snapshot to the waits if it is new, and ends them if it is final.
    fn show(&mut self, now: Duration, id: &GenerationId, snapshot: &Snapshot, via: Via) {
        let Some(record) = self.records.get_mut(id) else { return };
        let generation = &snapshot.generation;
        if record.state.store_if_newer(snapshot) {
            let shape = self.planner.forecast.shape(&record.route);
            for (_, wait) in self.waits.range(all_of(id)).filter(|(_, wait)| wait.updates) {
                let generation = Generation::clone(generation);
                let update = Box::new(record.update(now, generation, shape, via));
                let handle = wait.handle.clone();
                self.actions.push(Action::Update { handle, update, shape });
            }
        }
        if generation.is_final() {
            self.end_all(id, &Ok(generation.clone()));
        }
    }

    fn on_poll_failed(
        &mut self,
        now: Duration,
        id: &GenerationId,
        error: &Error,
        entropy: f64,
    ) -> Option<PollOutcome> {
        let record = self.records.get_mut(id)?;
        let Some(not_before) = record.state.on_poll_failed(now, error, entropy) else {
            self.end_all(id, &Err(error.clone()));
            return None;
        };
        self.planner.on_poll_failed(now, id, record, not_before);
        self.expire(now, id);
        Some(PollOutcome::RepeatAfter(not_before.saturating_sub(now)))
    }

    fn pop_deadlines(&mut self, now: Duration) -> Vec<(GenerationId, WaitId)> {
        let mut reached = Vec::new();
        while self.deadlines.first().is_some_and(|(ends_at, ..)| *ends_at <= now)
            && let Some((_, id, wait)) = self.deadlines.pop_first()
        {
            reached.push((id, wait));
        }
        reached
    }

    /// At its deadline a wait stays for the response to its final poll. Without room for one, or if
    /// the response does not come in time, it ends.
    fn extend_or_expire(&mut self, now: Duration, id: &GenerationId, wait: WaitId, has_room: bool) {
        let Some(record) = self.records.get(id) else { return };
        let polled = record.poll.is_some();
        let Some(found) = self.waits.get_mut(&(id.clone(), wait)) else { return };
        if (polled || has_room) && found.ends_at == found.deadline {
            // From now and not from the deadline: after a stall of the runtime the final poll gets as
            // long as any other.
            found.ends_at = now.saturating_add(FINAL_POLL_GRACE).max(found.deadline);
            self.deadlines.insert((found.ends_at, id.clone(), wait));
        } else {
            self.end_at_deadline(id, wait);
        }
    }

    /// Ends the waits for which the poll that has just returned was the final one.
    fn expire(&mut self, now: Duration, id: &GenerationId) {
        let waits = self.waits.range(all_of(id)).filter(|(_, wait)| wait.deadline <= now);
        for wait in waits.map(|((_, wait), _)| *wait).collect::<Vec<_>>() {
            self.end_at_deadline(id, wait);
        }
    }

    fn end_at_deadline(&mut self, id: &GenerationId, wait: WaitId) {
        let Some(record) = self.records.get(id) else { return };
        let Some(found) = self.waits.get(&(id.clone(), wait)) else { return };
        let polls = record.polls.saturating_sub(found.polls_before);
        let error = record.state.deadline_error(id.as_str(), polls);
        self.end(id, wait, Err(error));
    }

    fn end_with(&mut self, error: fn(&H) -> Option<Error>) {
        let waits = self.waits.iter();
        let ends = waits.filter_map(|(key, wait)| Some((key.clone(), error(&wait.handle)?)));
        for ((id, wait), error) in ends.collect::<Vec<_>>() {
            self.end(&id, wait, Err(error.with_generation_id(id.as_str())));
        }
    }

    fn end_all(&mut self, id: &GenerationId, end: &Result<Arc<Generation>, Error>) {
        let waits: Vec<_> = self.waits.range(all_of(id)).map(|((_, wait), _)| *wait).collect();
        for wait in waits {
            self.end(id, wait, end.clone());
        }
    }

    fn end(&mut self, id: &GenerationId, wait: WaitId, end: Result<Arc<Generation>, Error>) {
        // The action goes before that of the poll which no wait needs any more.
        let Some(found) = self.waits.get(&(id.clone(), wait)) else { return };
        let polls = self.records.get(id).map_or(0, |record| record.polls);
        let polls = polls.saturating_sub(found.polls_before);
        self.actions.push(Action::End { handle: found.handle.clone(), end, polls });
        self.remove_wait(id, wait);
    }

    /// Removes a wait. A generation without waits is no longer tracked.
    fn remove_wait(&mut self, id: &GenerationId, wait: WaitId) {
        let Some(found) = self.waits.remove(&(id.clone(), wait)) else { return };
        // A wait that ends early must leave no entry behind: its deadline may be in a year.
        self.deadlines.remove(&(found.ends_at, id.clone(), wait));
        let Some(record) = self.records.get_mut(id) else { return };
        self.planner.on_wait_removed(id, record, found.polling);
        if !record.has_waits() {
            self.planner.on_removed(id, record);
            if let Some(poll) = record.poll.take() {
                self.in_flight -= 1;
                self.actions.push(Action::Abort(poll.id));
            }
            self.records.remove(id);
        }
    }
}

/// The keys of all waits for a generation.
fn all_of(id: &GenerationId) -> RangeInclusive<(GenerationId, WaitId)> {
    (id.clone(), WaitId::MIN)..=(id.clone(), WaitId::MAX)
}

#[cfg(test)]
mod tests;

#[cfg(fuzzing)]
pub(crate) mod fuzz;
#[cfg(any(test, fuzzing))]
mod properties;
