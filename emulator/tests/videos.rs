//! The host of the videos, tested over HTTP.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Bench, bench};
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

fn header(response: &Response, name: reqwest::header::HeaderName) -> &str {
    response.headers()[name].to_str().unwrap()
}

async fn part(bench: &Bench, url: &str, range: &str, known: Option<&str>) -> Response {
    let request = bench.http.get(url).header(RANGE, range);
    let request = match known {
        Some(known) => request.header(IF_RANGE, known),
        None => request,
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_video_is_a_real_one_on_another_origin() {
    let bench = bench(json!({})).await;
    let url = bench.video_url().await;
    assert!(url.starts_with(bench.emulator.video_base()));
    assert!(!url.starts_with(bench.emulator.base_url()));
    let response = bench.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, ACCEPT_RANGES), "bytes");
    assert!(header(&response, ETAG).starts_with('"'));
    assert!(header(&response, LAST_MODIFIED).ends_with(" GMT"));
    let bytes = response.bytes().await.unwrap();
    assert_eq!(bytes, bench.emulator.video());
    assert_eq!(&bytes[4..8], b"ftyp");
    let position = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(position(b"moov") < position(b"mdat"), "a player can start before the end arrives");
}

/// The width and height of an MP4, from its `tkhd` box, where they are fixed-point numbers.
fn size(video: &[u8]) -> (u32, u32) {
    let start = video.windows(4).position(|window| window == b"tkhd").unwrap();
    let side = |at: usize| {
        let bytes = &video[start + at..start + at + 4];
        u32::from_be_bytes(bytes.try_into().unwrap()) >> 16
    };
    (side(80), side(84))
}

async fn created(bench: &Bench, canvas: Value) -> Vec<u8> {
    let mut body = common::cat();
    body.as_object_mut().unwrap().extend(canvas.as_object().unwrap().clone());
    let created: Value = bench.post("/v1/responses", body).await.json().await.unwrap();
    let path = format!("/v1/responses/{}", created["id"].as_str().unwrap());
    let url = bench.get_json(&path).await["output_video_url"].as_str().unwrap().to_owned();
    bench.http.get(url).send().await.unwrap().bytes().await.unwrap().into()
}

#[tokio::test]
async fn videos_have_the_shape_of_the_requested_canvas() {
    let bench = bench(json!({ "polls": ["completed"] })).await;
    for (canvas, expected) in [
        (json!({}), (360, 640)),
        (json!({ "width": 1080, "height": 1920 }), (360, 640)),
        (json!({ "width": 1920, "height": 1080 }), (640, 360)),
        (json!({ "aspectRatio": "21:9" }), (640, 360)),
        (json!({ "aspectRatio": "1:1" }), (480, 480)),
        (json!({ "aspectRatio": "4:5" }), (400, 500)),
        (json!({ "aspectRatio": "4:3" }), (480, 360)),
        (json!({ "aspectRatio": "cinema" }), (360, 640)),
    ] {
        let video = created(&bench, canvas.clone()).await;
        assert_eq!(size(&video), expected, "{canvas}");
        assert!(video.len() < 40_000);
    }
}

#[tokio::test]
async fn animations_have_the_requested_canvas() {
    let bench = bench(json!({ "polls": ["completed"] })).await;
    for (canvas, expected) in [
        (json!({ "engine": "lottie" }), json!([360, 640, 180])),
        (json!({ "engine": "lottie", "width": 800, "height": 600 }), json!([800.0, 600.0, 400.0])),
    ] {
        let found: Value = serde_json::from_slice(&created(&bench, canvas).await).unwrap();
        let x = &found["layers"][0]["ks"]["p"]["k"][0]["s"][0];
        assert_eq!(json!([found["w"], found["h"], x]), expected);
    }
}

#[tokio::test]
async fn head_returns_the_length_without_a_body() {
    let bench = bench(json!({})).await;
    let url = bench.video_url().await;
    let response = bench.http.head(&url).send().await.unwrap();
    assert_eq!(header(&response, CONTENT_LENGTH), bench.emulator.video().len().to_string());
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn ranges_return_parts() {
    let bench = bench(json!({})).await;
    let (url, video) = (bench.video_url().await, bench.emulator.video());
    let whole = video.len();
    let tail = part(&bench, &url, "bytes=1000-", None).await;
    assert_eq!(tail.status(), 206);
    assert_eq!(header(&tail, CONTENT_RANGE), format!("bytes 1000-{}/{whole}", whole - 1));
    let etag = header(&tail, ETAG).to_owned();
    assert_eq!(tail.bytes().await.unwrap(), video[1000..]);
    let some = part(&bench, &url, "bytes=10-19", Some(&etag)).await;
    assert_eq!((some.status().as_u16(), header(&some, CONTENT_LENGTH)), (206, "10"));
    let changed = part(&bench, &url, "bytes=10-19", Some("\"other\"")).await;
    assert_eq!((changed.status().as_u16(), changed.content_length()), (200, Some(whole as u64)));
    let beyond = part(&bench, &url, &format!("bytes={whole}-"), None).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(header(&beyond, CONTENT_RANGE), format!("bytes */{whole}"));
}

#[tokio::test]
async fn urls_expire_and_cannot_be_forged() {
    let expired = bench(json!({ "url_ttl_seconds": 0 })).await;
    let url = expired.video_url().await;
    assert_eq!(expired.http.get(&url).send().await.unwrap().status(), 403);
    let bench = bench(json!({})).await;
    let url = bench.video_url().await;
    let forged = url.replace("nonce=", "nonce=9");
    assert_eq!(bench.http.get(forged).send().await.unwrap().status(), 403);
    let bare = url.split_once('?').unwrap().0;
    assert_eq!(bench.http.get(bare).send().await.unwrap().status(), 403);
    assert_eq!(bench.http.request(Method::PUT, &url).send().await.unwrap().status(), 405);
    let elsewhere = format!("{}/v1/engines", bench.emulator.video_base());
    assert_eq!(bench.http.get(elsewhere).send().await.unwrap().status(), 404);
    let request = &bench.emulator.requests()[1];
    assert_eq!(json!(request)["origin"], "video");
    assert!(request.query.as_ref().unwrap().contains("signature="));
}

#[tokio::test]
async fn a_long_video_repeats_the_real_one() {
    let bench = bench(json!({ "video_bytes": 3_000_000_000_u64 })).await;
    let (url, video) = (bench.video_url().await, bench.emulator.video());
    let head = bench.http.head(&url).send().await.unwrap();
    assert_eq!(header(&head, CONTENT_LENGTH), "3000000000");
    let from = 2_900_000_001_usize;
    let far = part(&bench, &url, &format!("bytes={from}-{}", from + 99_999), None).await;
    assert_eq!(header(&far, CONTENT_RANGE), "bytes 2900000001-2900100000/3000000000");
    let bytes = far.bytes().await.unwrap();
    assert_eq!(bytes.len(), 100_000);
    let same = |(n, byte): (usize, &u8)| *byte == video[(from + n) % video.len()];
    assert!(bytes.iter().enumerate().all(same));
}

#[tokio::test]
async fn lottie_generations_return_an_animation() {
    let bench = bench(json!({ "polls": ["completed"] })).await;
    let mut body = common::cat();
    body["engine"] = json!("lottie");
    let created: Value = bench.post("/v1/responses", body).await.json().await.unwrap();
    let path = format!("/v1/responses/{}", created["id"].as_str().unwrap());
    let url = bench.get_json(&path).await["output_video_url"].as_str().unwrap().to_owned();
    let animation: Value = bench.http.get(url).send().await.unwrap().json().await.unwrap();
    assert!(animation["layers"].is_array());
}
