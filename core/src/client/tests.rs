//! The client on a paused clock, over a transport in memory.
#![allow(clippy::disallowed_methods, reason = "the clock is paused here")]

mod answers;
mod closing;
mod downloads;
mod endpoints;
mod events;
mod fake;
mod money;
mod network;
mod options;
mod pace;
mod panics;
mod secrets;
mod shared_spend;
mod spend;
mod streams;
mod tokens;
mod waits;
mod webhooks;

use std::time::Duration;

use fake::Fake;

use super::{Client, ClientBuilder};
use crate::model::GenerationRequest;
use crate::polling::Polling;

const S: Duration = Duration::from_secs(1);

fn request() -> GenerationRequest {
    GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach")
}

/// A client over the fake transport, with a budget of its own.
fn client(fake: &Fake) -> Client {
    build(fake, Client::builder())
}

fn build(fake: &Fake, builder: ClientBuilder) -> Client {
    let key = format!("pv_test_{}", fastrand::u64(..));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    builder.api_key(key).build_with(base, fake.transport()).unwrap()
}

/// Polls exactly every so many seconds.
fn every(seconds: u32) -> Polling {
    Polling { min_interval: S * seconds, max_interval: S * seconds, ..Polling::default() }
}
