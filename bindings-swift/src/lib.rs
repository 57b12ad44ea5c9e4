//! The native half of the Swift package `Pipevideo`.
//!
//! `Sources/Pipevideo/` is what users see: names, types, documentation. What is here converts
//! arguments, makes one call of the core, and maps one error. Models are the core's own.

mod call;
mod client;
mod errors;
mod json;
mod options;
mod request;
mod token;
mod watch;
mod webhook;

uniffi::setup_scaffolding!();
