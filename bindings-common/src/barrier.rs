//! The panic barrier around what a binding exports.
//!
//! `#[barrier]` of `bindings-common/macros` uses it for functions. The futures that a binding spawns have it
//! around them as well: the runtime would drop a task that panics, and its call would have no outcome.

use pipevideo::{Error, barrier};

pub use pipevideo::barrier::lost;

/// Calls a function.
///
/// # Errors
/// [`ErrorKind::Internal`](pipevideo::ErrorKind::Internal) if it panics.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    barrier::install_hook();
    barrier::catch(work)
}

/// Awaits a future.
///
/// # Errors
/// [`ErrorKind::Internal`](pipevideo::ErrorKind::Internal) if it panics.
pub fn catch_async<F: Future>(future: F) -> barrier::CatchAsync<F> {
    barrier::install_hook();
    barrier::catch_async(future)
}
