//! The one tokio runtime of this process, and what happens to it at a fork.
//!
//! A forked child has no runtime thread, so its first call starts another. The parent's runtime is
//! left alone: it is neither used nor dropped.

use std::time::Duration;

use bindings_common::BackgroundRuntime;
use bindings_macros::barrier;
use pyo3::prelude::*;

use crate::{bridge, finalization, logs, process};

/// Threads lock it attached to the interpreter, so no fork finds the lock held.
pub(crate) static RUNTIME: BackgroundRuntime = BackgroundRuntime::new(bridge::wake_changed);

/// How long a fork waits for the pause. Jobs take microseconds between two awaits, so the runtime
/// needs this long only on a machine that is overloaded; the fork then proceeds without a pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Before a fork: pauses the runtime, so that the child finds no lock held by its thread, and that
/// CPython does not warn of a process with several threads.
#[barrier]
#[pyfunction]
pub(crate) fn _before_fork() {
    RUNTIME.pause(MAX_PAUSE);
}

/// After a fork, in the parent: the runtime continues.
#[barrier]
#[pyfunction]
pub(crate) fn _after_fork_in_parent() -> PyResult<()> {
    Ok(RUNTIME.resume()?)
}

/// After a fork, in the child: what belongs to the parent's runtime is forgotten.
#[barrier]
#[pyfunction]
pub(crate) fn _after_fork_in_child() {
    RUNTIME.reset();
    bridge::reset_loops();
    logs::reset();
    finalization::after_fork_in_child();
    process::after_fork_in_child();
    pipevideo::reset_shared_state();
}
