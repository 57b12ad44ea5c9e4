//! The native half of the Node package `pipevideo`.
//!
//! `index.js` and `lib/` are what users see: names, options, errors, documentation. This crate
//! converts arguments, makes one call of the core, and maps one error. `bridge` passes results to
//! event loops; the runtime's thread calls into Node only to wake them. Nothing here is public: the
//! two halves are built and released together.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]
#![cfg_attr(test, allow(dead_code, reason = "napi-rs exports nothing to tests"))]
#![allow(missing_docs, reason = "what is exported is for lib/ alone, and the macros add more")]

mod barrier;
mod batch;
mod bridge;
mod client;
mod command;
mod emulator;
mod errors;
mod options;
mod request;
mod token;
mod values;
mod video;
mod watch;
mod webhook;

/// Calls allocate on one thread and free on another, which costs 10 % more CPU time with glibc's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
