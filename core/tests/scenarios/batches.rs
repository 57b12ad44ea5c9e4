//! Runs the batches of scenarios.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pipevideo::{
    Batch, BatchCounts, BatchItem, BatchRequest, BatchSummary, Client, Error, FailureCategory,
};
use serde_json::{Map, Value, json};

use super::call::{request, seconds};
use super::matching::decimal;
use super::shown::{shown_candidates, shown_error};

/// The numbers of events by kind.
type Events = Arc<Mutex<BTreeMap<&'static str, u32>>>;

/// `batch`, until the run has ended.
pub(crate) async fn run(
    client: &Client,
    args: &Map<String, Value>,
    folder: &Path,
) -> Result<Value, Error> {
    let mut requests = Vec::new();
    for given in args["requests"].as_array().unwrap() {
        let mut given = given.as_object().unwrap().clone();
        let key = given.remove("key");
        let request = BatchRequest::new(request(given, folder)?);
        requests.push(match key {
            Some(key) => request.key(key.as_str().unwrap()),
            None => request,
        });
    }
    let events = Events::default();
    let counter = events.clone();
    let batch = options(client.batch(requests), args, folder).on_event(move |event| {
        *counter.lock().unwrap().entry(event.kind.as_str()).or_default() += 1;
    });
    let mut run = batch.run();
    let mut items = Vec::new();
    while let Some(item) = run.next().await {
        items.push(item?);
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let items: Vec<_> = items.iter().map(|item| shown_item(item, folder)).collect();
    let events = json!(*events.lock().unwrap());
    Ok(json!({"items": items, "summary": shown_summary(&run.summary()), "events": events}))
}

fn options(mut batch: Batch, args: &Map<String, Value>, folder: &Path) -> Batch {
    for (name, value) in args {
        let count = || value.as_u64().unwrap();
        batch = match name.as_str() {
            "requests" => batch,
            "journal" => batch.journal(folder.join(value.as_str().unwrap())),
            "download_to" => batch.download_to(folder.join(value.as_str().unwrap())),
            "max_in_flight" => batch.max_in_flight(count().try_into().unwrap()),
            "spend_limit" => batch.spend_limit(decimal(&value.to_string()).unwrap()),
            "deadline" => batch.deadline(seconds(value)),
            "retries" => batch.retries(count().try_into().unwrap()),
            "retry_categories" => {
                let names = value.as_array().unwrap().iter();
                batch.retry_categories(names.map(|name| category(name.as_str().unwrap())))
            }
            "retry_uncertain" => batch.retry_uncertain(value.as_bool().unwrap()),
            "stop_after_failures" => batch.stop_after_failures(count()),
            "keep_prompts" => batch.keep_prompts(value.as_bool().unwrap()),
            other => panic!("this runner does not know the option {other} of a batch"),
        };
    }
    batch
}

fn category(name: &str) -> FailureCategory {
    use FailureCategory::*;
    let all = [InsufficientCredits, Provider, Unavailable, InvalidPrompt, Other];
    all.into_iter().find(|category| category.as_str() == name).unwrap()
}

fn shown_item(item: &BatchItem, folder: &Path) -> Value {
    json!({
        "key": item.key,
        "status": item.status.as_str(),
        "generation_id": item.generation_id,
        "category": item.category.map(FailureCategory::as_str),
        "error": item.error.as_ref().map(shown_error),
        "path": item.path.as_ref().map(|path| {
            let path = path.strip_prefix(folder).unwrap().to_str().unwrap();
            path.replace(std::path::MAIN_SEPARATOR, "/")
        }),
        "bytes": item.bytes,
        "sha256": item.sha256,
        "candidates": shown_candidates(&item.candidates),
        "attempts": item.attempts,
        "cost_usd": item.cost_usd.map(|cost| cost.to_string()),
        "latency": item.latency.map(|latency| latency.as_secs_f64()),
        "from_journal": item.from_journal,
    })
}

fn shown_summary(summary: &BatchSummary) -> Value {
    let BatchCounts {
        in_flight,
        completed,
        failed,
        uncertain,
        pending,
        downloaded,
        from_journal,
        ..
    } = summary.counts;
    json!({
        "counts": {
            "in_flight": in_flight,
            "completed": completed,
            "failed": failed,
            "uncertain": uncertain,
            "pending": pending,
            "downloaded": downloaded,
            "from_journal": from_journal,
        },
        "cost_usd": summary.cost_usd.to_string(),
        "failed_but_charged": summary.failed_but_charged.to_string(),
        "unpriced": summary.unpriced,
        "failures": summary.failures,
        "errors": summary.errors,
        "stopped_by": summary.stopped_by.map(|reason| reason.as_str()),
    })
}
