//! The interpreter's end: threads that block must not come back to an interpreter that is gone.
//!
//! CPython ends a thread that wants the GIL then, by unwinding it, which Rust frames may not survive:
//! with one unwinder in the wheel and another in libc, none do. So from `atexit` on, threads other
//! than the one that ends the program stay away until the process is gone, and the one that ends it
//! waits for those that are in a callback, or otherwise have Rust frames below Python's. Only daemon
//! threads are left by then.
//!
//! Handlers that were registered before `import pipevideo` run after this one. One of them that joins
//! a daemon thread in the middle of a call waits for ever: nothing in CPython comes later, so that a
//! thread could be let back in without the risk of being ended on its way. `atexit` before the import,
//! daemon, and join: any two of the three are well.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// The thread that ends the interpreter, once it does.
static ENDER: OnceLock<ThreadId> = OnceLock::new();
static ENDING: AtomicBool = AtomicBool::new(false);
/// The threads that are in the interpreter, or on their way to it, with frames of ours below. No lock
/// here: a fork may find it held, and a child that was forked in a callback counts one too few.
static INSIDE: AtomicIsize = AtomicIsize::new(0);
/// So long the end waits for them: a callback may block for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread that is in a call of ours, with the GIL.
pub(crate) struct Inside(());

impl Inside {
    /// A call begins; once the interpreter ends, it does not come back.
    pub(crate) fn enter(py: Python<'_>) -> Self {
        if is_over() {
            py.detach(stay_away);
        }
        INSIDE.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Runs without the GIL.
    pub(crate) fn detached<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
        py.detach(|| {
            INSIDE.fetch_sub(1, Ordering::SeqCst);
            let value = work();
            // A thread is counted before it looks, and the ender looks after it has said so: one of
            // the two sees the other.
            INSIDE.fetch_add(1, Ordering::SeqCst);
            if is_over() {
                INSIDE.fetch_sub(1, Ordering::SeqCst);
                stay_away();
            }
            value
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs without the GIL, outside of a call.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    Inside::enter(py).detached(py, work)
}

/// Whether another thread ends the interpreter.
fn is_over() -> bool {
    ENDING.load(Ordering::SeqCst) && ENDER.get() != Some(&thread::current().id())
}

fn stay_away() {
    loop {
        thread::park();
    }
}

/// What `atexit` calls: when it returns, no other thread is inside or on its way, and none will be,
/// but for one whose callback takes longer than anybody waits.
#[pyfunction]
pub(crate) fn _at_exit(py: Python<'_>) {
    // Called a second time it is the same thread's.
    let _ = ENDER.set(thread::current().id());
    ENDING.store(true, Ordering::SeqCst);
    py.detach(|| {
        // Most of them need only the GIL, which is free now.
        let began = Instant::now();
        while INSIDE.load(Ordering::SeqCst) > 0 && began.elapsed() < PATIENCE {
            thread::yield_now();
        }
    });
}

/// In a forked child the parent's other threads are not there to return.
pub(crate) fn after_fork_in_child() {
    INSIDE.store(0, Ordering::SeqCst);
}
