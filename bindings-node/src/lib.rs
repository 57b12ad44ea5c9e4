//! The native half of the Node package `pipevideo`.
//!
//! `index.js` and `lib/` are what users see: names, options, errors, documentation. What is here
//! converts arguments, makes one call of the core, and maps one error. The runtime's thread never
//! calls into Node but to wake an event loop: `bridge` is the border. Nothing here is public: the
//! two halves are built and released together.
#![cfg_attr(test, allow(dead_code, reason = "napi-rs exports nothing to tests"))]
#![allow(missing_docs, reason = "what is exported is for lib/ alone, and the macros add more")]

mod bridge;
mod client;
mod emulator;
mod errors;
mod options;
mod request;
mod runtime;
mod token;
mod values;
mod watch;
mod webhook;

/// Calls allocate on one thread and free on another, which costs glibc's allocator a tenth more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
