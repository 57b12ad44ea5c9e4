//! The interpreter's finalization: threads that block must not return to an interpreter that is gone.
//!
//! CPython ends a thread that requests the GIL during finalization by unwinding its stack. Rust frames
//! may not survive that: with one unwinder in the wheel and another in libc, they do not. So once
//! `atexit` handlers run, threads other than the finalizing one stay detached until the process ends,
//! and the finalizing thread waits for those that are in a callback or otherwise have Rust frames
//! below Python's. Only daemon threads still run by then.
//!
//! Handlers that were registered before `import pipevideo` run after this one. If such a handler joins
//! a daemon thread that is in a call, it waits forever: CPython calls nothing later from which the
//! thread could be let back in safely. A program is affected only if it does all three: register
//! before the import, use a daemon thread, and join it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use bindings_macros::barrier;
use pyo3::prelude::*;

/// The thread that finalizes the interpreter, once it does.
static FINALIZER: OnceLock<ThreadId> = OnceLock::new();
static FINALIZING: AtomicBool = AtomicBool::new(false);
/// The number of threads that are attached to the interpreter, or about to be, with our frames on the
/// stack. It is not a lock, which a fork could find held. It is signed, since a child that was forked
/// in a callback counts one too few.
static ATTACHED: AtomicIsize = AtomicIsize::new(0);
/// How long finalization waits for these threads. Callbacks take milliseconds, but one may block
/// forever.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Counts a thread that is in a call of this library and attached to the interpreter.
pub(crate) struct AttachedGuard(());

impl AttachedGuard {
    /// Begins a call. During finalization this does not return.
    pub(crate) fn enter(py: Python<'_>) -> Self {
        if is_finalizing() {
            py.detach(park_forever);
        }
        Self::count()
    }

    fn count() -> Self {
        ATTACHED.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Runs the work detached from the interpreter.
    pub(crate) fn detached<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
        py.detach(|| {
            ATTACHED.fetch_sub(1, Ordering::SeqCst);
            let value = work();
            // This thread is counted before it reads the flag, and the finalizer sets the flag before
            // it reads the count: at least one of them sees the other.
            ATTACHED.fetch_add(1, Ordering::SeqCst);
            if is_finalizing() {
                ATTACHED.fetch_sub(1, Ordering::SeqCst);
                park_forever();
            }
            value
        })
    }
}

/// Attaches a thread of this library to the interpreter, unless it is being finalized.
pub(crate) fn attached(work: impl FnOnce(Python<'_>)) {
    // As in `detached`: the thread is counted before it reads the flag.
    let guard = AttachedGuard::count();
    if !FINALIZING.load(Ordering::SeqCst) {
        Python::attach(work);
    }
    drop(guard);
}

impl Drop for AttachedGuard {
    fn drop(&mut self) {
        ATTACHED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs the work detached from the interpreter, outside of a call.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    AttachedGuard::enter(py).detached(py, work)
}

/// Returns whether another thread finalizes the interpreter.
fn is_finalizing() -> bool {
    FINALIZING.load(Ordering::SeqCst) && FINALIZER.get() != Some(&thread::current().id())
}

fn park_forever() {
    loop {
        thread::park();
    }
}

/// The `atexit` handler. When it returns, no other thread with our frames is attached to the
/// interpreter or about to be, except for one with a callback that takes longer than 2 seconds.
#[barrier]
#[pyfunction]
pub(crate) fn _at_exit(py: Python<'_>) {
    // A second call is made by the same thread.
    let _ = FINALIZER.set(thread::current().id());
    FINALIZING.store(true, Ordering::SeqCst);
    py.detach(|| {
        // Most of these threads need only the GIL, which is free now.
        let began = Instant::now();
        while ATTACHED.load(Ordering::SeqCst) > 0 && began.elapsed() < MAX_WAIT {
            thread::yield_now();
        }
    });
}

/// A forked child does not have the parent's other threads.
pub(crate) fn after_fork_in_child() {
    ATTACHED.store(0, Ordering::SeqCst);
}
