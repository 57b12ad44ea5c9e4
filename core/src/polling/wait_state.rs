//! What polls have shown of one generation: the state that its waits share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::model::{Generation, Status};
use crate::retry::{self, Consequence, Operation};

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

/// How a snapshot compares with the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Novelty {
    Newer,
    /// It says the same, perhaps in other words.
    Same,
    /// It is older than the last one: a replica of the service lags behind.
    Stale,
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
    /// Whether a poll has found the generation. From then on a 404 is not an early one.
    found: bool,
    /// Until when a 404 may mean that the service is not yet consistent with a create.
    grace_until: Duration,
    /// How many polls in a row have failed.
    failures: u32,
    /// How the last poll failed, if it did.
    last_error: Option<Error>,
}

/// How long after a create a 404 may mean that the generation is not yet visible everywhere. The
/// service promises nothing; replicas of web services usually agree within a second.
const GRACE: Duration = Duration::from_secs(5);

impl WaitState {
    /// The state of a generation that was created at `created_at`, if this process created it.
    pub(crate) fn new(created_at: Option<Duration>) -> Self {
        Self {
            last: None,
            rank: Rank::Queued,
            found: false,
            grace_until: created_at.map_or(Duration::ZERO, |at| at.saturating_add(GRACE)),
            failures: 0,
            last_error: None,
        }
    }

    /// A poll returned a snapshot.
    pub(crate) fn on_poll_succeeded(&mut self) {
        self.failures = 0;
        self.last_error = None;
        self.found = true;
    }

    /// Compares a snapshot with the last one, and replaces that unless the new one is stale.
    pub(crate) fn compare_and_store(&mut self, snapshot: &Snapshot) -> Novelty {
        let rank = rank(&snapshot.generation.status, self.rank);
        // Statuses only move forward, so a lower one comes from a replica that lags behind.
        if rank < self.rank {
            return Novelty::Stale;
        }
        if rank == self.rank && self.is_last(snapshot) {
            return Novelty::Same;
        }
        self.rank = rank;
        self.last = Some(snapshot.json.clone());
        Novelty::Newer
    }

    /// A poll failed: when the next one may be sent, or `None` if the failure is permanent.
    /// `entropy` is drawn evenly from 0 to 1.
    pub(crate) fn on_poll_failed(
        &mut self,
        now: Duration,
        error: &Error,
        entropy: f64,
    ) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let early_404 =
            error.kind() == ErrorKind::NotFound && !self.found && now < self.grace_until;
        let pause = match retry::after_failure(Operation::Poll, error, self.failures, entropy) {
            Consequence::RepeatAfter(pause) => pause,
            _ if early_404 => retry::backoff(self.failures, entropy),
            _ => return None,
        };
        self.last_error = Some(error.clone());
        Some(now.saturating_add(pause))
    }

    /// The error of a wait that reached its deadline after this many polls.
    pub(crate) fn deadline_error(&self, id: &str, polls: u32) -> Error {
        Error::deadline(id, self.last().map(Arc::new), polls, self.last_error.clone())
    }

    fn last(&self) -> Option<Generation> {
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
