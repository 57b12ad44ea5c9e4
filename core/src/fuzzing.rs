//! The entry points of the fuzz targets in `core/fuzz`: each reads what comes from outside, and
//! checks what holds for every input. Built only for them, with `--cfg fuzzing`.
#![allow(missing_docs, clippy::unwrap_used, reason = "for the fuzz targets, which may panic")]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Redactor};
use crate::model::{
    AccountUsage, EngineCatalog, Generation, GenerationId, GenerationRequest, InputPart, Media,
};
use crate::webhook::{Webhook, WebhookEvent};
use crate::wire::{
    self, BaseUrl, Description, RangeOutcome, Response, range_headers, range_outcome,
};

const KEY: &str = "pv_the_key_of_the_fuzz_targets";
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

pub fn response(data: &[u8]) {
    reads_what_it_writes::<Generation>(data);
}

pub fn catalogue(data: &[u8]) {
    reads_what_it_writes::<EngineCatalog>(data);
}

pub fn usage(data: &[u8]) {
    reads_what_it_writes::<AccountUsage>(data);
}

/// The errors of any response: no text of theirs has the key.
pub fn error(data: &[u8]) {
    let message = Message::read(data);
    let response = message.response();
    let redactor = Redactor { key: KEY };
    if let Err(error) = response.generation(None, &redactor, NOW) {
        shows_no_secret(&error);
        assert!(error.generation_id().is_none_or(|id| GenerationId::parse(id).is_ok()));
        let _ = error.is_retryable();
        let uncertain = error.into_uncertain("m", NOW);
        shows_no_secret(&uncertain);
        assert!(!uncertain.is_retryable());
    }
}

pub fn retry_after(data: &[u8]) {
    let message = Message::read(data);
    let body = serde_json::from_slice(message.body).ok();
    let _ = crate::error::retry_after(&message.headers, body.as_ref(), NOW);
}

/// The response of a video's host: bytes are appended only where they belong.
pub fn range(data: &[u8]) {
    let (stored, data) = number(data);
    let message = Message::read(data);
    let part = Description::parse(message.body, "gen_1", stored).unwrap_or_default().part;
    let _ = range_headers(&part, stored);
    for format in [wire::Format::Video, wire::Format::Animation, wire::Format::Any] {
        match range_outcome(message.status, &message.headers, &part, stored, format) {
            RangeOutcome::From { start, end, part, .. } => {
                assert!(start == 0 || start == stored);
                assert!(end.is_none_or(|end| part.length.is_none_or(|length| end <= length)));
            }
            RangeOutcome::Complete => assert!(stored > 0),
            _ => {}
        }
    }
}

/// The boxes of an MP4, or the JSON of an animation.
pub fn content(data: &[u8]) {
    let (length_known, data) = data.split_first().unwrap_or((&0, data));
    for format in [wire::Format::Video, wire::Format::Animation, wire::Format::Any] {
        let _ =
            wire::examine(&mut std::io::Cursor::new(data), format, length_known % 2 == 0).unwrap();
    }
}

/// Generations, waits, webhooks and responses in any order.
pub fn watchlist(data: &[u8]) {
    crate::polling::watchlist::fuzz::check(data);
}

/// The journal of a batch: what was read is what would be written.
pub fn journal(data: &[u8]) {
    crate::batch::journal::fuzz::check(data);
}

/// Deliveries with any headers, and signed ones with any body.
pub fn webhook(data: &[u8]) {
    let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
    let message = Message::read(data);
    let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    assert!(webhook.unwrap_at(message.body, headers, NOW).is_err(), "it has no valid signature");
    let read = WebhookEvent::read(message.body, "msg_1", NOW);
    let signed = webhook.sign(message.body, "msg_1", NOW);
    assert_eq!(webhook.unwrap_at(message.body, signed, NOW).is_ok(), read.is_ok());
}

pub fn base_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match BaseUrl::parse(&text, false) {
        Ok(url) => {
            let joined = url.join("/v1/responses/gen_1");
            assert!(joined.path().ends_with("/v1/responses/gen_1"), "{joined}");
            assert!(joined.scheme() == "https" || url.is_loopback(), "{joined}");
        }
        Err(error) => shows_no_secret(&error),
    }
}

pub fn media(data: &[u8]) {
    let _ = Media::bytes(data);
    let image = Media::from(String::from_utf8_lossy(data).into_owned());
    let input = vec![InputPart::text("A cat"), InputPart::image(image)];
    if let Err(error) = wire::create(&GenerationRequest::new("m", input)) {
        shows_no_secret(&error);
    }
}

/// A value that was read is written as JSON that reads as the same value. The first time, a number
/// with more digits than an exact decimal has is rounded to a float among the unknown fields.
fn reads_what_it_writes<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(
    json: &[u8],
) {
    if let Ok(value) = crate::json::read::<T>(json) {
        let rewritten = |value: &T| serde_json::to_vec(value).unwrap();
        let value = crate::json::read::<T>(&rewritten(&value)).unwrap();
        assert_eq!(crate::json::read::<T>(&rewritten(&value)).unwrap(), value);
        let _ = format!("{value:?}");
    }
}

fn shows_no_secret(error: &Error) {
    let mut texts = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.push_str(&format!("{cause} {cause:?}"));
        source = cause.source();
    }
    texts.extend(error.service_message());
    assert!(!texts.contains(KEY), "{texts}");
}

/// The first eight bytes of the input, as a number.
fn number(data: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = data.split_at(data.len().min(8));
    (number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)), rest)
}

/// An input that is written as a response: a status, lines of headers, and after an empty line the
/// body.
struct Message<'a> {
    status: StatusCode,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(data: &'a [u8]) -> Self {
        let end = data.windows(2).position(|two| two == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&data[..end], &data[end + 2..]),
            None => (data, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok());
        let headers = lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
        });
        Self { status: status.unwrap_or(StatusCode::OK), headers: headers.collect(), body }
    }

    fn response(&self) -> Response {
        Response {
            status: self.status,
            headers: self.headers.clone(),
            body: bytes::Bytes::copy_from_slice(self.body),
            cut: None,
        }
    }
}
