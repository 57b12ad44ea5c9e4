//! The values of calls, as JSON from which `lib/values.js` makes plain objects.
//!
//! The JSON is written on the runtime's thread. The event loop parses the few typed fields; the
//! wire's own JSON is passed along as text, and is parsed when the program reads it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bindings_common::TimeUnit;
use bytes::Bytes;
use pipevideo::{
    AccountUsage, ApiResponse, BatchCounts, BatchEvent, BatchItem, BatchSummary, Candidates,
    CostEstimate, Decimal, EngineCatalog, Generation, Progress, RecentRequest, Spend, Update,
    WebhookEvent,
};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::errors;

/// A value on its way to JavaScript.
pub(crate) struct Value {
    /// The typed fields as JSON.
    pub(crate) text: String,
    pub(crate) raw: Option<Raw>,
}

/// What is passed along as it is.
pub(crate) enum Raw {
    /// The wire's own JSON.
    Json(String),
    /// Bytes of a video.
    Bytes(Bytes),
}

impl Value {
    pub(crate) fn text(text: String) -> Self {
        Self { text, raw: None }
    }

    pub(crate) fn bytes(bytes: Bytes) -> Self {
        Self { text: String::new(), raw: Some(Raw::Bytes(bytes)) }
    }

    pub(crate) fn none() -> Self {
        Self::text("null".to_owned())
    }
}

/// Writes JSON. It cannot fail for the types here, which have no maps with keys that are not text.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// The latest time of JavaScript's `Date`: 100,000,000 days after 1970, by ECMA-262.
const MAX_DATE_MS: i64 = 8_640_000_000_000_000;

/// Returns the milliseconds since 1970, for a `Date`.
pub(crate) fn millis(time: Option<SystemTime>) -> Option<i64> {
    let since = time?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().filter(|ms| *ms <= MAX_DATE_MS)
}

/// Returns the time of a `Date`'s milliseconds since 1970; earlier times become 1970.
pub(crate) fn time(ms: f64) -> SystemTime {
    let since = duration(ms.max(0.0));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Returns the duration of milliseconds, which `lib/check.js` has checked.
pub(crate) fn duration(ms: f64) -> Duration {
    TimeUnit::Milliseconds.duration(ms).unwrap_or(Duration::MAX)
}

/// Returns a duration in milliseconds.
fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Returns the nearest number, since JavaScript has no decimals.
fn number(amount: Option<Decimal>) -> Option<f64> {
    amount?.to_string().parse().ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationView<'a> {
    id: &'a str,
    status: &'a str,
    is_final: bool,
    model: Option<&'a str>,
    engine: Option<&'a str>,
    provider: Option<&'a str>,
    created_at: Option<i64>,
    output_video_url: Option<&'a str>,
    usage: Option<UsageView>,
    error: Option<ErrorView<'a>>,
    latency_ms: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageView {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cost_usd: Option<f64>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    code: Option<&'a str>,
    message: Option<&'a str>,
    category: &'a str,
}

/// A response as it was received, without its body, which is passed along as `raw`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseView<'a> {
    status: u16,
    /// A name may occur several times.
    headers: Vec<(&'a str, Cow<'a, str>)>,
    request_id: Option<String>,
}

impl<'a> From<&'a ApiResponse> for ResponseView<'a> {
    fn from(response: &'a ApiResponse) -> Self {
        let headers = response.headers.iter();
        let headers = headers
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        Self { status: response.status, headers, request_id: response.request_id() }
    }
}

#[derive(Serialize)]
struct AnsweredView<'a> {
    #[serde(flatten)]
    generation: GenerationView<'a>,
    response: ResponseView<'a>,
}

/// A response, with its body as text.
pub(crate) fn response(response: &ApiResponse) -> Value {
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Value { text: json(&ResponseView::from(response)), raw: Some(Raw::Json(body)) }
}

/// A generation, and the response that it was read from.
pub(crate) fn answered((generation, response): &(Generation, ApiResponse)) -> Value {
    let Value { raw, .. } = self::generation(generation);
    let text = json(&AnsweredView { generation: generation.into(), response: response.into() });
    Value { text, raw }
}

impl<'a> From<&'a Generation> for GenerationView<'a> {
    fn from(generation: &'a Generation) -> Self {
        Self {
            id: &generation.id,
            status: generation.status.as_str(),
            is_final: generation.is_final(),
            model: generation.model.as_deref(),
            engine: generation.engine.as_deref(),
            provider: generation.provider.as_deref(),
            created_at: millis(generation.created_at),
            output_video_url: generation.output_video_url.as_deref(),
            usage: generation.usage.as_ref().map(|usage| UsageView {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
                total_tokens: usage.total_tokens,
                cost_usd: number(usage.cost_usd),
            }),
            error: generation.error.as_ref().map(|error| ErrorView {
                code: error.code.as_deref(),
                message: error.message.as_deref(),
                category: error.category().as_str(),
            }),
            latency_ms: generation.latency_ms,
        }
    }
}

pub(crate) fn generation(generation: &Generation) -> Value {
    Value { text: json(&GenerationView::from(generation)), raw: Some(Raw::Json(json(generation))) }
}

pub(crate) fn update(update: &Update) -> Value {
    #[derive(Serialize)]
    struct UpdateView<'a> {
        generation: GenerationView<'a>,
        elapsed: f64,
        expected: f64,
        progress: f64,
        via: &'a str,
    }
    let view = UpdateView {
        generation: (&update.generation).into(),
        elapsed: ms(update.elapsed),
        expected: ms(update.expected),
        progress: update.progress,
        via: update.via.as_str(),
    };
    Value { text: json(&view), raw: Some(Raw::Json(json(&update.generation))) }
}

/// Bytes of a video, and how much there is with them.
pub(crate) fn chunk(bytes: Bytes, progress: Progress) -> Value {
    let Value { text, .. } = self::progress(progress);
    Value { text, raw: Some(Raw::Bytes(bytes)) }
}

pub(crate) fn progress(progress: Progress) -> Value {
    let view = json!({ "downloaded": progress.downloaded, "total": progress.total });
    Value::text(view.to_string())
}

pub(crate) fn engines(catalog: &EngineCatalog) -> Value {
    let engines = catalog.engines.iter().map(|engine| {
        let models = engine.models.iter().map(|model| {
            json!({
                "id": model.id,
                "inputPerMillionUsd": number(model.input_per_million_usd),
                "outputPerMillionUsd": number(model.output_per_million_usd),
            })
        });
        json!({ "id": engine.id, "models": models.collect::<Json>() })
    });
    let view = json!({ "engines": engines.collect::<Json>() });
    Value { text: view.to_string(), raw: Some(Raw::Json(catalog.raw.to_string())) }
}

pub(crate) fn usage(usage: &AccountUsage) -> Value {
    let totals = &usage.totals;
    let days = usage.daily_usage.iter().map(|day| {
        json!({
            "date": day.date,
            "requestCount": day.request_count,
            "completedCount": day.completed_count,
            "failedCount": day.failed_count,
            "totalCostCents": number(day.total_cost_cents),
            "totalDurationSeconds": number(day.total_duration_seconds),
        })
    });
    let by_route = usage.daily_usage_by_route.iter().map(|day| {
        let routes = day.routes.iter().map(|route| {
            json!({
                "engine": route.engine,
                "model": route.model,
                "provider": route.provider,
                "requestCount": route.request_count,
                "completedCount": route.completed_count,
                "failedCount": route.failed_count,
                "totalCostCents": number(route.total_cost_cents),
                "totalPromptTokens": route.total_prompt_tokens,
                "totalCompletionTokens": route.total_completion_tokens,
                "avgLatencyMs": number(route.avg_latency_ms),
            })
        });
        json!({ "date": day.date, "routes": routes.collect::<Json>() })
    });
    let view = json!({
        "creditBalance": number(usage.credit_balance),
        "totals": {
            "totalRequests": totals.total_requests,
            "completedRequests": totals.completed_requests,
            "failedRequests": totals.failed_requests,
            "totalCostCents": number(totals.total_cost_cents),
        },
        "dailyUsage": days.collect::<Json>(),
        "dailyUsageByRoute": by_route.collect::<Json>(),
        "recentRequests": recent(&usage.recent_requests),
    });
    Value { text: view.to_string(), raw: Some(Raw::Json(usage.raw.to_string())) }
}

pub(crate) fn estimate(estimate: &CostEstimate) -> Value {
    let view = json!({
        "costUsd": number(estimate.cost_usd),
        "low": number(estimate.low),
        "high": number(estimate.high),
        "basedOn": estimate.based_on.map(|basis| basis.as_str()),
        "samples": estimate.samples,
    });
    Value::text(view.to_string())
}

pub(crate) fn spend(spend: &Spend) -> Json {
    json!({
        "spent": number(Some(spend.spent)),
        "failedButCharged": number(Some(spend.failed_but_charged)),
        "inFlight": number(Some(spend.in_flight)),
        "uncertain": number(Some(spend.uncertain)),
        "limit": number(spend.limit),
        "remaining": number(spend.remaining),
        "inFlightCount": spend.in_flight_count,
        "uncertainCount": spend.uncertain_count,
        "unknownCount": spend.unknown_count,
    })
}

pub(crate) fn candidates(candidates: &Candidates) -> Json {
    let found = candidates.iter().map(|candidate| {
        json!({
            "id": candidate.id,
            "status": candidate.status.as_ref().map(|status| status.as_str()),
            "modelName": candidate.model_name,
            "engine": candidate.engine,
            "costCents": number(candidate.cost_cents),
            "latencyMs": candidate.latency_ms,
            "createdAt": millis(candidate.created_at),
            "completedAt": millis(candidate.completed_at),
            "sameModel": candidate.same_model,
            "secondsAfterCreate": candidate.seconds_after_create,
            "knownBefore": candidate.known_before,
        })
    });
    json!({
        "recentRequests": found.collect::<Json>(),
        "reachesBackTo": millis(candidates.reaches_back_to),
        "coversCreate": candidates.covers_create,
    })
}

/// An item of a batch. `stopped` says whether the run takes no more requests.
pub(crate) fn batch_item(item: &BatchItem, stopped: bool) -> Value {
    // A struct, since its members keep their order: an item may be a row of a table.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ItemView<'a> {
        key: &'a str,
        status: &'a str,
        generation_id: Option<&'a str>,
        generation: Option<GenerationView<'a>>,
        category: Option<&'a str>,
        error: Option<Json>,
        path: Option<Cow<'a, str>>,
        bytes: Option<u64>,
        sha256: Option<&'a str>,
        candidates: Json,
        attempts: u32,
        cost_usd: Option<f64>,
        latency_ms: Option<f64>,
        from_journal: bool,
    }
    #[derive(Serialize)]
    struct OutputView<'a> {
        item: ItemView<'a>,
        stopped: bool,
    }
    let view = ItemView {
        key: &item.key,
        status: item.status.as_str(),
        generation_id: item.generation_id.as_deref(),
        generation: item.generation.as_ref().map(GenerationView::from),
        category: item.category.map(|category| category.as_str()),
        error: item.error.as_ref().map(errors::view),
        path: item.path.as_ref().map(|path| path.to_string_lossy()),
        bytes: item.bytes,
        sha256: item.sha256.as_deref(),
        candidates: candidates(&item.candidates),
        attempts: item.attempts,
        cost_usd: number(item.cost_usd),
        latency_ms: item.latency.map(ms),
        from_journal: item.from_journal,
    };
    let text = json(&OutputView { item: view, stopped });
    Value { text, raw: item.generation.as_ref().map(json).map(Raw::Json) }
}

pub(crate) fn batch_event(event: &BatchEvent) -> Value {
    let view = json!({
        "event": {
            "kind": event.kind.as_str(),
            "key": event.key,
            "generationId": event.generation_id,
            "counts": batch_counts(event.counts),
            "spend": spend(&event.spend),
            "total": event.total,
            "endsInMs": event.ends_in.map(ms),
        },
    });
    Value::text(view.to_string())
}

pub(crate) fn batch_summary(summary: &BatchSummary) -> String {
    let view = json!({
        "counts": batch_counts(summary.counts),
        "costUsd": number(Some(summary.cost_usd)),
        "failedButCharged": number(Some(summary.failed_but_charged)),
        "unpriced": summary.unpriced,
        "latencyMedianMs": summary.latency_median.map(ms),
        "latency95Ms": summary.latency_95.map(ms),
        "failures": summary.failures,
        "errors": summary.errors,
        "stoppedBy": summary.stopped_by.map(|reason| reason.as_str()),
        "elapsedMs": ms(summary.elapsed),
    });
    view.to_string()
}

fn batch_counts(counts: BatchCounts) -> Json {
    json!({
        "inFlight": counts.in_flight,
        "completed": counts.completed,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "pending": counts.pending,
        "downloaded": counts.downloaded,
        "fromJournal": counts.from_journal,
    })
}

fn recent(requests: &[RecentRequest]) -> Json {
    let view = requests.iter().map(|request| {
        json!({
            "id": request.id,
            "status": request.status.as_ref().map(|status| status.as_str()),
            "modelName": request.model_name,
            "engine": request.engine,
            "costCents": number(request.cost_cents),
            "latencyMs": request.latency_ms,
            "createdAt": millis(request.created_at),
            "completedAt": millis(request.completed_at),
        })
    });
    view.collect()
}

pub(crate) fn event(event: &WebhookEvent) -> String {
    let view = json!({
        "id": event.id,
        "timestamp": millis(Some(event.timestamp)),
        "type": event.event_type,
        "generationId": event.generation_id,
        "status": event.status.as_ref().map(|status| status.as_str()),
        "outputVideoUrl": event.output_video_url,
        "errorMessage": event.error_message,
        "duplicate": event.duplicate,
    });
    view.to_string()
}
