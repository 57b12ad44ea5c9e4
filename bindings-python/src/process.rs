//! Which process this is: a forked child must not use what belongs to its parent.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many forks lie between this process and the one that started the interpreter.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Returns a number that differs between a parent and its forked child.
pub(crate) fn process() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

pub(crate) fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
