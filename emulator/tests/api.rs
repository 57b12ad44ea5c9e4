//! The API over HTTP.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{bench, cat};
use pipevideo_emulator::Settlement;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_generation_is_created_polled_and_billed() {
    let bench = bench(json!({ "polls": ["queued", "in_progress", "completed"] })).await;
    let created: Value = bench.create().await.json().await.unwrap();
    assert_eq!(created["status"], "queued");
    let path = format!("/v1/responses/{}", created["id"].as_str().unwrap());
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(bench.get_json(&path).await);
    }
    assert_eq!((&seen[0]["status"], &seen[1]["status"]), (&json!("queued"), &json!("in_progress")));
    let done = &seen[2];
    assert_eq!(done["output"][0]["content"][0]["type"], "output_text");
    assert!(done["latency_ms"].is_u64());
    let usage = bench.get_json("/v1/usage").await;
    assert_eq!(usage["recent_requests"][0]["id"], created["id"]);
    assert_eq!(usage["totals"]["completed_requests"], 1);
    let cost = done["usage"]["cost_usd"].as_f64().unwrap() * 100.0;
    assert!((usage["totals"]["total_cost_cents"].as_f64().unwrap() - cost).abs() < 1e-9);
}

#[tokio::test]
async fn requests_need_the_right_key() {
    let bench = bench(json!({ "api_key": "pv_right" })).await;
    let url = |path: &str| format!("{}{path}", bench.emulator.base_url());
    for path in ["/v1/usage", "/v1/responses/gen_x"] {
        let missing = bench.http.get(url(path)).send().await.unwrap();
        assert_eq!(missing.status(), 401);
        let wrong = bench.http.get(url(path)).bearer_auth("pv_wrong").send().await.unwrap();
        assert_eq!(wrong.status(), 401);
        assert!(wrong.json::<Value>().await.unwrap()["message"].is_string());
    }
    assert_eq!(bench.http.get(url("/v1/engines")).send().await.unwrap().status(), 200);
    let header = |n: usize| bench.emulator.requests()[n].headers.get("authorization").cloned();
    assert_eq!(header(0), None);
    assert_eq!(header(1).as_deref(), Some("Bearer <other>"));
    bench.get("/v1/usage").await;
    let last = bench.emulator.requests().pop().unwrap();
    assert_eq!(last.headers["authorization"], "Bearer <key>");
}

/// A process counts what a key has spent at a base URL, and free ports come again.
#[tokio::test]
async fn an_emulator_on_a_free_port_has_a_key_of_its_own() {
    let (one, other) = (bench(json!({})).await, bench(json!({})).await);
    assert_ne!(one.emulator.api_key(), other.emulator.api_key());
}

#[tokio::test]
async fn rejected_creates_have_a_message_and_cost_nothing() {
    let bench = bench(json!({ "balance_cents": 0 })).await;
    for (body, part) in [
        (cat(), "balance"),
        (json!({ "model": "no/such", "input": "A cat" }), "model"),
        (json!({ "model": "moonshotai/kimi-k2.5", "input": [] }), "input_text"),
    ] {
        let rejected = bench.post("/v1/responses", body).await;
        assert_eq!(rejected.status(), 400);
        let body: Value = rejected.json().await.unwrap();
        assert!(body["message"].as_str().unwrap().contains(part), "{body}");
        assert!(body.get("error").is_none());
    }
    assert_eq!(bench.get_json("/v1/usage").await["totals"]["total_requests"], 0);
}

#[tokio::test]
async fn unknown_routes_and_ids_are_404() {
    let bench = bench(json!({})).await;
    for path in ["/v1/responses/gen_none", "/v1/responses", "/v1/responses/a/b", "/responses", "/"]
    {
        let response = bench.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(response.json::<Value>().await.unwrap()["message"].is_string());
    }
    assert_eq!(bench.call(Method::DELETE, "/v1/responses/x").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_rate_limit_counts_every_request_with_the_key() {
    let limit = json!({ "requests": 3, "window_seconds": 600 });
    let bench = bench(json!({ "rate_limit": limit })).await;
    assert_eq!(bench.create().await.status(), 200);
    assert_eq!(bench.get("/v1/responses/gen_none").await.status(), 404);
    assert_eq!(bench.get("/v1/usage").await.status(), 200);
    let rejected = bench.get("/v1/usage").await;
    assert_eq!(rejected.status(), 429);
    let body: Value = rejected.json().await.unwrap();
    let seconds = body["data"]["retry_after"].as_u64().unwrap();
    assert!((590..=600).contains(&seconds), "{body}");
    assert_eq!(bench.get("/v1/engines").await.status(), 200);
}

#[tokio::test]
async fn the_first_matching_provider_is_chosen() {
    let bench = bench(json!({})).await;
    let mut body = cat();
    body["provider"] = json!({ "order": ["unknown", "storyboard", "framerate"] });
    let created: Value = bench.post("/v1/responses", body.clone()).await.json().await.unwrap();
    assert_eq!(created["provider"], "storyboard");
    body["engine"] = json!("lottie");
    let created: Value = bench.post("/v1/responses", body.clone()).await.json().await.unwrap();
    assert_eq!((&created["provider"], &created["engine"]), (&json!("framerate"), &json!("lottie")));
    body["provider"] = json!({ "order": ["unknown"] });
    assert_eq!(bench.post("/v1/responses", body).await.status(), 400);
}

#[tokio::test]
async fn bodies_of_more_than_32_mib_are_rejected() {
    let bench = bench(json!({ "speed": 0 })).await;
    let mut body = cat();
    body["input"] = "x".repeat(8 << 20).into();
    assert_eq!(bench.post("/v1/responses", body.clone()).await.status(), 200);
    assert!(bench.emulator.requests()[0].body.as_str().unwrap().ends_with("bytes>"));
    // The response is sent while the client is still sending: the client sees it or a closed connection.
    // In both cases nothing is created.
    body["input"] = "x".repeat(33 << 20).into();
    let response = bench.call(Method::POST, "/v1/responses").json(&body).send().await;
    assert!(response.is_err() || response.unwrap().status() == 413);
    assert_eq!(bench.get_json("/v1/usage").await["totals"]["total_requests"], 1);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let (a, b) = (bench(json!({ "seed": 5 })).await, bench(json!({ "seed": 5 })).await);
    let id = async |bench: &common::Bench| {
        bench.create().await.json::<Value>().await.unwrap()["id"].clone()
    };
    assert_eq!(id(&a).await, id(&b).await);
    assert_ne!(id(&a).await, id(&a).await);
}

#[tokio::test]
async fn a_settlement_sets_the_status_and_the_error() {
    let bench = bench(json!({ "speed": 0 })).await;
    let created: Value = bench.create().await.json().await.unwrap();
    let id = created["id"].as_str().unwrap();
    let failed = Settlement::failed("invalid_prompt", "Too odd");
    bench.emulator.settle(id, failed).unwrap();
    let generation = bench.get_json(&format!("/v1/responses/{id}")).await;
    assert_eq!(generation["status"], "failed");
    assert_eq!(generation["error"], json!({ "code": "invalid_prompt", "message": "Too odd" }));
}

#[tokio::test]
async fn a_stopped_emulator_refuses_connections() {
    let bench = bench(json!({})).await;
    let url = format!("{}/v1/engines", bench.emulator.base_url());
    bench.emulator.stop().await;
    assert!(bench.http.get(url).send().await.unwrap_err().is_connect());
}
