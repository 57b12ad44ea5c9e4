//! What sorts of errors there are.

use std::fmt;

/// What sort of error it is; the same list, with the same names, in every language.
///
/// ```
/// use pipevideo::ErrorKind;
///
/// assert_eq!(ErrorKind::SubmissionUncertain.as_str(), "submission_uncertain");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No key, a bad base URL, a bad option.
    Configuration,
    /// Refused before sending: no text part, an empty model, a file that is no image.
    InvalidRequest,
    /// 400: the service refused the request.
    BadRequest,
    /// 400 that says that the balance is too low.
    InsufficientCredits,
    /// 401: the key is missing, invalid, expired or revoked.
    Authentication,
    /// 403: the key may not do this.
    PermissionDenied,
    /// 404: there is no such generation in the key's organization.
    NotFound,
    /// 429 after all patience.
    RateLimited,
    /// 5xx on a call that changes nothing, retries spent.
    Server,
    /// Any other status.
    ApiStatus,
    /// No connection, or a broken one, on a call that changes nothing; or a create of which
    /// certainly nothing was sent.
    Connection,
    /// The request timeout, likewise.
    Timeout,
    /// An answer that is not what the API says.
    Decode,
    /// A create that may have arrived and whose answer is lost or a 5xx. It is never sent again.
    SubmissionUncertain,
    /// The generation ended failed.
    GenerationFailed,
    /// The deadline of a wait.
    WaitTimeout,
    /// The file could not be had; what arrived stays for the next try.
    Download,
    /// A webhook that is not genuine, or not readable.
    WebhookVerification,
    /// A batch's limit.
    SpendLimit,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 19] = [
        Self::Configuration,
        Self::InvalidRequest,
        Self::BadRequest,
        Self::InsufficientCredits,
        Self::Authentication,
        Self::PermissionDenied,
        Self::NotFound,
        Self::RateLimited,
        Self::Server,
        Self::ApiStatus,
        Self::Connection,
        Self::Timeout,
        Self::Decode,
        Self::SubmissionUncertain,
        Self::GenerationFailed,
        Self::WaitTimeout,
        Self::Download,
        Self::WebhookVerification,
        Self::SpendLimit,
    ];

    /// The name that every language uses, such as `rate_limited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::InvalidRequest => "invalid_request",
            Self::BadRequest => "bad_request",
            Self::InsufficientCredits => "insufficient_credits",
            Self::Authentication => "authentication",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::ApiStatus => "api_status",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Decode => "decode",
            Self::SubmissionUncertain => "submission_uncertain",
            Self::GenerationFailed => "generation_failed",
            Self::WaitTimeout => "wait_timeout",
            Self::Download => "download",
            Self::WebhookVerification => "webhook_verification",
            Self::SpendLimit => "spend_limit",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
