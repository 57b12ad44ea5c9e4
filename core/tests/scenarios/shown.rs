//! Results and errors as the scenarios write them.

use std::time::SystemTime;

use pipevideo::{
    AccountUsage, ApiResponse, Candidate, CostEstimate, EngineCatalog, Error, ErrorKind,
    Generation, Spend, Update,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::call::Returned;
use super::webhooks;

/// A result as the scenarios write it.
pub(crate) fn outcome(result: &Result<Returned, Error>) -> Result<Value, Value> {
    match result {
        Ok(Returned::Generation(generation)) => Ok(shown_generation(generation)),
        Ok(Returned::Value(value)) => Ok(value.clone()),
        Ok(Returned::Updates(updates)) => Ok(updates.iter().map(shown_update).collect()),
        Ok(Returned::Event(event)) => Ok(webhooks::shown(event)),
        Err(error) => Err(shown_error(error)),
    }
}

fn shown_generation(generation: &Generation) -> Value {
    let mut shown = serde_json::to_value(generation).unwrap();
    shown["is_final"] = generation.is_final().into();
    if let Some(error) = &generation.error {
        shown["error"]["category"] = error.category().as_str().into();
    }
    shown["status"] = generation.status.as_str().into();
    if let Some(usage) = &generation.usage {
        shown["usage"]["input_tokens"] = usage.input_tokens.into();
        shown["usage"]["output_tokens"] = usage.output_tokens.into();
        // A JSON number would be rounded to a float.
        shown["usage"]["cost_usd"] = usage.cost_usd.map(|cost| cost.to_string()).into();
    }
    shown
}

fn shown_update(update: &Update) -> Value {
    json!({
        "generation": shown_generation(&update.generation),
        "elapsed": update.elapsed.as_secs_f64(),
        "expected": update.expected.as_secs_f64(),
        "progress": update.progress,
        "via": update.via.as_str(),
    })
}

pub(crate) fn response(response: ApiResponse) -> Returned {
    let headers = response.headers.iter();
    let headers: Map<_, _> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
    Returned::Value(json!({
        "status": response.status,
        "request_id": response.request_id(),
        "headers": headers,
        "json": response.json::<Value>().unwrap(),
    }))
}

pub(crate) fn engines(catalog: &EngineCatalog) -> Value {
    let models = |engine: &pipevideo::Engine| -> Value {
        let rate = |rate: Option<_>| rate.map(|rate: Decimal| rate.to_string());
        let models = engine.models.iter().map(|model| {
            json!({
                "id": model.id,
                "input_per_million_usd": rate(model.input_per_million_usd),
                "output_per_million_usd": rate(model.output_per_million_usd),
            })
        });
        models.collect()
    };
    catalog.engines.iter().map(|e| json!({"id": e.id, "models": models(e)})).collect()
}

pub(crate) fn usage(usage: &AccountUsage) -> Value {
    let exact = |amount: Option<Decimal>| amount.map(|amount| amount.to_string());
    let millis = |at: Option<SystemTime>| at.map(|at| (unix(at) * 1000.0).round());
    let totals = &usage.totals;
    json!({
        "credit_balance": exact(usage.credit_balance),
        "totals": {
            "total_requests": totals.total_requests,
            "completed_requests": totals.completed_requests,
            "failed_requests": totals.failed_requests,
            "total_cost_cents": exact(totals.total_cost_cents),
        },
        "daily_usage": usage.daily_usage.iter().map(|day| json!({
            "date": day.date,
            "request_count": day.request_count,
            "completed_count": day.completed_count,
            "failed_count": day.failed_count,
            "total_cost_cents": exact(day.total_cost_cents),
            "total_duration_seconds": exact(day.total_duration_seconds),
        })).collect::<Value>(),
        "daily_usage_by_route": usage.daily_usage_by_route.iter().map(|day| json!({
            "date": day.date,
            "routes": day.routes.iter().map(|route| json!({
                "engine": route.engine,
                "model": route.model,
                "provider": route.provider,
                "request_count": route.request_count,
                "completed_count": route.completed_count,
                "failed_count": route.failed_count,
                "total_cost_cents": exact(route.total_cost_cents),
                "total_prompt_tokens": route.total_prompt_tokens,
                "total_completion_tokens": route.total_completion_tokens,
                "avg_latency_ms": exact(route.avg_latency_ms),
            })).collect::<Value>(),
        })).collect::<Value>(),
        "recent_requests": usage.recent_requests.iter().map(|request| json!({
            "id": request.id,
            "status": request.status.as_ref().map(|status| status.as_str()),
            "model_name": request.model_name,
            "engine": request.engine,
            "cost_cents": exact(request.cost_cents),
            "latency_ms": request.latency_ms,
            "created_at": millis(request.created_at),
            "completed_at": millis(request.completed_at),
        })).collect::<Value>(),
    })
}

pub(crate) fn shown_candidates(candidates: &[Candidate]) -> Value {
    let shown = candidates.iter().map(|candidate| {
        json!({
            "id": candidate.id,
            "model_name": candidate.model_name,
            "same_model": candidate.same_model,
            "known_before": candidate.known_before,
        })
    });
    shown.collect()
}

pub(crate) fn shown_estimate(estimate: &CostEstimate) -> Value {
    let exact = |amount: Option<Decimal>| amount.map(|amount| amount.to_string());
    json!({
        "cost_usd": exact(estimate.cost_usd),
        "low": exact(estimate.low),
        "high": exact(estimate.high),
        "based_on": estimate.based_on.map(|basis| basis.as_str()),
        "samples": estimate.samples,
    })
}

pub(crate) fn shown_spend(spend: &Spend) -> Value {
    json!({
        "spent": spend.spent.to_string(),
        "failed_but_charged": spend.failed_but_charged.to_string(),
        "in_flight": spend.in_flight.to_string(),
        "uncertain": spend.uncertain.to_string(),
        "limit": spend.limit.map(|limit| limit.to_string()),
        "remaining": spend.remaining.map(|remaining| remaining.to_string()),
        "in_flight_count": spend.in_flight_count,
        "uncertain_count": spend.uncertain_count,
        "unknown_count": spend.unknown_count,
    })
}

fn unix(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

pub(crate) fn shown_error(error: &Error) -> Value {
    let generation = error.generation().map(shown_generation);
    let failed = error.kind() == ErrorKind::GenerationFailed;
    json!({
        "kind": error.kind().as_str(),
        "message": error.message(),
        "text": format!("{error} {error:?}"),
        "service_message": error.service_message(),
        "status": error.status(),
        "code": error.code(),
        "request_id": error.request_id(),
        "generation_id": error.generation_id(),
        "retryable": error.is_retryable(),
        "retry_after": error.retry_after().map(|pause| pause.as_secs_f64()),
        "attempts": error.attempts(),
        "model": error.model(),
        "sent_at": error.sent_at().map(unix),
        "category": error.category().map(|category| category.as_str()),
        "generation": generation.clone().filter(|_| failed),
        "last": generation.filter(|_| !failed),
        "polls": error.polls(),
        "reason": error.reason().map(|reason| reason.as_str()),
    })
}
