//! What polls have shown of one generation: the state that its waits share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Error;
use crate::model::{Generation, Status};
use crate::retry::{Consequence, Failures, Operation};

/// A generation as last described by the service, with the JSON of that response.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) generation: Arc<Generation>,
    pub(crate) json: Bytes,
}

impl Snapshot {
    pub(crate) fn new(generation: Generation, json: Bytes) -> Self {
        Self { generation: Arc::new(generation), json }
    }
}

/// `queued < in_progress < final`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Queued,
    InProgress,
    Final,
}

/// What is known of one generation, and how its last polls went.
pub(crate) struct WaitState {
    /// The last snapshot, as JSON: parsed it takes five times the memory, and ten thousand waits
    /// hold ten thousand of them.
    last: Option<Bytes>,
    rank: Rank,
    /// The failures since the last poll that returned a snapshot.
    failures: Failures,
    /// How the last poll failed, if it did.
    last_error: Option<Error>,
}

impl WaitState {
    pub(crate) fn new() -> Self {
        Self { last: None, rank: Rank::Queued, failures: Failures::default(), last_error: None }
    }

    /// A poll returned a snapshot.
    pub(crate) fn on_poll_succeeded(&mut self) {
        self.failures = Failures::default();
        self.last_error = None;
    }

    /// Keeps a snapshot that says something new, and returns whether it does.
    pub(crate) fn store_if_newer(&mut self, snapshot: &Snapshot) -> bool {
        let rank = rank(&snapshot.generation.status, self.rank);
        // Statuses only move forward, so a lower one comes from a replica that lags behind.
        if rank < self.rank || (rank == self.rank && self.is_last(snapshot)) {
            return false;
        }
        self.rank = rank;
        self.last = Some(snapshot.json.clone());
        true
    }

    /// A poll failed: when the next one may be sent, or `None` if the failure ends the waits.
    /// `entropy` is drawn evenly from 0 to 1.
    pub(crate) fn on_poll_failed(
        &mut self,
        now: Duration,
        error: &Error,
        entropy: f64,
    ) -> Option<Duration> {
        let Consequence::RepeatAfter(pause) = self.failures.add(Operation::Poll, error, entropy)
        else {
            return None;
        };
        self.last_error = Some(error.clone());
        Some(now.saturating_add(pause))
    }

    /// The error of a wait that reached its deadline after this many polls.
    pub(crate) fn deadline_error(&self, id: &str, polls: u32) -> Error {
        Error::deadline(id, self.last().map(Arc::new), polls, self.last_error.clone())
    }

    /// The newest snapshot.
    pub(crate) fn last(&self) -> Option<Generation> {
        crate::json::read(self.last.as_ref()?).ok()
    }

    fn is_last(&self, snapshot: &Snapshot) -> bool {
        // Nearly all polls return the same bytes again, which spares parsing the last ones.
        self.last.as_ref() == Some(&snapshot.json)
            || self.last().is_some_and(|last| last == *snapshot.generation)
    }
}

/// The rank of a status. An unknown status keeps the rank of the last one: it is not an end, and
/// says nothing about what came before.
fn rank(status: &Status, last: Rank) -> Rank {
    match status {
        Status::Queued => Rank::Queued,
        Status::InProgress => Rank::InProgress,
        Status::Completed | Status::Failed => Rank::Final,
        Status::Other(_) => last,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::error::ErrorKind;

    fn snapshot(json: &'static str) -> Snapshot {
        Snapshot::new(serde_json::from_str(json).unwrap(), Bytes::from(json))
    }

    #[test]
    fn the_same_state_in_other_bytes_is_not_new() {
        let mut state = WaitState::new();
        assert!(state.store_if_newer(&snapshot(r#"{"id":"gen_1","status":"queued","a":1,"b":2}"#)));
        for same in [
            r#"{"id":"gen_1","status":"queued","a":1,"b":2}"#,
            r#"{"b": 2, "a": 1, "status": "queued", "id": "gen_1"}"#,
        ] {
            assert!(!state.store_if_newer(&snapshot(same)), "{same}");
        }
        assert!(state.store_if_newer(&snapshot(r#"{"id":"gen_1","status":"queued","a":2,"b":2}"#)));
    }

    #[test]
    fn only_a_higher_rank_or_another_state_of_the_same_rank_is_new() {
        let mut state = WaitState::new();
        for (json, is_new) in [
            (r#"{"id":"gen_1","status":"dreaming"}"#, true),
            (r#"{"id":"gen_1","status":"queued"}"#, true),
            (r#"{"id":"gen_1","status":"in_progress"}"#, true),
            (r#"{"id":"gen_1","status":"queued"}"#, false),
            (r#"{"id":"gen_1","status":"polishing"}"#, true),
            (r#"{"id":"gen_1","status":"in_progress"}"#, true),
            (r#"{"id":"gen_1","status":"failed"}"#, true),
            (r#"{"id":"gen_1","status":"in_progress"}"#, false),
            (r#"{"id":"gen_1","status":"failed"}"#, false),
            (r#"{"id":"gen_1","status":"completed"}"#, true),
        ] {
            assert_eq!(state.store_if_newer(&snapshot(json)), is_new, "{json}");
        }
        assert_eq!(state.last().unwrap().status, Status::Completed);
    }

    #[test]
    fn a_poll_that_succeeds_makes_up_for_the_failures_before_it() {
        let (mut state, now) = (WaitState::new(), Duration::from_secs(100));
        let lost = Error::new(ErrorKind::Connection, "");
        let mut pause = |succeeded: bool| {
            if succeeded {
                state.on_poll_succeeded();
            }
            let pause = state.on_poll_failed(now, &lost, 1.0).unwrap() - now;
            (pause.as_millis(), state.deadline_error("gen_1", 3).source().is_some())
        };
        assert_eq!(
            [pause(false), pause(false), pause(true)],
            [(250, true), (500, true), (250, true)]
        );
        state.on_poll_succeeded();
        assert!(state.deadline_error("gen_1", 3).source().is_none());
        let refused = Error::new(ErrorKind::PermissionDenied, "").with_status(403);
        assert_eq!(state.on_poll_failed(now, &refused, 1.0), None);
    }
}
