//! The log of one client, in a process that has another client without one. A process of its own: tracing
//! decides once whether an event is of interest.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and spawn")]

#[path = "support/lines.rs"]
mod lines;

use lines::Lines;
use pipevideo::Client;
use pipevideo_emulator::{Emulator, Options};
use tracing::Dispatch;

#[tokio::test]
async fn an_event_that_a_client_without_a_log_reaches_first_is_in_the_log_of_another() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let builder = || Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let logging = builder().log_to(Dispatch::new(subscriber)).build().unwrap();

    builder().build().unwrap().engines().list().await.unwrap();
    assert!(lines.text().is_empty());
    logging.engines().list().await.unwrap();
    let text = lines.text();
    assert!(text.contains("request ended"), "{text:?}");
}
