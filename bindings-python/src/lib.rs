//! The native half of the Python package `pipevideo`.
//!
//! `python/pipevideo/` is what users see: names, signatures, documentation. This crate converts
//! arguments, makes one call of the core, and maps one error. The runtime's thread never touches
//! Python: `bridge`, `call_state` and `token` are what it shares with the interpreter's threads.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod arguments;
mod barrier;
mod batch;
mod batch_request;
mod batch_state;
mod bridge;
mod call;
mod call_state;
mod callback;
mod catalog;
mod client;
mod command;
mod created;
mod emulator;
mod errors;
mod event;
mod finalization;
mod input;
mod json;
mod literal;
mod logs;
mod loop_reader;
mod loop_wake;
mod observer;
mod options;
mod outcome;
mod part;
mod pickle;
mod process;
mod pydantic;
mod raise;
mod runtime;
mod steps;
mod stream_state;
mod to_json;
mod token;
mod update;
mod values;
mod video;
mod watch;
mod webhook;

use bindings_macros::barrier;
use futures_util::FutureExt;
use pyo3::prelude::*;

use crate::call::Call;

/// Calls allocate on one thread and free on another, which costs 10 % more CPU time with glibc's
/// allocator. mimalloc's v2 series holds no lock that a fork could find held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Panics, for the tests of the barrier: at once, or in the call that it returns.
#[barrier]
#[pyfunction]
#[pyo3(signature = (at_once: "bool") -> "Pending[None]")]
fn _panic(at_once: bool) -> PyResult<Call> {
    assert!(!at_once, "a secret prompt");
    let work = |_| async { panic!("a secret prompt") }.boxed();
    Ok(Call::new(Box::new(work), None, None))
}

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::{
        _panic,
        batch::{JournalItems, NativeBatch, write_report},
        call::Call,
        catalog::{_account_usage, _engine_catalog},
        client::NativeClient,
        command::_run_command,
        emulator::Emulator,
        event::WebhookEvent,
        finalization::_at_exit,
        input::{image, text, video},
        observer::_observe,
        part::Part,
        runtime::{_after_fork_in_child, _after_fork_in_parent, _before_fork},
        update::Update,
        values::{Generation, GenerationError, TokenUsage},
        video::{Video, VideoChunks},
        watch::Watch,
        webhook::Webhook,
    };

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name in Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
