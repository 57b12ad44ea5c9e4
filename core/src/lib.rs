//! Client for Pipevideo's video generation API.
//!
//! A prompt becomes a video: a create answers at once with an id, the generation is polled until
//! it has ended, minutes later, and the video is downloaded. Every generation costs money, and a key
//! has 100 requests a minute. So this library
//!
//! - sends a create again only when the service certainly did not take it, and otherwise says that
//!   the outcome is uncertain ([`ErrorKind::SubmissionUncertain`], [`Responses::reconcile`]);
//! - shares one budget of requests among everything that the process does with a key, and spends it
//!   where an end is most likely ([`Polling`], [`RateLimit`]);
//! - ends a wait with the generation's end, its deadline, or the caller's wish, never with a passing
//!   fault ([`Responses::wait`]).
//!
//! ```no_run
//! use pipevideo::{Client, GenerationRequest};
//!
//! #[tokio::main]
//! async fn main() -> pipevideo::Result<()> {
//!     let client = Client::from_env()?;
//!     let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach")
//!         .width(1920)
//!         .height(1080);
//!     let generation = client.generate(request).await?;
//!     let path = client.responses().download(&generation, "cat.mp4").await?;
//!     println!("{}", path.display());
//!     Ok(())
//! }
//! ```
//!
//! A generation's id, a string, is all that is needed to go on with it elsewhere:
//! `client.responses().wait(id)`.
//!
//! # Features
//! `client` (on by default) is all that does I/O; without it the crate is the models, errors and
//! rules, pure and without tokio or reqwest. `blocking` adds `blocking::Client`, the same operations
//! for programs without async. `uniffi` is for the Swift package: it lets the models cross UniFFI's
//! border.
#![cfg_attr(
    not(feature = "client"),
    allow(dead_code, unused_imports, reason = "the I/O half uses it")
)]

/// The Rust blocks of the documents compile: `cargo xtask test documents` asks that each document
/// that has one is here.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct CoreReadme;
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/behaviour.md")]
    struct Behaviour;
    #[doc = include_str!("../../docs/downloads.md")]
    struct Downloads;
    #[doc = include_str!("../../docs/webhooks.md")]
    struct Webhooks;
    #[doc = include_str!("../../emulator/README.md")]
    struct EmulatorReadme;
}

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "client")]
mod client;
mod error;
#[cfg(feature = "uniffi")]
mod foreign;
mod json;
mod model;
mod polling;
mod retry;
#[cfg(test)]
mod test_snapshots;
mod webhook;
mod wire;

#[cfg(feature = "client")]
pub use client::{
    App, Client, ClientBuilder, Download, DownloadSource, Engines, Generate, Progress, Responses,
    TokenError, Usage, Wait, Watch, Webhooks, reset_shared_state,
};
pub use error::{Delivery, Error, ErrorKind, Result};
pub use http::HeaderMap;
pub use model::{
    AccountUsage, DailyRoutes, DailyUsage, Detail, Engine, EngineCatalog, EngineModel,
    FailureCategory, Generation, GenerationError, GenerationRequest, ImageUrl, Input, InputItem,
    InputPart, KnownPart, Media, ProviderPreference, RecentRequest, Role, RouteUsage, Status,
    TokenUsage, Update, UsageTotals, Via, VideoUrl,
};
pub use polling::Polling;
pub use polling::budget::RateLimit;
pub use rust_decimal::Decimal;
pub use webhook::{Webhook, WebhookEvent, WebhookReason};
