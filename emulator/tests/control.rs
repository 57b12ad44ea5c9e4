//! The control interface over HTTP, as other languages use it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Bench, bench};
use reqwest::Method;
use serde_json::{Value, json};

impl Bench {
    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/_emulator/{path}", self.emulator.base_url());
        let request = self.http.request(method, url);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }
}

#[tokio::test]
async fn requests_are_listed_and_cleared() {
    let bench = bench(json!({})).await;
    bench.create().await;
    bench.get("/v1/usage?a=b").await;
    let (status, listed) = bench.control(Method::GET, "requests", Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let create = &listed[0];
    assert_eq!((&create["method"], &create["path"]), (&json!("POST"), &json!("/v1/responses")));
    assert_eq!((&create["query"], &create["origin"]), (&Value::Null, &json!("api")));
    assert_eq!(create["headers"]["authorization"], "Bearer <key>");
    assert_eq!(create["headers"]["content-type"], "application/json");
    assert_eq!(create["body"], common::cat());
    assert_eq!((&listed[1]["query"], &listed[1]["body"]), (&json!("a=b"), &Value::Null));
    assert!(create["at"].as_f64().unwrap() < listed[1]["at"].as_f64().unwrap());
    assert_eq!(bench.control(Method::DELETE, "requests", Value::Null).await.0, 204);
    assert_eq!(bench.control(Method::GET, "requests", Value::Null).await.1, json!([]));
}

#[tokio::test]
async fn generations_are_added_and_settled() {
    let bench = bench(json!({})).await;
    let new = json!({ "id": "gen_given", "polls": ["in_progress"] });
    let (status, added) = bench.control(Method::POST, "generations", new.clone()).await;
    assert_eq!((status, added), (201, json!({ "id": "gen_given" })));
    assert_eq!(bench.control(Method::POST, "generations", new).await.0, 400);
    assert_eq!(bench.get_json("/v1/responses/gen_given").await["status"], "in_progress");
    let usage = json!({ "input_tokens": 1000, "output_tokens": 2000 });
    let settlement = json!({ "status": "completed", "usage": usage });
    let path = "generations/gen_given/settle";
    let (status, settled) = bench.control(Method::POST, path, settlement).await;
    assert_eq!((status, &settled["status"]), (200, &json!("completed")));
    let generation = bench.get_json("/v1/responses/gen_given").await;
    assert_eq!(
        (&generation["usage"]["total_tokens"], &generation["usage"]["cost_usd"]),
        (&json!(3000), &json!(0.0056))
    );
    let missing =
        bench.control(Method::POST, "generations/gen_x/settle", json!({ "status": "failed" }));
    assert_eq!(missing.await.0, 400);
}

#[tokio::test]
async fn an_id_may_have_any_characters() {
    let bench = bench(json!({})).await;
    let (id, path) = ("gen a/b?c#d%2F\u{fc}", "gen%20a%2Fb%3Fc%23d%252F%C3%BC");
    let new = json!({ "id": id, "polls": ["in_progress"] });
    assert_eq!(bench.control(Method::POST, "generations", new).await, (201, json!({ "id": id })));
    let settle = format!("generations/{path}/settle");
    let (status, settled) =
        bench.control(Method::POST, &settle, json!({ "status": "completed" })).await;
    assert_eq!((status, &settled["id"]), (200, &json!(id)));
    let generation = bench.get_json(&format!("/v1/responses/{path}")).await;
    let url = generation["output_video_url"].as_str().unwrap();
    assert!(url.contains(path), "{url}");
    assert_eq!(bench.http.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn faults_are_added_and_removed() {
    let bench = bench(json!({})).await;
    let fault = json!({ "match": { "path": "/v1/usage" }, "times": null, "status": 418 });
    assert_eq!(bench.control(Method::POST, "faults", fault).await.0, 204);
    assert_eq!(bench.get("/v1/usage").await.status(), 418);
    assert_eq!(bench.control(Method::DELETE, "faults", Value::Null).await.0, 204);
    assert_eq!(bench.get("/v1/usage").await.status(), 200);
    let (status, rejection) = bench.control(Method::POST, "faults", json!({ "stauts": 500 })).await;
    assert_eq!(status, 400);
    assert!(rejection["message"].as_str().unwrap().contains("stauts"));
}

#[tokio::test]
async fn the_balance_is_set() {
    let bench = bench(json!({})).await;
    assert_eq!(bench.control(Method::PUT, "balance", json!({ "cents": 0 })).await.0, 204);
    assert_eq!(bench.get_json("/v1/usage").await["credit_balance"], 0);
    assert_eq!(bench.create().await.status(), 400);
    assert_eq!(bench.control(Method::GET, "nothing", Value::Null).await.0, 404);
}

#[tokio::test]
async fn requests_of_web_pages_are_refused() {
    let bench = bench(json!({})).await;
    let url = format!("{}/_emulator/faults", bench.emulator.base_url());
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let fault = bench.http.post(&url).header(name, value).body(r#"{"status": 500}"#);
        let refused = fault.send().await.unwrap();
        assert_eq!(refused.status(), 403, "{name}");
        assert!(refused.json::<Value>().await.unwrap()["message"].is_string());
    }
    assert_eq!(bench.get("/v1/usage").await.status(), 200, "no fault was added");
}

#[tokio::test]
async fn extreme_amounts_do_not_overflow() {
    let bench = bench(json!({ "balance_cents": i64::MIN, "video_bytes": u64::MAX })).await;
    let tokens = json!({ "input_tokens": u64::MAX, "output_tokens": u64::MAX });
    for id in ["gen_1", "gen_2"] {
        bench.control(Method::POST, "generations", json!({ "id": id })).await;
        let settlement = json!({ "status": "completed", "usage": tokens });
        let path = format!("generations/{id}/settle");
        let (status, settled) = bench.control(Method::POST, &path, settlement).await;
        assert_eq!((status, &settled["usage"]["total_tokens"]), (200, &json!(u64::MAX)));
    }
    let totals = bench.get_json("/v1/usage").await;
    assert_eq!(totals["totals"]["completed_requests"], 2);
    assert!(totals["credit_balance"].as_f64().unwrap() < 0.0);
    for cents in [i64::MAX, i64::MIN] {
        assert_eq!(bench.control(Method::PUT, "balance", json!({ "cents": cents })).await.0, 204);
    }
}

#[tokio::test]
async fn faults_and_the_rate_limit_do_not_apply_to_control_requests() {
    let bench = bench(json!({ "rate_limit": { "requests": 0, "window_seconds": 9 } })).await;
    bench.emulator.fault(serde_json::from_value(json!({ "status": 500, "times": null })).unwrap());
    assert_eq!(bench.control(Method::GET, "requests", Value::Null).await, (200, json!([])));
}
