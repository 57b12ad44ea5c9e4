//! When the video's host is requested again, and when a download gives up.

use std::fs;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::fake::{Fake, Reply};
use super::*;
use crate::client::transport::{HttpRequest, HttpResponse, PrivateHost, Transport, TransportError};
use crate::error::{Delivery, Error, ErrorKind};
use crate::model::Generation;

const URL: &str = "http://127.0.0.1:9/video.mp4";
const VIDEO: &str = "GET /video.mp4";

/// A completed generation as the service shows it.
fn completed() -> serde_json::Value {
    json!({"id": "gen_1", "status": "completed", "output_video_url": URL})
}

/// Downloads with at most two retries; the content of the file, and how long it took.
async fn download(fake: &Fake) -> (Result<Vec<u8>, Error>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let client = build(fake, Client::builder().max_retries(2));
    let generation: Generation = serde_json::from_value(completed()).unwrap();
    let began = tokio::time::Instant::now();
    let path = client.responses().download(generation, folder.path().join("out.mp4")).await;
    (path.map(|path| fs::read(path).unwrap()), began.elapsed())
}

fn video() -> Reply {
    Reply::Respond(200, "whole".to_owned())
}

#[tokio::test(start_paused = true)]
async fn failures_without_progress_count_and_the_last_one_is_the_error() {
    for (failures, requests) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
        let fake =
            Fake::new(move |_, before| if before < failures { Reply::Lost } else { video() });
        let (outcome, _) = download(&fake).await;
        assert_eq!(fake.count(VIDEO), requests, "{failures}");
        if failures < 3 {
            assert_eq!(outcome.unwrap(), b"whole");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Download, 3));
            assert_eq!(error.generation_id(), Some("gen_1"));
        }
    }
}

/// Without a validator each attempt begins anew, and receives what the one before it received.
#[tokio::test(start_paused = true)]
async fn bytes_that_are_received_again_are_no_progress() {
    let fake = Fake::new(|_, _| Reply::Cut(200, b"who".to_vec()));
    let (outcome, _) = download(&fake).await;
    assert_eq!(outcome.unwrap_err().attempts(), 3);
    // Each attempt that gets further has all its retries again.
    let fake = Fake::new(|_, before| Reply::Cut(200, vec![b'v'; before.min(7)]));
    let (outcome, _) = download(&fake).await;
    assert_eq!(outcome.unwrap_err().attempts(), 7 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_host_may_ask_for_a_pause_of_two_minutes_at_most() {
    for (asked, seconds) in [("5", 5), ("120", 120)] {
        let fake = Fake::new(move |_, before| match before {
            0 => Reply::RetryAfter(503, asked, String::new()),
            _ => video(),
        });
        let (outcome, took) = download(&fake).await;
        assert_eq!(outcome.unwrap(), b"whole");
        let pause = fake.times(VIDEO)[1].as_secs_f64();
        let expected = f64::from(seconds);
        assert!((expected..expected + 0.3).contains(&pause), "{asked}: {pause}");
        assert!(took >= S * seconds);
    }
    let fake = Fake::new(|_, _| Reply::RetryAfter(503, "121", String::new()));
    let (outcome, _) = download(&fake).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.attempts(), error.retry_after()), (1, Some(S * 121)));
}

#[tokio::test(start_paused = true)]
async fn the_url_is_refreshed_once() {
    for (expired, requests) in [(1, 2), (2, 2)] {
        let fake = Fake::new(move |name, before| match name {
            VIDEO if before < expired => Reply::Respond(403, String::new()),
            VIDEO => video(),
            _ => Reply::Respond(200, completed().to_string()),
        });
        let (outcome, _) = download(&fake).await;
        assert_eq!(fake.count("GET /v1/responses/gen_1"), 1);
        assert_eq!(fake.count(VIDEO), requests);
        match outcome {
            Ok(content) => assert_eq!((content, expired), (b"whole".to_vec(), 1)),
            Err(error) => {
                assert_eq!((error.status(), error.attempts(), expired), (Some(403), 2, 2));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_says_that_bytes_are_kept_if_there_are_any() {
    for stored in [0, 3] {
        let fake = Fake::new(move |_, before| match before {
            0 => Reply::Cut(200, vec![b'v'; stored]),
            _ => Reply::Respond(400, String::new()),
        });
        let (outcome, _) = download(&fake).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), error.attempts()), (Some(400), 2));
        let text = error.to_string();
        assert_eq!(text.contains("The bytes received so far are kept"), stored > 0, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_video_may_be_as_large_as_max_bytes() {
    for (max_bytes, fits) in [(6, true), (5, true), (4, false)] {
        for header in [None, Some(("content-length", "5"))] {
            let fake = Fake::new(move |_, _| match header {
                None => video(),
                Some(header) => Reply::With(200, vec![header], b"whole".to_vec()),
            });
            let folder = tempfile::tempdir().unwrap();
            let generation: Generation = serde_json::from_value(completed()).unwrap();
            let path = folder.path().join("out.mp4");
            let client = client(&fake);
            let download = client.responses().download(generation, &path).max_bytes(max_bytes);
            assert_eq!(download.await.is_ok(), fits, "{max_bytes} {header:?}");
            assert_eq!(fs::read(&path).ok(), fits.then(|| b"whole".to_vec()));
            assert_eq!(fake.count(VIDEO), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_left_after_the_request_timeout() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Silence,
        1 => Reply::Stalled(200, b"who".to_vec()),
        _ => video(),
    });
    let (outcome, took) = download(&fake).await;
    assert_eq!(outcome.unwrap(), b"whole");
    assert!((60.0..61.0).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(fake.retired().len(), 2, "neither connection is used again");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_completed_has_no_video() {
    let folder = tempfile::tempdir().unwrap();
    for (status, kind) in [
        ("queued", ErrorKind::Download),
        ("rendering", ErrorKind::Download),
        ("failed", ErrorKind::GenerationFailed),
    ] {
        let shown = json!({"id": "gen_1", "status": status, "output_video_url": URL});
        let body = shown.to_string();
        let fake = Fake::new(move |_, _| Reply::Respond(200, body.clone()));
        let generation: Generation = serde_json::from_value(shown).unwrap();
        let path = folder.path().join("out.mp4");
        let error = client(&fake).responses().download(generation, path).await.unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (kind, Some("gen_1")), "{status}");
        // Only one that has not ended may have come further since.
        let retrieves = usize::from(status != "failed");
        assert_eq!((fake.count("GET /v1"), fake.count(VIDEO)), (retrieves, 0), "{status}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_url_that_is_not_http_is_not_fetched() {
    let folder = tempfile::tempdir().unwrap();
    for url in [json!(null), json!("file:///etc/passwd"), json!("nonsense")] {
        let fake = Fake::new(|_, _| video());
        let shown = json!({"id": "gen_1", "status": "completed", "output_video_url": url});
        let generation: Generation = serde_json::from_value(shown).unwrap();
        let path = folder.path().join("out.mp4");
        let error = client(&fake).responses().download(generation, path).await.unwrap_err();
        assert_eq!((error.kind(), fake.count("GET")), (ErrorKind::Download, 0), "{url}");
    }
}

/// A transport of which the hosts have no public addresses.
struct Private;

impl Transport for Private {
    fn send(&self, _: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let source: Box<dyn std::error::Error + Send + Sync> = Box::new(PrivateHost);
        let error =
            TransportError { what: "private", delivery: Delivery::NotSent, source: Some(source) };
        std::future::ready(Err(error)).boxed()
    }

    fn retire_connections(&self, _: Duration) {}
}

#[tokio::test(start_paused = true)]
async fn a_video_on_a_private_address_is_refused_and_not_requested_again() {
    let base = crate::wire::BaseUrl::parse("https://api.example.com", false).unwrap();
    let client = Client::builder().api_key("pv_test").build_with(base, Arc::new(Private)).unwrap();
    let mut generation: Generation = serde_json::from_value(completed()).unwrap();
    generation.output_video_url = Some("https://videos.example.com/video.mp4".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let download = client.responses().download(generation, folder.path().join("out.mp4"));
    let error = download.await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Download, 1));
    assert!(!error.is_retryable());
    assert!(error.message().contains("the video of generation gen_1 is on a private network"));
}
