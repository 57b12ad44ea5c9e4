//! The spans and fields that the library emits for `tracing`, without prompt and key.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

#[path = "support/lines.rs"]
mod lines;

use std::time::Duration;

use lines::Lines;
use pipevideo::{Client, GenerationRequest, Polling};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;

#[tokio::test]
async fn spans_show_what_happens_and_nothing_secret() {
    let options: Options =
        serde_json::from_value(json!({"polls": ["in_progress", "completed"]})).unwrap();
    let emulator = Emulator::start(options).await.unwrap();
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .polling(Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO))
        .build()
        .unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let prompt = "a prompt that must stay secret";
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt).instructions("nor this");
    let generation = client.generate(request).on_update(|_| {}).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    client.responses().download(&generation, folder.path().join("out.mp4")).await.unwrap();
    client.responses().retrieve("gen_missing").await.unwrap_err();
    drop(guard);

    let text = lines.text();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("pipevideo")).collect();
    for expected in [
        "call{otel.name=\"generate_content moonshotai/kimi-k2.5\"",
        "request{otel.name=\"GET /v1/responses/{id}\"",
        "pipevideo: request ended call=",
        "route=\"POST /v1/responses\" attempt=1 http_status=200",
        "http_status=404",
        "budget_left=",
        &generation.id,
    ] {
        assert!(ours.iter().any(|line| line.contains(expected)), "{expected}\n{text}");
    }
    // All of the log is checked, lines of reqwest and hyper included.
    let signature = generation.output_video_url.unwrap().split_once('?').unwrap().1.to_owned();
    for secret in [prompt, "nor this", emulator.api_key()] {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
    }
    assert!(!ours.iter().any(|line| line.contains(&signature)), "a signed query is in the log");
}

#[tokio::test]
async fn a_generate_that_is_cancelled_logs_its_id() {
    let options: Options = serde_json::from_value(json!({"polls": ["in_progress"]})).unwrap();
    let emulator = Emulator::start(options).await.unwrap();
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .build()
        .unwrap();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let (sender, created) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    let generate = client
        .generate(GenerationRequest::new("moonshotai/kimi-k2.5", "a secret prompt"))
        .on_update(move |update| {
            if let Some(sender) = sender.take() {
                sender.send(update.generation.id.clone()).unwrap();
            }
        });
    let id = tokio::select! {
        id = created => id.unwrap(),
        ended = generate => panic!("{ended:?}"),
    };
    let text = lines.text();
    assert!(text.contains("WARN") && text.contains(&id), "{text}");
    assert!(!text.contains("a secret prompt"), "{text}");
}
