//! Videos as streams: resumed within, never mixed, and received only as fast as they are read.

use serde_json::json;

use super::fake::{Fake, Reply};
use super::*;
use crate::error::ErrorKind;
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
    assert!(video.next().await.unwrap().is_err());
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
