//! The interpreter's end: threads that block must not come back to an interpreter that is gone.
//!
//! CPython ends a thread that wants the GIL then, by unwinding it, which Rust frames may not survive:
//! with one unwinder in the wheel and another in libc, none do. So from `atexit` on, threads other
//! than the one that ends the program stay away until the process is gone. Only daemon threads are
//! left by then.
//!
//! Handlers that were registered before `import pipevideo` run after this one. One of them that joins
//! a daemon thread in the middle of a call waits for ever: nothing in CPython comes later, so that a
//! thread could be let back in without the risk of being ended on its way. `atexit` before the import,
//! daemon, and join: any two of the three are well.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use pyo3::prelude::*;

/// The thread that ends the interpreter, once it does.
static ENDER: OnceLock<ThreadId> = OnceLock::new();
static ENDING: AtomicBool = AtomicBool::new(false);
/// The threads that are on their way back to the interpreter. No lock here: a fork may find it held.
static RETURNING: AtomicUsize = AtomicUsize::new(0);

/// Runs without the GIL.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let value = py.detach(|| {
        let value = work();
        begin_return();
        value
    });
    RETURNING.fetch_sub(1, Ordering::SeqCst);
    value
}

/// A thread is counted before it looks, and the ender looks after it has said so: one of the two
/// sees the other.
fn begin_return() {
    RETURNING.fetch_add(1, Ordering::SeqCst);
    if ENDING.load(Ordering::SeqCst) && ENDER.get() != Some(&thread::current().id()) {
        RETURNING.fetch_sub(1, Ordering::SeqCst);
        loop {
            thread::park();
        }
    }
}

/// What `atexit` calls: when it returns, no other thread is on its way back, and none will be.
#[pyfunction]
pub(crate) fn _at_exit(py: Python<'_>) {
    // Called a second time it is the same thread's.
    let _ = ENDER.set(thread::current().id());
    ENDING.store(true, Ordering::SeqCst);
    py.detach(|| {
        // Each of them needs only the GIL, which is free now.
        while RETURNING.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
    });
}

/// In a forked child the parent's other threads are not there to return.
pub(crate) fn after_fork_in_child() {
    RETURNING.store(0, Ordering::SeqCst);
}
