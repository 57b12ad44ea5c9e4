//! The native half of the Swift package `Pipevideo`.
//!
//! `Sources/Pipevideo/` is what users see: names, types, documentation. This crate converts
//! arguments, makes one call of the core, and maps one error. Models are the core's own. Everything
//! is exported through UniFFI, and only [`options`] mentions a language: a package for another
//! language that UniFFI serves needs no other code here.

mod call;
mod client;
mod errors;
mod json;
mod options;
mod request;
mod runtime;
mod token;
mod watch;
mod webhook;

uniffi::setup_scaffolding!();
