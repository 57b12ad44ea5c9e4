//! The one error type of this crate.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod from_response;
mod generation;
mod kind;
mod redact;
mod retry_after;
#[cfg(test)]
mod tests;
mod webhook_reason;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use from_response::{from_status, request_id, retry_after, undecodable};
pub use kind::ErrorKind;
pub(crate) use redact::{Redactor, printable, printable_status};
pub(crate) use retry_after::RetryAfter;
pub use webhook_reason::WebhookReason;

use crate::model::{FailureCategory, Generation, shown};

/// The error of every fallible function in this crate; [`kind`](Self::kind) distinguishes the cases.
///
/// The [`message`](Self::message) says what happened, what that means and what to do. It is a text
/// of this library and safe to log: it never holds the key, the prompt or the query of a URL. The
/// service's own words may quote the prompt; they are kept apart in
/// [`service_message`](Self::service_message) and appear in neither `Display` nor `Debug`.
///
/// ```
/// use pipevideo::{ErrorKind, Media};
///
/// let error = Media::bytes(b"no image").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error(Box<ErrorFields>);

#[derive(Clone)]
struct ErrorFields {
    kind: ErrorKind,
    /// What happened and what it means, then the advice.
    message: String,
    /// The length of the message without its advice.
    statement_length: usize,
    service_message: Option<String>,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    generation_id: Option<String>,
    retry_after: RetryAfter,
    attempts: u32,
    delivery: Delivery,
    /// Whether the request had a token, which the token function may replace by another.
    has_renewable_token: bool,
    /// Whether the same call, made again, could pay for a second generation or is certain to fail.
    never_repeat: bool,
    model: Option<String>,
    sent_at: Option<SystemTime>,
    generation: Option<Arc<Generation>>,
    polls: Option<u32>,
    reason: Option<WebhookReason>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Whether the request of a failed call may have reached the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The service certainly did not process it: no connection was made, part of it was not sent, or
    /// the service refused its HTTP/2 stream.
    NotSent,
    /// The service may have received it: bytes were sent, and no response came back.
    Unknown,
    /// The service received it and responded.
    Answered,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(ErrorFields {
            kind,
            statement_length: message.len(),
            message,
            service_message: None,
            status: None,
            code: None,
            request_id: None,
            generation_id: None,
            retry_after: RetryAfter::default(),
            has_renewable_token: false,
            attempts: 0,
            delivery: Delivery::NotSent,
            never_repeat: false,
            model: None,
            sent_at: None,
            generation: None,
            polls: None,
            reason: None,
            source: None,
        }))
    }

    /// The kind of error: what failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, what it means, what to do; safe to log. The same as its `Display`.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do: the end of the [`message`](Self::message), if it has such an end.
    pub fn advice(&self) -> Option<&str> {
        self.0
            .message
            .get(self.0.statement_length..)
            .map(str::trim_start)
            .filter(|it| !it.is_empty())
    }

    /// The service's own words about the failure: one line of at most a few hundred characters,
    /// without the key. **Not safe to log**: they may quote the prompt or a signed URL.
    ///
    /// It is the message in the service's response, or the beginning of a response that is not the
    /// service's, such as a proxy's error page; for a generation that failed, its own error message.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client, request: pipevideo::GenerationRequest) {
    /// use pipevideo::ErrorKind;
    ///
    /// match client.responses().create(request).await {
    ///     // Shown to the user who wrote the prompt, and not logged.
    ///     Err(error) if error.kind() == ErrorKind::BadRequest => {
    ///         println!("{}", error.service_message().unwrap_or("no reason was given"));
    ///     }
    ///     _ => {}
    /// }
    /// # }
    /// ```
    pub fn service_message(&self) -> Option<&str> {
        self.0.service_message.as_deref()
    }

    /// The HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's code for the failure, if it gave one that is a single word.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's id of the HTTP request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The id of the generation that the call was about, if it is known.
    pub fn generation_id(&self) -> Option<&str> {
        self.0.generation_id.as_deref()
    }

    /// Whether the same call, made again, could pay for a second generation or is certain to fail.
    pub(crate) fn must_not_repeat(&self) -> bool {
        self.0.never_repeat
    }

    /// Whether a download failed for a reason that no further attempt changes: the folder is missing
    /// or read-only, the video is too large, or its host is refused.
    pub(crate) fn has_unusable_path(&self) -> bool {
        let source = self.0.source.as_deref().and_then(|source| source.downcast_ref());
        source.is_some_and(|error: &io::Error| {
            use io::ErrorKind::{FileTooLarge, NotFound, PermissionDenied};
            matches!(error.kind(), NotFound | PermissionDenied | FileTooLarge)
        })
    }

    /// How long the service asks to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after.longest()
    }

    /// How long the service asks to wait, by where it says so.
    pub(crate) fn asked_pause(&self) -> RetryAfter {
        self.0.retry_after
    }

    pub(crate) fn has_renewable_token(&self) -> bool {
        self.0.has_renewable_token
    }

    /// How many requests the call made; 0 if it was rejected before sending, and for the end of a
    /// wait: its requests are counted in [`polls`](Self::polls).
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the request may have reached the service.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// When an uncertain create was sent, by this machine's clock.
    pub fn sent_at(&self) -> Option<SystemTime> {
        self.0.sent_at
    }

    /// The model of an uncertain create.
    pub fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The generation that failed, or the last snapshot when a wait reached its deadline.
    pub fn generation(&self) -> Option<&Generation> {
        self.0.generation.as_deref()
    }

    /// Why a generation failed, as a category.
    pub fn category(&self) -> Option<FailureCategory> {
        (self.kind() == ErrorKind::GenerationFailed).then(|| {
            let error = self.generation().and_then(|generation| generation.error.as_ref());
            error.map_or(FailureCategory::Other, |error| error.category())
        })
    }

    /// How often a wait that reached its deadline had polled.
    pub fn polls(&self) -> Option<u32> {
        self.0.polls
    }

    /// Why the delivery of a webhook was rejected.
    pub fn reason(&self) -> Option<WebhookReason> {
        self.0.reason
    }

    /// Says otherwise what happened.
    pub(crate) fn with_statement(mut self, statement: &str) -> Self {
        self.0.statement_length = statement.len();
        statement.clone_into(&mut self.0.message);
        self
    }

    /// Appends what to do to the message.
    pub(crate) fn with_advice(mut self, advice: &str) -> Self {
        self.0.message.push(' ');
        self.0.message.push_str(advice);
        self
    }

    pub(crate) fn with_service_message(mut self, message: Option<String>) -> Self {
        self.0.service_message = message;
        self
    }

    pub(crate) fn with_reason(mut self, reason: WebhookReason) -> Self {
        self.0.reason = Some(reason);
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self.0.delivery = Delivery::Answered;
        self
    }

    pub(crate) fn with_code(mut self, code: Option<&str>) -> Self {
        self.0.code = code.map(str::to_owned);
        self
    }

    pub(crate) fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    pub(crate) fn with_generation_id(mut self, id: &str) -> Self {
        self.0.generation_id = Some(id.to_owned());
        self
    }

    pub(crate) fn with_retry_after(mut self, pause: RetryAfter) -> Self {
        self.0.retry_after = pause;
        self
    }

    pub(crate) fn with_renewable_token(mut self, renewable: bool) -> Self {
        self.0.has_renewable_token = renewable;
        self
    }

    pub(crate) fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.0.delivery = delivery;
        self
    }

    /// The error of a call that has already created a generation: the call made again would create,
    /// and pay for, another one.
    pub(crate) fn after_a_create(mut self) -> Self {
        self.0.never_repeat = true;
        self
    }

    /// The error of a call that fails again with the same client, whatever its kind says.
    pub(crate) fn with_no_retry(mut self) -> Self {
        self.0.never_repeat = true;
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The error of a panic of this library, with its location in the source if that is known.
    pub(crate) fn internal(location: Option<&str>) -> Self {
        let place = location.map(|location| format!(" at {location}")).unwrap_or_default();
        let statement = format!(
            "pipevideo panicked{place}. This is a mistake of the library, not of your program, and \
             whether a request was sent is not known."
        );
        Self::new(ErrorKind::Internal, statement)
            .with_advice(
                "After a create, check with reconcile() before you create another. Report this \
                 message and what the program did to the maintainers of pipevideo.",
            )
            .with_delivery(Delivery::Unknown)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    /// Shows neither the service message, which may quote the prompt, nor the generation and the
    /// source, which may hold a signed URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(status) = self.0.status {
            out.field("status", &status);
        }
        if let Some(code) = &self.0.code {
            out.field("code", code);
        }
        if let Some(id) = &self.0.generation_id {
            out.field("generation_id", &shown::Word(id));
        }
        out.field("attempts", &self.0.attempts)
            .field("delivery", &self.0.delivery)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
