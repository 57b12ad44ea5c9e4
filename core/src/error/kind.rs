// Generated from conformance/surface.json by `cargo xtask generate`; do not edit.

//! The kinds of errors.

use std::fmt;

/// The kind of an error: the same list, with the same names, in every language.
///
/// ```
/// use pipevideo::ErrorKind;
///
/// assert_eq!(ErrorKind::SubmissionUncertain.as_str(), "submission_uncertain");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option is missing or wrong: no key, a bad base URL, a bad value.
    Configuration,
    /// The call was rejected before sending: no text part, an empty model, a file that is not an
    /// image.
    InvalidRequest,
    /// 400 Bad Request: the service rejected the request.
    BadRequest,
    /// 400 Bad Request, because the balance is too low.
    InsufficientCredits,
    /// 401 Unauthorized: the key is missing, invalid, expired or revoked; or the token function
    /// failed, and its error is the cause.
    Authentication,
    /// 403 Forbidden: the key does not permit this call.
    PermissionDenied,
    /// 404 Not Found: the key's organization has no such generation.
    NotFound,
    /// 429 Too Many Requests, and the retries are used up, or the service asks for a pause of more
    /// than two minutes.
    RateLimited,
    /// 5xx on a call that changes nothing, and the retries are used up.
    Server,
    /// The service responded with another error status.
    ApiStatus,
    /// The connection failed or broke, or the client was closed, on a call that changes nothing, or
    /// on a create that was certainly not sent.
    Connection,
    /// The request timeout elapsed on a call that changes nothing, or on a create that was
    /// certainly not sent.
    Timeout,
    /// The response is not what the API documents.
    Decode,
    /// A create may have been processed: its response was lost, unreadable, a 5xx or a redirect by
    /// 301 to 303. It is never sent again: call `reconcile` before you create another.
    SubmissionUncertain,
    /// The generation ended as `failed`.
    GenerationFailed,
    /// The deadline of a wait elapsed. The generation is still running: call `wait` with its id
    /// again.
    WaitTimeout,
    /// The download failed. If it was to a path, the bytes received so far are kept, and the next
    /// attempt resumes from them.
    Download,
    /// A webhook delivery is not authentic, or not readable.
    WebhookVerification,
    /// A create would exceed the spend limit of its client or batch. Nothing was sent.
    SpendLimit,
    /// A mistake of this library, which panicked. Whether a request was sent is not known. The
    /// message says where the mistake is: report it to the maintainers.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
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
        Self::Internal,
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
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
