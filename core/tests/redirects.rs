//! Redirects of a create: followed only if the service asks for the same request again.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use pipevideo::{Client, ErrorKind, GenerationRequest};
use pipevideo_emulator::{Emulator, Fault, Options};
use serde_json::json;

async fn create(status: u16, location: &str) -> (Result<(), ErrorKind>, Vec<(String, String)>) {
    let emulator =
        Emulator::start(Options { rate_limit: None, ..Options::default() }).await.unwrap();
    let fault: Fault = serde_json::from_value(json!({
        "match": {"method": "POST", "path": "/v1/responses"},
        "status": status,
        "headers": {"location": location},
    }))
    .unwrap();
    emulator.fault(fault);
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let client = builder.build().unwrap();
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat");
    let outcome = client.responses().create(request).await;
    let authorization = |headers: &std::collections::BTreeMap<String, String>| {
        headers.get("authorization").cloned().unwrap_or_default()
    };
    let requests = emulator.requests().into_iter();
    let requests = requests.map(|r| (r.method.clone(), authorization(&r.headers))).collect();
    (outcome.map(drop).map_err(|error| error.kind()), requests)
}

#[tokio::test]
async fn a_307_within_the_origin_is_followed() {
    let (outcome, requests) = create(307, "/v1/responses?again").await;
    assert_eq!(outcome, Ok(()));
    let post = ("POST".to_owned(), "Bearer <key>".to_owned());
    assert_eq!(requests, [post.clone(), post]);
}

#[tokio::test]
async fn a_create_with_a_redirect_that_changes_the_method_is_uncertain() {
    for status in [301, 302, 303] {
        let (outcome, requests) = create(status, "/v1/engines").await;
        assert_eq!(outcome, Err(ErrorKind::SubmissionUncertain), "{status}");
        assert_eq!(requests.len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed() {
    let (outcome, requests) = create(308, "{other_origin}/v1/responses").await;
    assert_eq!((outcome, requests.len()), (Err(ErrorKind::ApiStatus), 1));
}

#[tokio::test]
async fn a_create_that_was_redirected_counts_as_sent() {
    let (outcome, requests) = create(307, "/v1/responses/").await;
    assert_eq!((outcome, requests.len()), (Err(ErrorKind::NotFound), 2));
    // A circle: whether a server has processed the create is not known.
    let emulator =
        Emulator::start(Options { rate_limit: None, ..Options::default() }).await.unwrap();
    let fault = json!({"match": {"method": "POST"}, "times": null, "status": 307,
        "headers": {"location": "/v1/responses"}});
    emulator.fault(serde_json::from_value(fault).unwrap());
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat");
    let error = builder.build().unwrap().responses().create(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn the_callers_headers_are_not_sent_to_another_origin() {
    let emulator =
        Emulator::start(Options { rate_limit: None, ..Options::default() }).await.unwrap();
    let fault = json!({"match": {"path": "/v1/usage"}, "status": 302,
        "headers": {"location": "{other_origin}/elsewhere"}});
    emulator.fault(serde_json::from_value(fault).unwrap());
    let mut headers = pipevideo::HeaderMap::new();
    headers.insert("x-secret", "mine".parse().unwrap());
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let _ = builder.headers(headers).build().unwrap().usage().retrieve().await;
    let requests = emulator.requests();
    assert_eq!(requests[0].headers["x-secret"], "mine");
    assert!(requests[1].path == "/elsewhere" && !requests[1].headers.contains_key("x-secret"));
}
