//! The CPU time of a generation (a create and four polls, to a loopback server without delay),
//! compared with a bare loop of reqwest and serde_json in the same run.
//!
//! `cargo bench -p pipevideo --bench lifecycle`
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use pipevideo::{Client, GenerationRequest, Polling};
use pipevideo_emulator::{Emulator, EmulatorThread, Options};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const AT_ONCE: usize = 50;
const ROUNDS: usize = 41;
const MODEL: &str = "moonshotai/kimi-k2.5";

fn main() {
    // The server has a thread of its own, so that this thread's CPU time is only the client's.
    let options: Options = serde_json::from_value(json!({
        "rate_limit": null,
        "balance_cents": 1_000_000_000,
        "polls": ["queued", "in_progress", "in_progress", "completed"],
    }))
    .expect("options of the emulator");
    let emulator = EmulatorThread::start(options).expect("a loopback server");

    let local = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the client");
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("no provider is installed yet");
    let bare = local.block_on(async { reqwest::Client::new() });
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .rate_limit(None)
        .polling(Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO))
        .build()
        .expect("a client of the emulator");

    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        emulator.clear_requests();
        times[0].push(local.block_on(cpu(|| by_hand(&bare, &emulator))));
        times[1].push(local.block_on(cpu(|| retrieves(&client))));
        times[2].push(local.block_on(cpu(|| generates(&client))));
    }
    let [bare, retrieves, generates] = times.map(|mut times| {
        // The first rounds establish connections and fill caches.
        times.drain(..ROUNDS / 8);
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!("CPU per lifecycle, {AT_ONCE} at once, median of {ROUNDS} rounds:");
    println!("  bare reqwest and serde_json    {bare:>7.1} µs");
    for (name, time) in [("create and four retrieves", retrieves), ("generate", generates)] {
        println!("  {name:<30} {time:>7.1} µs   {:.2} of bare", time / bare);
    }
}

/// The CPU time of this thread in µs per generation.
async fn cpu<F: Future<Output = ()>>(lifecycle: impl Fn() -> F) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let before = now();
    join_all((0..AT_ONCE).map(|_| lifecycle())).await;
    (now() - before) / AT_ONCE as f64
}

async fn by_hand(client: &reqwest::Client, emulator: &Emulator) {
    let base = format!("{}/v1/responses", emulator.base_url());
    let key = format!("Bearer {}", emulator.api_key());
    let body = serde_json::to_vec(&json!({"model": MODEL, "input": "A cat"})).expect("JSON");
    let create = client
        .post(&base)
        .header("authorization", &key)
        .header("content-type", "application/json")
        .body(body);
    let answer = create.send().await.expect("an answer").bytes().await.expect("a body");
    let created: Value = serde_json::from_slice(&answer).expect("JSON");
    let id = created["id"].as_str().expect("an id");
    let mut status = String::new();
    for _ in 0..4 {
        let poll = client.get(format!("{base}/{id}")).header("authorization", &key);
        let answer = poll.send().await.expect("an answer").bytes().await.expect("a body");
        let generation: Value = serde_json::from_slice(&answer).expect("JSON");
        status = generation["status"].as_str().expect("a status").to_owned();
    }
    assert_eq!(status, "completed");
}

async fn retrieves(client: &Client) {
    let request = GenerationRequest::new(MODEL, "A cat");
    let created = client.responses().create(request).await.expect("a generation");
    for _ in 0..3 {
        client.responses().retrieve(&created.id).await.expect("a generation");
    }
    let last = client.responses().retrieve(&created.id).await.expect("a generation");
    assert!(last.is_final());
}

async fn generates(client: &Client) {
    let request = GenerationRequest::new(MODEL, "A cat");
    assert!(client.generate(request).await.expect("a generation").is_final());
}
