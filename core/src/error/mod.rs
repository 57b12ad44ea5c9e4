//! One error for everything that can go wrong.

mod from_response;
mod kind;
mod redact;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use from_response::{from_status, retry_after, undecodable};
pub use kind::ErrorKind;
pub(crate) use redact::Redactor;

use crate::model::{FailureCategory, Generation};
use crate::webhook::WebhookReason;

/// What went wrong: one type, told apart by [`kind`](Self::kind).
///
/// Its text says what happened, what that means and what to do. It is safe to log: no key, no
/// prompt, no query of a URL is in it. What the service itself said of a failed generation may quote
/// the prompt and is therefore only in [`generation`](Self::generation).
///
/// ```
/// use pipevideo::{ErrorKind, GenerationRequest, Media};
///
/// let error = Media::bytes(b"no image").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    code: Option<String>,
    request_id: Option<String>,
    generation_id: Option<String>,
    retry_after: Option<Duration>,
    attempts: u32,
    delivery: Delivery,
    /// Whether what the call had already done would be paid for again.
    paid: bool,
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
    /// The service certainly did not receive it: nothing was sent, or no connection was made.
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
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            status: None,
            code: None,
            request_id: None,
            generation_id: None,
            retry_after: None,
            attempts: 0,
            delivery: Delivery::NotSent,
            paid: false,
            model: None,
            sent_at: None,
            generation: None,
            polls: None,
            reason: None,
            source: None,
        }))
    }

    /// What sort of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, what it means, what to do; safe to log. The same as its `Display`.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's code for it, if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's id of the HTTP request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The generation that the call was about, if it has an id.
    pub fn generation_id(&self) -> Option<&str> {
        self.0.generation_id.as_deref()
    }

    /// Whether the same call, made again as it is, may succeed and cannot pay twice.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::*;
        match self.kind() {
            _ if self.0.paid => false,
            Connection | Timeout | Server | RateLimited | WaitTimeout => true,
            Download if self.lacks_folder() => false,
            Download => self.0.status.is_none_or(|s| !(400..500).contains(&s) || s == 429),
            _ => false,
        }
    }

    /// Whether a file could not be written because of where it was to be: that stays so.
    fn lacks_folder(&self) -> bool {
        let source = self.0.source.as_deref().and_then(|source| source.downcast_ref());
        source.is_some_and(|error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        })
    }

    /// How long the service asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many requests the call made; 0 if it was refused before sending, and for the end of a
    /// wait, which counts its looks in [`polls`](Self::polls).
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

    /// The generation that failed, or the last snapshot when a wait ran into its deadline.
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

    /// How often a wait that ran into its deadline had looked.
    pub fn polls(&self) -> Option<u32> {
        self.0.polls
    }

    /// Why a webhook's delivery was refused.
    pub fn reason(&self) -> Option<WebhookReason> {
        self.0.reason
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

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.0.code = code;
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

    pub(crate) fn with_retry_after(mut self, pause: Option<Duration>) -> Self {
        self.0.retry_after = pause;
        self
    }

    pub(crate) fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.0.delivery = delivery;
        self
    }

    /// The call has made a generation: made again it would make another.
    pub(crate) fn after_a_create(mut self) -> Self {
        self.0.paid = true;
        self
    }

    /// The same without what the service has repeated of a prompt's texts.
    pub(crate) fn without_texts(mut self, texts: &[String]) -> Self {
        let redactor = Redactor { key: "", texts: texts.iter().map(String::as_str).collect() };
        self.0.message = redactor.redact(self.0.message);
        self.0.code = self.0.code.map(|code| redactor.redact(code));
        let cause = self.0.source.as_deref().and_then(|source| source.downcast_ref::<Self>());
        if let Some(cause) = cause.cloned() {
            self.0.source = Some(Arc::new(cause.without_texts(texts)));
        }
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

    /// The error of a create that may have gone through, of which this is the cause.
    pub(crate) fn into_uncertain(self, model: &str, sent_at: SystemTime) -> Self {
        // Not the cause's own text: its advice, to try again, would be wrong here.
        let lost = match self.kind() {
            ErrorKind::Timeout => "none came within the request timeout".to_owned(),
            ErrorKind::Server => format!("HTTP {}", self.0.status.unwrap_or_default()),
            ErrorKind::Decode => "it is not what the API says".to_owned(),
            _ => "the connection broke".to_owned(),
        };
        let advice = match self.generation_id() {
            Some(id) => format!("The answer names {}: wait for that id", plain(id)),
            None => "Look for it with reconcile()".to_owned(),
        };
        let mut error = Self::new(
            ErrorKind::SubmissionUncertain,
            format!(
                "the create was sent, but its answer was lost ({lost}). A generation may have been \
                 made and may be billed, so it was not sent again. {advice} before you create \
                 another."
            ),
        );
        error.0.generation_id = self.0.generation_id.clone();
        error.0.status = self.0.status;
        error.0.code = self.0.code.clone();
        error.0.request_id = self.0.request_id.clone();
        error.0.attempts = self.0.attempts;
        error.0.delivery = self.0.delivery;
        error.0.model = Some(model.to_owned());
        error.0.sent_at = Some(sent_at);
        error.with_source(self)
    }

    /// The error of a wait whose generation has failed.
    pub(crate) fn failed(generation: Arc<Generation>) -> Self {
        let error = generation.error.as_ref();
        let code = error.and_then(|error| error.code.as_deref());
        // A code is a word; what is more may quote the prompt.
        let code = code.filter(|code| {
            code.len() <= 64
                && code.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:".contains(&c))
        });
        let category = error.map_or(FailureCategory::Other, |error| error.category());
        let meaning = match category {
            FailureCategory::InsufficientCredits => {
                "the credits ran out: add some and create it again"
            }
            FailureCategory::Provider => {
                "the provider could not make it: create it again, or try another provider"
            }
            FailureCategory::Unavailable => "the engine or model is not available: choose another",
            FailureCategory::InvalidPrompt => "the prompt was refused: change it",
            FailureCategory::Other => "see the generation's own error for the reason",
        };
        let mut this = Self::new(
            ErrorKind::GenerationFailed,
            format!(
                "generation {} failed; {meaning}. It may have been charged.",
                plain(&generation.id)
            ),
        )
        .with_generation_id(&generation.id)
        .with_code(code.map(str::to_owned))
        .with_delivery(Delivery::Answered);
        this.0.generation = Some(generation.clone());
        this
    }

    /// The error of a wait that ran into its deadline, and the last look's failure if it failed.
    pub(crate) fn deadline(
        id: &str,
        last: Option<Arc<Generation>>,
        polls: u32,
        trouble: Option<Self>,
    ) -> Self {
        let seen = match &last {
            // An unknown status is any text.
            Some(last) => {
                format!("it was last seen {}", Redactor::default().clean(last.status.as_str()))
            }
            None => "it was never seen".to_owned(),
        };
        let advice = match &trouble {
            Some(trouble) => format!("The last look at it failed: {trouble}"),
            None => "It goes on: wait for its id again.".to_owned(),
        };
        let message =
            format!("generation {} had not ended by the deadline; {seen}. {advice}", plain(id));
        let delivery = match (&last, &trouble) {
            (None, Some(trouble)) => trouble.delivery(),
            _ => Delivery::Answered,
        };
        let mut this = Self::new(ErrorKind::WaitTimeout, message).with_generation_id(id);
        this.0.delivery = delivery;
        this.0.generation = last;
        this.0.polls = Some(polls);
        match trouble {
            Some(trouble) => this.with_source(trouble),
            None => this,
        }
    }
}

/// An id as a text shows it: whatever it is, on one line, and not for ever.
pub(crate) fn plain(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(100).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    /// Shows no generation, since that holds a signed URL, and no source, since it may.
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
            out.field("generation_id", id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn generation(json: serde_json::Value) -> Arc<Generation> {
        Arc::new(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn what_a_generation_says_of_itself_is_safe_to_log() {
        let url = "https://v.example/v.mp4?sig=SECRET";
        let long = "x".repeat(100_000);
        let last = generation(json!({
            "id": "gen_1", "status": format!("stuck\n{long}"), "output_video_url": url,
        }));
        let failed = generation(json!({
            "id": "gen_1", "status": "failed", "output_video_url": url,
            "error": {"code": format!("see {url}\n{long}"), "message": "SECRET prompt"},
        }));
        for error in [Error::deadline("gen_1", Some(last), 3, None), Error::failed(failed)] {
            let text = format!("{error} {error:?}");
            assert!(!text.contains("SECRET") && !text.contains('\n'), "{text}");
            assert!(text.len() < 2000, "{}", text.len());
            assert_eq!(error.generation_id(), Some("gen_1"));
        }
    }
}
