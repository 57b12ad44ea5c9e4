//! The native half of the Python package `pipevideo`.
//!
//! `python/pipevideo/` is what users see: names, signatures, documentation. What is here converts
//! arguments, makes one call of the core, and maps one error. The runtime's thread never touches
//! Python: `bridge` and `shared` are the border.

mod bridge;
mod call;
mod catalog;
mod client;
mod emulator;
mod ending;
mod errors;
mod event;
mod input;
mod json;
mod logs;
mod options;
mod outcome;
mod runtime;
mod shared;
mod token;
mod update;
mod values;
mod watch;
mod webhook;
mod word;

use pyo3::prelude::*;

/// Calls allocate on one thread and free on another, which costs glibc's allocator a tenth more. The
/// older series takes no lock that a fork could find held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pyfunction]
fn _before_fork() {
    runtime::before_fork();
}

#[pyfunction]
fn _after_fork_in_parent() {
    runtime::after_fork_in_parent();
}

#[pyfunction]
fn _after_fork_in_child() {
    runtime::after_fork_in_child();
}

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::{
        _after_fork_in_child, _after_fork_in_parent, _before_fork,
        call::Call,
        client::Core,
        emulator::Emulator,
        ending::_at_exit,
        event::WebhookEvent,
        input::{Part, image, text, video},
        update::Update,
        values::{Generation, GenerationError, TokenUsage},
        watch::Watch,
        webhook::Webhook,
    };

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's own name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
