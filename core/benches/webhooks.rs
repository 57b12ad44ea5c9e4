//! A hundred waits that rely on webhooks: the requests that they take, and the time from the arrival
//! of a delivery to the end of its wait, with one delivery after the other and with all at once.
//!
//! `cargo bench -p pipevideo --bench webhooks`
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant, SystemTime};

use pipevideo::{Client, GenerationRequest, Webhook};
use pipevideo_emulator::{Emulator, Options, Settlement};
use serde_json::json;
use tokio::task::JoinHandle;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WAITS: usize = 100;

#[tokio::main]
async fn main() {
    for at_once in [false, true] {
        let (times, requests) = measure(at_once).await;
        println!(
            "{WAITS} waits, deliveries {}: {requests} requests beside the creates; from a delivery to its wait's return \
             {:.1} ms at the median, {:.1} ms at most",
            if at_once { "all at once" } else { "one after the other" },
            times[WAITS / 2].as_secs_f64() * 1e3,
            times[WAITS - 1].as_secs_f64() * 1e3,
        );
    }
}

/// The sorted times from a delivery to the end of its wait, and the number of requests besides the
/// creates.
async fn measure(at_once: bool) -> (Vec<Duration>, usize) {
    let options: Options =
        serde_json::from_value(json!({"rate_limit": null, "median_seconds": 900}))
            .expect("options of the emulator");
    let emulator = Emulator::start(options).await.expect("a loopback server");
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .rate_limit(None)
        .webhook_secrets([SECRET])
        .build()
        .expect("a client of the emulator");

    let mut waits = Vec::new();
    for _ in 0..WAITS {
        let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat");
        let id = client.responses().create(request).await.expect("a generation").id;
        let wait = client.responses().wait(&id).into_future();
        let wait = tokio::spawn(async {
            wait.await.expect("it completes");
            Instant::now()
        });
        waits.push((id, wait));
    }
    // All waits must have begun: an event that arrives before its wait would be timed too early.
    tokio::time::sleep(Duration::from_millis(200)).await;

    let mut times = Vec::new();
    if at_once {
        let delivered: Vec<_> =
            waits.into_iter().map(|(id, wait)| (deliver(&client, &emulator, &id), wait)).collect();
        for (arrived, wait) in delivered {
            times.push(returned(wait).await - arrived);
        }
    } else {
        for (id, wait) in waits {
            let arrived = deliver(&client, &emulator, &id);
            times.push(returned(wait).await - arrived);
        }
    }
    times.sort();
    (times, emulator.requests().len() - WAITS)
}

/// Ends a generation and delivers its event; returns when the delivery arrived.
fn deliver(client: &Client, emulator: &Emulator, id: &str) -> Instant {
    emulator.settle(id, Settlement::completed()).expect("it is known");
    let body = json!({"eventType": "video.generation.completed", "generationId": id, "status": "completed"});
    let (body, webhook) = (body.to_string(), Webhook::new([SECRET]).expect("a secret"));
    let headers = webhook.sign(&body, &format!("msg_{id}"), SystemTime::now());
    let arrived = Instant::now();
    client.webhooks().unwrap(&body, headers).expect("it is genuine");
    arrived
}

async fn returned(wait: JoinHandle<Instant>) -> Instant {
    wait.await.expect("the wait does not panic")
}
