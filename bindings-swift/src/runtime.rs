//! The tokio runtime of this process.

use std::io;
use std::sync::OnceLock;

use nix::sys::signal::{SigSet, Signal};
use tokio::runtime::{Builder, Runtime};

/// The runtime: one worker thread, started with the first client.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("pipevideo").on_thread_start(block_sigpipe);
    let started = builder.enable_all().build()?;
    // If another thread was faster, its runtime is used and this one is dropped, which ends it.
    Ok(RUNTIME.get_or_init(|| started))
}

/// Blocks SIGPIPE for the runtime's threads.
///
/// A write to a connection that the peer has reset raises SIGPIPE, and the signal's default action
/// ends the process. Programs with a Rust `main` ignore the signal; here the process belongs to
/// the host, so only our threads may block it. [`CancelHandle::run`](crate::call::CancelHandle::run) spawns each
/// call on the runtime, so all writes happen on these threads, and a blocked signal stays with the
/// thread that raised it.
fn block_sigpipe() {
    SigSet::from(Signal::SIGPIPE).thread_block().expect("SIGPIPE is a signal that can be blocked");
}
