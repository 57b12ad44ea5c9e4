//! Sixty simultaneous generations under the emulator's rate limit: none is lost, no request is
//! rejected with 429, and how long after its end each is noticed.
//!
//! `cargo bench -p pipevideo --bench rate_limit`. Time runs ten times
//! faster than at the service, also for the limit: 100 requests in 6 s, and half of the generations
//! take 9 s.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pipevideo::{Client, GenerationRequest, Polling, RateLimit};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

const AT_ONCE: usize = 60;
const REQUESTS: u32 = 100;
const WINDOW: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() {
    let options: Options = serde_json::from_value(json!({
        "speed": 10,
        "balance_cents": 1_000_000,
        "rate_limit": {"requests": REQUESTS, "window_seconds": WINDOW.as_secs()},
    }))
    .expect("options of the emulator");
    let emulator = Emulator::start(options).await.expect("a loopback server");
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .rate_limit(RateLimit::new(REQUESTS, WINDOW))
        .polling(
            Polling::default()
                .min_interval(Duration::from_millis(200))
                .max_interval(Duration::from_millis(500))
                .typical(Duration::from_secs(9)),
        )
        .build()
        .expect("a client of the emulator");

    let began = Instant::now();
    let outcomes = join_all((0..AT_ONCE).map(|n| {
        let request = GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
        lag(client.clone(), request)
    }))
    .await;
    let took = began.elapsed().as_secs_f64();

    // The emulator responds with 429 from the 101st request in a window on.
    let at: Vec<f64> = emulator.requests().iter().map(|request| request.at).collect();
    let window = WINDOW.as_secs_f64();
    let fullest =
        at.iter().map(|from| at.iter().filter(|at| (0.0..window).contains(&(*at - from))).count());
    let completed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    println!(
        "{completed} of {AT_ONCE} completed in {took:.1} s with {} polls; at most {} requests in any \
         {window} s, where {} are allowed",
        at.len() - AT_ONCE,
        fullest.max().unwrap_or_default(),
        REQUESTS,
    );
    let lags: Vec<f64> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).copied().collect();
    println!(
        "noticed {:.2} s after their end on average",
        lags.iter().sum::<f64>() / lags.len() as f64
    );
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        println!("lost: {error}");
    }
}

/// The time from the end of a generation to the return of its wait, in seconds.
async fn lag(client: Client, request: GenerationRequest) -> Result<f64, pipevideo::Error> {
    let created = client.responses().create(request).await?;
    let at = Instant::now();
    let ended = client.responses().wait(&created.id).await?;
    let latency = ended.latency_ms.map_or(0.0, |ms| ms as f64 / 1e3);
    Ok(at.elapsed().as_secs_f64() - latency)
}
