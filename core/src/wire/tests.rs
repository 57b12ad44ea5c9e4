//! Every request, byte for byte, and what a response says.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{MAX_RESPONSE, Request, Response, create, engines, gzip, retrieve, usage};
use crate::error::{Delivery, Error, ErrorKind, Redactor};
use crate::model::{
    Detail, Generation, GenerationId, GenerationRequest, InputItem, InputPart, Media, Role,
};
use crate::test_snapshots;

fn check(name: &str, request: &Request) {
    let body = request.body.as_deref().map(|body| std::str::from_utf8(body).unwrap());
    let key = if request.authorized { "with the key" } else { "without the key" };
    let text = format!("{} {} {key}\n{}", request.method, request.path, body.unwrap_or("no body"));
    test_snapshots::check(name, &text);
}

fn check_create(name: &str, request: &GenerationRequest) {
    let built = create(request).unwrap();
    check(name, &built);
    // A request that a program keeps as JSON, as in a journal, can be sent later.
    let again: GenerationRequest = serde_json::from_slice(built.body.as_deref().unwrap()).unwrap();
    assert_eq!(create(&again).unwrap(), built);
}

#[test]
fn a_create_with_the_required_fields() {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    check_create("create_minimal", &request);
}

#[test]
fn a_create_with_all_fields() {
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A \"cat\"\n🐈 am Strand")
        .instructions("Keep it calm.")
        .width(1920)
        .height(1080)
        .aspect_ratio("16:9")
        .provider(["framerate"])
        .engine("hyperframes")
        .expand_prompt(false)
        .extra("seed", 42)
        .extra("style", json!({"mood": ["calm", null]}));
    check_create("create_everything", &request);
}

#[test]
fn a_create_with_items() {
    let png = Media::bytes(b"\x89PNG\r\n\x1a\n").unwrap();
    let unknown = json!({"type": "input_song", "song_url": {"url": "https://example.com/a.mp3"}});
    let input = vec![
        InputItem::new(Role::System, vec![InputPart::text("Be brief.")]),
        InputItem::new(Role::Developer, vec![InputPart::text("No captions.")]),
        InputItem::new(Role::Assistant, vec![InputPart::text("What shall I make?")]),
        InputItem::new(
            Role::User,
            vec![
                InputPart::text("Make it walk"),
                InputPart::image("https://example.com/cat.png?size=1&v=2"),
                InputPart::image_with_detail(png, Detail::Original),
                InputPart::image_with_detail("https://example.com/b.png", Detail::Auto),
                InputPart::image_with_detail("https://example.com/c.png", Detail::Low),
                InputPart::image_with_detail("https://example.com/d.png", Detail::High),
                InputPart::video("https://example.com/cat.mp4"),
                InputPart::Other(unknown.as_object().unwrap().clone()),
            ],
        ),
    ];
    check_create("create_items", &GenerationRequest::new("m", input));
}

#[test]
fn a_create_from_a_list_of_parts() {
    let parts =
        vec![InputPart::text("Make it walk"), InputPart::image("https://example.com/a.png")];
    check_create("create_parts", &GenerationRequest::new("m", parts));
}

#[test]
fn a_create_with_a_provider_object_or_list() {
    let provider = json!({"order": ["framerate", "other"], "allow_fallbacks": false});
    let request =
        GenerationRequest::new("m", "A cat").provider(provider.as_object().unwrap().clone());
    check_create("create_provider_object", &request);
    let request = GenerationRequest::new("m", "A cat").provider(["first", "second"]);
    check_create("create_provider_list", &request);
}

#[test]
fn reads() {
    let id = |id: &str| GenerationId::parse(id).unwrap();
    check("retrieve", &retrieve(&id("gen_abc123xyz")));
    check("retrieve_escaped", &retrieve(&id("gen/../usage?a=b#c d%2F\u{e9}")));
    check("engines", &engines());
    check("usage", &usage());
}

fn response(status: StatusCode, body: impl Into<Bytes>) -> Response {
    Response { status, headers: HeaderMap::new(), body: body.into(), cut: None }
}

/// What a call gets that asks for the generation of this id, or for any.
fn generation(response: &Response, asked: Option<&str>) -> Result<String, Error> {
    let asked = asked.map(|id| GenerationId::parse(id).unwrap());
    let redactor = Redactor { key: "pv_key_1" };
    let found = response.generation(asked.as_ref(), &redactor, SystemTime::UNIX_EPOCH);
    found.map(|(generation, _)| generation.id)
}

#[test]
fn a_response_has_to_be_about_the_generation_that_was_asked_for() {
    let body = r#"{"id":"gen_1","status":"queued"}"#;
    let response = response(StatusCode::OK, body);
    assert_eq!(generation(&response, None).unwrap(), "gen_1");
    assert_eq!(generation(&response, Some("gen_1")).unwrap(), "gen_1");
    let error = generation(&response, Some("gen_2")).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Decode, Delivery::Answered));
    assert_eq!(error.generation_id(), Some("gen_2"));
}

#[test]
fn an_error_has_the_id_that_was_asked_for_or_else_the_one_in_the_body() {
    let named = response(StatusCode::BAD_GATEWAY, r#"{"message":"late","id":"gen_1"}"#);
    assert_eq!(generation(&named, None).unwrap_err().generation_id(), Some("gen_1"));
    assert_eq!(generation(&named, Some("gen_2")).unwrap_err().generation_id(), Some("gen_2"));
    let other = r#"{"message":"late","id":"req_1"}"#;
    let failed = response(StatusCode::BAD_GATEWAY, other);
    assert_eq!(generation(&failed, None).unwrap_err().generation_id(), None);
    let read = response(StatusCode::OK, other);
    assert_eq!(generation(&read, None).unwrap_err().generation_id(), Some("req_1"));
}

#[test]
fn why_a_body_is_unreadable_is_said() {
    let packed = gzip(br#"{"id":"gen_1"}"#);
    let long = |bytes: usize| Bytes::from([&b"{"[..], &vec![b'-'; bytes - 1]].concat());
    let encoded = HeaderValue::from_static("br");
    for (body, coding, reason) in [
        (long(MAX_RESPONSE), None, "not JSON"),
        (long(MAX_RESPONSE + 2), None, "far larger than any of the API"),
        (packed[..packed.len() - 1].to_vec().into(), None, "incomplete gzip"),
        (Bytes::from("{}"), None, "JSON of another shape"),
        (Bytes::from(r#"{"id":"#), None, "incomplete JSON"),
        (Bytes::from("<html>"), None, "not JSON"),
        (Bytes::from("\u{b}"), Some(encoded), "in an unknown content coding"),
    ] {
        let mut response = response(StatusCode::OK, body);
        response.headers.extend(coding.map(|coding| (header::CONTENT_ENCODING, coding)));
        let parsed = response.parse::<Generation>(&Redactor::default(), SystemTime::UNIX_EPOCH);
        let error = parsed.unwrap_err();
        assert!(error.message().contains(&format!(", {reason}, ")), "{reason}: {error}");
    }
}

#[test]
fn of_a_response_that_was_cut_the_reason_for_that_is_the_error() {
    let cut = Error::new(ErrorKind::Timeout, "").with_delivery(Delivery::Unknown);
    let mut torn = response(StatusCode::OK, r#"{"id":"gen_1","#);
    torn.cut = Some(cut);
    let error = generation(&torn, None).unwrap_err();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Timeout, Some("gen_1")));
    let parsed = torn.parse::<Value>(&Redactor::default(), SystemTime::UNIX_EPOCH);
    assert_eq!(parsed.unwrap_err().kind(), ErrorKind::Timeout);
    torn.body = Bytes::from(r#"{"id":"gen_1","status":"queued"}"#);
    assert_eq!(generation(&torn, None).unwrap(), "gen_1", "all that counts has arrived");
}
