//! The spans of calls and of their requests: the one place that knows their names and fields.
//!
//! The fields are the attributes of `docs/opentelemetry.md`. Those that begin with `otel.` are for the crate
//! `tracing-opentelemetry`, which makes OpenTelemetry's spans of those of `tracing`. While no subscriber is
//! interested, a span costs a comparison.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span};

use super::events::{Subject, TARGET, as_identifier, as_model};
use crate::error::{Error, ErrorKind};
use crate::model::{Generation, Status, TokenUsage, Update};
use crate::wire::BaseUrl;

/// The span of a call or a request that has not ended. If it is dropped before, the caller has cancelled it.
pub(crate) struct OpenSpan {
    span: Span,
    has_ended: bool,
}

impl OpenSpan {
    /// Begins a call that creates a generation with this model.
    pub(crate) fn creating(operation: &'static str, base_url: &BaseUrl, model: &str) -> Self {
        Self::begin(operation, base_url, Some(model), None)
    }

    /// Begins a call about the generation with this id.
    pub(crate) fn about(operation: &'static str, base_url: &BaseUrl, id: &str) -> Self {
        Self::begin(operation, base_url, None, Some(id))
    }

    // Everything is computed in the arguments, which are not evaluated while the span is disabled.
    fn begin(
        operation: &'static str,
        base_url: &BaseUrl,
        model: Option<&str>,
        id: Option<&str>,
    ) -> Self {
        let span = debug_span!(
            target: TARGET,
            "call",
            otel.name = &*name_of_call(operation, model),
            otel.kind = "client",
            otel.status_description = Empty,
            gen_ai.operation.name = operation,
            gen_ai.provider.name = "pipevideo",
            gen_ai.output.type = "video",
            gen_ai.request.model = model.and_then(as_model),
            gen_ai.response.id = id.and_then(as_identifier),
            gen_ai.response.model = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            server.address = base_url.hostname(),
            server.port = base_url.port().map(i64::from),
            error.type = Empty,
            pipevideo.generation.status = Empty,
            pipevideo.generation.category = Empty,
            pipevideo.engine = Empty,
            pipevideo.provider = Empty,
            pipevideo.cost = Empty,
            pipevideo.queue.duration = Empty,
            pipevideo.latency = Empty,
            pipevideo.request.id = Empty,
        );
        Self { span, has_ended: false }
    }

    /// Begins a request to the API.
    pub(crate) fn of_request(subject: &Subject<'_>, base_url: &BaseUrl) -> Self {
        let span = debug_span!(
            target: TARGET,
            "request",
            otel.name = name_of_request(subject.route),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method_of(subject.route),
            http.request.resend_count =
                subject.attempt.filter(|attempt| *attempt > 1).map(|attempt| i64::from(attempt - 1)),
            http.response.status_code = Empty,
            url.template = template_of(subject.route),
            server.address = base_url.hostname(),
            server.port = base_url.port().map(i64::from),
            error.type = Empty,
            gen_ai.response.id = subject.id.and_then(as_identifier),
            pipevideo.request.id = Empty,
            pipevideo.budget.left = Empty,
        );
        Self { span, has_ended: false }
    }

    /// The span, for what belongs to the call.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Runs a call in its span, which ends with it.
    pub(crate) fn around<T>(
        self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, Error>> {
        call.instrument(self.span()).inspect(|result| self.end(result.as_ref().err()))
    }

    /// The call has ended, with this error if it has failed.
    pub(crate) fn end(mut self, error: Option<&Error>) {
        self.has_ended = true;
        let Some(error) = error.filter(|_| !self.span.is_disabled()) else { return };
        // Otherwise it was known before the error.
        if error.kind() == ErrorKind::SubmissionUncertain {
            record_id(&self.span, error.generation_id());
        }
        self.span.record("error.type", error.kind().as_str());
        self.span.record("pipevideo.request.id", error.request_id().and_then(as_identifier));
        // That the status is an error goes with it.
        self.span.record("otel.status_description", error.message());
    }

    /// The request has ended, with this status or error.
    pub(crate) fn end_request(
        mut self,
        subject: &Subject<'_>,
        status: Option<u16>,
        error: Option<&Error>,
        budget_left: impl FnOnce() -> Option<usize>,
    ) {
        self.has_ended = true;
        if self.span.is_disabled() {
            return;
        }
        let status = status.or(error.and_then(Error::status));
        self.span.record("http.response.status_code", status.map(i64::from));
        self.span.record("pipevideo.budget.left", budget_left().and_then(integer));
        let Some(error) = error else { return };
        if subject.id.is_none() {
            record_id(&self.span, error.generation_id());
        }
        match status.filter(|status| *status >= 400) {
            Some(status) => self.span.record("error.type", status.to_string()),
            None => self.span.record("error.type", error.kind().as_str()),
        };
        self.span.record("pipevideo.request.id", error.request_id().and_then(as_identifier));
        self.span.record("otel.status_code", "ERROR");
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            self.span.record("error.type", "cancelled");
        }
    }
}

fn name_of_call(operation: &'static str, model: Option<&str>) -> Cow<'static, str> {
    match model.and_then(as_model) {
        Some(model) => format!("{operation} {model}").into(),
        None => operation.into(),
    }
}

fn name_of_request(route: &str) -> &str {
    template_of(route).map_or_else(|| method_of(route), |_| route)
}

fn method_of(route: &str) -> &str {
    route.split(' ').next().unwrap_or_default()
}

/// The template of the path. Paths that the caller names have none.
fn template_of(route: &str) -> Option<&str> {
    route.split_once(' ').map(|(_, path)| path).filter(|path| path.starts_with('/'))
}

/// Records in the span of a create the id of its generation.
pub(crate) fn record_id(span: &Span, id: Option<&str>) {
    span.record("gen_ai.response.id", id.and_then(as_identifier));
}

/// Records in the span of a call what it has last seen of its generation.
pub(crate) fn record_generation(span: &Span, generation: &Generation) {
    if span.is_disabled() {
        return;
    }
    let Generation { status, model, engine, provider, usage, error, latency_ms, .. } = generation;
    let usage = usage.as_ref();
    let tokens = |count: fn(&TokenUsage) -> Option<u64>| usage.and_then(count).and_then(integer);
    let cost = usage.and_then(|usage| usage.cost_usd).and_then(|cost| f64::try_from(cost).ok());
    let category = error.as_ref().map(|error| error.category().as_str());
    let latency = latency_ms.map(|latency| Duration::from_millis(latency).as_secs_f64());
    span.record("gen_ai.response.model", model.as_deref().and_then(as_model))
        .record("gen_ai.usage.input_tokens", tokens(|usage| usage.input_tokens))
        .record("gen_ai.usage.output_tokens", tokens(|usage| usage.output_tokens))
        .record("pipevideo.generation.status", as_identifier(status.as_str()))
        .record("pipevideo.generation.category", category)
        .record("pipevideo.engine", engine.as_deref().and_then(as_identifier))
        .record("pipevideo.provider", provider.as_deref().and_then(as_identifier))
        .record("pipevideo.cost", cost)
        .record("pipevideo.latency", latency);
}

/// As an integer of OpenTelemetry: `tracing-opentelemetry` makes a text of any other.
fn integer(count: impl TryInto<i64>) -> Option<i64> {
    count.try_into().ok()
}

/// What a wait has seen of its generation. It is recorded once, at the end: exporters keep each value of an
/// attribute that is recorded twice.
pub(crate) struct Seen {
    span: Span,
    last: Option<Generation>,
    was_queued: bool,
    queued_for: Option<Duration>,
}

impl Seen {
    /// `None` if the span is not of interest.
    pub(crate) fn by(span: &Span) -> Option<Box<Self>> {
        let (last, was_queued, queued_for) = (None, false, None);
        let new = || Box::new(Self { span: span.clone(), last, was_queued, queued_for });
        (!span.is_disabled()).then(new)
    }

    pub(crate) fn on_update(&mut self, update: &Update) {
        match update.generation.status {
            Status::Queued => self.was_queued = true,
            Status::InProgress if self.was_queued && self.queued_for.is_none() => {
                self.queued_for = Some(update.elapsed);
            }
            _ => {}
        }
        self.last = Some(update.generation.clone());
    }

    pub(crate) fn on_end(&mut self, generation: &Generation) {
        self.last = Some(generation.clone());
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let queued_for = self.queued_for.map(|queued| queued.as_secs_f64());
        self.span.record("pipevideo.queue.duration", queued_for);
        if let Some(last) = &self.last {
            record_generation(&self.span, last);
        }
    }
}
