//! Signatures of Svix and Standard Webhooks: pure, with the time as an argument.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, ErrorKind};

/// How far a delivery's time may be from now, either way.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// No delivery is near this; a larger body is not looked at.
const LARGEST_BODY: usize = 1 << 20;
/// No delivery has near as many; the rest is not looked at.
const MOST_SIGNATURES: usize = 64;
/// The service's headers, then the specification's: id, timestamp and signature of each.
pub(super) const HEADERS: [&str; 6] = [
    "svix-id",
    "svix-timestamp",
    "svix-signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Why a delivery was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookReason {
    /// The id, the timestamp or the signature is not there.
    MissingHeader,
    /// The timestamp is not Unix seconds in digits.
    BadTimestamp,
    /// It was signed more than five minutes ago: perhaps somebody sends it again.
    TooOld,
    /// It was signed more than five minutes from now: a clock is off.
    TooNew,
    /// No secret made any of its signatures.
    NoMatch,
    /// It is genuine, but its body is not an event; or it is far too large.
    BadPayload,
}

impl WebhookReason {
    /// The name that every language uses, such as `no_match`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::BadTimestamp => "bad_timestamp",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::NoMatch => "no_match",
            Self::BadPayload => "bad_payload",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::MissingHeader => {
                "the delivery lacks a header. Pass all of the request's headers; svix-id, \
                 svix-timestamp and svix-signature are needed (or webhook-…)."
            }
            Self::BadTimestamp => "the delivery's timestamp is no number of seconds.",
            Self::TooOld => {
                "the delivery was signed more than five minutes ago. Answer deliveries at once, and \
                 check this machine's clock."
            }
            Self::TooNew => {
                "the delivery was signed more than five minutes from now. Check this machine's clock."
            }
            Self::NoMatch => {
                "no secret made the delivery's signature. Check the secret, and pass the body's raw \
                 bytes: one that was parsed and written again does not verify."
            }
            Self::BadPayload => "the delivery's body is not an event of this service.",
        }
    }
}

impl fmt::Display for WebhookReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(super) fn refused(reason: WebhookReason) -> Error {
    Error::new(ErrorKind::WebhookVerification, reason.message()).with_reason(reason)
}

/// A secret, ready to sign. It shows nothing of itself.
#[derive(Clone)]
pub(super) struct Secret(Hmac<Sha256>);

impl Secret {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let key = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
        match key {
            Ok(key) if !key.is_empty() => {
                Ok(Self(Hmac::new_from_slice(&key).expect("a key of any length will do")))
            }
            _ => Err(Error::new(
                ErrorKind::Configuration,
                "a webhook secret is empty or not base64. Copy it from the dashboard: whsec_ and \
                 what follows.",
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

/// A genuine delivery.
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) timestamp: SystemTime,
}

/// Verifies the signature over these very bytes.
pub(super) fn verify<N: AsRef<str>, V: AsRef<[u8]>>(
    secrets: &[Secret],
    body: &[u8],
    headers: impl IntoIterator<Item = (N, V)>,
    now: SystemTime,
) -> Result<Delivery, Error> {
    let [id, timestamp, signatures] =
        triple(headers).ok_or_else(|| refused(WebhookReason::MissingHeader))?;
    let time = time_of(&timestamp).ok_or_else(|| refused(WebhookReason::BadTimestamp))?;
    if time + TOLERANCE < now {
        return Err(refused(WebhookReason::TooOld));
    }
    if now + TOLERANCE < time {
        return Err(refused(WebhookReason::TooNew));
    }
    if body.len() > LARGEST_BODY {
        return Err(refused(WebhookReason::BadPayload));
    }
    let signatures: Vec<Vec<u8>> =
        signatures.split_ascii_whitespace().take(MOST_SIGNATURES).filter_map(v1).collect();
    let genuine = secrets.iter().any(|secret| {
        let mac = secret.mac(&id, &timestamp, body);
        // In constant time, each.
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if genuine {
        Ok(Delivery { id, timestamp: time })
    } else {
        Err(refused(WebhookReason::NoMatch))
    }
}

/// The id, timestamp and signature of the first family that is complete.
fn triple<N: AsRef<str>, V: AsRef<[u8]>>(
    headers: impl IntoIterator<Item = (N, V)>,
) -> Option<[String; 3]> {
    let mut found: [Option<String>; 6] = Default::default();
    for (name, value) in headers {
        let which = HEADERS.iter().position(|header| header.eq_ignore_ascii_case(name.as_ref()));
        if let Some(which) = which
            && let Ok(value) = std::str::from_utf8(value.as_ref())
            && !value.trim_ascii().is_empty()
        {
            // Of a header that is there twice, the first counts.
            found[which].get_or_insert_with(|| value.trim_ascii().to_owned());
        }
    }
    match found {
        [Some(id), Some(timestamp), Some(signature), ..]
        | [.., Some(id), Some(timestamp), Some(signature)] => Some([id, timestamp, signature]),
        _ => None,
    }
}

/// A time of digits only, with no sign, point or space.
fn time_of(text: &str) -> Option<SystemTime> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// A signature of the version that is known; other versions and garbage are passed over.
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
