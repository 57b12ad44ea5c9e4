//! Pipevideo's video generation API on loopback, for trying and testing without a key or the internet.
//!
//! It behaves as the service does: keys, validation, provider routing, billing, a rate limit,
//! generations that take their time, and a real video under a signed URL on a second origin. On
//! request it misbehaves as services do: see [`Fault`].
//!
//! ```
//! use pipevideo_emulator::{Emulator, Options, Settlement};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::start(Options { speed: 60.0, ..Options::default() }).await?;
//! println!("point a client at {} with {}", emulator.base_url(), emulator.api_key());
//!
//! let id = emulator.add_generation(Default::default())?;
//! emulator.settle(&id, Settlement::completed())?;
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The same as a program, for clients in any language: `cargo run -p pipevideo-emulator -- --speed 60`
//! prints a line `{"base_url":…,"api_key":…}` and ends when its standard input closes. What the
//! handle does in Rust is done over HTTP under `/_emulator/`:
//!
//! | request | body | what it does |
//! |---|---|---|
//! | `GET`, `DELETE /_emulator/requests` | | lists or forgets the [`ReceivedRequest`]s |
//! | `POST /_emulator/generations` | [`NewGeneration`] | adds a generation, answers `{"id": …}` |
//! | `POST /_emulator/generations/{id}/settle` | [`Settlement`] | moves a generation by hand |
//! | `POST`, `DELETE /_emulator/faults` | [`Fault`] | adds a fault, takes all away |
//! | `PUT /_emulator/balance` | `{"cents": 500}` | sets the prepaid credit |
//! | `PUT /_emulator/webhook` | [`WebhookEndpoint`] | says where webhooks go |
//! | `GET /_emulator/deliveries` | | lists the [`SentDelivery`]s |
//! | `POST`, `DELETE /_emulator/deliveries/faults` | [`DeliveryFault`] | adds one, takes all away |
//!
//! These calls need no key and are neither counted nor logged. A wrong body is a 400 that says why.

mod answer;
mod api;
mod apply;
mod catalogue;
mod clock;
mod control;
mod courier;
mod deliveries;
mod faults;
mod generation;
mod handle;
mod ledger;
mod log;
mod options;
mod places;
mod plan;
mod rate;
mod script;
mod server;
mod service;
mod shared;
mod signer;
mod thread;
mod usage;
mod validate;
mod video;
mod webhook;

pub use deliveries::{DeliveryFault, SentDelivery};
pub use faults::{Break, Fault, Match, Origin};
pub use handle::Emulator;
pub use log::ReceivedRequest;
pub use options::{Options, RateLimit};
pub use script::{GenerationError, NewGeneration, PollStep, Refused, Settlement, Tokens};
pub use thread::EmulatorThread;
pub use webhook::{WebhookEndpoint, WebhookFamily};

/// How long the video is.
const VIDEO_SECONDS: u64 = 4;
