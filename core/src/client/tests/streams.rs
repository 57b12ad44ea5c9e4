//! Videos as streams: resumed within, never mixed, and received only as fast as they are read.

use bytes::Bytes;
use serde_json::json;

use super::fake::{Fake, Reply};
use super::*;
use crate::VideoStream;
use crate::error::{Error, ErrorKind};
use crate::model::Generation;

fn completed() -> Generation {
    let url = "http://127.0.0.1:9/video.mp4";
    serde_json::from_value(json!({"id": "gen_1", "status": "completed", "output_video_url": url}))
        .unwrap()
}

fn part(range: &'static str, etag: &'static str, bytes: &[u8]) -> Reply {
    Reply::With(206, vec![("content-range", range), ("etag", etag)], bytes.to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_torn_stream_goes_on_where_it_stopped() {
    let fake = Fake::new(|_, before| match before {
        // Less than announced, as when the connection breaks.
        0 => Reply::With(200, vec![("content-length", "8"), ("etag", "\"a\"")], b"abcd".to_vec()),
        1 => Reply::Refused,
        _ => part("bytes 4-7/8", "\"a\"", b"efgh"),
    });
    let video = client(&fake).responses().stream(completed()).bytes().await.unwrap();
    assert_eq!(&video[..], b"abcdefgh");
    let again = fake.headers(2);
    assert_eq!(again["range"], "bytes=4-");
    assert_eq!(again["if-range"], "\"a\"");
    assert!(!again.contains_key("authorization"));
}

#[tokio::test(start_paused = true)]
async fn a_video_that_has_changed_is_an_error_and_no_mix() {
    for other in [
        || Reply::With(200, vec![("content-length", "8"), ("etag", "\"b\"")], b"ABCDEFGH".to_vec()),
        || part("bytes 4-7/8", "\"b\"", b"EFGH"),
    ] {
        let fake = Fake::new(move |_, before| match before {
            0 => {
                let headers = vec![("content-length", "8"), ("etag", "\"a\"")];
                Reply::With(200, headers, b"abcd".to_vec())
            }
            _ => other(),
        });
        let error = client(&fake).responses().stream(completed()).bytes().await.unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Download, Some("gen_1")));
        assert!(error.message().contains("has changed"), "{error}");
        assert_eq!(fake.count("GET"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_version_is_not_continued() {
    let fake = Fake::new(|_, _| Reply::With(200, vec![("content-length", "8")], b"abcd".to_vec()));
    let mut video = client(&fake).responses().stream(completed());
    assert_eq!(&video.next().await.unwrap().unwrap()[..], b"abcd");
    let text = video.next().await.unwrap().unwrap_err().to_string();
    assert!(text.contains("does not identify the version"), "{text}");
    assert_eq!(text.matches("Start again from the beginning").count(), 1, "{text}");
    assert!(video.next().await.is_none());
    assert_eq!(fake.count("GET"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_video_in_memory_has_a_limit() {
    let fake = Fake::new(|_, _| Reply::Respond(200, "whole".to_owned()));
    let client = client(&fake);
    let fits = client.responses().stream(completed()).max_bytes(5).bytes().await.unwrap();
    assert_eq!(&fits[..], b"whole");
    let error = client.responses().stream(completed()).max_bytes(4).bytes().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Download, false));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_requested_before_the_first_byte_is_asked_for() {
    let fake = Fake::new(|_, _| Reply::Respond(200, "whole".to_owned()));
    let mut video = client(&fake).responses().stream(completed());
    tokio::time::sleep(S).await;
    assert_eq!(fake.count(""), 0);
    assert!(video.next().await.unwrap().is_ok());
    assert!(video.next().await.is_none());
}

/// The first half of a video of eight bytes, in the version "a".
fn half() -> Reply {
    Reply::With(200, vec![("content-length", "8"), ("etag", "\"a\"")], b"abcd".to_vec())
}

/// What a stream yields, and the error that ends it.
async fn drain(mut video: crate::VideoStream) -> (Vec<u8>, Option<Error>) {
    let mut bytes = Vec::new();
    while let Some(chunk) = video.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

#[tokio::test(start_paused = true)]
async fn a_url_that_expires_in_the_middle_is_renewed_once() {
    for (expirations, whole) in [(1, true), (2, false)] {
        let fake = Fake::new(move |request, before| match (request, before) {
            ("GET /v1/responses/gen_1", _) => {
                let fresh = json!({"id": "gen_1", "status": "completed",
                    "output_video_url": "http://127.0.0.1:9/fresh.mp4"});
                Reply::Respond(200, fresh.to_string())
            }
            ("GET /video.mp4", 0) => half(),
            ("GET /fresh.mp4", _) if expirations == 1 => part("bytes 4-7/8", "\"a\"", b"efgh"),
            (_, before) => {
                assert!(before < 2, "the host is requested endlessly");
                Reply::Respond(403, String::new())
            }
        });
        let (bytes, error) = drain(client(&fake).responses().stream(completed())).await;
        let expected: &[u8] = if whole { b"abcdefgh" } else { b"abcd" };
        assert_eq!((&bytes[..], error.is_none()), (expected, whole));
        assert_eq!(fake.count("GET /v1/responses/gen_1"), 1);
        if let Some(error) = error {
            assert_eq!((error.status(), error.attempts()), (Some(403), 3), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_longer_than_announced_is_an_error() {
    let longer = [
        || Reply::With(200, vec![("content-length", "4")], b"abcdefgh".to_vec()),
        || part("bytes 0-3/8", "\"a\"", b"abcdefgh"),
    ];
    for reply in longer {
        let fake = Fake::new(move |_, _| reply());
        let (bytes, error) = drain(client(&fake).responses().stream(completed())).await;
        let error = error.expect("the body is too long");
        assert!(error.message().contains("more or less"), "{error}");
        assert_eq!((error.kind(), fake.count("GET"), bytes.len()), (ErrorKind::Download, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_ends_at_the_limit() {
    let fake = Fake::new(|_, _| Reply::Endless(200, b"0123456789".to_vec()));
    let video = client(&fake).responses().stream(completed()).max_bytes(35);
    let (bytes, error) = drain(video).await;
    assert_eq!((bytes.len(), error.unwrap().is_retryable()), (30, false));
    let error = client(&fake).responses().stream(completed()).max_bytes(35).bytes().await;
    assert!(error.unwrap_err().message().contains("max_bytes (35)"));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_announces_too_much_is_not_read() {
    let fake = Fake::new(|_, _| half());
    let (bytes, error) = drain(client(&fake).responses().stream(completed()).max_bytes(7)).await;
    assert_eq!((bytes.len(), error.is_some(), fake.count("GET")), (0, true, 1));
}

/// The reader may take longer than the timeout, and the host may not.
#[tokio::test(start_paused = true)]
async fn the_timeout_bounds_the_silence_of_the_host_and_not_that_of_the_reader() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Stalled(200, b"abcd".to_vec()),
        _ => Reply::Respond(200, "unused".to_owned()),
    });
    let client = build(&fake, Client::builder().request_timeout(5 * S));
    let mut video = client.responses().stream(completed());
    assert_eq!(video.next().await.unwrap().unwrap(), Bytes::from_static(b"abcd"));
    tokio::time::sleep(60 * S).await;
    let asked = tokio::time::Instant::now();
    let error = video.next().await.unwrap().unwrap_err();
    assert_eq!(asked.elapsed(), 5 * S);
    assert!(error.message().contains("sent nothing"), "{error}");
    assert_eq!(fake.retired().len(), 1, "the next request has another connection");
}

#[tokio::test(start_paused = true)]
async fn the_progress_is_what_was_yielded() {
    let fake = Fake::new(|_, before| match before {
        0 => half(),
        _ => part("bytes 4-7/8", "\"a\"", b"efgh"),
    });
    let mut video = client(&fake).responses().stream(completed());
    let mut seen = vec![(video.progress().downloaded, video.progress().total)];
    while let Some(chunk) = video.next().await {
        chunk.unwrap();
        seen.push((video.progress().downloaded, video.progress().total));
    }
    assert_eq!(seen, [(0, None), (4, Some(8)), (8, Some(8))]);
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_ends_a_stream() {
    let fake = Fake::new(|_, _| Reply::Stalled(200, b"abcd".to_vec()));
    let client = client(&fake);
    let mut video = client.responses().stream(completed());
    assert!(video.next().await.unwrap().is_ok());
    let (next, ()) = tokio::join!(video.next(), async { client.close() });
    let error = next.unwrap().unwrap_err();
    assert!(error.message().contains("closed during the download"), "{error}");
    assert!(!error.to_string().contains("same path"), "{error}");
    assert!(video.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn closing_the_client_between_two_reads_ends_a_stream() {
    let fake = Fake::new(|_, _| Reply::Stalled(200, b"abcd".to_vec()));
    let client = client(&fake);
    let mut video = client.responses().stream(completed());
    let mut other = client.responses().stream(completed());
    assert!(video.next().await.unwrap().is_ok());
    client.close();
    let kind = async |video: &mut VideoStream| video.next().await.unwrap().unwrap_err().kind();
    assert_eq!(kind(&mut video).await, ErrorKind::Download);
    // Nothing of it was requested.
    assert_eq!(kind(&mut other).await, ErrorKind::InvalidRequest);
}
