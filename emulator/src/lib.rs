//! Pipevideo's video generation API on 127.0.0.1, for tests and experiments without a key or the
//! internet.
//!
//! The emulator behaves like the service: it checks keys, validates requests, routes providers, bills
//! tokens, limits rates, takes its time to generate, and serves a real video under a signed URL on a
//! second origin. On request it also misbehaves the way services do; see [`Fault`].
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
//! It is also a program, for clients in any language: `cargo run -p pipevideo-emulator -- --speed 60`
//! prints the line `{"base_url":…,"api_key":…}` and runs until its standard input closes. The methods
//! of [`Emulator`] are available over HTTP under `/_emulator/`:
//!
//! | request | body | effect |
//! |---|---|---|
//! | `GET /_emulator/` | | a page that shows the emulator live in a browser |
//! | `GET`, `DELETE /_emulator/requests` | | lists or clears the [`ReceivedRequest`]s |
//! | `POST /_emulator/generations` | [`NewGeneration`] | adds a generation and returns `{"id": …}` |
//! | `POST /_emulator/generations/{id}/settle` | [`Settlement`] | sets a generation's status |
//! | `POST /_emulator/advance` | `{"seconds": 90}` | moves the service's time forward |
//! | `POST`, `DELETE /_emulator/faults` | [`Fault`] | adds a fault, or removes all faults |
//! | `PUT /_emulator/balance` | `{"cents": 500}` | sets the prepaid credit |
//! | `PUT /_emulator/webhook` | [`WebhookEndpoint`] | sets where webhooks are sent |
//! | `GET /_emulator/deliveries` | | lists the [`SentDelivery`]s |
//! | `POST`, `DELETE /_emulator/deliveries/faults` | [`DeliveryFault`] | adds a fault, or removes all |
//!
//! These requests need no key, are not logged, and do not count towards the rate limit. An invalid
//! body is answered with status 400 and a message. A web page cannot make them: their `Host` has to be
//! that of the loopback interface, and their `Origin`, if they have one, has to be the emulator's own.

mod api;
mod bounded_log;
mod clock;
mod control;
mod deliveries;
mod emulator;
mod emulator_thread;
mod faults;
mod http;
mod options;
mod page;
#[cfg(feature = "cli")]
mod program;
mod service;
mod state;
mod videos;

pub use control::{ControlError, GenerationError, NewGeneration, PollStep, Settlement, Tokens};
pub use deliveries::{DeliveryFault, SentDelivery, WebhookEndpoint, WebhookFamily};
pub use emulator::Emulator;
pub use emulator_thread::EmulatorThread;
pub use faults::{Break, Fault, Match};
pub use http::{Origin, ReceivedRequest};
pub use options::{DEFAULT_API_KEY, Options, RateLimit};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use program::Arguments;
