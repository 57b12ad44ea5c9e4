//! The host of the videos: signed URLs, byte ranges and validators.

mod signed_url;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::http::{Request, Response, ResponseBody};

pub(crate) use signed_url::UrlSigner;

/// The video of every generation of the `hyperframes` engine.
pub(crate) const VIDEO: &[u8] = include_bytes!("../../assets/video.mp4");
/// The length of [`VIDEO`], for the account's usage.
pub(crate) const VIDEO_SECONDS: u64 = 4;
/// The animation of every generation of the `lottie` engine.
const ANIMATION: &[u8] = include_bytes!("../../assets/animation.json");

/// A file of the host: its bytes, repeated up to its length.
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

/// The files of the host.
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

    fn find(&self, path: &str) -> Option<&Asset> {
        match path.strip_prefix("/videos/")?.rsplit_once('.')?.1 {
            "mp4" => Some(&self.video),
            "json" => Some(&self.animation),
            _ => None,
        }
    }
}

/// The regular response of the host.
pub(crate) fn respond(
    assets: &Assets,
    signer: &UrlSigner,
    request: &Request,
    now: Duration,
) -> Response {
    let Some(asset) = assets.find(&request.path) else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    if !signer.is_valid(&request.path, &request.query, now) {
        return error(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let mut response = match requested(asset, request) {
        Requested::All => content(asset, StatusCode::OK, 0..asset.length),
        Requested::Part(range) => {
            let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, asset.length);
            content(asset, StatusCode::PARTIAL_CONTENT, range)
                .with(CONTENT_RANGE, header(&content_range))
        }
        Requested::Nothing => Response::empty(StatusCode::RANGE_NOT_SATISFIABLE)
            .with(CONTENT_RANGE, header(&format!("bytes */{}", asset.length))),
    };
    if request.method == Method::HEAD {
        let length = HeaderValue::from(response.body.len());
        response.headers.insert(CONTENT_LENGTH, length);
        response.body = Bytes::new().into();
    }
    response
}

fn content(asset: &Asset, status: StatusCode, range: Range<u64>) -> Response {
    let bytes = Bytes::from_static(asset.bytes);
    Response::new(status, ResponseBody::repeating(bytes, range.start, range.end))
        .with(CONTENT_TYPE, HeaderValue::from_static(asset.media_type))
        .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        .with(ETAG, header(&asset.etag))
        .with(LAST_MODIFIED, HeaderValue::from_static(asset.modified))
}

/// An error in the format of object stores, which such hosts usually are.
fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>\n");
    Response::new(status, Bytes::from(body).into())
        .with(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("it is made of ASCII letters and digits")
}

#[derive(Debug, PartialEq)]
enum Requested {
    All,
    Part(Range<u64>),
    Nothing,
}

fn requested(asset: &Asset, request: &Request) -> Requested {
    let read = |name: HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
    let unchanged =
        read(IF_RANGE).is_none_or(|known| known == asset.etag || known == asset.modified);
    match read(RANGE) {
        Some(range) if unchanged => part(range, asset.length),
        _ => Requested::All,
    }
}

/// One range of bytes. Invalid ranges and several ranges are ignored, as RFC 9110 allows.
fn part(range: &str, length: u64) -> Requested {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Requested::All;
    };
    let (first, last) = (first.trim(), last.trim());
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Requested::All,
    };
    if range.is_empty() { Requested::Nothing } else { Requested::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed() {
        for (range, expected) in [
            ("bytes=0-0", Requested::Part(0..1)),
            ("bytes=2-5", Requested::Part(2..6)),
            ("bytes=2-", Requested::Part(2..10)),
            ("bytes=8-100", Requested::Part(8..10)),
            ("bytes=-3", Requested::Part(7..10)),
            ("bytes=-30", Requested::Part(0..10)),
            ("bytes=10-", Requested::Nothing),
            ("bytes=10-12", Requested::Nothing),
            ("bytes=-0", Requested::Nothing),
            ("bytes=5-2", Requested::All),
            ("bytes=0-1,4-5", Requested::All),
            ("bytes=a-b", Requested::All),
            ("bytes=-", Requested::All),
            ("lines=1-2", Requested::All),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
