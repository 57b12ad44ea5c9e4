//! The one tokio runtime of this process, and what happens to it at a fork.
//!
//! A forked child has no runtime thread, so its first call starts another. The parent's runtime is
//! left alone: it is neither used nor dropped.

use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use bindings_common::{BackgroundRuntime, lock};

use crate::{bridge, finalization, logs, process};

/// Threads lock its channel attached to the interpreter, so no fork finds the lock held.
pub(crate) static RUNTIME: BackgroundRuntime = BackgroundRuntime::new(bridge::wake_changed);

/// How long a fork waits for the pause. Jobs take microseconds between two awaits, so the runtime
/// needs this long only on a machine that is overloaded; the fork then proceeds without a pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the runtime paused during a fork: dropping it lets the runtime continue.
static PAUSE: Mutex<Option<Sender<()>>> = Mutex::new(None);

/// Before a fork: pauses the runtime, so that the child finds no lock held by its thread.
pub(crate) fn before_fork() {
    let (paused, wait_for_pause) = mpsc::channel();
    let (resume, wait_for_resume) = mpsc::channel();
    let started = RUNTIME.spawn_if_started(async move {
        // The receiver is gone if the fork did not wait any longer.
        let _ = paused.send(());
        // Nothing is ever sent: this returns when the sender is dropped.
        let _ = wait_for_resume.recv();
    });
    if started && wait_for_pause.recv_timeout(MAX_PAUSE).is_ok() {
        *lock(&PAUSE) = Some(resume);
    }
}

/// After a fork, in the parent: the runtime continues.
pub(crate) fn after_fork_in_parent() {
    lock(&PAUSE).take();
}

/// After a fork, in the child: what belongs to the parent's runtime is forgotten.
pub(crate) fn after_fork_in_child() {
    std::mem::forget(lock(&PAUSE).take());
    RUNTIME.reset();
    bridge::reset_loops();
    logs::reset();
    finalization::after_fork_in_child();
    process::after_fork_in_child();
    pipevideo::reset_shared_state();
}
