//! Time: what moves it, and what it moves.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::Duration;

use common::{Bench, bench};
use pipevideo_emulator::NewGeneration;
use reqwest::Method;
use serde_json::{Value, json};

impl Bench {
    fn added(&self) -> String {
        self.emulator.add_generation(NewGeneration::default()).unwrap()
    }

    async fn generation(&self, id: &str) -> Value {
        self.get_json(&format!("/v1/responses/{id}")).await
    }

    async fn advance(&self, body: Value) -> u16 {
        let url = format!("{}/_emulator/advance", self.emulator.base_url());
        self.http.post(url).json(&body).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn advancing_moves_generations_at_any_speed() {
    for speed in [0.0, 1.0, 1e-6] {
        let bench = bench(json!({ "speed": speed, "sigma": 0 })).await;
        let id = bench.added();
        assert_eq!(bench.generation(&id).await["status"], "queued", "speed {speed}");
        for (seconds, status) in [(5, "in_progress"), (80, "in_progress"), (6, "completed")] {
            bench.emulator.advance(Duration::from_secs(seconds));
            assert_eq!(bench.generation(&id).await["status"], status, "speed {speed}");
        }
    }
}

#[tokio::test]
async fn a_generation_that_was_advanced_took_as_long_as_it_would_have() {
    let bench = bench(json!({ "speed": 0, "sigma": 0 })).await;
    let before = bench.added();
    bench.emulator.advance(Duration::from_secs(1000));
    let after = bench.added();
    bench.emulator.advance(Duration::from_secs(1000));
    for id in [before, after] {
        assert_eq!(bench.generation(&id).await["latency_ms"], 90_000);
    }
}

#[tokio::test]
async fn advancing_is_a_control_request() {
    let bench = bench(json!({ "speed": 0 })).await;
    let id = bench.added();
    assert_eq!(bench.advance(json!({ "seconds": 0.5 })).await, 204);
    assert_eq!(bench.generation(&id).await["status"], "queued");
    assert_eq!(bench.advance(json!({ "seconds": 1e300 })).await, 400);
    assert_eq!(bench.advance(json!({ "seconds": -1 })).await, 400);
    assert_eq!(bench.advance(json!({ "second": 1 })).await, 400);
    assert_eq!(bench.advance(json!({ "seconds": 1e15 })).await, 204);
    assert_eq!(bench.generation(&id).await["status"], "completed");
    bench.emulator.advance(Duration::MAX);
    let late = bench.added();
    assert!(bench.generation(&late).await["created_at"].as_u64().unwrap() < 1e11 as u64);
}

#[tokio::test]
async fn signed_urls_expire_as_time_is_advanced() {
    let bench = bench(json!({ "url_ttl_seconds": 3600 })).await;
    let url = bench.video_url().await;
    bench.emulator.advance(Duration::from_secs(3590));
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 200);
    bench.emulator.advance(Duration::from_secs(10));
    assert_eq!(bench.http.get(&url).send().await.unwrap().status(), 403);
    let fresh = bench.video_url().await;
    assert_eq!(bench.http.get(&fresh).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_rate_limit_is_in_real_time() {
    let bench = bench(json!({ "rate_limit": { "requests": 1, "window_seconds": 3600 } })).await;
    assert_eq!(bench.get("/v1/usage").await.status(), 200);
    bench.emulator.advance(Duration::from_secs(7200));
    assert_eq!(bench.call(Method::GET, "/v1/usage").send().await.unwrap().status(), 429);
}
