//! What the native halves of the language packages share.
//!
//! Each of `bindings-python`, `bindings-node` and `bindings-swift` converts arguments, makes one call
//! of the core, and maps one error. The parts of that which do not depend on the host language are
//! here: the conversion of [options](ClientOptions), the [fields of an error](ErrorFields), errors of
//! the host that [pass through the core](ForeignError), the [runtime's thread](BackgroundRuntime),
//! the [panic barrier](catch), the [records](LogRecord) of the log, the [emulators](emulator_started) of the
//! process, and [`lock`].
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod barrier;
mod batch;
mod emulators;
mod error_fields;
mod foreign_error;
mod lock;
mod log;
mod options;
mod runtime;

pub use barrier::{catch, catch_async, lost};
pub use batch::{BatchFeed, BatchOptions, failure_category};
pub use emulators::{emulator_started, emulator_stopped};
pub use error_fields::{Cause, ErrorFields, cause};
pub use foreign_error::ForeignError;
pub use lock::lock;
pub use log::{LogLevel, LogQueue, LogRecord, LogSink, subscriber};
pub use options::{
    AppOptions, CallOptions, ClientOptions, Host, Naming, PollingOptions, RateLimitOptions,
    TimeUnit,
};
pub use runtime::BackgroundRuntime;
