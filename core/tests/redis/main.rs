//! Several processes of one key over a real Redis server. Clients with different spellings of the
//! server's URL share nothing within the process, as those of different processes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod hostile;
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

/// A service, and a server over which the processes of a key share it.
struct World {
    redis: RedisServer,
    emulator: Emulator,
}

impl World {
    /// Starts both. `None` if the tests run without a server.
    async fn start(options: Value) -> Option<Self> {
        Self::start_with(options, &[]).await
    }

    /// Starts both, with settings of the server.
    async fn start_with(options: Value, settings: &[&str]) -> Option<Self> {
        if !server::is_there() {
            return None;
        }
        let redis = RedisServer::start_with(settings);
        let mut all = json!({"rate_limit": null, "polls": ["queued", "completed"]});
        all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let options: Options = serde_json::from_value(all).unwrap();
        let emulator = Emulator::start(options).await.unwrap();
        Some(Self { redis, emulator })
    }

    /// The options of a client in a process of its own.
    fn process(&self, number: usize) -> ClientBuilder {
        self.process_over(&self.redis.url(), number)
    }

    /// The same, with another address of the server.
    fn process_over(&self, url: &str, number: usize) -> ClientBuilder {
        let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
        Client::builder()
            .base_url(self.emulator.base_url())
            .api_key(self.emulator.api_key())
            .polling(polling)
            .max_retries(0)
            .redis(format!("{url}/0?process={number}"))
    }

    fn client(&self, number: usize) -> Client {
        self.process(number).build().unwrap()
    }

    fn clients<const N: usize>(&self) -> [Client; N] {
        std::array::from_fn(|number| self.client(number))
    }

    /// A client that receives webhooks, in a process of its own.
    fn receiver(&self, number: usize) -> Client {
        self.process(number).webhook_secrets([SECRET]).build().unwrap()
    }

    fn receivers<const N: usize>(&self) -> [Client; N] {
        std::array::from_fn(|number| self.receiver(number))
    }

    /// The only key in Redis that ends like this, once it is there.
    async fn key(&self, name: &str) -> String {
        let keys = || self.redis.run::<Vec<String>>(&format!("KEYS *:{name}"));
        until(|| keys().len() == 1).await;
        keys().remove(0)
    }
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
