//! The host of the videos: signed URLs, byte ranges and validators.

mod canvas;
mod signed_url;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::{Request, Response, ResponseBody};

pub(crate) use canvas::Canvas;
pub(crate) use signed_url::UrlSigner;

/// The video of the `hyperframes` engine for the service's default canvas.
pub(crate) const VIDEO: &[u8] = include_bytes!("../../assets/video.mp4");
/// The length of all videos, for the account's usage.
pub(crate) const VIDEO_SECONDS: u64 = 4;
/// The videos, each with the ratio of its width to its height.
const VIDEOS: [(f64, &[u8]); 5] = [
    (9.0 / 16.0, VIDEO),
    (4.0 / 5.0, include_bytes!("../../assets/video-4x5.mp4")),
    (1.0, include_bytes!("../../assets/video-1x1.mp4")),
    (4.0 / 3.0, include_bytes!("../../assets/video-4x3.mp4")),
    (16.0 / 9.0, include_bytes!("../../assets/video-16x9.mp4")),
];
/// The animation of the `lottie` engine for the service's default canvas, at a third of its size.
const ANIMATION: &[u8] = include_bytes!("../../assets/animation.json");

/// A file of the host: its bytes, repeated up to its length.
#[derive(Debug)]
struct Asset {
    bytes: Bytes,
    length: u64,
    media_type: &'static str,
    etag: String,
    modified: &'static str,
}

impl Asset {
    /// A file of this length. Files with different bytes have different names.
    fn new(bytes: Bytes, length: u64, name: &str, media_type: &'static str) -> Self {
        let etag = format!("\"{name}-{length}\"");
        Self { bytes, length, media_type, etag, modified: "Sun, 01 Nov 2026 12:00:00 GMT" }
    }
}

/// The id of the generation that a path is about, and the extension of its file.
pub(crate) fn file(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/videos/")?.rsplit_once('.')
}

/// The file with this extension that fits a canvas. Videos have `video_bytes` if it is set.
fn asset(extension: &str, canvas: Option<Canvas>, video_bytes: Option<u64>) -> Option<Asset> {
    match extension {
        "mp4" => {
            let video = Bytes::from_static(canvas.map_or(VIDEO, video));
            let length = video_bytes.unwrap_or(video.len() as u64);
            // No two of the videos have the same number of bytes.
            let name = format!("video-{}", video.len());
            Some(Asset::new(video, length, &name, "video/mp4"))
        }
        "json" => {
            let animation = canvas.map_or(Bytes::from_static(ANIMATION), animation);
            let length = animation.len() as u64;
            let name =
                canvas.map_or("animation".to_owned(), |it| format!("{}x{}", it.width, it.height));
            Some(Asset::new(animation, length, &name, "application/json"))
        }
        _ => None,
    }
}

/// The video with the ratio nearest to that of a canvas.
fn video(canvas: Canvas) -> &'static [u8] {
    let distance = |ratio: f64| (ratio / canvas.ratio()).ln().abs();
    let nearest = VIDEOS.iter().min_by(|a, b| distance(a.0).total_cmp(&distance(b.0)));
    nearest.map_or(VIDEO, |(_, video)| video)
}

/// The animation on a canvas of this size, with the disc at the same place in it.
fn animation(Canvas { width, height }: Canvas) -> Bytes {
    let mut animation: Value = serde_json::from_slice(ANIMATION).expect("it is JSON");
    let mut set = |path: &str, value: Value| {
        *animation.pointer_mut(path).expect("the animation has it") = value;
    };
    set("/w", json!(width));
    set("/h", json!(height));
    set("/layers/0/ks/p/k/0/s", json!([width / 2.0, height * 0.3125, 0]));
    set("/layers/0/ks/p/k/1/s", json!([width / 2.0, height * 0.75, 0]));
    let scale = 100.0 * width.min(height) / 360.0;
    set("/layers/0/ks/s/k", json!([scale, scale, 100]));
    animation.to_string().into()
}

/// The regular response of the host, about a generation with this canvas.
pub(crate) fn respond(
    signer: &UrlSigner,
    request: &Request,
    canvas: Option<Canvas>,
    video_bytes: Option<u64>,
    now: Duration,
) -> Response {
    let asset = file(&request.path).and_then(|file| asset(file.1, canvas, video_bytes));
    let Some(asset) = asset else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    if !signer.is_valid(&request.path, &request.query, now) {
        return error(StatusCode::FORBIDDEN, "AccessDenied");
    }
    serve(&asset, request)
}

/// A video for the page, which has no signed URL and needs none.
pub(crate) fn preview(
    path: &str,
    request: &Request,
    canvas: Option<Canvas>,
    video_bytes: Option<u64>,
) -> Response {
    match file(path).and_then(|file| asset(file.1, canvas, video_bytes)) {
        Some(asset) => serve(&asset, request),
        None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

fn serve(asset: &Asset, request: &Request) -> Response {
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
    Response::new(status, ResponseBody::repeating(asset.bytes.clone(), range.start, range.end))
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
