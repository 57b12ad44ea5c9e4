//! One wait for one generation: what a snapshot, a webhook, a failed poll and the deadline do to it.
//!
//! Several waits of the same generation each have a lifecycle; their looks are shared.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind};
use crate::model::{Generation, Status};
use crate::retry;

/// The state of one wait.
pub(crate) struct Lifecycle {
    state: State,
    last: Option<Last>,
    /// How far the generation has been seen to be.
    rank: Rank,
    /// Whether a look has found it.
    found: bool,
    deadline: Duration,
    /// Until when a 404 may mean that the service is not yet consistent with a create.
    grace_until: Duration,
    polls: u32,
    failures: u32,
    /// How the last look failed, if it did.
    trouble: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// A look is under way; `again` if an event has asked for another one after it.
    Looking {
        again: bool,
    },
    Done,
}

/// A generation as the service has just told it, and the text in which it did.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) generation: Arc<Generation>,
    pub(crate) text: Bytes,
}

impl Snapshot {
    pub(crate) fn new(generation: Generation, text: Bytes) -> Self {
        Self { generation: Arc::new(generation), text }
    }
}

/// The last snapshot as text, a fifth of what it takes up when it is read: ten thousand waits hold
/// ten thousand.
struct Last(Bytes);

impl Last {
    fn read(&self) -> Option<Arc<Generation>> {
        crate::json::read(&self.0).ok().map(Arc::new)
    }

    /// Whether a snapshot says the same, perhaps in other words.
    fn says(&self, snapshot: &Snapshot) -> bool {
        self.0 == snapshot.text || self.read().is_some_and(|last| last == snapshot.generation)
    }
}

/// `queued < in_progress < final`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Queued,
    InProgress,
    Final,
}

/// What is asked for after an event.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Nothing: it is over, or an answer is still owed.
    Nothing,
    /// A look when the planner thinks best.
    Later,
    /// A look at once.
    Now,
    /// A look no sooner than this.
    NotBefore(Duration),
    /// It is over: the generation has ended, or the wait has.
    End(Result<Arc<Generation>, Error>),
}

/// How long after a create a 404 may mean that it has not yet arrived everywhere.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

impl Lifecycle {
    /// A wait until `deadline` for a generation, of which `last` was known before; a 404 until
    /// `grace_until` is not believed.
    pub(crate) fn new(deadline: Duration, grace_until: Duration, last: Option<Snapshot>) -> Self {
        let known = |last: &Snapshot| rank(&last.generation.status, Rank::Queued);
        let rank = last.as_ref().map_or(Rank::Queued, known);
        let last = last.map(|last| Last(last.text));
        let state = State::Waiting;
        Self {
            state,
            last,
            rank,
            found: false,
            deadline,
            grace_until,
            polls: 0,
            failures: 0,
            trouble: None,
        }
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A look goes out.
    pub(crate) fn look(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Looking { again: false };
            self.polls += 1;
        }
    }

    /// A verified webhook says that something has happened.
    pub(crate) fn webhook(&mut self) -> Ask {
        match &mut self.state {
            State::Waiting => Ask::Now,
            State::Looking { again } => {
                *again = true;
                Ask::Nothing
            }
            State::Done => Ask::Nothing,
        }
    }

    /// The service has told how the generation is. The flag says whether that is news.
    pub(crate) fn snapshot(&mut self, now: Duration, snapshot: &Snapshot) -> (bool, Ask) {
        let again = match self.state {
            State::Done => return (false, Ask::Nothing),
            State::Looking { again } => again,
            State::Waiting => false,
        };
        self.failures = 0;
        self.trouble = None;
        self.found = true;
        let generation = &snapshot.generation;
        let rank = rank(&generation.status, self.rank);
        let news = match &self.last {
            // What a create has answered may be an end already: nothing is news after it.
            Some(_) if self.rank == Rank::Final || rank < self.rank => false,
            Some(last) if rank == self.rank => !last.says(snapshot),
            _ => true,
        };
        if news {
            self.rank = rank;
            self.last = Some(Last(snapshot.text.clone()));
        }
        let ask = if generation.is_final() {
            self.state = State::Done;
            Ask::End(Ok(generation.clone()))
        } else {
            self.go_on(now, &generation.id, if again { Ask::Now } else { Ask::Later })
        };
        (news, ask)
    }

    /// A look has failed. `entropy` is drawn evenly from 0 to 1.
    pub(crate) fn failure(&mut self, now: Duration, id: &str, error: &Error, entropy: f64) -> Ask {
        if self.state == State::Done {
            return Ask::Nothing;
        }
        let too_early =
            error.kind() == ErrorKind::NotFound && !self.found && now < self.grace_until;
        if !retry::is_passing(error) && !too_early {
            self.state = State::Done;
            return Ask::End(Err(error.clone()));
        }
        // A wait that has no look of its own under way has heard of this failure before, or only
        // hears of it because it shares the look.
        if self.state != State::Waiting {
            self.failures = self.failures.saturating_add(1);
        }
        self.trouble = Some(error.clone());
        let asked = error.retry_after().unwrap_or_default();
        let pause = asked.saturating_add(retry::backoff(self.failures, entropy));
        self.go_on(now, id, Ask::NotBefore(now.saturating_add(pause)))
    }

    /// Ends the wait, at its deadline, without a last look: none is possible.
    pub(crate) fn expire(&mut self, id: &str) -> Ask {
        if self.state == State::Done {
            return Ask::Nothing;
        }
        self.state = State::Done;
        let last = self.last.as_ref().and_then(Last::read);
        Ask::End(Err(Error::deadline(id, last, self.polls, self.trouble.take())))
    }

    /// The look is over: wait on, or end if it was the last one.
    fn go_on(&mut self, now: Duration, id: &str, ask: Ask) -> Ask {
        if now >= self.deadline {
            return self.expire(id);
        }
        self.state = State::Waiting;
        ask
    }
}

/// A status that is not known keeps the rank of the last one.
fn rank(status: &Status, last: Rank) -> Rank {
    match status {
        Status::Queued => Rank::Queued,
        Status::InProgress => Rank::InProgress,
        Status::Completed | Status::Failed => Rank::Final,
        Status::Other(_) => last,
    }
}

#[cfg(test)]
#[path = "wait_state_properties.rs"]
mod properties;
#[cfg(test)]
#[path = "wait_state_tests.rs"]
mod tests;
