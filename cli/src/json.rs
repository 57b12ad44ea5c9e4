//! Values as JSON, with the names that all languages use: amounts are numbers, times are Unix
//! milliseconds, and durations are seconds.

use std::time::{Duration, SystemTime};

use pipevideo::{BatchItem, BatchSummary, Candidates, CostEstimate, Decimal, WebhookEvent};
use serde_json::{Value, json};

/// An amount, as a number with the digits that it has.
pub(crate) fn amount(amount: Decimal) -> Value {
    serde_json::from_str(&amount.normalize().to_string()).unwrap_or_default()
}

/// A time, in Unix milliseconds.
pub(crate) fn time(time: SystemTime) -> Value {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).into()
}

pub(crate) fn estimate(estimate: &CostEstimate) -> Value {
    json!({
        "cost_usd": estimate.cost_usd.map(amount),
        "low": estimate.low.map(amount),
        "high": estimate.high.map(amount),
        "based_on": estimate.based_on.map(|basis| basis.as_str()),
        "samples": estimate.samples,
    })
}

pub(crate) fn candidates(candidates: &Candidates) -> Value {
    let found = candidates.iter().map(|candidate| {
        json!({
            "id": candidate.id,
            "status": candidate.status.as_ref().map(|status| status.as_str()),
            "model_name": candidate.model_name,
            "engine": candidate.engine,
            "cost_cents": candidate.cost_cents.map(amount),
            "latency_ms": candidate.latency_ms,
            "created_at": candidate.created_at.map(time),
            "completed_at": candidate.completed_at.map(time),
            "same_model": candidate.same_model,
            "seconds_after_create": candidate.seconds_after_create,
            "known_before": candidate.known_before,
        })
    });
    json!({
        "candidates": found.collect::<Vec<_>>(),
        "reaches_back_to": candidates.reaches_back_to.map(time),
        "covers_create": candidates.covers_create,
    })
}

pub(crate) fn event(event: &WebhookEvent) -> Value {
    json!({
        "id": event.id,
        "timestamp": time(event.timestamp),
        "event_type": event.event_type,
        "generation_id": event.generation_id,
        "status": event.status.as_ref().map(|status| status.as_str()),
        "output_video_url": event.output_video_url,
        "error_message": event.error_message,
        "duplicate": event.duplicate,
        "extra": event.extra,
    })
}

pub(crate) fn item(item: &BatchItem) -> Value {
    json!({
        "key": item.key,
        "status": item.status.as_str(),
        "generation_id": item.generation_id,
        "generation": item.generation,
        "category": item.category.map(|category| category.as_str()),
        "error": item.error.as_ref().map(crate::error_json::of),
        "path": item.path,
        "bytes": item.bytes,
        "sha256": item.sha256,
        "candidates": candidates(&item.candidates),
        "attempts": item.attempts,
        "cost_usd": item.cost_usd.map(amount),
        "latency": item.latency.as_ref().map(Duration::as_secs_f64),
        "from_journal": item.from_journal,
    })
}

pub(crate) fn summary(summary: &BatchSummary) -> Value {
    let counts = &summary.counts;
    json!({
        "counts": {
            "in_flight": counts.in_flight,
            "completed": counts.completed,
            "failed": counts.failed,
            "uncertain": counts.uncertain,
            "pending": counts.pending,
            "downloaded": counts.downloaded,
            "from_journal": counts.from_journal,
        },
        "cost_usd": amount(summary.cost_usd),
        "failed_but_charged": amount(summary.failed_but_charged),
        "unpriced": summary.unpriced,
        "latency_median": summary.latency_median.as_ref().map(Duration::as_secs_f64),
        "latency_95": summary.latency_95.as_ref().map(Duration::as_secs_f64),
        "failures": summary.failures,
        "errors": summary.errors,
        "stopped_by": summary.stopped_by.map(|reason| reason.as_str()),
        "elapsed": summary.elapsed.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_number_with_its_digits() {
        let json = |text: &str| amount(Decimal::from_str_exact(text).unwrap()).to_string();
        assert_eq!(json("0.10"), "0.1");
        assert_eq!(json("25.00"), "25");
        assert_eq!(json("0.013456"), "0.013456");
    }
}
