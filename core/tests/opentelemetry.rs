//! The spans, as `tracing-opentelemetry` passes them to the official SDK.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and spawn")]

use std::time::Duration;

use futures_util::StreamExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry::{KeyValue, Value as Attribute};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use pipevideo::{BatchRequest, Client, ClientBuilder, GenerationRequest, Polling, RateLimit};
use pipevideo_emulator::{Emulator, Options};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;
use tracing::{Instrument, Level, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

const MODEL: &str = "moonshotai/kimi-k2.5";
const PROMPT: &str = "a secret prompt";

/// What is exported from this thread, on which the poll driver of a test runs too.
struct Telemetry {
    exporter: InMemorySpanExporter,
    _provider: SdkTracerProvider,
    _guard: DefaultGuard,
}

impl Telemetry {
    fn new(level: Level) -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(
                Targets::new().with_targets([("pipevideo", level), ("test", Level::INFO)]),
            );
        let guard = tracing_subscriber::registry().with(layer).set_default();
        Self { exporter, _provider: provider, _guard: guard }
    }

    /// The spans with such a name that have ended, in the order of their beginnings.
    fn named(&self, name: &str) -> Vec<SpanData> {
        let mut spans = self.exporter.get_finished_spans().unwrap();
        spans.retain(|span| span.name.starts_with(name));
        spans.sort_by_key(|span| span.start_time);
        spans
    }

    fn one(&self, name: &str) -> SpanData {
        let mut found = self.named(name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found.remove(0)
    }

    /// The only span with such a name, once it has ended. The poll driver ends the span of a call that
    /// was cancelled.
    async fn ended(&self, name: &str) -> SpanData {
        while self.named(name).is_empty() {
            tokio::task::yield_now().await;
        }
        self.one(name)
    }

    fn children(&self, parent: &SpanData) -> Vec<SpanData> {
        let mut spans = self.named("");
        spans.retain(|span| span.parent_span_id == parent.span_context.span_id());
        spans
    }
}

/// Attributes as JSON, each of which there is once.
fn attributes(pairs: &[KeyValue]) -> Value {
    let mut all = serde_json::Map::new();
    for KeyValue { key, value, .. } in pairs {
        let value = match value {
            Attribute::I64(value) => json!(value),
            Attribute::F64(value) => json!(value),
            value => json!(value.as_str()),
        };
        assert_eq!(all.insert(key.to_string(), value), None, "{key} is recorded twice: {pairs:?}");
    }
    all.into()
}

fn of(span: &SpanData, name: &str) -> Value {
    attributes(&span.attributes)[name].clone()
}

fn events(span: &SpanData) -> Vec<&str> {
    span.events.iter().map(|event| &*event.name).collect()
}

async fn start(options: Value) -> Emulator {
    Emulator::start(Options::for_tests(options).unwrap()).await.unwrap()
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    let interval = Duration::from_millis(2);
    Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .polling(Polling::default().min_interval(interval).max_interval(interval))
}

fn request() -> GenerationRequest {
    GenerationRequest::new(MODEL, PROMPT)
}

fn fault(emulator: &Emulator, fault: Value) {
    emulator.fault(serde_json::from_value(fault).unwrap());
}

fn add(emulator: &Emulator, polls: Value) -> String {
    emulator.add_generation(serde_json::from_value(json!({"polls": polls})).unwrap()).unwrap()
}

#[tokio::test]
async fn a_generate_is_one_span_with_its_requests() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["queued", "in_progress", "completed"]})).await;
    let down =
        json!({"match": {"method": "GET"}, "status": 503, "headers": {"x-request-id": "req_1"}});
    fault(&emulator, down);
    let client = builder(&emulator).build().unwrap();
    let outer = info_span!(target: "test", "outer");
    let generate = async { client.generate(request()).await };
    let generation = generate.instrument(outer).await.unwrap();
    let usage = generation.usage.unwrap();

    let (span, outer) = (telemetry.one("generate_content"), telemetry.one("outer"));
    assert_eq!(span.name, format!("generate_content {MODEL}"));
    assert_eq!((&span.span_kind, &span.status), (&SpanKind::Client, &Status::Unset));
    assert_eq!(span.parent_span_id, outer.span_context.span_id());
    let port: u16 = emulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    let mut seen = attributes(&span.attributes);
    let queued = seen.as_object_mut().unwrap().remove("pipevideo.queue.duration").unwrap();
    assert!(queued.as_f64() > Some(0.0), "{queued}");
    assert_eq!(
        seen,
        json!({
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "pipevideo",
            "gen_ai.output.type": "video",
            "gen_ai.request.model": MODEL,
            "gen_ai.response.id": generation.id,
            "gen_ai.response.model": MODEL,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "server.address": "127.0.0.1",
            "server.port": port,
            "pipevideo.generation.status": "completed",
            "pipevideo.engine": generation.engine,
            "pipevideo.provider": generation.provider,
            "pipevideo.cost": f64::try_from(usage.cost_usd.unwrap()).unwrap(),
            "pipevideo.latency": generation.latency_ms.unwrap() as f64 / 1000.0,
        })
    );

    let requests = telemetry.children(&span);
    let poll = "GET /v1/responses/{id}";
    let names: Vec<_> = requests.iter().map(|request| &*request.name).collect();
    assert_eq!(names, ["POST /v1/responses", poll, poll, poll, poll]);
    assert_eq!(
        attributes(&requests[1].attributes),
        json!({
            "http.request.method": "GET",
            "http.response.status_code": 503,
            "url.template": "/v1/responses/{id}",
            "server.address": "127.0.0.1",
            "server.port": port,
            "error.type": "503",
            "gen_ai.response.id": generation.id,
            "pipevideo.request.id": "req_1",
            "pipevideo.budget.left": 98,
        })
    );
    assert_eq!(requests[1].status, Status::error(""));
    assert_eq!((&requests[0].span_kind, &requests[0].status), (&SpanKind::Client, &Status::Unset));
    assert_eq!(
        events(&span),
        ["generation created", "wait begun", "request is sent again after a pause", "wait ended"]
    );
    assert!(!format!("{:?}", telemetry.named("")).contains("secret"));
}

#[tokio::test]
async fn every_call_has_a_span_of_its_own() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["queued", "in_progress", "completed"]})).await;
    let client = builder(&emulator).build().unwrap();
    let responses = client.responses();
    let id = responses.create(request()).await.unwrap().id;
    let create = telemetry.one(&format!("create {MODEL}"));
    assert_eq!(of(&create, "gen_ai.response.id"), id);
    assert_eq!(of(&create, "pipevideo.generation.status"), "queued");
    assert_eq!(telemetry.children(&create).len(), 1);

    let mut watch = responses.watch(&id);
    while let Some(update) = watch.next().await {
        update.unwrap();
    }
    let watch = telemetry.one("watch");
    assert_eq!(of(&watch, "pipevideo.generation.status"), "completed");
    assert!(of(&watch, "pipevideo.queue.duration").as_f64() > Some(0.0));
    assert_eq!(telemetry.children(&watch).len(), 3);
    assert_eq!(events(&watch), ["wait begun", "wait ended"]);

    responses.wait(&id).await.unwrap();
    let wait = telemetry.one("wait");
    assert_eq!(of(&wait, "gen_ai.response.id"), id);
    assert_eq!(telemetry.children(&wait).len(), 1);

    let folder = tempfile::tempdir().unwrap();
    responses.download(&id, folder.path().join("cat.mp4")).await.unwrap();
    let bytes = responses.stream(&id).bytes().await.unwrap();
    assert_eq!(bytes, emulator.video());
    let downloads = telemetry.named("download");
    assert_eq!(downloads.len(), 2);
    for span in downloads {
        assert_eq!(
            (of(&span, "gen_ai.response.id"), of(&span, "error.type")),
            (json!(id), Value::Null)
        );
        // The host of the video is another one, and its URLs are secrets.
        let requests = telemetry.children(&span);
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].name, "GET /v1/responses/{id}");
    }

    telemetry.exporter.reset();
    responses.retrieve(&id).await.unwrap();
    client.usage().retrieve().await.unwrap();
    client.get("/v1/usage").await.unwrap();
    let names: Vec<_> = telemetry.named("").into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /v1/responses/{id}", "GET /v1/usage", "GET"]);
}

#[tokio::test]
async fn a_poll_belongs_to_the_call_that_has_waited_longest() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"rate_limit": null})).await;
    let id = add(&emulator, json!(["queued"]));
    let client = builder(&emulator).rate_limit(None).build().unwrap();
    let mut waits = tokio::task::JoinSet::new();
    for _ in 0..3 {
        waits.spawn(client.responses().wait(&id).into_future());
        let before = emulator.requests().len();
        while emulator.requests().len() < before + 2 {
            tokio::task::yield_now().await;
        }
    }
    emulator.settle(&id, pipevideo_emulator::Settlement::completed()).unwrap();
    waits.join_all().await;
    let waits = telemetry.named("wait");
    let polls: Vec<_> = waits.iter().map(|wait| telemetry.children(wait).len()).collect();
    assert_eq!(polls, [emulator.requests().len(), 0, 0]);
}

#[tokio::test]
async fn every_request_carries_what_the_program_adds_in_its_span() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["completed"]})).await;
    let propagator = TraceContextPropagator::new();
    let client = builder(&emulator).on_request(move |headers| {
        assert!(headers.is_empty(), "the key is not for the program");
        propagator.inject_context(&Span::current().context(), &mut HeaderInjector(headers));
        headers.insert("authorization", "Bearer another".parse().unwrap());
        headers.insert("accept-encoding", "br".parse().unwrap());
        headers.insert("user-agent", "mine".parse().unwrap());
    });
    let client = client.build().unwrap();
    let generation = client.generate(request()).await.unwrap();
    client.responses().stream(&generation.id).bytes().await.unwrap();
    let spans = [telemetry.named("POST"), telemetry.named("GET")].concat();
    let (api, video): (Vec<_>, Vec<_>) =
        emulator.requests().into_iter().partition(|request| request.path.starts_with("/v1/"));
    assert_eq!((api.len(), video.len(), spans.len()), (3, 1, 3));
    for (request, span) in api.iter().zip(&spans) {
        let (trace, span) = (span.span_context.trace_id(), span.span_context.span_id());
        assert_eq!(request.headers["traceparent"], format!("00-{trace}-{span}-01"));
        assert_eq!(request.headers["user-agent"], "mine");
        assert_eq!(request.headers["authorization"], "Bearer <key>");
        assert_ne!(request.headers["accept-encoding"], "br");
    }
    assert!(!video[0].headers.contains_key("traceparent"), "{:?}", video[0].headers);
}

#[tokio::test]
async fn failures_have_a_type() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["queued"]})).await;
    let client = builder(&emulator).build().unwrap();
    fault(
        &emulator,
        json!({"match": {"method": "POST"}, "status": 400, "body": {"message": PROMPT}}),
    );
    let error = client.responses().create(request()).await.unwrap_err();
    let create = telemetry.one("create");
    assert_eq!(of(&create, "error.type"), "bad_request");
    assert_eq!(create.status, Status::error(error.message().to_owned()));
    assert_eq!(of(&telemetry.one("POST"), "error.type"), "400");

    telemetry.exporter.reset();
    fault(&emulator, json!({"match": {"method": "POST"}, "drop": "after_reading"}));
    client.generate(request()).await.unwrap_err();
    let create = telemetry.one("generate_content");
    assert_eq!(of(&create, "error.type"), "submission_uncertain");
    assert_eq!(of(&telemetry.one("POST"), "error.type"), "connection");
    assert_eq!(events(&create).len(), 1);

    let id = add(&emulator, json!(["queued"]));
    client.responses().wait(&id).deadline(Duration::from_millis(20)).await.unwrap_err();
    let wait = telemetry.one("wait");
    assert_eq!(of(&wait, "error.type"), "wait_timeout");
    assert_eq!(of(&wait, "pipevideo.generation.status"), "queued");
    let watch = client.responses().watch(&id).deadline(Duration::from_millis(20));
    assert!(watch.collect::<Vec<_>>().await.pop().unwrap().is_err());
    assert_eq!(of(&telemetry.one("watch"), "error.type"), "wait_timeout");

    telemetry.exporter.reset();
    emulator.settle(&id, serde_json::from_value(json!({"status": "failed"})).unwrap()).unwrap();
    client.responses().wait(&id).await.unwrap_err();
    let wait = telemetry.one("wait");
    assert_eq!(of(&wait, "error.type"), "generation_failed");
    assert_eq!(of(&wait, "pipevideo.generation.status"), "failed");
    assert!(of(&wait, "pipevideo.generation.category").is_string());
    // For a watch that is no error.
    let updates: Vec<_> = client.responses().watch(&id).collect().await;
    assert!(updates.iter().all(Result::is_ok));
    let watch = telemetry.one("watch");
    assert_eq!((of(&watch, "error.type"), &watch.status), (Value::Null, &Status::Unset));
    let updates: Vec<_> = client.responses().watch("").collect().await;
    assert!(updates[0].is_err());
    assert_eq!(of(&telemetry.named("watch")[1], "error.type"), "invalid_request");

    telemetry.exporter.reset();
    client.generate(GenerationRequest::new(PROMPT, PROMPT)).await.unwrap_err();
    let hidden = telemetry.one("generate_content");
    assert_eq!(
        (&*hidden.name, of(&hidden, "gen_ai.request.model")),
        ("generate_content", Value::Null)
    );
    assert!(!format!("{:?}", telemetry.named("")).contains("secret"));
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_and_has_the_id() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["queued"]})).await;
    let client = builder(&emulator).build().unwrap();
    let (sender, mut created) = tokio::sync::mpsc::unbounded_channel();
    let generate = client.generate(request()).on_update(move |update| {
        let _ = sender.send(update.generation.id.clone());
    });
    let id = tokio::select! {
        ended = generate => panic!("{ended:?}"),
        id = created.recv() => id.unwrap(),
    };
    let mut watch = client.responses().watch(&id);
    watch.next().await.unwrap().unwrap();
    drop(watch);
    for name in ["generate_content", "watch"] {
        let span = telemetry.ended(name).await;
        assert_eq!(of(&span, "error.type"), "cancelled");
        assert_eq!(of(&span, "gen_ai.response.id"), id);
        assert_eq!(of(&span, "pipevideo.generation.status"), "queued");
        assert_eq!(span.status, Status::Unset);
    }

    emulator.settle(&id, pipevideo_emulator::Settlement::completed()).unwrap();
    let mut stream = client.responses().stream(&id);
    stream.next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(of(&telemetry.one("download"), "error.type"), "cancelled");
    // A request that is cut off has no response.
    telemetry.exporter.reset();
    emulator.clear_requests();
    fault(&emulator, json!({"match": {"method": "GET"}, "delay_ms": 60_000}));
    let received = async {
        while emulator.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = client.responses().retrieve(&id) => panic!("{ended:?}"),
        () = received => {}
    }
    let request = telemetry.one("GET");
    assert_eq!(of(&request, "error.type"), "cancelled");
    assert_eq!(
        (of(&request, "http.response.status_code"), &request.status),
        (Value::Null, &Status::Unset)
    );
}

#[tokio::test]
async fn a_create_that_the_budget_holds_and_that_is_sent_again_says_so() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"rate_limit": null})).await;
    let limit = RateLimit::new(1, Duration::from_millis(300));
    let client = builder(&emulator).rate_limit(limit).build().unwrap();
    client.usage().retrieve().await.unwrap();
    let later = json!({"message": "wait", "data": {"retry_after": 0}});
    fault(&emulator, json!({"match": {"method": "POST"}, "status": 429, "body": later}));
    client.responses().create(request()).await.unwrap();
    let create = telemetry.one("create");
    let (held, free) =
        ("request is held back until the budget has room", "request is no longer held back");
    assert_eq!(events(&create)[..3], [held, free, "request is sent again after a pause"]);
    let waited = attributes(&create.events[1].attributes)["waited"].clone();
    assert!(waited.as_f64() > Some(0.0) || waited.is_string(), "{waited}");
    let resent = telemetry.children(&create).into_iter();
    let resent: Vec<_> = resent.map(|request| of(&request, "http.request.resend_count")).collect();
    assert_eq!(resent, [Value::Null, json!(1)]);
}

#[tokio::test]
async fn the_calls_of_a_batch_belong_to_the_span_that_runs_it() {
    let telemetry = Telemetry::new(Level::DEBUG);
    let emulator = start(json!({"polls": ["completed"]})).await;
    let client = builder(&emulator).build().unwrap();
    let run = async {
        let mut run = client.batch([BatchRequest::from(request()), request().into()]).run();
        while let Some(item) = run.next().await {
            assert!(item.unwrap().generation.is_some());
        }
    };
    run.instrument(info_span!(target: "test", "outer")).await;
    let outer = telemetry.ended("outer").await;
    let calls: Vec<_> = telemetry.children(&outer).into_iter().map(|span| span.name).collect();
    let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
    assert_eq!((count("create"), count("wait"), calls.len()), (2, 2, 4), "{calls:?}");
}

#[tokio::test]
async fn spans_are_details_that_a_log_at_info_does_not_show() {
    let telemetry = Telemetry::new(Level::INFO);
    let emulator = start(json!({"polls": ["completed"]})).await;
    let client = builder(&emulator).build().unwrap();
    let generate = async { client.generate(request()).await };
    generate.instrument(info_span!(target: "test", "outer")).await.unwrap();
    let spans = telemetry.named("");
    assert_eq!(spans.len(), 1);
    assert_eq!(events(&spans[0]), ["generation created", "wait begun", "wait ended"]);
}
