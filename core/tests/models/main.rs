//! The models: lenient when reading, faithful when writing, exact about money.

mod any_json;

use std::time::{Duration, SystemTime};

use pipevideo::{
    AccountUsage, Decimal, Detail, EngineCatalog, ErrorKind, EstimateBasis, FailureCategory,
    Generation, GenerationError, GenerationRequest, InputPart, Media, Polling, ProviderPreference,
    Status, TokenUsage, Via, Webhook, WebhookEvent, WebhookReason,
};
use serde_json::{Value, json};

/// The response to a create, as the service's guide shows it.
const GUIDE: &str = r#"{"id":"gen_abc123xyz","object":"response","status":"queued","model":"moonshotai/kimi-k2.5","engine":"hyperframes","provider":"framerate","created_at":1709827200,
 "output":[{"type":"message","id":"gen_abc123xyz_msg","role":"assistant","status":"in_progress","content":[]}],"output_video_url":null}"#;

fn read(text: &str) -> Generation {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn the_last_of_repeated_fields_counts() {
    let text = r#"{"id":"gen_0","status":"queued","usage":{"total_tokens":1},"colour":"red",
        "id":"gen_1","status":"completed","usage":{"total_tokens":2},"colour":"blue"}"#;
    let generation: Generation = serde_json::from_str(text).unwrap();
    assert_eq!((generation.id.as_str(), &generation.status), ("gen_1", &Status::Completed));
    assert_eq!(generation.usage.as_ref().unwrap().total_tokens, Some(2));
    let written = serde_json::to_value(&generation).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn the_example_of_the_guide_is_read_and_written_unchanged() {
    let generation = read(GUIDE);
    assert_eq!(generation.id, "gen_abc123xyz");
    assert_eq!(generation.status, Status::Queued);
    assert_eq!(generation.model.as_deref(), Some("moonshotai/kimi-k2.5"));
    assert_eq!(generation.engine.as_deref(), Some("hyperframes"));
    assert_eq!(generation.provider.as_deref(), Some("framerate"));
    let created = generation.created_at.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(created.as_secs(), 1_709_827_200);
    assert_eq!(generation.output_video_url, None);
    assert_eq!(generation.output.as_ref().unwrap()[0]["role"], "assistant");
    assert_eq!(generation.extra, *json!({"object": "response"}).as_object().unwrap());
    assert_eq!((generation.usage.is_none(), generation.error.is_none()), (true, true));
    assert_eq!(value(&serde_json::to_string(&generation).unwrap()), value(GUIDE));
}

#[test]
fn only_an_object_without_id_or_status_is_rejected() {
    for text in [
        "{}",
        "[]",
        "null",
        r#"{"id":"gen_1"}"#,
        r#"{"status":"queued"}"#,
        r#"{"id":"","status":"queued"}"#,
        r#"{"id":null,"status":"queued"}"#,
        r#"{"id":1,"status":"queued"}"#,
        r#"{"id":"gen_1","status":null}"#,
        r#"{"id":"gen_1","status":3}"#,
        r#"{"id":"gen_1","status":"queued""#,
    ] {
        assert!(serde_json::from_str::<Generation>(text).is_err(), "{text}");
    }
}

#[test]
fn costs_are_exact() {
    for (written, exact) in [
        ("0.1", "0.1"),
        ("0.10", "0.10"),
        ("\"0.10\"", "0.10"),
        ("\" 12.5 \"", "12.5"),
        ("0", "0"),
        ("1", "1"),
        ("-0.25", "-0.25"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("9007199254740993.01", "9007199254740993.01"),
        ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
        ("7922816251426433759354395033.5", "7922816251426433759354395033.5"),
        ("1.5e-7", "0.00000015"),
        ("4.2E+1", "42"),
        ("1e3", "1000"),
    ] {
        let text = format!(r#"{{"cost_usd":{written}}}"#);
        let usage: TokenUsage = serde_json::from_str(&text).unwrap();
        assert_eq!(usage.cost_usd.map(|cost| cost.to_string()).as_deref(), Some(exact), "{text}");
        let again = serde_json::to_string(&usage).unwrap();
        assert_eq!(again, text, "the digits are those that were read");
        let mut other = usage;
        other.cost_usd = Some(exact.parse::<Decimal>().unwrap() + Decimal::ONE);
        let other = serde_json::to_string(&other).unwrap();
        assert_ne!(other, text, "a changed value is not written with the digits that were read");
    }
}

#[test]
fn a_cost_that_is_not_an_exact_decimal_is_kept_and_not_rounded() {
    for written in [
        "\"free\"",
        "\"\"",
        "\".\"",
        "\"1_000\"",
        "\"$1\"",
        "\"NaN\"",
        "true",
        "[1]",
        "{\"usd\":1}",
        "1e300",
        "\"1e99999999999\"",
        "\"1.00000000000000000000000000001e3\"",
        "\"0.00000000000000000000000000001\"",
        "\"79228162514264337593543950336\"",
    ] {
        let text = format!(r#"{{"cost_usd":{written}}}"#);
        let usage: TokenUsage = serde_json::from_str(&text).unwrap();
        assert_eq!(usage.cost_usd, None, "{text}");
        assert_eq!(value(&serde_json::to_string(&usage).unwrap()), value(&text));
    }
}

#[test]
fn an_older_status_is_read_and_written_as_it_was() {
    for (word, status) in [("pending", Status::Queued), ("processing", Status::InProgress)] {
        let text = format!(r#"{{"id":"gen_1","status":"{word}"}}"#);
        let mut generation = read(&text);
        assert_eq!(generation.status, status);
        assert_eq!(serde_json::to_string(&generation).unwrap(), text);
        generation.status = Status::Completed;
        assert!(serde_json::to_string(&generation).unwrap().contains("completed"));
    }
}

#[test]
fn both_names_of_token_counts_are_read() {
    for (text, input, again) in [
        (json!({"prompt_tokens": 7}), Some(7), json!({"prompt_tokens": 7})),
        (json!({"input_tokens": 7.0}), Some(7), json!({"input_tokens": 7})),
        // Both: the newer one counts, the other is kept.
        (
            json!({"input_tokens": 7, "prompt_tokens": 8}),
            Some(7),
            json!({"input_tokens": 7, "prompt_tokens": 8}),
        ),
        (
            json!({"input_tokens": null, "prompt_tokens": 8}),
            Some(8),
            json!({"input_tokens": null, "prompt_tokens": 8}),
        ),
        (json!({"prompt_tokens": null}), None, json!({"prompt_tokens": null})),
        // A field that cannot be read keeps its name, which the older field must not take.
        (
            json!({"input_tokens": "many", "prompt_tokens": 8}),
            None,
            json!({"input_tokens": "many", "prompt_tokens": 8}),
        ),
        (json!({"prompt_tokens": -1}), None, json!({"prompt_tokens": -1})),
        (json!({"input_tokens": 1.5}), None, json!({"input_tokens": 1.5})),
    ] {
        let usage: TokenUsage = serde_json::from_str(&text.to_string()).unwrap();
        assert_eq!(usage.input_tokens, input, "{text}");
        let written = serde_json::to_string(&usage).unwrap();
        assert_eq!(value(&written), again, "{text}");
        assert_eq!(
            written.matches("input_tokens").count(),
            usize::from(again.get("input_tokens").is_some())
        );
    }
}

#[test]
fn times_are_written_as_they_were_read() {
    for (written, known) in [
        ("1709827200", true),
        ("1709827200.5", true),
        ("1709827200.123", true),
        ("0", true),
        ("253402300799", true),
        ("253402300800", false),
        ("9007199254740993", false),
        ("0.12345678901234", false),
        ("-5", false),
        ("1e300", false),
        ("18446744073709551615", false),
        ("\"2024-03-07\"", false),
        ("\"1709827200\"", false),
    ] {
        let text = format!(r#"{{"id":"gen_1","status":"queued","created_at":{written}}}"#);
        let generation = read(&text);
        assert_eq!(generation.created_at.is_some(), known, "{written}");
        assert_eq!(value(&serde_json::to_string(&generation).unwrap()), value(&text));
    }
}

#[test]
fn failures_are_classified() {
    use FailureCategory::{InsufficientCredits, InvalidPrompt, Other, Provider, Unavailable};
    for (error, category) in [
        (json!({"code": "INSUFFICIENT-CREDITS"}), InsufficientCredits),
        (json!({"message": "Your balance is zero"}), InsufficientCredits),
        (json!({"code": "E1", "message": "the charge failed"}), InsufficientCredits),
        (json!({"code": "render_failed", "message": "prompt"}), Provider),
        (json!({"message": "Orchestration timed out"}), Provider),
        (json!({"code": "model_not_available"}), Unavailable),
        (json!({"message": "blocked by moderation"}), InvalidPrompt),
        (json!({"code": 42, "message": null}), Other),
        (json!({}), Other),
    ] {
        let read: GenerationError = serde_json::from_value(error.clone()).unwrap();
        assert_eq!(read.category(), category, "{error}");
        assert_eq!(serde_json::to_value(&read).unwrap(), error);
    }
}

#[test]
fn names_are_those_that_every_language_uses() {
    for (via, name) in [(Via::Poll, "poll"), (Via::Webhook, "webhook")] {
        assert_eq!((via.as_str(), via.to_string().as_str()), (name, name));
    }
    for (category, name) in [
        (FailureCategory::InsufficientCredits, "insufficient_credits"),
        (FailureCategory::Provider, "provider"),
        (FailureCategory::Unavailable, "unavailable"),
        (FailureCategory::InvalidPrompt, "invalid_prompt"),
        (FailureCategory::Other, "other"),
    ] {
        assert_eq!((category.as_str(), category.to_string().as_str()), (name, name));
    }
    for (basis, name) in [
        (EstimateBasis::Seen, "seen"),
        (EstimateBasis::Account, "account"),
        (EstimateBasis::Rates, "rates"),
    ] {
        assert_eq!((basis.as_str(), basis.to_string().as_str()), (name, name));
    }
    for (reason, name) in [
        (WebhookReason::MissingHeader, "missing_header"),
        (WebhookReason::BadTimestamp, "bad_timestamp"),
        (WebhookReason::TooOld, "too_old"),
        (WebhookReason::TooNew, "too_new"),
        (WebhookReason::NoMatch, "no_match"),
        (WebhookReason::BadPayload, "bad_payload"),
    ] {
        assert_eq!((reason.as_str(), reason.to_string().as_str()), (name, name));
    }
    for (status, name, is_final, debug) in [
        (Status::Queued, "queued", false, "Queued"),
        (Status::InProgress, "in_progress", false, "InProgress"),
        (Status::Completed, "completed", true, "Completed"),
        (Status::Failed, "failed", true, "Failed"),
        (Status::Other("rendering".to_owned()), "rendering", false, r#"Other("rendering")"#),
        (Status::Other("two words".to_owned()), "two words", false, "Other(<9 bytes>)"),
    ] {
        assert_eq!(format!("{status:?}"), debug);
        assert_eq!((status.as_str(), status.to_string().as_str()), (name, name));
        assert_eq!((Status::from(name), status.is_final()), (status, is_final));
        let generation = read(&format!(r#"{{"id":"gen_1","status":"{name}"}}"#));
        assert_eq!(generation.is_final(), is_final, "{name}");
    }
    let kinds: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.to_string()).collect();
    let surface: Value = value(include_str!("../../../conformance/surface.json"));
    let declared = surface["error_kinds"].as_array().unwrap().iter();
    let declared: Vec<_> = declared.map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(kinds, declared);
}

#[test]
fn each_setter_of_the_polling_sets_its_interval() {
    let seconds = Duration::from_secs;
    let set = Polling::default().min_interval(seconds(1)).max_interval(seconds(2));
    let set = set.safety_interval(seconds(3)).typical(seconds(4));
    assert_eq!((set.min_interval, set.max_interval), (seconds(1), seconds(2)));
    assert_eq!((set.safety_interval, set.typical), (seconds(3), seconds(4)));
}

#[test]
fn a_request_is_read_as_it_was_written() {
    for request in [
        json!({"model": "m", "input": "A cat"}),
        json!({"model": "m", "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "A cat"},
            {"type": "input_image", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
            {"type": "input_image", "image_url": {"url": "https://x.example/a.png", "new": 1}},
        ]}], "aspectRatio": "16:9", "provider": {"order": ["a"]}, "unknown": {"a": [1, null]}}),
    ] {
        let read: GenerationRequest = serde_json::from_value(request.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), request);
    }
}

#[test]
fn debug_shows_neither_prompts_nor_signed_urls() {
    let url = "https://me:SECRET@v.example/v.mp4?sig=SECRET#SECRET";
    let failure = json!({"code": "see SECRET", "message": "SECRET", "SECRET": 1});
    let generation = json!({
        "id": "gen_1", "status": "odd SECRET", "output_video_url": url, "output": {"SECRET": "SECRET"},
        "error": failure, "usage": {"input_tokens": 7, "SECRET": 1}, "SECRET": "SECRET",
    });
    let generation: Generation = serde_json::from_value(generation).unwrap();
    let event = json!({
        "eventType": "video.generation.completed", "generationId": "gen_1", "outputUrl": url,
        "errorMessage": "SECRET", "SECRET": 1,
    });
    let event = event.to_string();
    let event = WebhookEvent::read(event.as_bytes(), "msg_1", SystemTime::UNIX_EPOCH).unwrap();
    let data = "data:image/png;base64,SECRET";
    let parts = vec![
        InputPart::text("SECRET"),
        InputPart::image(url),
        InputPart::image_with_detail(data, Detail::High),
        InputPart::video(url),
        serde_json::from_value(json!({"type": "input_audio", "SECRET": "SECRET"})).unwrap(),
    ];
    let provider = json!({"order": ["SECRET"]}).as_object().unwrap().clone();
    let request = GenerationRequest::new("m", parts)
        .instructions("SECRET")
        .provider(provider)
        .extra("SECRET", "SECRET");
    let text = GenerationRequest::new("m", "SECRET");
    let usage: AccountUsage = serde_json::from_value(json!({"SECRET": "SECRET"})).unwrap();
    let catalog: EngineCatalog = serde_json::from_value(json!({"SECRET": "SECRET"})).unwrap();
    for (shown, expected) in [
        (format!("{generation:?}"), r#""https://v.example/v.mp4?…""#),
        (format!("{generation:#?}"), "gen_1"),
        (format!("{:?}", generation.error), "GenerationError { code: Some(<10 bytes>)"),
        (format!("{event:?}"), "msg_1"),
        (format!("{request:?}"), "<28 bytes>"),
        (format!("{text:?}"), "Text(<6 bytes>)"),
        (format!("{usage:?}"), "AccountUsage"),
        (format!("{catalog:?}"), "EngineCatalog"),
        (format!("{:?}", Media::bytes(b"\x89PNG\r\n\x1a\nSECRET").unwrap()), "Media("),
        (format!("{:?}", ProviderPreference::from(vec!["fal"])), r#"Order(["fal"])"#),
        (format!("{request:?}"), "Object("),
        (
            format!("{:?}", Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap()),
            "Webhook",
        ),
    ] {
        assert!(!shown.contains("SECRET") && shown.contains(expected), "{shown}");
    }
}
