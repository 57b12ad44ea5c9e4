//! May a call be sent again, and when: pure, with entropy as an argument.

use std::time::Duration;

use crate::error::{Delivery, Error, ErrorKind};

/// What sending a call twice could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It changes nothing.
    Read,
    /// It makes a generation, which costs money.
    Create,
}

/// A direct call waits no longer than this for a rate limit to pass: two windows of the service.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

const FIRST: Duration = Duration::from_millis(250);
/// The first pause after a 429 that does not say how long; then doubled.
const UNTOLD: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(8);

/// The pause before the call is sent again, or `None` if it must not or need not be.
///
/// `attempt` counts the requests made so far, `entropy` is drawn evenly from 0 to 1.
pub(crate) fn pause(
    safety: Safety,
    error: &Error,
    attempt: u32,
    max_retries: u32,
    entropy: f64,
) -> Option<Duration> {
    if attempt > max_retries || !may_repeat(safety, error) {
        return None;
    }
    let untold = match error.kind() {
        // The window is a minute: what does not say how long it lasts is given some time.
        ErrorKind::RateLimited => UNTOLD.saturating_mul(1 << attempt.saturating_sub(1).min(5)),
        _ => Duration::ZERO,
    };
    let asked = error.retry_after().unwrap_or(untold);
    (asked <= PATIENCE).then(|| asked + backoff(attempt, entropy))
}

/// Exponential backoff with full jitter, after so many failures.
pub(crate) fn backoff(failures: u32, entropy: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST).mul_f64(entropy.clamp(0.0, 1.0))
}

/// A create only when it is certain that the service did not take it.
fn may_repeat(safety: Safety, error: &Error) -> bool {
    match (safety, error.kind()) {
        (_, ErrorKind::RateLimited) => true,
        (Safety::Create, ErrorKind::Connection | ErrorKind::Timeout) => {
            error.delivery() == Delivery::NotSent
        }
        (Safety::Create, _) => false,
        (Safety::Read, _) => is_passing(error) && error.kind() != ErrorKind::Decode,
    }
}

/// Whether a failure to look says nothing about the generation, and the next look may succeed.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connection
        | ErrorKind::Timeout
        | ErrorKind::Server
        | ErrorKind::RateLimited
        | ErrorKind::Decode => true,
        // Request timeout and too early: said by proxies, of the moment.
        ErrorKind::ApiStatus => matches!(error.status(), Some(408 | 425)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, sent: Delivery) -> Error {
        Error::new(kind, "").with_delivery(sent)
    }

    #[test]
    fn a_create_is_sent_again_only_if_it_was_certainly_not_taken() {
        for &kind in ErrorKind::ALL {
            for sent in [Delivery::NotSent, Delivery::Unknown, Delivery::Answered] {
                let certain = kind == ErrorKind::RateLimited
                    || (sent == Delivery::NotSent
                        && matches!(kind, ErrorKind::Connection | ErrorKind::Timeout));
                let again = pause(Safety::Create, &error(kind, sent), 1, 4, 0.5);
                assert_eq!(again.is_some(), certain, "{kind} {sent:?}");
            }
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_respect_the_service() {
        let broken = error(ErrorKind::Connection, Delivery::Unknown);
        let at = |attempt| pause(Safety::Read, &broken, attempt, 10, 1.0).unwrap().as_millis();
        assert_eq!([1, 2, 3, 6, 10].map(at), [250, 500, 1000, 8000, 8000]);
        assert_eq!(pause(Safety::Read, &broken, 1, 4, 0.0), Some(Duration::ZERO));
        assert_eq!(pause(Safety::Read, &broken, 5, 4, 0.5), None);
        assert_eq!(pause(Safety::Read, &broken, 1, 0, 0.5), None);

        let limited = |seconds| {
            error(ErrorKind::RateLimited, Delivery::Answered)
                .with_retry_after(Some(Duration::from_secs(seconds)))
        };
        let again = |seconds| pause(Safety::Create, &limited(seconds), 1, 4, 0.0);
        assert_eq!(again(42), Some(Duration::from_secs(42)));
        assert_eq!(again(121), None);
    }
}
