//! A planner with its records, for tests that need no waits.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use super::Polling;
use super::budget::Budget;
use super::forecast::Forecast;
use super::planner::{Next, Planner};
use super::tracked::{InFlight, Records, Tracked, WaitPolling};
use crate::model::{GenerationId, Via};

pub(super) struct Plan {
    pub(super) planner: Planner,
    pub(super) records: Records,
}

pub(super) fn id(id: &str) -> GenerationId {
    GenerationId::parse(id).unwrap()
}

/// Polls at these intervals, without webhooks.
pub(super) fn polled(intervals: Polling) -> WaitPolling {
    WaitPolling { intervals, relies_on_webhooks: false }
}

impl Plan {
    pub(super) fn new(typical: Duration) -> Self {
        Self { planner: Planner::new(0, Forecast::new(typical)), records: Records::new() }
    }

    /// Tracks a generation that this process created at `created_at`.
    pub(super) fn add_created(&mut self, name: &str, created_at: Duration, polling: Polling) {
        self.add(name, Tracked::new(created_at, Some(created_at), polled(polling)));
    }

    /// Tracks a generation of which only the id is known.
    pub(super) fn add_unknown(&mut self, name: &str, now: Duration, polling: Polling) {
        self.add(name, Tracked::new(now, None, polled(polling)));
    }

    pub(super) fn add(&mut self, name: &str, record: Tracked) {
        self.remove(name);
        self.planner.on_added(&id(name), &record);
        self.records.insert(id(name), Box::new(record));
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(mut record) = self.records.remove(name) {
            self.planner.on_removed(&id(name), &mut record);
        }
    }

    /// Asks what to do, and starts the poll if it is one.
    pub(super) fn next(&mut self, now: Duration, budget: &mut Budget) -> Next {
        let next = self.planner.next(now, &mut self.records, budget);
        if let Next::Poll(id) = &next {
            self.records.get_mut(id).unwrap().poll = Some(InFlight { id: 0, via: Via::Poll });
        }
        next
    }

    /// A poll returns that the generation is still running.
    pub(super) fn seen(&mut self, now: Duration, name: &str, created_at: Option<Duration>) {
        self.change(name, |planner, id, record| {
            record.poll = None;
            record.created_at = created_at.unwrap_or(record.created_at);
            planner.on_seen(now, id, record);
        });
    }

    pub(super) fn failed(&mut self, now: Duration, name: &str, not_before: Duration) {
        self.change(name, |planner, id, record| {
            record.poll = None;
            planner.on_poll_failed(now, id, record, not_before);
        });
    }

    pub(super) fn poll_now(&mut self, name: &str) {
        self.change(name, |planner, id, record| planner.poll_now(id, record));
    }

    /// One more wait is interested in a generation.
    pub(super) fn add_wait(&mut self, now: Duration, name: &str, polling: WaitPolling) {
        self.change(name, |planner, id, record| planner.on_wait_added(now, id, record, polling));
    }

    /// A wait that is not the last one ends.
    pub(super) fn remove_wait(&mut self, name: &str, polling: WaitPolling) {
        self.change(name, |planner, id, record| planner.on_wait_removed(id, record, polling));
    }

    pub(super) fn change(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Planner, &GenerationId, &mut Tracked),
    ) {
        if let Some(record) = self.records.get_mut(name) {
            change(&mut self.planner, &id(name), record);
        }
    }
}
