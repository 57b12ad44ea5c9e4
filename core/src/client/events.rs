//! What the library logs: the one place that knows the names, levels, messages and fields of events.
//!
//! They are declared in `conformance/surface.json`, and a test compares. No field has a key, a prompt
//! or a URL, and no text of the service that is not an identifier.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rust_decimal::Decimal;
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing::subscriber::NoSubscriber;

use super::limiter::Hold;
use crate::error::{Error, Redactor};
use crate::model::{Generation, GenerationId, Status};
use crate::webhook::WebhookEvent;
use crate::wire::{self, Request};

/// The target of all events and spans.
pub(super) const TARGET: &str = "pipevideo";

/// Where the events of a client go: to the program's subscriber, or to one of the client's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Option<Dispatch>);

/// What the events of one request have in common.
#[derive(Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    /// The number of the call among those of the process. Polls belong to no call.
    pub(crate) call: Option<u64>,
    /// The method and the template of the path.
    pub(crate) route: &'static str,
    pub(crate) id: Option<&'a str>,
    /// The number of the request among those of its call.
    pub(crate) attempt: Option<u32>,
}

impl<'a> Subject<'a> {
    /// A request that belongs to no call.
    pub(crate) fn of(request: &'a Request) -> Self {
        let id = request.id.as_ref().map(GenerationId::as_str);
        Self { route: request.route, id, ..Self::default() }
    }

    /// The polls of all generations.
    pub(crate) fn of_polls() -> Self {
        Self { route: wire::RETRIEVE, ..Self::default() }
    }

    /// A request to the host of a generation's video.
    pub(crate) fn of_video(id: &'a str, attempt: u32) -> Self {
        Self { route: "GET video", id: Some(id), attempt: Some(attempt), call: None }
    }
}

/// Returns a number for a call, by which its events are recognized.
pub(crate) fn next_call() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// Emits an event: its level, name, fields and message.
macro_rules! event {
    ($log:expr, $level:ident, $name:literal, $($rest:tt)+) => {
        $log.within(|| {
            tracing::event!(name: $name, target: TARGET, tracing::Level::$level, $($rest)+);
        })
    };
}

impl Log {
    pub(crate) fn to(subscriber: Dispatch) -> Self {
        // While there is one subscriber, tracing asks only the thread that reaches an event first whether it
        // is of interest. With another client on that thread the event would never be logged.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(NoSubscriber::new()));
        Self(Some(subscriber))
    }

    fn within(&self, emit: impl FnOnce()) {
        match &self.0 {
            Some(subscriber) => with_default(subscriber, emit),
            None => emit(),
        }
    }

    /// A request has ended, with this status or error.
    pub(crate) fn request<T>(
        &self,
        subject: &Subject<'_>,
        status: Option<u16>,
        result: Result<&T, &Error>,
        duration: Duration,
        budget_left: impl Fn() -> Option<usize>,
    ) {
        let error = result.err();
        event!(
            self,
            DEBUG,
            "request",
            call = subject.call,
            route = subject.route,
            generation_id = id_of(subject, error),
            attempt = subject.attempt,
            http_status = status.or(error.and_then(Error::status)),
            error = error.map(kind),
            request_id = error.and_then(Error::request_id).map(word),
            duration = seconds(duration),
            budget_left = budget_left(),
            "request ended"
        );
    }

    /// A request that failed is sent again after a pause.
    pub(crate) fn retry(&self, subject: &Subject<'_>, error: &Error, pause: Duration) {
        event!(
            self,
            INFO,
            "retry",
            call = subject.call,
            route = subject.route,
            generation_id = id_of(subject, Some(error)),
            attempt = subject.attempt,
            http_status = error.status(),
            error = kind(error),
            pause = seconds(pause),
            "request is sent again after a pause"
        );
    }

    /// The budget has no room for a request, or has had none until now.
    pub(crate) fn hold(&self, subject: &Subject<'_>, hold: Hold) {
        let Subject { call, route, id, .. } = *subject;
        let generation_id = id.map(word);
        match hold {
            Hold::Begun { room_in } => event!(
                self,
                INFO,
                "hold.begun",
                call,
                route,
                generation_id,
                room_in = room_in.map(seconds),
                "request is held back until the budget has room"
            ),
            Hold::Ended { waited } => event!(
                self,
                INFO,
                "hold.ended",
                call,
                route,
                generation_id,
                waited = seconds(waited),
                "request is no longer held back"
            ),
        }
    }

    /// A create was accepted.
    pub(crate) fn created(&self, call: u64, generation: &Generation, model: &str, took: Duration) {
        event!(
            self,
            INFO,
            "create",
            call,
            generation_id = word(&generation.id),
            model = model_word(model),
            status = status_word(&generation.status),
            duration = seconds(took),
            "generation created"
        );
    }

    /// The outcome of a create is unknown, or its caller does not receive it.
    pub(crate) fn uncertain(&self, call: Option<u64>, model: Option<&str>, error: &Error) {
        let model = model.or(error.model()).map(model_word);
        match error.generation_id() {
            Some(id) => event!(
                self,
                WARN,
                "uncertain",
                call,
                generation_id = word(id),
                model,
                http_status = error.status(),
                "create did not return, but its generation exists and is billed: wait for this id"
            ),
            None => event!(
                self,
                WARN,
                "uncertain",
                call,
                model,
                http_status = error.status(),
                "outcome of a create is unknown, and it may be billed: call reconcile before you create it again"
            ),
        }
    }

    /// A wait or a watch has begun.
    pub(crate) fn wait_begun(&self, id: &GenerationId, deadline: Duration) {
        event!(
            self,
            INFO,
            "wait.begun",
            generation_id = word(id.as_str()),
            deadline = seconds(deadline),
            "wait begun"
        );
    }

    /// A wait or a watch has ended, after this many polls since it began.
    pub(crate) fn wait_ended(
        &self,
        id: &GenerationId,
        end: &Result<Arc<Generation>, Error>,
        duration: Duration,
        polls: u32,
    ) {
        let generation = end.as_ref().ok();
        let failure = generation.and_then(|generation| generation.error.as_ref());
        event!(
            self,
            INFO,
            "wait.ended",
            generation_id = word(id.as_str()),
            status = generation.map(|generation| status_word(&generation.status)),
            category = failure.map(|failure| failure.category().as_str()),
            error = end.as_ref().err().map(kind),
            duration = seconds(duration),
            polls,
            cost_usd = generation.and_then(|generation| cost(generation)).map(display),
            "wait ended"
        );
    }

    /// The caller of a wait has dropped it.
    pub(crate) fn wait_cancelled(&self, id: &GenerationId, duration: Duration) {
        event!(
            self,
            INFO,
            "wait.ended",
            generation_id = word(id.as_str()),
            error = "cancelled",
            duration = seconds(duration),
            "wait ended"
        );
    }

    /// A delivery of a webhook was verified, or rejected.
    pub(crate) fn webhook(&self, unwrapped: Result<&WebhookEvent, &Error>) {
        match unwrapped {
            Ok(event) => event!(
                self,
                INFO,
                "webhook",
                outcome = if event.duplicate { "duplicate" } else { "accepted" },
                generation_id = event.generation_id.as_deref().map(word),
                event_id = word(&event.id),
                "webhook received"
            ),
            Err(error) => event!(
                self,
                INFO,
                "webhook",
                outcome = "rejected",
                reason = error.reason().map(|reason| reason.as_str()),
                "webhook received"
            ),
        }
    }

    /// The poll that a webhook has caused shows that the generation has not ended.
    pub(crate) fn webhook_unconfirmed(&self, id: &GenerationId) {
        event!(
            self,
            INFO,
            "webhook",
            outcome = "unconfirmed",
            generation_id = word(id.as_str()),
            "webhook says that the generation has ended, but the service does not: the wait continues"
        );
    }

    /// A download has begun, with this many bytes from an earlier one.
    pub(crate) fn download_begun(&self, id: &str, stored: u64) {
        event!(self, DEBUG, "download.begun", generation_id = word(id), stored, "download begun");
        if stored > 0 {
            event!(
                self,
                INFO,
                "download.resumed",
                generation_id = word(id),
                stored,
                "download resumed"
            );
        }
    }

    /// A download was interrupted, and is resumed after a pause.
    pub(crate) fn download_interrupted(
        &self,
        id: &str,
        stored: u64,
        error: &Error,
        pause: Duration,
    ) {
        event!(
            self,
            INFO,
            "download.resumed",
            generation_id = word(id),
            stored,
            http_status = error.status(),
            error = kind(error),
            pause = seconds(pause),
            "download resumed"
        );
    }

    /// A download has ended, with this many bytes stored.
    pub(crate) fn download_ended<T>(
        &self,
        id: &str,
        ended: &Result<T, Error>,
        bytes: u64,
        duration: Duration,
    ) {
        let (generation_id, duration) = (word(id), seconds(duration));
        match ended {
            Ok(_) => {
                event!(self, INFO, "download.done", generation_id, bytes, duration, "download done")
            }
            Err(error) => event!(
                self,
                INFO,
                "download.failed",
                generation_id,
                http_status = error.status(),
                error = kind(error),
                bytes,
                duration,
                "download failed"
            ),
        }
    }

    /// A surprise of the file system or of a batch, which does not end the work.
    pub(crate) fn warning(&self, message: &str, details: Details<'_>) {
        let Details { id, path, system_error, error, reason } = details;
        event!(
            self,
            WARN,
            "warning",
            generation_id = id.map(word),
            path = path.map(|path| display(path.display())),
            system_error = system_error.map(display),
            error = error.map(kind),
            reason = reason.as_ref().map(display),
            "{message}"
        );
    }

    /// The link to Redis does not work as it should.
    #[cfg(feature = "redis")]
    pub(crate) fn redis_warning(
        &self,
        message: &str,
        cause: Option<&(dyn std::error::Error + 'static)>,
        processes: Option<usize>,
    ) {
        event!(self, WARN, "redis", system_error = cause.map(display), processes, "{message}");
    }

    /// The link to Redis works again.
    #[cfg(feature = "redis")]
    pub(crate) fn redis_reached(&self) {
        event!(
            self,
            INFO,
            "redis.reached",
            "Redis can be used again, and the processes of the key share its budget"
        );
    }
}

/// The details of a warning, as far as it has them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Details<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) path: Option<&'a Path>,
    pub(crate) system_error: Option<&'a io::Error>,
    pub(crate) error: Option<&'a Error>,
    pub(crate) reason: Option<&'a dyn Display>,
}

/// Logs what is known of a create if the caller does not receive its outcome. For the bindings.
#[doc(hidden)]
pub fn warn_uncertain(error: &Error) {
    Log::default().uncertain(None, None, error);
}

/// The id that a request is about, or that the service has returned with its error.
fn id_of<'a>(subject: &Subject<'a>, error: Option<&'a Error>) -> Option<&'a str> {
    subject.id.or(error.and_then(Error::generation_id)).map(word)
}

fn kind(error: &Error) -> &'static str {
    error.kind().as_str()
}

/// A time in seconds, to the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn cost(generation: &Generation) -> Option<Decimal> {
    generation.usage.as_ref()?.cost_usd
}

/// An id or another text of the service. What is no identifier may be a prompt or a signed URL.
fn word(text: &str) -> &str {
    as_identifier(text).unwrap_or(HIDDEN)
}

/// The text, if it is an identifier.
pub(super) fn as_identifier(text: &str) -> Option<&str> {
    Redactor::default().identifier(text)
}

fn status_word(status: &Status) -> &str {
    word(status.as_str())
}

fn model_word(model: &str) -> &str {
    as_model(model).unwrap_or(HIDDEN)
}

/// The text, if it is the name of a model, of which the parts are separated by slashes.
pub(super) fn as_model(text: &str) -> Option<&str> {
    text.split('/').all(|part| as_identifier(part).is_some()).then_some(text)
}

/// What stands for a text that is not shown.
const HIDDEN: &str = "[hidden]";
