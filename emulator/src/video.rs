//! The host of the videos: signed URLs, ranges, validators.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Payload};
use crate::api::Call;
use crate::signer::Signer;

/// The video that every generation yields.
pub(crate) const VIDEO: &[u8] = include_bytes!("../assets/video.mp4");
const ANIMATION: &[u8] = include_bytes!("../assets/animation.json");

/// A file that is served: its bytes, over and over up to its length.
#[derive(Debug)]
struct Asset {
    bytes: &'static [u8],
    length: u64,
    media_type: &'static str,
    etag: String,
    modified: &'static str,
}

impl Asset {
    fn new(bytes: &'static [u8], length: u64, media_type: &'static str) -> Self {
        let hash = Sha256::digest(bytes);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{hash}-{length}\"");
        Self { bytes, length, media_type, etag, modified: "Sun, 01 Nov 2026 12:00:00 GMT" }
    }
}

/// What the host has.
#[derive(Debug)]
pub(crate) struct Assets {
    video: Asset,
    animation: Asset,
}

impl Assets {
    pub(crate) fn new(video_bytes: Option<u64>) -> Self {
        let length = video_bytes.unwrap_or(VIDEO.len() as u64);
        Self {
            video: Asset::new(VIDEO, length, "video/mp4"),
            animation: Asset::new(ANIMATION, ANIMATION.len() as u64, "application/json"),
        }
    }

    fn at(&self, path: &str) -> Option<&Asset> {
        match path.strip_prefix("/videos/")?.rsplit_once('.')?.1 {
            "mp4" => Some(&self.video),
            "json" => Some(&self.animation),
            _ => None,
        }
    }
}

/// The host's ordinary answer.
pub(crate) fn answer(assets: &Assets, signer: &Signer, call: &Call, now: Duration) -> Answer {
    let Some(asset) = assets.at(&call.path) else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    if call.method != Method::GET && call.method != Method::HEAD {
        return error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    if !signer.is_valid(&call.path, &call.query, now) {
        return error(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let mut answer = match wanted(asset, call) {
        Wanted::All => content(asset, StatusCode::OK, 0..asset.length),
        Wanted::Part(range) => {
            let place = format!("bytes {}-{}/{}", range.start, range.end - 1, asset.length);
            content(asset, StatusCode::PARTIAL_CONTENT, range).with(CONTENT_RANGE, header(&place))
        }
        Wanted::Nothing => Answer::empty(StatusCode::RANGE_NOT_SATISFIABLE)
            .with(CONTENT_RANGE, header(&format!("bytes */{}", asset.length))),
    };
    if call.method == Method::HEAD {
        let length = HeaderValue::from(answer.payload.len());
        answer.headers.insert(CONTENT_LENGTH, length);
        answer.payload = Bytes::new().into();
    }
    answer
}

fn content(asset: &Asset, status: StatusCode, range: Range<u64>) -> Answer {
    let bytes = Bytes::from_static(asset.bytes);
    Answer::new(status, Payload::stretch(bytes, range.start, range.end))
        .with(CONTENT_TYPE, HeaderValue::from_static(asset.media_type))
        .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        .with(ETAG, header(&asset.etag))
        .with(LAST_MODIFIED, HeaderValue::from_static(asset.modified))
}

/// In the manner of the object stores that such hosts are.
fn error(status: StatusCode, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>\n");
    Answer::new(status, Bytes::from(body).into())
        .with(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("made of ASCII letters and digits here")
}

#[derive(Debug, PartialEq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

fn wanted(asset: &Asset, call: &Call) -> Wanted {
    let read = |name: HeaderName| call.headers.get(name).and_then(|value| value.to_str().ok());
    let unchanged =
        read(IF_RANGE).is_none_or(|known| known == asset.etag || known == asset.modified);
    match read(RANGE) {
        Some(range) if unchanged => part(range, asset.length),
        _ => Wanted::All,
    }
}

/// One range of bytes; what cannot be read, and several ranges, are passed over.
fn part(range: &str, length: u64) -> Wanted {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Wanted::All;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=8-100", Wanted::Part(8..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-2", Wanted::All),
            ("bytes=0-1,4-5", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=1-2", Wanted::All),
        ] {
            assert_eq!(part(range, 10), wanted, "{range}");
        }
    }
}
