//! Batches against the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod hostile;
mod limits;
mod lost;
mod runs;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use pipevideo::{
    Batch, BatchEventKind, BatchItem, BatchOutput, BatchRequest, BatchRun, Client, Decimal,
    ErrorKind, GenerationRequest, ItemStatus, Polling, StopReason, read_journal,
};
use pipevideo_emulator::{Emulator, Options, Settlement};
use serde_json::{Value, json};

async fn emulator(options: Value) -> Emulator {
    let mut all = json!({"rate_limit": null, "polls": ["queued", "completed"]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Emulator::start(options).await.unwrap()
}

fn client(emulator: &Emulator) -> Client {
    let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    builder.rate_limit(None).polling(polling).build().unwrap()
}

fn requests(count: usize) -> Vec<BatchRequest> {
    let request = |n| GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
    (0..count).map(|n| BatchRequest::new(request(n)).key(format!("cat-{n}"))).collect()
}

async fn items(run: &mut BatchRun) -> Vec<BatchItem> {
    let mut items = Vec::new();
    while let Some(item) = run.next().await {
        items.push(item.unwrap());
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

/// A batch with its journal in a folder.
fn batch(client: &Client, requests: Vec<BatchRequest>, folder: &Path) -> Batch {
    client.batch(requests).journal(folder.join("run.jsonl"))
}

/// The error that ends a run, which must have one.
async fn error_of(mut run: BatchRun) -> pipevideo::Error {
    loop {
        if let Err(error) = run.next().await.expect("the run ends with an error") {
            assert!(run.next().await.is_none(), "the error is the last item");
            return error;
        }
    }
}

fn with_status(items: &[BatchItem], status: ItemStatus) -> usize {
    items.iter().filter(|item| item.status == status).count()
}

fn lose_response(emulator: &Emulator, times: u32) {
    let fault = json!({"match": {"method": "POST", "path": "/v1/responses"}, "drop": "after_reading", "times": times});
    emulator.fault(serde_json::from_value(fault).unwrap());
}
