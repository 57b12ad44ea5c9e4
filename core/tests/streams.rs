//! Streams of videos over real connections: how much a reader that waits receives, and what becomes of the
//! connection of one that leaves.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pipevideo::{Client, Generation, VideoStream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// More than the buffers of two sockets hold.
const LENGTH: u64 = 64 * 1024 * 1024;

fn stream(url: &str) -> VideoStream {
    let builder = Client::builder().base_url("http://127.0.0.1:9").api_key("pv_test");
    let json = json!({"id": "gen_1", "status": "completed", "output_video_url": url});
    let generation: Generation = serde_json::from_value(json).unwrap();
    builder.max_retries(0).build().unwrap().responses().stream(generation)
}

/// A host that sends one video. Returns its URL, how much it has sent, and the task, which ends with the
/// connection.
async fn host() -> (String, Arc<AtomicU64>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/video.mp4", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicU64::new(0));
    let counter = sent.clone();
    let task = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        connection.write_all(answer.as_bytes()).await.unwrap();
        let piece = vec![0; 64 * 1024];
        while counter.load(Ordering::Relaxed) < LENGTH {
            let Ok(written) = connection.write(&piece).await else { return };
            counter.fetch_add(written as u64, Ordering::Relaxed);
        }
    });
    (url, sent, task)
}

#[tokio::test]
async fn a_reader_that_waits_receives_nothing() {
    let (url, sent, _) = host().await;
    let mut waiting = stream(&url);
    assert!(waiting.next().await.unwrap().is_ok());
    // Another video is received meanwhile: as much would come to this one.
    let (other, ..) = host().await;
    assert_eq!(stream(&other).bytes().await.unwrap().len() as u64, LENGTH);
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < LENGTH / 2, "{sent}");
}

#[tokio::test]
async fn a_stream_that_is_dropped_closes_its_connection() {
    let (url, sent, connection) = host().await;
    let mut video = stream(&url);
    assert!(video.next().await.unwrap().is_ok());
    drop(video);
    connection.await.unwrap();
    assert!(sent.load(Ordering::Relaxed) < LENGTH);
}
