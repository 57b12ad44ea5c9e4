//! The page over HTTP. What it does in a browser is tested in bindings-node/test/emulator-page.test.mjs.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Bench, bench};
use pipevideo_emulator::{NewGeneration, Settlement};
use reqwest::Response;
use serde_json::json;

impl Bench {
    async fn page(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.get(format!("{}/_emulator/{path}", self.emulator.base_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

#[tokio::test]
async fn the_page_has_a_strict_policy_and_is_not_logged() {
    let bench = bench(json!({})).await;
    for (path, media_type) in [
        ("", "text/html; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
    ] {
        let response = bench.page(path, &[]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], media_type);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
    }
    assert_eq!(bench.arrived(), [""; 0]);
}

#[tokio::test]
async fn the_stream_has_requests_and_generations_and_no_key() {
    let bench = bench(json!({})).await;
    bench.create().await;
    let mut response = bench.page("events", &[]).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = response.chunk().await.unwrap().unwrap();
    let events = String::from_utf8(events.to_vec()).unwrap();
    let names: Vec<_> = events.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(names, ["start", "generation", "request", "account"]);
    assert!(events.contains(r#""prompt":"A cat""#) && !events.contains(bench.emulator.api_key()));
}

#[tokio::test]
async fn videos_of_the_page_have_no_signature() {
    let bench = bench(json!({})).await;
    let id = bench.emulator.add_generation(NewGeneration::default()).unwrap();
    bench.emulator.settle(&id, Settlement::completed()).unwrap();
    let response = bench.page(&format!("videos/{id}.mp4"), &[]).await;
    assert_eq!(response.bytes().await.unwrap(), bench.emulator.video());
    assert_eq!(bench.page("videos/other", &[]).await.status(), 404);
}

#[tokio::test]
async fn other_pages_get_nothing() {
    let bench = bench(json!({})).await;
    for path in ["", "page.js", "events", "videos/gen_1.mp4", "requests"] {
        assert_eq!(bench.page(path, &[("host", "evil.example")]).await.status(), 403, "{path}");
    }
    for headers in [("origin", "http://127.0.0.1:3000"), ("sec-fetch-site", "same-site")] {
        for path in ["events", "videos/gen_1.mp4", "requests"] {
            assert_eq!(bench.page(path, &[headers]).await.status(), 403, "{path}");
        }
        assert_eq!(bench.page("", &[headers]).await.status(), 200, "a link may lead to the page");
    }
}
