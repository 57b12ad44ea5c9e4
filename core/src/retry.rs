//! What may happen after a failed request: the one table. Pure, with entropy as an argument.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

use std::time::Duration;

use crate::error::{Delivery, Error, ErrorKind, RetryAfter};

/// What a request does, which decides whether sending it twice could do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It makes a generation, which costs money.
    Create,
    /// It changes nothing, and its caller waits for the result.
    Read,
    /// It changes nothing, and a wait polls again until its deadline.
    Poll,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The request may be sent again after this pause.
    RepeatAfter(Duration),
    /// The error is returned.
    Fail,
    /// The create may have been processed: it is never sent again, and the error says so.
    Uncertain,
}

/// The longest pause that is accepted from the service's own `data.retry_after`: two of its windows,
/// so that one full window and the calls that wait for the next both fit. A call that is asked to
/// wait for longer fails instead.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// The longest pause that a wait and the budget accept from a `Retry-After` header: the service's
/// window. Any proxy on the way may send the header, with an hour for its own maintenance.
const MAX_HEADER_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The pause before the first repetition, with full jitter. Most transient failures are gone within
/// a few hundred milliseconds.
const BASE_BACKOFF: Duration = Duration::from_millis(250);
/// The longest pause between two repetitions: a service that is back is noticed within seconds.
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// The pause after a 429 that does not say how long to wait. A sliding window of 100 in 60 s frees a
/// slot every 0.6 s. A call doubles it with each 429 in a row.
pub(crate) const DEFAULT_RATE_LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// The failures in a row of one call, or of the polls of one generation.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    count: u32,
    /// The status of the last one, if it had a response.
    status: Option<u16>,
}

impl Failures {
    /// Adds a failure, and returns what follows from it. `entropy` is drawn evenly from 0 to 1. How
    /// many repetitions there may be is the caller's decision.
    pub(crate) fn add(&mut self, operation: Operation, error: &Error, entropy: f64) -> Consequence {
        let is_repeated = self.status == error.status();
        self.count = self.count.saturating_add(1);
        self.status = error.status();
        match verdict(operation, error) {
            Verdict::Doubtful if is_repeated => Consequence::Fail,
            Verdict::Transient | Verdict::Doubtful => pause(operation, error, self.count, entropy)
                .map_or(Consequence::Fail, Consequence::RepeatAfter),
            Verdict::Permanent => Consequence::Fail,
            Verdict::Uncertain => Consequence::Uncertain,
        }
    }
}

/// How long a wait and the budget pause for what a response asks for. A wait has its deadline, and
/// the budget is shared by all calls of the key: neither stops for a day because one response says so.
pub(crate) fn capped(asked: RetryAfter) -> Option<Duration> {
    let header = asked.header.map(|pause| pause.min(MAX_HEADER_RETRY_AFTER));
    header.max(asked.body.map(|pause| pause.min(MAX_RETRY_AFTER)))
}

impl Error {
    /// Whether the same call, made again unchanged, may succeed and cannot pay twice.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            _ if self.must_not_repeat() => false,
            // The generation is still running.
            ErrorKind::WaitTimeout => true,
            ErrorKind::Download if self.has_unusable_path() => false,
            // A video's host that rejects the request will do so again; 429 asks to wait.
            ErrorKind::Download => {
                self.status().is_none_or(|s| !(400..500).contains(&s) || s == 429)
            }
            // An uncertain create has a kind of its own, so what is left is as safe as a read.
            _ => verdict(Operation::Read, self) == Verdict::Transient,
        }
    }
}

/// Exponential backoff with full jitter, after so many failures.
pub(crate) fn backoff(failures: u32, entropy: f64) -> Duration {
    doubled(BASE_BACKOFF, failures).min(MAX_BACKOFF).mul_f64(entropy.clamp(0.0, 1.0))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Transient,
    /// One response alone may be wrong. Two in a row with the same status are believed.
    Doubtful,
    Permanent,
    Uncertain,
}

/// The table.
fn verdict(operation: Operation, error: &Error) -> Verdict {
    use ErrorKind::{
        ApiStatus, Authentication, Connection, Decode, Internal, RateLimited, Server, Timeout,
    };
    use Operation::{Create, Poll, Read};
    match (operation, error.kind()) {
        // A mistake of this library, which the next poll would make again.
        (_, Internal) => Verdict::Permanent,
        // It names a generation, which may have been made in spite of the status.
        (Create, RateLimited | ApiStatus | Authentication) if error.generation_id().is_some() => {
            Verdict::Uncertain
        }
        (Poll, _) => poll_verdict(error),
        // The service says that it did not process the request.
        (_, RateLimited) => Verdict::Transient,
        // Nor did it process this one: its token may have expired on the way, and the token function
        // is asked for another. A fixed key stays what it is.
        _ if error.status() == Some(401) && error.has_renewable_token() => Verdict::Doubtful,
        (Create, Connection | Timeout) if error.delivery() == Delivery::NotSent => {
            Verdict::Transient
        }
        // A generation may exist and be billed. A 2xx with an unreadable body means that one does.
        (Create, Connection | Timeout | Server | Decode) => Verdict::Uncertain,
        // These are how a server redirects after it has processed a POST; 307 and 308 ask to send it
        // again elsewhere, so it was not processed.
        (Create, ApiStatus) if matches!(error.status(), Some(301..=303)) => Verdict::Uncertain,
        (Read, Connection | Timeout | Server) => Verdict::Transient,
        // Request Timeout and Too Early come from proxies, and are gone the next moment.
        (Read, ApiStatus) if matches!(error.status(), Some(408 | 425)) => Verdict::Transient,
        _ => Verdict::Permanent,
    }
}

/// The part of the table about polls. The generation is paid for and a wait has its deadline, so only
/// what lasts ends a wait.
fn poll_verdict(error: &Error) -> Verdict {
    match error.status() {
        // The key is refused. Every poll after it would be refused as well.
        Some(403) => Verdict::Permanent,
        Some(401) if !error.has_renewable_token() => Verdict::Permanent,
        // A token may expire on the way. A replica may not know yet what another process has just
        // created, or answer from before the last deployment. Polls of a generation are all the same
        // request, so the next one decides.
        Some(400 | 401 | 404 | 410 | 422) => Verdict::Doubtful,
        // Whatever else is received says nothing lasting about the generation: a proxy's login page,
        // its 402 or 451, a redirect without a target. Without a response, the connection failed, or
        // the token function did: one that raises, panics or returns an empty token may do better
        // the next time.
        _ => Verdict::Transient,
    }
}

/// The pause before a repetition; `None` if the service names a time that no caller would wait for.
fn pause(operation: Operation, error: &Error, failures: u32, entropy: f64) -> Option<Duration> {
    let backoff = backoff(failures, entropy);
    if operation == Operation::Poll {
        return Some(capped(error.asked_pause()).unwrap_or_default().saturating_add(backoff));
    }
    let default = if error.kind() == ErrorKind::RateLimited {
        doubled(DEFAULT_RATE_LIMIT_PAUSE, failures.min(MAX_DOUBLINGS))
    } else {
        Duration::ZERO
    };
    let asked = error.retry_after().unwrap_or(default);
    (asked <= MAX_RETRY_AFTER).then(|| asked.saturating_add(backoff))
}

/// Doubling stops here: a pause of 32 s is half of the service's window.
const MAX_DOUBLINGS: u32 = 6;

fn doubled(pause: Duration, failures: u32) -> Duration {
    // 2^16 times any of the pauses is past every cap.
    pause.saturating_mul(1 << failures.saturating_sub(1).min(16))
}

#[cfg(test)]
mod tests;
