//! Verification of webhooks: the public vectors of Svix and Standard Webhooks, and forgeries.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use pipevideo::{ErrorKind, Status, Webhook, WebhookEvent, WebhookReason};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/svix.json")).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

/// The headers of a delivery, under the names with this prefix.
fn headers(family: &str, id: &str, timestamp: &str, signature: &str) -> Vec<(String, String)> {
    vec![
        (format!("{family}-id"), id.to_owned()),
        (format!("{family}-timestamp"), timestamp.to_owned()),
        (format!("{family}-signature"), signature.to_owned()),
    ]
}

/// The reason for rejecting a body that is authentic but not an event.
fn reason(vector: &Value, timestamp: &str, signature: &str, now: u64) -> WebhookReason {
    let webhook = Webhook::new([text(vector, "secret")]).unwrap();
    let headers = headers("Svix", text(vector, "id"), timestamp, signature);
    let error = webhook.unwrap_at(text(vector, "body"), headers, at(now)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WebhookVerification);
    error.reason().unwrap()
}

#[test]
fn every_valid_vector_verifies() {
    for vector in vectors()["valid"].as_array().unwrap() {
        let timestamp = vector["timestamp"].as_u64().unwrap();
        // The bodies of the vectors are not events of this service, which is checked last.
        let found = reason(vector, &timestamp.to_string(), text(vector, "signature"), timestamp);
        assert_eq!(found, WebhookReason::BadPayload);
        for off in [timestamp - 300, timestamp + 300] {
            let found = reason(vector, &timestamp.to_string(), text(vector, "signature"), off);
            assert_eq!(found, WebhookReason::BadPayload);
        }
    }
}

#[test]
fn no_invalid_vector_verifies() {
    let vectors = vectors();
    let first = &vectors["valid"][0];
    let timestamp = first["timestamp"].as_u64().unwrap();
    for signature in vectors["invalid_signatures_of_the_first"].as_array().unwrap() {
        let expected = match signature.as_str().unwrap() {
            "" => WebhookReason::MissingHeader,
            _ => WebhookReason::NoMatch,
        };
        let found = reason(first, &timestamp.to_string(), signature.as_str().unwrap(), timestamp);
        assert_eq!(found, expected, "{signature}");
    }
    for invalid in vectors["invalid_timestamps"].as_array().unwrap() {
        let (sent, expected) = match invalid.as_str().unwrap() {
            "now-301" => ((timestamp - 301).to_string(), WebhookReason::TooOld),
            "now+301" => ((timestamp + 301).to_string(), WebhookReason::TooNew),
            "" => (String::new(), WebhookReason::MissingHeader),
            other => (other.to_owned(), WebhookReason::BadTimestamp),
        };
        assert_eq!(
            reason(first, &sent, text(first, "signature"), timestamp),
            expected,
            "{invalid}"
        );
    }
}

/// Before the signature is checked, so anybody could send one of these.
#[test]
fn no_timestamp_or_time_is_beyond_arithmetic() {
    let first = &vectors()["valid"][0];
    let reason = |timestamp: u64, now| reason(first, &timestamp.to_string(), "v1,AAAA", now);
    let latest = i64::MAX as u64;
    for timestamp in [latest - 207, latest - 300, latest - 1, latest, 1 << 62] {
        assert_eq!(reason(timestamp, 1000), WebhookReason::TooNew, "{timestamp}");
        // Windows has no clock that shows these times.
        if cfg!(windows) {
            continue;
        }
        assert_eq!(reason(timestamp, timestamp), WebhookReason::NoMatch, "{timestamp}");
        assert_eq!(reason(1000, timestamp), WebhookReason::TooOld, "{timestamp}");
    }
    for timestamp in [latest + 1, u64::MAX] {
        assert_eq!(reason(timestamp, 1000), WebhookReason::BadTimestamp, "{timestamp}");
    }
}

const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
const BODY: &str = r#"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed","outputUrl":"https://v.example/1?sig=x","errorMessage":null,"colour":"red"}"#;

#[test]
fn an_event_is_read_with_all_its_fields() {
    let webhook = Webhook::new(SECRETS).unwrap();
    let event = webhook.unwrap_at(BODY, webhook.sign(BODY, "msg_1", at(1000)), at(1100)).unwrap();
    assert_eq!((event.id.as_str(), event.timestamp), ("msg_1", at(1000)));
    assert_eq!(event.event_type, "video.generation.completed");
    assert_eq!(event.generation_id.as_deref(), Some("gen_1"));
    assert_eq!(event.status, Some(Status::Completed));
    assert_eq!(event.output_video_url.as_deref(), Some("https://v.example/1?sig=x"));
    assert_eq!((event.error_message, event.duplicate), (None, false));
    assert_eq!(event.extra["colour"], "red");

    let failed =
        r#"{"eventType":"video.generation.completed","status":"failed","errorMessage":"no"}"#;
    let event = webhook.unwrap_at(failed, webhook.sign(failed, "m", at(1000)), at(1000)).unwrap();
    assert_eq!((event.status, event.error_message.as_deref()), (Some(Status::Failed), Some("no")));
    assert!(event.extra.is_empty());

    let unknown = r#"{"eventType":"key.revoked","generationId":7}"#;
    let event = webhook.unwrap_at(unknown, webhook.sign(unknown, "m", at(1000)), at(1000)).unwrap();
    assert_eq!((event.event_type.as_str(), event.generation_id), ("key.revoked", None));
    assert_eq!(event.extra["generationId"], 7);
}

#[test]
fn events_that_differ_in_one_field_are_not_equal() {
    let event = WebhookEvent::read(BODY.as_bytes(), "msg_1", at(1000)).unwrap();
    assert_eq!(event.clone(), event);
    let changes: [fn(&mut WebhookEvent); 9] = [
        |event| event.id.push('x'),
        |event| event.timestamp = at(1001),
        |event| event.event_type.push('x'),
        |event| event.generation_id = None,
        |event| event.status = None,
        |event| event.output_video_url = None,
        |event| event.error_message = Some(String::new()),
        |event| event.duplicate = true,
        |event| event.extra.clear(),
    ];
    for change in changes {
        let mut other = event.clone();
        change(&mut other);
        assert_ne!(other, event);
    }
}

#[test]
fn bodies_of_up_to_a_mebibyte_and_the_first_64_signatures_are_examined() {
    let webhook = Webhook::new([SECRETS[0]]).unwrap();
    for (length, rejected) in [
        (1 << 20, None),
        ((1 << 20) + 1, Some(WebhookReason::BadPayload)),
        (1 << 21, Some(WebhookReason::BadPayload)),
    ] {
        let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
        let read = webhook.unwrap_at(&body, webhook.sign(&body, "m", at(1000)), at(1000));
        assert_eq!(read.err().and_then(|error| error.reason()), rejected, "{length}");
    }
    for (before, accepted) in [(63, true), (64, false)] {
        let mut headers = webhook.sign(BODY, "m", at(1000));
        headers[2].1 = format!("{}{}", "v1,AAAA ".repeat(before), headers[2].1);
        assert_eq!(webhook.unwrap_at(BODY, headers, at(1000)).is_ok(), accepted, "{before}");
    }
}

#[test]
fn an_acknowledged_event_is_a_duplicate_from_then_on() {
    let webhook = Webhook::new(SECRETS).unwrap();
    let unwrap = |webhook: &Webhook, id| {
        webhook.unwrap_at(BODY, webhook.sign(BODY, id, at(1000)), at(1000)).unwrap()
    };
    // Its handler fails, or is still running when the delivery is repeated.
    let first = unwrap(&webhook, "msg_1");
    let second = unwrap(&webhook, "msg_1");
    assert!(!first.duplicate && !second.duplicate);
    assert_eq!(first, second);

    assert!(first.clone().acknowledge() && second.acknowledge());
    assert!(!first.duplicate, "it says what was known when the delivery was unwrapped");
    assert!(unwrap(&webhook, "msg_1").duplicate);
    assert!(unwrap(&webhook.clone(), "msg_1").duplicate, "clones share what is acknowledged");
    assert!(!unwrap(&webhook, "msg_2").duplicate);
    assert!(!unwrap(&Webhook::new(SECRETS).unwrap(), "msg_1").duplicate);
}

#[test]
fn an_event_that_was_only_read_cannot_be_acknowledged() {
    let event = WebhookEvent::read(BODY.as_bytes(), "msg_1", at(1000)).unwrap();
    assert!(!event.acknowledge());
}

#[test]
fn several_secrets_and_both_sets_of_headers_verify() {
    let [old, new] = SECRETS.map(|secret| Webhook::new([secret]).unwrap());
    let both = Webhook::new(SECRETS).unwrap();
    let now = at(1000);
    for (signer, verifier) in [(&old, &both), (&new, &both), (&both, &old), (&both, &new)] {
        assert!(verifier.unwrap_at(BODY, signer.sign(BODY, "m", now), now).is_ok());
    }
    let forged =
        both.unwrap_at(BODY, Webhook::new(["c2VjcmV0"]).unwrap().sign(BODY, "m", now), now);
    assert_eq!(forged.unwrap_err().reason(), Some(WebhookReason::NoMatch));

    let signed = old.sign(BODY, "m", now);
    let [id, timestamp, signature] = signed.map(|(_, value)| value);
    for family in ["svix", "WEBHOOK"] {
        let headers = headers(family, &id, &timestamp, &signature);
        assert!(old.unwrap_at(BODY, headers, now).is_ok(), "{family}");
    }
    // An incomplete set of headers does not hide the complete one.
    let mut mixed = headers("webhook", &id, &timestamp, &signature);
    mixed.push(("svix-id".to_owned(), "other".to_owned()));
    assert!(old.unwrap_at(BODY, mixed, now).is_ok());
}

#[test]
fn a_changed_delivery_does_not_verify() {
    let webhook = Webhook::new([SECRETS[0]]).unwrap();
    let now = at(1000);
    let signed = || webhook.sign(BODY, "msg_1", now).map(|(name, value)| (name.to_owned(), value));
    let refuse = |body: &str, headers: Vec<(String, String)>| {
        webhook.unwrap_at(body, headers, now).unwrap_err().reason().unwrap()
    };
    assert_eq!(refuse(&BODY.replace("gen_1", "gen_2"), signed().to_vec()), WebhookReason::NoMatch);
    assert_eq!(refuse(&format!("{BODY}\n"), signed().to_vec()), WebhookReason::NoMatch);
    for touched in 0..2 {
        let mut headers = signed().to_vec();
        headers[touched].1 = headers[touched].1.replace('1', "2").replace("1000", "1001");
        let found = refuse(BODY, headers);
        assert!(matches!(found, WebhookReason::NoMatch | WebhookReason::TooNew), "{found}");
    }
    for missing in 0..3 {
        let mut headers = signed().to_vec();
        headers.remove(missing);
        assert_eq!(refuse(BODY, headers), WebhookReason::MissingHeader);
    }
    let long = "x".repeat(2 << 20);
    let headers = webhook.sign(&long, "m", now).map(|(n, v)| (n.to_owned(), v)).to_vec();
    assert_eq!(refuse(&long, headers), WebhookReason::BadPayload);
    let huge = headers_of("9".repeat(40));
    assert_eq!(refuse(BODY, huge), WebhookReason::BadTimestamp);
}

fn headers_of(timestamp: String) -> Vec<(String, String)> {
    headers("svix", "m", &timestamp, "v1,AAAA")
}

/// Headers that pass some of the checks, and others that pass none.
fn any_headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        Just("svix-id".to_owned()),
        Just("Svix-Timestamp".to_owned()),
        Just("svix-signature".to_owned()),
        Just("webhook-id".to_owned()),
        Just("webhook-timestamp".to_owned()),
        Just("WEBHOOK-SIGNATURE".to_owned()),
        any::<String>(),
    ];
    let value = prop_oneof![
        "[0-9]{0,24}".prop_map(String::into_bytes),
        (0..2000_u64).prop_map(|n| (i64::MAX as u64 - n + 400).to_string().into_bytes()),
        "(v[0-9a-z]{0,2},?[A-Za-z0-9+/=]{0,48} ?){0,4}".prop_map(String::into_bytes),
        any::<String>().prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ];
    prop::collection::vec((name, value), 0..9)
}

proptest! {
    #[test]
    fn no_forged_delivery_panics_or_verifies(
        body in any::<Vec<u8>>(),
        headers in any_headers(),
        now in 0..u64::from(u32::MAX),
    ) {
        let webhook = Webhook::new(SECRETS).unwrap();
        let error = webhook.unwrap_at(body, headers, at(now)).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::WebhookVerification);
    }

    #[test]
    fn a_signed_delivery_is_read_without_a_panic(
        body in prop_oneof![
            any::<Vec<u8>>(),
            "\\{\"eventType\":(null|7|\"[a-z.]{0,9}\")(,\"status\":(7|\"[a-z]{0,9}\"))?\\}"
                .prop_map(String::into_bytes),
        ],
        id in "[!-~]{1,40}",
        now in 0..u64::from(u32::MAX),
    ) {
        let webhook = Webhook::new(SECRETS).unwrap();
        match webhook.unwrap_at(&body, webhook.sign(&body, &id, at(now)), at(now)) {
            Ok(event) => prop_assert_eq!(event.id, id),
            Err(error) => prop_assert_eq!(error.reason(), Some(WebhookReason::BadPayload)),
        }
    }
}
