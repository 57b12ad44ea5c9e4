//! The exit codes. They are stable: `docs/command-line.md` has the table.

use pipevideo::ErrorKind;

/// A mistake of this library, or a stream that cannot be read or written.
pub(crate) const INTERNAL: u8 = 1;
/// The arguments, the environment or the request are not valid. Nothing was sent.
pub(crate) const USAGE: u8 = 2;
/// A batch has ended, and not all of its requests have completed.
pub(crate) const INCOMPLETE: u8 = 13;
/// The money does not suffice: that of a limit, or that of the account.
pub(crate) const MONEY: u8 = 6;
/// It is not known whether a create has made a generation.
pub(crate) const UNCERTAIN: u8 = 7;
/// Ctrl-C. It is 128 and the number of the signal, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The exit code of an error of this kind.
pub(crate) fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Configuration | ErrorKind::InvalidRequest => USAGE,
        ErrorKind::GenerationFailed => 3,
        ErrorKind::WaitTimeout => 4,
        ErrorKind::Authentication | ErrorKind::PermissionDenied => 5,
        ErrorKind::InsufficientCredits | ErrorKind::SpendLimit => MONEY,
        ErrorKind::SubmissionUncertain => UNCERTAIN,
        ErrorKind::NotFound => 8,
        ErrorKind::BadRequest | ErrorKind::ApiStatus | ErrorKind::Decode => 9,
        ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Server | ErrorKind::RateLimited => {
            10
        }
        ErrorKind::Download => 11,
        ErrorKind::WebhookVerification => 12,
        // `Internal`, and kinds that this version does not know.
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_is_left_to_the_code_of_internal_errors() {
        for kind in ErrorKind::ALL {
            assert_eq!(code(*kind) == INTERNAL, *kind == ErrorKind::Internal, "{kind}");
        }
    }
}
