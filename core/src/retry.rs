//! What may happen after a failed request: the one table. Pure, with entropy as an argument.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

use std::time::Duration;

use crate::error::{Delivery, Error, ErrorKind};

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

/// The longest time that a call waits for a rate limit to pass: two windows of the service, so that
/// one full window and the calls that wait for the next both fit.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);
/// The pause before the first repetition, with full jitter. Most transient failures are gone within
/// a few hundred milliseconds.
const BASE_BACKOFF: Duration = Duration::from_millis(250);
/// The longest pause between two repetitions: a service that is back is noticed within seconds.
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// The pause after a 429 that does not say how long to wait. A sliding window of 100 in 60 s frees a
/// slot every 0.6 s. A call doubles it with each 429 in a row.
pub(crate) const DEFAULT_RATE_LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// What follows when a request has failed for the `failures`th time. `entropy` is drawn evenly from
/// 0 to 1. How many repetitions there may be is the caller's decision.
pub(crate) fn after_failure(
    operation: Operation,
    error: &Error,
    failures: u32,
    entropy: f64,
) -> Consequence {
    match verdict(operation, error) {
        Verdict::Transient => pause(operation, error, failures, entropy)
            .map_or(Consequence::Fail, Consequence::RepeatAfter),
        Verdict::Permanent => Consequence::Fail,
        Verdict::Uncertain => Consequence::Uncertain,
    }
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
    Permanent,
    Uncertain,
}

/// The table.
fn verdict(operation: Operation, error: &Error) -> Verdict {
    use ErrorKind::{ApiStatus, Connection, Decode, RateLimited, Server, Timeout};
    use Operation::{Create, Poll, Read};
    match (operation, error.kind()) {
        // It names a generation, which may have been made in spite of the status.
        (Create, RateLimited | ApiStatus) if error.generation_id().is_some() => Verdict::Uncertain,
        // The service says that it did not process the request.
        (_, RateLimited) => Verdict::Transient,
        (Create, Connection | Timeout) if error.delivery() == Delivery::NotSent => {
            Verdict::Transient
        }
        // A generation may exist and be billed. A 2xx with an unreadable body means that one does.
        (Create, Connection | Timeout | Server | Decode) => Verdict::Uncertain,
        // These are how a server redirects after it has processed a POST; 307 and 308 ask to send it
        // again elsewhere, so it was not processed.
        (Create, ApiStatus) if matches!(error.status(), Some(301..=303)) => Verdict::Uncertain,
        (Read | Poll, Connection | Timeout | Server) => Verdict::Transient,
        // A proxy that is in the way for a moment returns HTML with status 200. A wait outlives it;
        // the caller of a read learns at once that the base URL may be wrong.
        (Poll, Decode) => Verdict::Transient,
        // Request Timeout and Too Early come from proxies, and are gone the next moment.
        (Read | Poll, ApiStatus) if matches!(error.status(), Some(408 | 425)) => Verdict::Transient,
        _ => Verdict::Permanent,
    }
}

/// The pause before a repetition; `None` if the service names a time that no caller would wait for.
fn pause(operation: Operation, error: &Error, failures: u32, entropy: f64) -> Option<Duration> {
    let backoff = backoff(failures, entropy);
    if operation == Operation::Poll {
        // A wait has its deadline, and the budget knows of a 429 already.
        return Some(error.retry_after().unwrap_or_default().saturating_add(backoff));
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
mod tests {
    use super::*;

    fn error(kind: ErrorKind, delivery: Delivery) -> Error {
        Error::new(kind, "").with_delivery(delivery)
    }

    /// The whole table, written out a second time as sets: every kind, delivery and operation.
    #[test]
    fn every_kind_delivery_and_operation() {
        use ErrorKind::*;
        for kind in ErrorKind::ALL.iter().copied() {
            for delivery in [Delivery::NotSent, Delivery::Unknown, Delivery::Answered] {
                let error = error(kind, delivery);
                let not_sent = delivery == Delivery::NotSent;
                let lost = matches!(kind, Connection | Timeout);
                let create = if kind == RateLimited || (lost && not_sent) {
                    Verdict::Transient
                } else if lost || matches!(kind, Server | Decode) {
                    Verdict::Uncertain
                } else {
                    Verdict::Permanent
                };
                let transient = |is| if is { Verdict::Transient } else { Verdict::Permanent };
                let read = transient(lost || matches!(kind, Server | RateLimited));
                let poll = transient(read == Verdict::Transient || kind == Decode);
                assert_eq!(verdict(Operation::Create, &error), create, "{kind} {delivery:?}");
                assert_eq!(verdict(Operation::Read, &error), read, "{kind} {delivery:?}");
                assert_eq!(verdict(Operation::Poll, &error), poll, "{kind} {delivery:?}");
                for (operation, verdict) in
                    [(Operation::Create, create), (Operation::Read, read), (Operation::Poll, poll)]
                {
                    let consequence = after_failure(operation, &error, 1, 0.0);
                    let expected = match verdict {
                        Verdict::Transient => matches!(consequence, Consequence::RepeatAfter(_)),
                        Verdict::Permanent => consequence == Consequence::Fail,
                        Verdict::Uncertain => consequence == Consequence::Uncertain,
                    };
                    assert!(expected, "{kind} {delivery:?} {operation:?}: {consequence:?}");
                }
            }
        }
    }

    #[test]
    fn momentary_statuses_are_transient_for_calls_that_change_nothing() {
        for status in [408, 425] {
            let error = error(ErrorKind::ApiStatus, Delivery::Answered).with_status(status);
            assert_eq!(verdict(Operation::Create, &error), Verdict::Permanent);
            assert_eq!(verdict(Operation::Read, &error), Verdict::Transient);
            assert_eq!(verdict(Operation::Poll, &error), Verdict::Transient);
        }
    }

    #[test]
    fn a_create_that_is_redirected_may_have_been_processed() {
        for status in [301, 302, 303] {
            let error = error(ErrorKind::ApiStatus, Delivery::Answered).with_status(status);
            assert_eq!(verdict(Operation::Create, &error), Verdict::Uncertain);
            assert_eq!(verdict(Operation::Read, &error), Verdict::Permanent);
        }
    }

    #[test]
    fn a_create_with_an_id_in_its_response_may_have_been_processed() {
        for kind in [ErrorKind::RateLimited, ErrorKind::ApiStatus] {
            let error = error(kind, Delivery::Answered).with_generation_id("gen_1");
            assert_eq!(verdict(Operation::Create, &error), Verdict::Uncertain);
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let lost = error(ErrorKind::Connection, Delivery::Unknown);
        let pause =
            |failures, entropy| match after_failure(Operation::Read, &lost, failures, entropy) {
                Consequence::RepeatAfter(pause) => pause.as_millis(),
                other => panic!("{other:?}"),
            };
        assert_eq!(
            [1, 2, 3, 6, 10, 1000].map(|n| pause(n, 1.0)),
            [250, 500, 1000, 8000, 8000, 8000]
        );
        assert_eq!(pause(1, 0.0), 0);
    }

    #[test]
    fn the_time_that_the_service_names_is_respected_up_to_two_minutes() {
        let after = |retry_after: Option<u64>, failures| {
            let error = error(ErrorKind::RateLimited, Delivery::Answered)
                .with_retry_after(retry_after.map(Duration::from_secs));
            after_failure(Operation::Create, &error, failures, 0.0)
        };
        let repeat = |seconds| Consequence::RepeatAfter(Duration::from_secs(seconds));
        assert_eq!(after(Some(42), 1), repeat(42));
        assert_eq!(after(Some(121), 1), Consequence::Fail);
        assert_eq!([1, 2, 6, 9].map(|n| after(None, n)), [1, 2, 32, 32].map(repeat));
    }
}
