//! Paths that the caller names, and responses as they were received.

use serde_json::{Value, json};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_get_is_retried_and_carries_the_key() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Respond(503, String::new()),
        _ => Reply::With(200, vec![("x-request-id", "req_1")], b"{\"a\":[1]}".to_vec()),
    });
    let response = client(&fake).get("/v1/models?limit=2").await.unwrap();
    assert_eq!((response.status, response.request_id().as_deref()), (200, Some("req_1")));
    assert_eq!(response.json::<Value>().unwrap(), json!({"a": [1]}));
    assert_eq!(response.json::<u8>().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(fake.count("GET /v1/models"), 2);
    assert!(fake.headers(1)["authorization"].to_str().unwrap().starts_with("Bearer pv_test_"));
}

#[tokio::test(start_paused = true)]
async fn a_post_is_sent_again_only_if_it_was_certainly_not_processed() {
    let body = json!({"name": "holiday"});
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Refused,
        1 => Reply::Respond(429, String::new()),
        _ => Reply::Respond(201, "{}".to_owned()),
    });
    assert_eq!(client(&fake).post("/v1/collections", &body).await.unwrap().status, 201);
    assert_eq!(fake.count("POST /v1/collections"), 3);
    for (lost, kind) in [(503, ErrorKind::Server), (0, ErrorKind::Connection)] {
        let fake = Fake::new(move |_, _| match lost {
            0 => Reply::Lost,
            status => Reply::Respond(status, String::new()),
        });
        let error = client(&fake).post("/v1/collections", &body).max_retries(9).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable(), error.attempts()), (kind, false, 1));
        assert_eq!(fake.count("POST"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_leaves_for_no_path_but_one_on_the_base_url() {
    let fake = Fake::new(|_, _| Reply::Respond(200, "{}".to_owned()));
    let client = client(&fake);
    for path in ["https://evil.example/", "//evil.example/", "/v1/../admin", "usage", "/a\\b"] {
        let errors = [client.get(path).await, client.post(path, &1).await];
        for error in errors.map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidRequest, false));
        }
    }
    assert_eq!(fake.count(""), 0);
    let fake = Fake::new(|_, _| Reply::Respond(404, "{}".to_owned()));
    let error = super::client(&fake).get("/v1/nothing").await.unwrap_err();
    assert!(error.message().contains("nothing at this path"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_returns_its_response_if_it_is_asked_to() {
    let fake = Fake::new(|_, _| {
        let body = br#"{"id":"gen_1","status":"completed"}"#.to_vec();
        Reply::With(200, vec![("x-request-id", "req_1"), ("x-more", "1")], body)
    });
    let client = client(&fake);
    let create = client.responses().create(request()).with_response();
    let (created, response) = create.max_retries(0).await.unwrap();
    assert_eq!((response.status, response.request_id().as_deref()), (200, Some("req_1")));
    assert_eq!(response.headers["x-more"], "1");
    assert!(response.body.starts_with(b"{\"id\""));
    assert!(!format!("{response:?}").contains("gen_1"), "the body may have secrets");
    let (retrieved, _) = client.responses().retrieve(&created.id).with_response().await.unwrap();
    assert_eq!(retrieved, created);
    let (_, response) = client.usage().retrieve().with_response().await.unwrap();
    assert_eq!(response.request_id().as_deref(), Some("req_1"));
}

/// A bar moves between two changes, and no request is made for that.
#[tokio::test(start_paused = true)]
async fn on_update_receives_the_forecast_between_changes_and_watch_does_not() {
    use std::sync::{Arc, Mutex};

    use crate::model::Update;

    let slow = || Fake::new(|_, before| shows(if before < 20 { "queued" } else { "completed" }));
    let polling = every(5).typical(S * 60);
    let fake = slow();
    let client = build(&fake, Client::builder().polling(polling));
    let shown: Arc<Mutex<Vec<Update>>> = Arc::default();
    let updates = shown.clone();
    let wait = client.responses().wait("gen_1");
    wait.on_update(move |update| updates.lock().unwrap().push(update.clone())).await.unwrap();
    let shown = shown.lock().unwrap().clone();
    let (first, last) = (shown.first().unwrap(), shown.last().unwrap());
    assert_eq!((first.generation.is_final(), last.progress), (false, 1.0));
    let between = &shown[1..shown.len() - 1];
    assert!(between.len() >= 15, "every five seconds: {}", between.len());
    assert!(
        between.iter().all(|update| update.generation == first.generation && update.progress < 1.0)
    );
    assert!(shown.windows(2).all(|pair| pair[0].progress <= pair[1].progress));
    assert!(between.windows(2).all(|pair| pair[0].elapsed < pair[1].elapsed));
    assert!(between.last().unwrap().progress > between[0].progress + 0.2);
    let polls = fake.count("GET");
    let fake = slow();
    let client = build(&fake, Client::builder().polling(polling));
    let changes: Vec<_> = futures_util::StreamExt::collect(client.responses().watch("gen_1")).await;
    assert_eq!((changes.len(), fake.count("GET")), (2, polls));
}

#[tokio::test(start_paused = true)]
async fn a_generation_stands_for_its_id() {
    let fake = Fake::new(|_, _| shows("completed"));
    let client = client(&fake);
    let generation = client.responses().wait("gen_1").await.unwrap();
    assert!(client.responses().wait(&generation).await.unwrap().is_final());
    assert!(client.responses().watch(generation).next().await.unwrap().is_ok());
    assert_eq!(fake.count("GET /v1/responses/gen_1"), 3);
}
