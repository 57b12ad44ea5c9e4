//! The native half of the Swift package `Pipevideo`.
//!
//! Users see `Sources/Pipevideo/`: its names, types and documentation. This crate converts arguments,
//! makes one call of the core, and maps one error. Models are the core's own. Everything is exported
//! through UniFFI and depends on no language, so a package for Kotlin could use it as it is.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod barrier;
mod call;
mod client;
mod errors;
mod json;
mod log;
mod options;
mod reports;
mod request;
mod response;
mod runtime;
mod token;
mod video;
mod watch;
mod webhook;

uniffi::setup_scaffolding!();
