//! Signatures as Svix and Standard Webhooks specify them: pure, with the time as an argument.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, ErrorKind, WebhookReason};

/// How far the timestamp of a delivery may differ from the current time: the tolerance of Svix's own
/// libraries.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// The size up to which bodies are hashed. Events have less than 10 KB, and the endpoint is public: a
/// larger body is an attempt to use up its CPU.
const MAX_BODY: usize = 1 << 20;
/// How many signatures of a delivery are compared. A delivery has one for each active secret, of
/// which there are two during a rotation; the rest would only cost CPU.
const MAX_SIGNATURES: usize = 64;
/// The headers with id, timestamp and signature, as Svix names them and as Standard Webhooks does.
pub(super) const HEADERS: [&str; 6] = [
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

pub(super) fn rejected(reason: WebhookReason) -> Error {
    Error::new(ErrorKind::WebhookVerification, reason.message()).with_reason(reason)
}

/// A webhook secret, ready to sign. It has no `Debug`, so that no log can show it.
#[derive(Clone)]
pub(super) struct Secret(Hmac<Sha256>);

impl Secret {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let key = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
        match key {
            Ok(key) if !key.is_empty() => {
                Ok(Self(Hmac::new_from_slice(&key).expect("HMAC accepts keys of any length")))
            }
            _ => Err(Error::new(
                ErrorKind::Configuration,
                "a webhook secret is empty or not base64. Copy it from the dashboard: whsec_ and the \
                 text after it.",
            )),
        }
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// The id and the time of a delivery, from headers with a valid signature.
pub(super) struct SignedHeaders {
    pub(super) id: String,
    pub(super) timestamp: SystemTime,
}

/// Verifies the signature over the id, the timestamp and the raw bytes of the body.
pub(super) fn verify<N: AsRef<str>, V: AsRef<[u8]>>(
    secrets: &[Secret],
    body: &[u8],
    headers: impl IntoIterator<Item = (N, V)>,
    now: SystemTime,
) -> Result<SignedHeaders, Error> {
    let [id, timestamp, signatures] =
        signature_headers(headers).ok_or_else(|| rejected(WebhookReason::MissingHeader))?;
    let bad_timestamp = || rejected(WebhookReason::BadTimestamp);
    let sent = unix_time(&timestamp).ok_or_else(bad_timestamp)?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Differences: the sum of a time from outside and a tolerance may be beyond any time.
    if now.saturating_sub(sent) > TOLERANCE {
        return Err(rejected(WebhookReason::TooOld));
    }
    if sent.saturating_sub(now) > TOLERANCE {
        return Err(rejected(WebhookReason::TooNew));
    }
    // Only now: the latest `SystemTime` differs between systems.
    let time = SystemTime::UNIX_EPOCH.checked_add(sent).ok_or_else(bad_timestamp)?;
    if body.len() > MAX_BODY {
        return Err(rejected(WebhookReason::BadPayload));
    }
    let signatures: Vec<Vec<u8>> =
        signatures.split_ascii_whitespace().take(MAX_SIGNATURES).filter_map(v1).collect();
    let is_authentic = secrets.iter().any(|secret| {
        let mac = secret.mac(&id, &timestamp, body);
        // `verify_slice` compares in constant time, so that its duration reveals no signature.
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if is_authentic {
        Ok(SignedHeaders { id, timestamp: time })
    } else {
        Err(rejected(WebhookReason::NoMatch))
    }
}

/// The id, timestamp and signature under the names of Svix or, if one of these is missing, of
/// Standard Webhooks.
fn signature_headers<N: AsRef<str>, V: AsRef<[u8]>>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> Option<[String; 3]> {
    let mut found: [Option<String>; 6] = Default::default();
    for (name, value) in headers {
        let index = HEADERS.iter().position(|header| header.eq_ignore_ascii_case(name.as_ref()));
        if let Some(index) = index
            && let Ok(value) = std::str::from_utf8(value.as_ref())
            && !value.trim_ascii().is_empty()
        {
            // Of a repeated header the first counts, as in Svix's own libraries.
            found[index].get_or_insert_with(|| value.trim_ascii().to_owned());
        }
    }
    match found {
        [Some(id), Some(timestamp), Some(signature), ..]
        | [.., Some(id), Some(timestamp), Some(signature)] => Some([id, timestamp, signature]),
        _ => None,
    }
}

/// A time in Unix seconds, written with digits only. `parse` alone would accept a plus sign.
fn unix_time(text: &str) -> Option<Duration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = text.parse().ok().filter(|_| digits)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// The signature in an entry of version 1; `None` for other versions and malformed entries, which
/// are skipped.
fn v1(entry: &str) -> Option<Vec<u8>> {
    let (version, signature) = entry.split_once(',')?;
    (version == "v1").then(|| BASE64_STANDARD.decode(signature).ok())?
}

pub(super) fn sign(
    secrets: &[Secret],
    body: &[u8],
    id: &str,
    timestamp: SystemTime,
) -> [(&'static str, String); 3] {
    let seconds = timestamp.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = seconds.to_string();
    let signature = |secret: &Secret| {
        let mac = secret.mac(id, &seconds, body).finalize().into_bytes();
        format!("v1,{}", BASE64_STANDARD.encode(mac))
    };
    let signatures: Vec<_> = secrets.iter().map(signature).collect();
    [
        ("svix-id", id.to_owned()),
        ("svix-timestamp", seconds.clone()),
        ("svix-signature", signatures.join(" ")),
    ]
}
