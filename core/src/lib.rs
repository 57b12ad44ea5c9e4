//! Client for Pipevideo's video generation API, which makes videos from prompts.
//!
//! ```no_run
//! use pipevideo::{Client, GenerationRequest};
//!
//! #[tokio::main]
//! async fn main() -> pipevideo::Result<()> {
//!     let client = Client::from_env()?; // Reads PIPEVIDEO_API_KEY.
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
//! # Generations
//! A [`Generation`] is one request for a video. [`create`](Responses::create) returns at once with
//! its id; the service then takes minutes to compose and render it. [`wait`](Responses::wait) polls
//! until it has ended, [`watch`](Responses::watch) also yields the changes in between, and
//! [`download`](Responses::download) saves the video. [`generate`](Client::generate) creates and
//! waits in one call. The id, a string, is all that another process or machine needs to continue:
//! `client.responses().wait(id)`.
//!
//! Each generation costs money, and a key may send 100 requests a minute, polls included. Therefore:
//!
//! - **No create is paid twice.** A create is retried only if the service certainly did not process
//!   it. Otherwise it fails with [`ErrorKind::SubmissionUncertain`], and
//!   [`reconcile`](Responses::reconcile) finds the generations that it may have made.
//! - **No transient failure ends a wait.** A wait ends when the generation ends, at its deadline, or
//!   when its future is dropped; a lost connection or a 503 only delays the next poll.
//! - **One request budget per key.** All clients of a process with the same key share it, and it is
//!   spent on the polls that are most likely to find an end ([`Polling`], [`RateLimit`]).
//!
//! # Money
//! [`estimate`](Client::estimate) says what a generation will cost, [`spend`](Client::spend) what was
//! spent, and a [`spend_limit`](ClientBuilder::spend_limit) refuses creates beyond it. A
//! [`batch`](Client::batch) of many requests has a journal, by which another run continues it if its
//! process is killed.
//!
//! # Errors
//! Every fallible function returns [`Error`]. Its [`kind`](Error::kind) is the same in all languages
//! of this library, its message is safe to log, and [`is_retryable`](Error::is_retryable) says
//! whether the same call may succeed later without paying twice.
//!
//! # Webhooks
//! With [`webhook_secrets`](ClientBuilder::webhook_secrets), waits rely on webhooks and poll once a
//! minute only. [`Webhooks::unwrap`] verifies a delivery and wakes its waits; [`Webhook`] verifies
//! one without a client.
//!
//! # Features
//! - `client` (default): everything that does I/O. Without it the crate has the models, errors and
//!   webhook verification, and depends on neither tokio nor reqwest.
//! - `redis`: `ClientBuilder::redis`, with which the processes of a key share its budget, webhooks and
//!   spend.
//! - `blocking`: `blocking::Client`, with the same operations for programs without async.
//! - `uniffi`: UniFFI's derives on the models, for the Swift package.
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
    #[doc = include_str!("../../docs/batches.md")]
    struct Batches;
    #[doc = include_str!("../../docs/behaviour.md")]
    struct Behaviour;
    #[doc = include_str!("../../docs/costs.md")]
    struct Costs;
    #[doc = include_str!("../../docs/downloads.md")]
    struct Downloads;
    #[doc = include_str!("../../docs/logs.md")]
    struct Logs;
    #[doc = include_str!("../../docs/opentelemetry.md")]
    struct OpenTelemetry;
    #[doc = include_str!("../../docs/webhooks.md")]
    struct Webhooks;
    #[doc = include_str!("../../emulator/README.md")]
    struct EmulatorReadme;
}

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();

/// For the bindings, and no part of the public interface.
#[doc(hidden)]
pub mod barrier;
mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "client")]
mod client;
mod device_names;
mod error;
#[cfg(feature = "uniffi")]
mod foreign;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod lock;
mod model;
mod polling;
mod recent_ids;
mod retry;
mod spend;
#[cfg(test)]
mod test_snapshots;
mod webhook;
mod wire;

#[cfg(feature = "client")]
#[doc(hidden)]
pub use batch::BatchOutput;
#[cfg(feature = "client")]
pub use batch::{Batch, BatchHandle, BatchRun, read_journal, write_report};
pub use batch::{
    BatchCounts, BatchEvent, BatchEventKind, BatchItem, BatchRequest, BatchSummary, ItemStatus,
    StopReason,
};
#[cfg(feature = "client")]
pub use client::{
    App, Call, CallOptions, Client, ClientBuilder, Download, DownloadSource, Engines, Estimate,
    Generate, Progress, Responses, Submission, TokenError, Usage, VideoStream, Wait, Watch,
    Webhooks, reset_shared_state,
};
#[cfg(feature = "client")]
#[doc(hidden)]
pub use client::{end_waits, reconcile_stored, warn_uncertain};
pub use error::{Delivery, Error, ErrorKind, Result, WebhookReason};
pub use http::HeaderMap;
#[doc(hidden)]
pub use model::exact_decimal;
pub use model::{
    AccountUsage, ApiResponse, Candidate, Candidates, CostEstimate, DailyRoutes, DailyUsage,
    Detail, Engine, EngineCatalog, EngineModel, EstimateBasis, FailureCategory, Generation,
    GenerationError, GenerationRequest, ImageUrl, Input, InputItem, InputPart, KnownPart, Media,
    ProviderPreference, RecentRequest, Role, RouteUsage, Spend, Status, TokenUsage, Update,
    UsageTotals, Via, VideoUrl,
};
pub use polling::Polling;
pub use polling::budget::RateLimit;
pub use rust_decimal::Decimal;
pub use webhook::{Webhook, WebhookEvent};
