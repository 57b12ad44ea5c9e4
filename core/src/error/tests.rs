use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::test_snapshots::check;
use crate::wire::Response;

fn generation(json: Value) -> Arc<Generation> {
    Arc::new(serde_json::from_value(json).unwrap())
}

fn response(status: u16, body: &str) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    let response = Response { status, headers: HeaderMap::new(), body, cut: None };
    let redactor = Redactor { key: "pv_key_1" };
    response.generation(None, &redactor, SystemTime::UNIX_EPOCH).unwrap_err()
}

fn show(errors: impl IntoIterator<Item = Error>) -> String {
    errors.into_iter().map(|error| format!("{}: {error}\n", error.kind())).collect()
}

#[test]
fn texts_of_responses() {
    let statuses = [400, 401, 403, 404, 408, 429, 500].map(|status| response(status, ""));
    let bodies = [
        response(400, r#"{"message":"Insufficient balance"}"#),
        response(400, r#"{"message":"no","code":"bad_shape"}"#),
        response(200, "<html>"),
        response(200, "{}"),
        response(200, r#"{"id":"#),
    ];
    check("error_texts_of_responses", &show(statuses.into_iter().chain(bodies)));
}

#[test]
fn texts_of_uncertain_creates() {
    let errors = [
        Error::new(ErrorKind::Connection, "").with_delivery(Delivery::Unknown),
        Error::new(ErrorKind::Timeout, "").with_delivery(Delivery::Unknown),
        response(500, ""),
        response(200, "{}"),
        response(200, r#"{"id":"gen_1"}"#),
    ];
    let errors = errors.map(|error| error.into_uncertain("m", SystemTime::UNIX_EPOCH));
    check("error_texts_of_uncertain_creates", &show(errors));
}

#[test]
fn texts_of_ended_waits() {
    let codes = ["insufficient_credits", "provider", "unavailable", "invalid_prompt", "E42"];
    let failed = codes.map(|code| {
        Error::failed(generation(
            json!({"id": "gen_1", "status": "failed", "error": {"code": code}}),
        ))
    });
    let last = |status: &str| Some(generation(json!({"id": "gen_1", "status": status})));
    let deadlines = [
        Error::deadline("gen_1", last("in_progress"), 3, None),
        Error::deadline("gen_1", last("two words"), 3, None),
        Error::deadline("gen_1", last("queued"), 3, Some(response(503, ""))),
        Error::deadline("gen_1", None, 0, None),
        Error::deadline("gen_1", None, 1, Some(response(503, ""))),
    ];
    check("error_texts_of_ended_waits", &show(failed.into_iter().chain(deadlines)));
}

#[test]
fn the_text_of_a_generation_is_safe_to_log() {
    let url = "https://v.example/v.mp4?sig=SECRET";
    let long = "x".repeat(100_000);
    let last = generation(json!({
        "id": "gen_1", "status": format!("stuck\n{long}"), "output_video_url": url,
    }));
    let failed = generation(json!({
        "id": "gen_1", "status": "failed", "output_video_url": url,
        "error": {"code": format!("see {url}\n{long}"), "message": "SECRET prompt"},
    }));
    for error in [Error::deadline("gen_1", Some(last), 3, None), Error::failed(failed)] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("SECRET") && !text.contains('\n'), "{text}");
        assert!(text.len() < 2000, "{}", text.len());
        assert_eq!(error.generation_id(), Some("gen_1"));
    }
}

#[test]
fn the_services_words_go_along_into_the_errors_of_creates_and_waits() {
    let uncertain = response(500, r#"{"message":"a cat"}"#);
    let uncertain = uncertain.into_uncertain("m", SystemTime::UNIX_EPOCH);
    let failed = json!({"id": "gen_1", "status": "failed", "error": {"message": "a cat"}});
    let late = Error::deadline("gen_1", None, 1, Some(response(403, r#"{"message":"a cat"}"#)));
    for error in [uncertain, Error::failed(generation(failed)), late] {
        assert_eq!(error.service_message(), Some("a cat"));
        assert!(!format!("{error} {error:?}").contains("cat"));
    }
}

#[test]
fn the_source_of_an_uncertain_create_does_not_advise_to_try_again() {
    let uncertain = response(500, "").into_uncertain("m", SystemTime::UNIX_EPOCH);
    let source = uncertain.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.message(), "the service had an error (HTTP 500).");
    assert_eq!(source.kind(), ErrorKind::Server);
    assert!(!source.is_retryable() && !uncertain.is_retryable());
}

#[test]
fn a_wait_without_any_snapshot_was_delivered_as_far_as_its_last_poll() {
    let lost = || Some(Error::new(ErrorKind::Connection, "").with_delivery(Delivery::NotSent));
    let last = || Some(generation(json!({"id": "gen_1", "status": "queued"})));
    for (last, failure, delivery) in [
        (None, lost(), Delivery::NotSent),
        (None, None, Delivery::Answered),
        (last(), lost(), Delivery::Answered),
    ] {
        assert_eq!(Error::deadline("gen_1", last, 1, failure).delivery(), delivery);
    }
}

#[test]
fn what_the_rejection_of_a_webhook_is_shown_as() {
    let reason = WebhookReason::NoMatch;
    assert_eq!((reason.as_str(), reason.to_string()), ("no_match", "no_match".to_owned()));
    assert!(reason.message().contains("Check the secret"));
}

#[test]
fn the_error_of_an_ended_wait_has_its_generation() {
    let code = json!({"code": "render_failed"});
    for (error, category) in
        [(code, FailureCategory::Provider), (json!(null), FailureCategory::Other)]
    {
        let failed = json!({"id": "gen_1", "status": "failed", "error": error});
        let error = Error::failed(generation(failed));
        assert_eq!(error.category(), Some(category));
        assert_eq!(error.generation().map(|generation| generation.id.as_str()), Some("gen_1"));
        assert_eq!(error.polls(), None);
    }
    let last = generation(json!({"id": "gen_2", "status": "queued"}));
    let late = Error::deadline("gen_2", Some(last), 3, None);
    assert_eq!(late.generation().map(|generation| generation.id.as_str()), Some("gen_2"));
    assert_eq!((late.category(), late.polls()), (None, Some(3)));
}

#[test]
fn debug_shows_what_is_safe_to_log() {
    let bad = response(400, r#"{"message":"SECRET","code":"bad_shape"}"#);
    let shown = format!("{:?}", bad.with_generation_id("gen_1").with_attempts(2));
    assert!(shown.starts_with("Error { kind: BadRequest, message: \"the service "), "{shown}");
    let rest = r#", status: 400, code: "bad_shape", generation_id: "gen_1", attempts: 2, delivery: Answered, .. }"#;
    assert!(shown.ends_with(rest) && !shown.contains("SECRET"), "{shown}");
}

#[test]
fn an_uncertain_create_keeps_what_its_cause_has() {
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
    let cause = response(500, r#"{"message":"a cat","code":"E42","id":"gen_1"}"#)
        .with_request_id(Some("req_1".to_owned()))
        .with_attempts(3);
    let error = cause.into_uncertain("lab/m", sent_at);
    assert_eq!((error.kind(), error.status()), (ErrorKind::SubmissionUncertain, Some(500)));
    assert_eq!((error.code(), error.request_id()), (Some("E42"), Some("req_1")));
    assert_eq!((error.model(), error.sent_at()), (Some("lab/m"), Some(sent_at)));
    assert_eq!((error.generation_id(), error.attempts()), (Some("gen_1"), 3));
    assert_eq!((error.service_message(), error.delivery()), (Some("a cat"), Delivery::Answered));
    let plain = Error::new(ErrorKind::Connection, "");
    assert_eq!((plain.model(), plain.sent_at(), plain.attempts()), (None, None, 0));
    assert_eq!((plain.code(), plain.request_id(), plain.reason()), (None, None, None));
}

#[test]
fn a_create_that_was_cancelled_names_its_generation_if_that_is_known() {
    let sent_at = SystemTime::UNIX_EPOCH;
    for (id, delivery, advice) in [
        (Some("gen_1"), Delivery::Answered, "Wait for gen_1 before you create another."),
        (None, Delivery::Unknown, "Check with reconcile() before you create another."),
    ] {
        let error = Error::cancelled_create("lab/m", sent_at, id);
        assert_eq!((error.generation_id(), error.delivery()), (id, delivery));
        assert_eq!((error.model(), error.sent_at()), (Some("lab/m"), Some(sent_at)));
        assert!(error.message().ends_with(advice) && !error.is_retryable(), "{error}");
        assert_eq!(error.advice(), Some(advice));
    }
}

#[test]
fn of_two_pauses_the_longer_one_counts() {
    let second = Duration::from_secs(1);
    for (header, body, longest) in [
        (Some(second), Some(second * 2), Some(second * 2)),
        (Some(second * 2), Some(second), Some(second * 2)),
        (None, Some(second), Some(second)),
        (Some(second), None, Some(second)),
        (None, None, None),
    ] {
        let asked = RetryAfter { header, body };
        let error = Error::new(ErrorKind::RateLimited, "").with_retry_after(asked);
        assert_eq!((error.retry_after(), error.asked_pause()), (longest, asked));
    }
}
