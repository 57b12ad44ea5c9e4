//! Several processes of one key over a real Redis server. Clients with different spellings of the
//! server's URL share nothing within the process, as those of different processes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod killed;
mod lost;
#[path = "../support/redis.rs"]
mod server;
mod shared;

use std::time::Duration;

use pipevideo::{Client, ClientBuilder, GenerationRequest, Polling, RateLimit, Webhook};
use pipevideo_emulator::{Emulator, Options};
use serde_json::{Value, json};
use server::RedisServer;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

async fn emulator(options: Value) -> Emulator {
    let mut all = json!({"rate_limit": null, "polls": ["queued", "completed"]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Emulator::start(options).await.unwrap()
}

/// The options of a client in a process of its own.
fn process(emulator: &Emulator, url: &str, number: usize) -> ClientBuilder {
    let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .polling(polling)
        .max_retries(0)
        .redis(format!("{url}/0?process={number}"))
}

fn request(prompt: &str) -> GenerationRequest {
    GenerationRequest::new("moonshotai/kimi-k2.5", prompt)
}

/// Waits until something is so, which other processes bring about.
async fn until(mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < S * 20, "it never comes about");
        tokio::time::sleep(MS).await;
    }
}

/// Delivers an event to a process. Returns it.
fn deliver(client: &Client, delivery: &str, generation: &str) -> pipevideo::WebhookEvent {
    let body = format!(
        r#"{{"eventType":"video.generation.completed","generationId":"{generation}","status":"completed"}}"#
    );
    let now = std::time::SystemTime::now();
    let headers = Webhook::new([SECRET]).unwrap().sign(&body, delivery, now);
    client.webhooks().unwrap(&body, headers).unwrap()
}
