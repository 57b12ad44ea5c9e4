//! The table, written out a second time, and the exact pauses.

use super::*;

const S: Duration = Duration::from_secs(1);
const ALL: [Operation; 3] = [Operation::Create, Operation::Read, Operation::Poll];

fn error(kind: ErrorKind, delivery: Delivery) -> Error {
    Error::new(kind, "").with_delivery(delivery)
}

fn status(status: u16) -> Error {
    let kind = match status {
        400 => ErrorKind::BadRequest,
        401 => ErrorKind::Authentication,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::ApiStatus,
    };
    Error::new(kind, "").with_status(status)
}

fn header(pause: Duration) -> RetryAfter {
    RetryAfter { header: Some(pause), body: None }
}

fn body(pause: Duration) -> RetryAfter {
    RetryAfter { header: None, body: Some(pause) }
}

fn first(operation: Operation, error: &Error, entropy: f64) -> Consequence {
    Failures::default().add(operation, error, entropy)
}

/// What follows from so many failures like this one.
fn nth(operation: Operation, error: &Error, failures: usize) -> Consequence {
    let mut row = Failures::default();
    for _ in 1..failures {
        row.add(operation, error, 1.0);
    }
    row.add(operation, error, 1.0)
}

fn repeat(millis: u64) -> Consequence {
    Consequence::RepeatAfter(Duration::from_millis(millis))
}

/// Failures without a response: every kind, delivery and operation.
#[test]
fn every_kind_delivery_and_operation() {
    use ErrorKind::*;
    for kind in ErrorKind::ALL.iter().copied() {
        for delivery in [Delivery::NotSent, Delivery::Unknown, Delivery::Answered] {
            let error = error(kind, delivery);
            let lost = matches!(kind, Connection | Timeout);
            let create = if kind == RateLimited || (lost && delivery == Delivery::NotSent) {
                Verdict::Transient
            } else if lost || matches!(kind, Server | Decode) {
                Verdict::Uncertain
            } else {
                Verdict::Permanent
            };
            let read = if lost || matches!(kind, Server | RateLimited) {
                Verdict::Transient
            } else {
                Verdict::Permanent
            };
            // Whatever becomes of a poll, a token function that fails among it.
            let poll = if kind == Internal { Verdict::Permanent } else { Verdict::Transient };
            for (operation, expected) in ALL.into_iter().zip([create, read, poll]) {
                assert_eq!(verdict(operation, &error), expected, "{kind} {delivery:?}");
                let follows = match first(operation, &error, 0.0) {
                    Consequence::RepeatAfter(_) => Verdict::Transient,
                    Consequence::Fail => Verdict::Permanent,
                    Consequence::Uncertain => Verdict::Uncertain,
                };
                assert_eq!(follows, expected, "{kind} {delivery:?} {operation:?}");
            }
        }
    }
}

/// Every status that a response may have, for each operation.
#[test]
fn every_status_and_operation() {
    for code in 100..1000 {
        let error = status(code);
        let verdicts = ALL.map(|operation| verdict(operation, &error));
        let expected = match code {
            429 => [Verdict::Transient; 3],
            301..=303 => [Verdict::Uncertain, Verdict::Permanent, Verdict::Transient],
            408 | 425 => [Verdict::Permanent, Verdict::Transient, Verdict::Transient],
            500..=599 => [Verdict::Uncertain, Verdict::Transient, Verdict::Transient],
            401 | 403 => [Verdict::Permanent; 3],
            400 | 404 | 410 | 422 => [Verdict::Permanent, Verdict::Permanent, Verdict::Doubtful],
            _ => [Verdict::Permanent, Verdict::Permanent, Verdict::Transient],
        };
        assert_eq!(verdicts, expected, "{code}");
    }
}

#[test]
fn an_unreadable_response_is_transient_for_polls_alone() {
    let page = error(ErrorKind::Decode, Delivery::Answered).with_status(200);
    let expected = [Verdict::Uncertain, Verdict::Permanent, Verdict::Transient];
    assert_eq!(ALL.map(|operation| verdict(operation, &page)), expected);
}

#[test]
fn a_create_with_an_id_in_its_response_may_have_been_processed() {
    for code in [401, 418, 429] {
        let error = status(code).with_renewable_token(true).with_generation_id("gen_1");
        assert_eq!(first(Operation::Create, &error, 0.0), Consequence::Uncertain, "{code}");
        assert_ne!(first(Operation::Read, &error, 0.0), Consequence::Uncertain, "{code}");
    }
}

#[test]
fn one_401_to_a_token_asks_for_another_and_the_second_is_believed() {
    let denied = || status(401).with_renewable_token(true);
    for operation in ALL {
        assert_eq!(nth(operation, &denied(), 1), repeat(250), "{operation:?}");
        assert_eq!(nth(operation, &denied(), 2), Consequence::Fail, "{operation:?}");
        assert_eq!(first(operation, &status(401), 1.0), Consequence::Fail, "a fixed key");
        assert_eq!(
            first(operation, &status(403).with_renewable_token(true), 1.0),
            Consequence::Fail,
            "another token may do no more"
        );
    }
    assert!(!denied().is_retryable());
}

#[test]
fn a_doubtful_status_is_believed_when_it_is_the_second_in_a_row() {
    for code in [400, 404, 410, 422] {
        let mut row = Failures::default();
        let mut add = |error: &Error| row.add(Operation::Poll, error, 1.0);
        assert_eq!(add(&status(code)), repeat(250), "{code}");
        assert_eq!(add(&status(503)), repeat(500), "something else in between");
        assert_eq!(add(&status(code)), repeat(1000));
        assert_eq!(add(&status(code)), Consequence::Fail);
    }
    let mut row = Failures::default();
    assert_eq!(row.add(Operation::Poll, &status(404), 1.0), repeat(250));
    assert_eq!(row.add(Operation::Poll, &status(410), 1.0), repeat(500), "another one");
}

#[test]
fn pauses_double_up_to_a_bound() {
    let lost = error(ErrorKind::Connection, Delivery::Unknown);
    for operation in [Operation::Read, Operation::Poll] {
        let pauses = [1, 2, 3, 4, 5, 6, 7, 1000].map(|n| nth(operation, &lost, n));
        let expected = [250, 500, 1000, 2000, 4000, 8000, 8000, 8000].map(repeat);
        assert_eq!(pauses, expected);
    }
    for (entropy, millis) in [(0.0, 0), (0.5, 125), (1.0, 250), (-1.0, 0), (9.0, 250)] {
        assert_eq!(first(Operation::Read, &lost, entropy), repeat(millis));
    }
    let mut row = Failures { count: u32::MAX, ..Failures::default() };
    assert_eq!(row.add(Operation::Read, &lost, 1.0), repeat(8000));
}

#[test]
fn after_a_429_without_a_time_pauses_start_at_a_second() {
    let limited = status(429);
    // With the backoff beside it.
    let pauses = [1, 2, 3, 6, 7, 50].map(|n| nth(Operation::Create, &limited, n));
    assert_eq!(pauses, [1250, 2500, 5000, 40_000, 40_000, 40_000].map(repeat));
    assert_eq!(first(Operation::Create, &status(429), 0.0), repeat(1000));
    assert_eq!(first(Operation::Poll, &status(429), 0.0), repeat(0), "the budget pauses");
}

#[test]
fn a_call_waits_for_two_minutes_and_fails_if_it_is_asked_to_wait_longer() {
    let over = Duration::from_nanos(1);
    for operation in [Operation::Create, Operation::Read] {
        for asked in [header, body] {
            let after = |pause| first(operation, &status(429).with_retry_after(asked(pause)), 0.0);
            assert_eq!(after(S * 42), repeat(42_000));
            assert_eq!(after(S * 120), repeat(120_000));
            assert_eq!(after(S * 120 + over), Consequence::Fail);
        }
    }
    let down = status(503).with_retry_after(header(S * 3600));
    assert_eq!(first(Operation::Read, &down, 0.0), Consequence::Fail);
}

#[test]
fn a_poll_waits_for_a_window_by_the_header_and_for_two_by_the_service() {
    for code in [429, 503, 418] {
        for (asked, seconds) in [
            (header(S * 59), 59),
            (header(S * 61), 60),
            (header(Duration::MAX), 60),
            (body(S * 119), 119),
            (body(S * 121), 120),
            (RetryAfter { header: Some(S * 3600), body: Some(S * 9) }, 60),
            (RetryAfter { header: Some(S * 3600), body: Some(S * 90) }, 90),
            (RetryAfter { header: Some(S * 2), body: Some(S * 3600) }, 120),
            (RetryAfter::default(), 0),
        ] {
            let error = status(code).with_retry_after(asked);
            assert_eq!(first(Operation::Poll, &error, 0.0), repeat(seconds * 1000), "{asked:?}");
            let backoff = first(Operation::Poll, &error, 1.0);
            assert_eq!(backoff, repeat(seconds * 1000 + 250), "and the backoff");
            assert_eq!(error.retry_after(), asked.longest(), "the error has the service's number");
        }
    }
    assert_eq!(capped(RetryAfter::default()), None);
}

#[test]
fn what_may_be_tried_again_is_what_a_read_repeats_and_what_keeps_its_progress() {
    use ErrorKind::*;
    for kind in ErrorKind::ALL.iter().copied() {
        let error = error(kind, Delivery::Unknown);
        let expected =
            matches!(kind, Connection | Timeout | Server | RateLimited | WaitTimeout | Download);
        assert_eq!(error.is_retryable(), expected, "{kind}");
        assert!(!error.after_a_create().is_retryable(), "{kind}");
    }
    for code in 100..600 {
        let expected = matches!(code, 408 | 425 | 429 | 500..600);
        assert_eq!(status(code).is_retryable(), expected, "{code}");
        let download = Error::new(Download, "").with_status(code);
        assert_eq!(download.is_retryable(), !(400..500).contains(&code) || code == 429, "{code}");
    }
}

#[test]
fn a_download_that_its_place_or_size_prevents_is_not_tried_again() {
    use std::io::ErrorKind::*;
    for (cause, retryable) in [
        (NotFound, false),
        (PermissionDenied, false),
        (FileTooLarge, false),
        (StorageFull, true),
        (Interrupted, true),
    ] {
        let error = Error::new(ErrorKind::Download, "").with_source(std::io::Error::from(cause));
        assert_eq!(error.is_retryable(), retryable, "{cause}");
    }
}
