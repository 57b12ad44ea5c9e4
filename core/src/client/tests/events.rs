//! What is logged: the events and fields that `conformance/surface.json` declares, and nothing else.

use serde_json::{Value, json};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::client::clock;
use crate::model::Generation;
use crate::polling::budget::RateLimit;
use crate::webhook::Webhook;

#[path = "../../../tests/support/events.rs"]
pub(super) mod collected;

use collected::Events;

/// A client over the fake transport, and its events.
fn logging(fake: &Fake, builder: ClientBuilder) -> (Client, Events) {
    let events = Events::default();
    (build(fake, builder.log_to(events.subscriber())), events)
}

/// The events from `info` on as names with these fields, after all were compared with the declaration.
fn shown(events: &Events, fields: &[&str]) -> Vec<Value> {
    check(&events.all());
    let part = |event: &Value| {
        let names = ["event"].iter().chain(fields).filter(|name| event.get(**name).is_some());
        names.map(|name| ((*name).to_owned(), event[name].clone())).collect::<Value>()
    };
    events.without_debug().iter().map(part).collect()
}

/// Compares events with their declaration.
pub(super) fn check(events: &[Value]) {
    let surface: Value =
        serde_json::from_str(include_str!("../../../../conformance/surface.json")).unwrap();
    let find = |list: &str, name: &str| {
        let found = surface[list].as_array().unwrap().iter().find(|entry| entry["name"] == *name);
        found.unwrap_or_else(|| panic!("{name} is not in {list}")).clone()
    };
    for event in events {
        let declared = find("log_events", event["event"].as_str().unwrap());
        assert_eq!(event["level"], declared["level"], "{event}");
        for (name, value) in event.as_object().unwrap() {
            if ["event", "level", "message"].contains(&name.as_str()) {
                assert!(value.is_string(), "{event}");
                continue;
            }
            let fields = declared["fields"].as_array().unwrap();
            assert!(fields.contains(&json!(name)), "{name} is not declared: {event}");
            let fits = match find("log_fields", name)["type"].as_str().unwrap() {
                "integer" => value.is_u64(),
                "duration" => value.is_f64(),
                _ => value.is_string(),
            };
            assert!(fits, "{name} has another type: {event}");
        }
    }
}

#[test]
fn every_declared_event_and_field_exists() {
    let surface: Value =
        serde_json::from_str(include_str!("../../../../conformance/surface.json")).unwrap();
    let code = include_str!("../events.rs");
    for event in surface["log_events"].as_array().unwrap() {
        let name = event["name"].as_str().unwrap();
        // The bindings have queues of their own.
        assert!(name == "log.dropped" || code.contains(&format!("{name:?}")), "{name}");
        for field in event["fields"].as_array().unwrap() {
            let field = field.as_str().unwrap();
            assert!(field == "dropped" || code.contains(field), "{field}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_generate_is_logged_from_its_create_to_its_end() {
    let completed = json!({
        "id": "gen_1", "status": "completed", "model": "m", "usage": {"cost_usd": 0.1875},
    });
    let fake = Fake::new(move |request, before| match (request, before) {
        ("POST /v1/responses", 0) => Reply::RetryAfter(429, "3", String::new()),
        ("POST /v1/responses", _) => shows("queued"),
        (_, 0) => Reply::Respond(503, String::new()),
        (_, 1) => shows("in_progress"),
        _ => Reply::Late(S / 4, 200, completed.to_string()),
    });
    let (client, events) = logging(&fake, Client::builder().polling(every(10)));
    client.generate(request()).deadline(S * 100).await.unwrap();
    let fields = ["route", "generation_id", "attempt", "http_status", "error", "status"];
    let id = "gen_1";
    let (create, poll) = ("POST /v1/responses", "GET /v1/responses/{id}");
    assert_eq!(
        shown(&events, &fields),
        [
            json!({"event": "retry", "route": create, "attempt": 1, "http_status": 429, "error": "rate_limited"}),
            json!({"event": "create", "generation_id": id, "status": "queued"}),
            json!({"event": "wait.begun", "generation_id": id}),
            json!({"event": "retry", "route": poll, "generation_id": id, "http_status": 503, "error": "server"}),
            json!({"event": "wait.ended", "generation_id": id, "status": "completed"}),
        ]
    );
    let begun = &events.named("wait.begun")[0];
    assert_eq!(begun["deadline"], 100.0);
    let ended = &events.named("wait.ended")[0];
    assert_eq!((&ended["polls"], &ended["cost_usd"]), (&json!(3), &json!("0.1875")));
    assert!(ended["duration"].as_f64() > Some(20.0), "{ended}");
    // The records of a create have a number in common, since its id is known only at the end.
    let create = &events.named("create")[0];
    assert_eq!(events.named("retry")[0]["call"], create["call"]);
    assert_eq!(events.named("request")[0]["call"], create["call"]);
    let requests = events.named("request");
    let statuses: Vec<_> = requests.iter().map(|event| event["http_status"].clone()).collect();
    assert_eq!(statuses, [429, 200, 503, 200, 200]);
    assert_eq!(requests[4]["duration"], 0.25);
    assert!(requests.iter().all(|event| event["budget_left"].is_u64()), "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_budget_holds_says_so_at_once_and_how_long_at_the_end() {
    let fake = Fake::new(|_, _| shows("queued"));
    let limit = RateLimit::new(1, S * 8);
    let (client, events) = logging(&fake, Client::builder().rate_limit(limit));
    client.responses().retrieve("gen_1").await.unwrap();
    assert_eq!(shown(&events, &[]), [] as [Value; 0], "nothing holds the first one");
    let mut held = Box::pin(client.responses().retrieve("gen_1"));
    assert!(clock::within(S / 5, &mut held).await.is_none());
    let begun = &events.named("hold.begun")[0];
    assert_eq!(begun["generation_id"], "gen_1");
    assert!((7.8..=8.0).contains(&begun["room_in"].as_f64().unwrap()), "{begun}");
    held.await.unwrap();
    let ended = &events.named("hold.ended")[0];
    assert_eq!(ended["call"], begun["call"]);
    assert!((7.9..=8.1).contains(&ended["waited"].as_f64().unwrap()), "{ended}");
    check(&events.all());
}

#[tokio::test(start_paused = true)]
async fn polls_that_the_budget_holds_say_so_once() {
    let fake = Fake::new(|_, before| shows(if before < 2 { "queued" } else { "completed" }));
    let limit = RateLimit::new(1, S * 60);
    let (client, events) = logging(&fake, Client::builder().rate_limit(limit));
    client.responses().wait("gen_1").await.unwrap();
    let begun = events.named("hold.begun");
    let route = json!("GET /v1/responses/{id}");
    assert_eq!((&begun[0]["route"], &begun[0]["generation_id"]), (&route, &Value::Null));
    assert!(begun[0]["room_in"].as_f64().unwrap() > 5.0, "{begun:?}");
    let ended = events.named("hold.ended");
    assert_eq!((begun.len(), ended.len()), (2, 2), "{begun:?} {ended:?}");
    assert!(ended.iter().all(|event| event["waited"].as_f64().unwrap() > 30.0), "{ended:?}");
    check(&events.all());
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_is_a_warning_that_says_what_to_do() {
    let fake = Fake::new(|_, _| Reply::Lost);
    let (client, events) = logging(&fake, Client::builder());
    client.responses().create(request()).await.unwrap_err();
    let warning = &events.named("uncertain")[0];
    assert_eq!((&warning["level"], &warning["generation_id"]), (&json!("warn"), &Value::Null));
    assert_eq!(warning["model"], "moonshotai/kimi-k2.5");
    assert!(warning["message"].as_str().unwrap().contains("call reconcile"), "{warning}");
    check(&events.all());
}

#[tokio::test(start_paused = true)]
async fn a_generate_that_is_dropped_leaves_its_id_and_the_end_of_its_wait() {
    let fake = Fake::new(|_, _| shows("queued"));
    let (client, events) = logging(&fake, Client::builder());
    assert!(clock::within(S, client.generate(request()).into_future()).await.is_none());
    let ended = &events.named("wait.ended")[0];
    assert_eq!((&ended["error"], &ended["duration"]), (&json!("cancelled"), &json!(1.0)));
    let warning = &events.named("uncertain")[0];
    assert_eq!(warning["generation_id"], "gen_1");
    assert!(warning["message"].as_str().unwrap().contains("wait for this id"), "{warning}");
    assert_eq!(warning["call"], events.named("create")[0]["call"]);
    check(&events.all());
}

#[tokio::test(start_paused = true)]
async fn waits_end_with_the_generations_status_or_an_error() {
    let failed = json!({"id": "gen_1", "status": "failed", "error": {"code": "invalid_prompt", "message": "a secret"}});
    for (reply, expected) in [
        (
            Reply::Respond(200, failed.to_string()),
            json!({"event": "wait.ended", "status": "failed", "category": "invalid_prompt"}),
        ),
        (
            Reply::Respond(403, String::new()),
            json!({"event": "wait.ended", "error": "permission_denied"}),
        ),
        (shows("queued"), json!({"event": "wait.ended", "error": "wait_timeout"})),
    ] {
        let mut reply = Some(reply);
        let fake = Fake::new(move |_, _| reply.take().unwrap_or(shows("queued")));
        let (client, events) = logging(&fake, Client::builder());
        client.responses().wait("gen_1").deadline(S).await.unwrap_err();
        assert_eq!(shown(&events, &["status", "category", "error"])[1], expected);
    }
    // A watch is a wait too.
    let fake = Fake::new(|_, _| shows("completed"));
    let (client, events) = logging(&fake, Client::builder());
    let mut watch = client.responses().watch("gen_1");
    while watch.next().await.is_some() {}
    drop(watch);
    let ended = json!({"event": "wait.ended", "status": "completed"});
    assert_eq!(shown(&events, &["status"]), [json!({"event": "wait.begun"}), ended]);
}

#[tokio::test(start_paused = true)]
async fn webhooks_are_accepted_unconfirmed_duplicate_or_rejected() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let fake = Fake::new(|_, before| shows(["queued", "queued", "completed"][before.min(2)]));
    let (client, events) = logging(&fake, Client::builder().webhook_secrets([secret]));
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S).await;
    let body =
        r#"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}"#;
    let headers = Webhook::new([secret]).unwrap().sign(body, "msg_1", clock::wall());
    client.webhooks().unwrap(body, headers.clone()).unwrap().acknowledge();
    tokio::time::sleep(S).await;
    client.webhooks().unwrap(body, headers.clone()).unwrap();
    client.webhooks().unwrap("another body", headers).unwrap_err();
    wait.await.unwrap().unwrap();
    let received: Vec<_> = shown(&events, &["outcome", "generation_id", "event_id", "reason"])
        .into_iter()
        .filter(|event| event["event"] == "webhook")
        .collect();
    assert_eq!(
        received,
        [
            json!({"event": "webhook", "outcome": "accepted", "generation_id": "gen_1", "event_id": "msg_1"}),
            json!({"event": "webhook", "outcome": "unconfirmed", "generation_id": "gen_1"}),
            json!({"event": "webhook", "outcome": "duplicate", "generation_id": "gen_1", "event_id": "msg_1"}),
            json!({"event": "webhook", "outcome": "rejected", "reason": "no_match"}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_download_is_logged_with_its_interruptions() {
    let completed = json!({
        "id": "gen_1", "status": "completed", "output_video_url": "http://127.0.0.1:9/v.mp4?sig=secret",
    });
    let generation: Generation = serde_json::from_value(completed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Respond(503, String::new()),
        _ => Reply::Respond(200, "whole".to_owned()),
    });
    let (client, events) = logging(&fake, Client::builder());
    client.responses().download(&generation, folder.path().join("v.mp4")).await.unwrap();
    let fields = ["generation_id", "stored", "http_status", "error", "bytes"];
    assert_eq!(
        shown(&events, &fields),
        [
            json!({"event": "download.resumed", "generation_id": "gen_1", "stored": 0, "http_status": 503, "error": "download"}),
            json!({"event": "download.done", "generation_id": "gen_1", "bytes": 5}),
        ]
    );
    assert_eq!(events.named("download.begun").len(), 1);
    let requests = events.named("request");
    assert!(requests.iter().all(|event| event["route"] == "GET video"), "{requests:?}");
    assert_eq!(requests[1]["attempt"], 2);
    assert!(!format!("{:?}", events.all()).contains("sig"), "{:?}", events.all());

    let gone = Fake::new(|_, _| Reply::Respond(404, String::new()));
    let (client, events) = logging(&gone, Client::builder());
    client.responses().download(&generation, folder.path().join("w.mp4")).await.unwrap_err();
    let failed = json!({"event": "download.failed", "generation_id": "gen_1", "http_status": 404, "error": "not_found", "bytes": 0});
    assert_eq!(shown(&events, &fields), [failed]);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_client_with_a_subscriber_go_nowhere_else() {
    let id_of = |request: &str| request.rsplit('/').next().unwrap().to_owned();
    let fake = Fake::new(move |request, _| {
        Reply::Respond(200, json!({"id": id_of(request), "status": "queued"}).to_string())
    });
    let (first, of_first) = logging(&fake, Client::builder());
    let (second, of_second) = logging(&fake, Client::builder());
    let other = Events::default();
    let _guard = tracing::dispatcher::set_default(&other.subscriber());
    first.responses().retrieve("gen_1").await.unwrap();
    second.responses().retrieve("gen_2").await.unwrap();
    client(&fake).responses().retrieve("gen_3").await.unwrap();
    for (events, id) in [(of_first, "gen_1"), (of_second, "gen_2"), (other, "gen_3")] {
        let ids: Vec<_> = events.all().iter().map(|e| e["generation_id"].clone()).collect();
        assert_eq!(ids, [id]);
    }
}
