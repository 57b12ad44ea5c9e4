//! Each fault, tested over HTTP.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::time::{Duration, Instant};

use common::{Bench, bench};
use pipevideo_emulator::{Fault, NewGeneration};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

impl Bench {
    fn fault(&self, fault: Value) {
        self.emulator.fault(serde_json::from_value::<Fault>(fault).unwrap());
    }

    async fn created(&self) -> Value {
        self.get_json("/v1/usage").await["totals"]["total_requests"].clone()
    }
}

#[tokio::test]
async fn a_status_replaces_the_response() {
    let bench = bench(json!({})).await;
    bench.fault(
        json!({ "match": { "method": "POST" }, "status": 503, "headers": { "retry-after": "1" } }),
    );
    let response = bench.create().await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({ "message": "Service Unavailable" })
    );
    assert_eq!(bench.created().await, 0);
    assert_eq!(bench.create().await.status(), 200);
}

#[tokio::test]
async fn a_replaced_response_can_hide_a_created_generation() {
    let bench = bench(json!({})).await;
    bench.fault(json!({ "match": { "method": "POST" }, "status": 500, "taken": true }));
    assert_eq!(bench.create().await.status(), 500);
    assert_eq!(bench.created().await, 1);
}

#[tokio::test]
async fn a_body_may_be_anything() {
    let bench = bench(json!({})).await;
    bench.fault(json!({ "body": "<html>Hello" }));
    bench.fault(
        json!({ "body": "{\"id\": \"ge", "headers": { "content-type": "application/json" } }),
    );
    bench.fault(json!({ "status": 502, "body": "" }));
    let html = bench.get("/v1/usage").await;
    assert_eq!(
        (html.status().as_u16(), &html.headers()["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert_eq!(html.text().await.unwrap(), "<html>Hello");
    let half = bench.get("/v1/usage").await;
    assert_eq!(half.headers()["content-type"], "application/json");
    assert!(half.json::<Value>().await.is_err());
    assert_eq!(bench.get("/v1/usage").await.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_patch_replaces_members_of_the_response() {
    let bench = bench(json!({})).await;
    let patch = json!({ "status": "rendering", "eta": { "seconds": 4 }, "usage": null });
    bench.fault(json!({ "match": { "method": "POST" }, "patch": patch }));
    let created: Value = bench.create().await.json().await.unwrap();
    assert_eq!((&created["status"], &created["eta"]["seconds"]), (&json!("rendering"), &json!(4)));
    assert_eq!(created["object"], "response");
    assert_eq!(bench.created().await, 1);
}

#[tokio::test]
async fn redirects_may_go_to_either_origin() {
    let bench = bench(json!({})).await;
    for (to, base) in [
        ("{base_url}", bench.emulator.base_url()),
        ("{other_origin}", bench.emulator.video_base()),
        ("{video_base}", bench.emulator.video_base()),
    ] {
        bench.fault(json!({ "status": 307, "headers": { "location": format!("{to}/x") } }));
        let response = bench.get("/v1/usage").await;
        assert_eq!(response.status(), 307);
        assert_eq!(response.headers()["location"], format!("{base}/x"));
    }
    bench.fault(json!({ "match": { "origin": "video" }, "body": { "to": "{other_origin}" } }));
    let response = bench.http.get(bench.emulator.video_base()).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["to"], bench.emulator.base_url());
}

#[tokio::test]
async fn a_delay_postpones_the_response() {
    let bench = bench(json!({})).await;
    bench.fault(json!({ "match": { "method": "POST" }, "delay_ms": 150 }));
    let before = Instant::now();
    assert_eq!(bench.create().await.status(), 200);
    assert!(before.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_request_whose_client_gave_up_is_carried_out_and_logged() {
    let bench = bench(json!({})).await;
    bench.fault(json!({ "match": { "method": "POST" }, "delay_ms": 60_000 }));
    let create = bench.call(reqwest::Method::POST, "/v1/responses").json(&common::cat());
    assert!(create.timeout(Duration::from_millis(200)).send().await.unwrap_err().is_timeout());
    assert_eq!(bench.arrived(), ["POST /v1/responses"]);
    assert_eq!(bench.created().await, 1);
}

const HEAD: &str = "POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n";

/// Sends these bytes and returns whether the connection is closed without a response.
async fn is_closed_after(bench: &Bench, sent: &str) -> bool {
    let address = bench.emulator.base_url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    !matches!(stream.read(&mut [0; 64]).await, Ok(1..))
}

#[tokio::test]
async fn connections_close_before_or_after_the_body_is_read() {
    let bench = bench(json!({})).await;
    let all = format!("{HEAD}12345");
    bench.fault(json!({ "drop": "before_reading" }));
    assert!(is_closed_after(&bench, HEAD).await);
    bench.fault(json!({ "drop": "after_reading" }));
    assert!(is_closed_after(&bench, &all).await);
    assert!(!is_closed_after(&bench, &all).await);
    let bodies: Vec<Value> = bench.emulator.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, [Value::Null, json!(12345), json!(12345)]);
}

#[tokio::test]
async fn only_requests_that_were_read_are_carried_out() {
    let bench = bench(json!({})).await;
    for (drop, created) in [("before_reading", 0), ("after_reading", 1), ("mid_body", 2)] {
        bench.fault(json!({ "match": { "method": "POST" }, "drop": drop }));
        let create = bench.call(reqwest::Method::POST, "/v1/responses").json(&common::cat());
        let response = create.send().await;
        assert!(response.is_err() || response.unwrap().bytes().await.is_err(), "{drop}");
        assert_eq!(bench.created().await, created, "{drop}");
    }
}

/// The promised length, and the bytes that arrive before the connection breaks.
async fn arrived(bench: &Bench, url: &str) -> (u64, Vec<u8>) {
    let mut response = bench.http.get(url).send().await.unwrap();
    let promised = response.content_length().unwrap();
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend(chunk),
            Ok(None) => panic!("the whole body arrived"),
            Err(_) => return (promised, bytes),
        }
    }
}

#[tokio::test]
async fn exactly_half_of_the_body_arrives() {
    let bench = bench(json!({})).await;
    let (url, video) = (bench.video_url().await, bench.emulator.video());
    bench.fault(json!({ "match": { "origin": "video" }, "drop": "mid_body", "times": 5 }));
    for _ in 0..5 {
        let (promised, bytes) = arrived(&bench, &url).await;
        assert_eq!(promised, video.len() as u64);
        assert_eq!(bytes, video[..video.len() / 2]);
    }
    assert_eq!(bench.http.get(&url).send().await.unwrap().bytes().await.unwrap(), video);
}

#[tokio::test]
async fn exactly_half_of_a_long_body_arrives() {
    let bench = bench(json!({ "video_bytes": 40_000_000 })).await;
    let url = bench.video_url().await;
    bench.fault(json!({ "match": { "origin": "video" }, "drop": "mid_body" }));
    let (promised, bytes) = arrived(&bench, &url).await;
    assert_eq!((promised, bytes.len()), (40_000_000, 20_000_000));
}

#[tokio::test]
async fn a_fault_applies_from_the_nth_request_on() {
    let bench = bench(json!({ "speed": 0 })).await;
    let id = bench.emulator.add_generation(NewGeneration::default()).unwrap();
    let path = format!("/v1/responses/{id}");
    bench.fault(
        json!({ "match": { "path": "/v1/responses/*" }, "nth": 2, "times": null, "status": 502 }),
    );
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.get(&path).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 502, 502, 502]);
    bench.emulator.clear_faults();
    assert_eq!(bench.get(&path).await.status(), 200);
}

#[tokio::test]
async fn an_invalid_fault_is_reported_to_the_client() {
    let bench = bench(json!({})).await;
    bench.fault(json!({ "status": 99 }));
    bench.fault(json!({ "headers": { "not a name": "x" } }));
    for _ in 0..2 {
        let response = bench.get("/v1/usage").await;
        assert_eq!(response.status(), 500);
        assert!(
            response.json::<Value>().await.unwrap()["message"].as_str().unwrap().contains("fault")
        );
    }
}
