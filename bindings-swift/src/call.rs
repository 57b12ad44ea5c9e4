//! A call of the core, on the one runtime of this process, until it is done or cancelled.

use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{SigSet, Signal};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::errors::Failure;

/// The runtime: one thread, started with the first client.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("pipevideo").on_thread_start(block_sigpipe);
    let started = builder.enable_all().build()?;
    // Whoever came first has set one already, and this one ends here.
    Ok(RUNTIME.get_or_init(|| started))
}

/// A write to a connection that the other side has reset raises SIGPIPE, which a Swift program has at
/// its default: it would end the process. Rust's own programs, Python and Node ignore the signal; the
/// process is not ours, so only our threads do. All that is sent is sent there, since [`Cancel::run`]
/// spawns each call, and a blocked signal stays with the thread that raised it.
fn block_sigpipe() {
    SigSet::from(Signal::SIGPIPE).thread_block().expect("SIGPIPE is a signal that can be blocked");
}

/// The mutexes here are held for a few lines that do not panic; if one did, its state is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stops a call: UniFFI does not carry a Swift task's cancelling over, so each call has one.
#[derive(Default, uniffi::Object)]
pub(crate) struct Cancel(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    New,
    Running(AbortHandle),
    Cancelled,
}

#[uniffi::export]
impl Cancel {
    #[uniffi::constructor]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Stops the call, also one that has not begun yet.
    pub(crate) fn cancel(&self) {
        if let Stage::Running(task) = std::mem::replace(&mut *lock(&self.0), Stage::Cancelled) {
            task.abort();
        }
    }
}

impl Cancel {
    /// Runs a call to its end. When this returns `Cancelled`, its request has been dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = {
            let mut stage = lock(&self.0);
            if matches!(*stage, Stage::Cancelled) {
                return Err(Failure::Cancelled);
            }
            let task = runtime()?.spawn(work);
            *stage = Stage::Running(task.abort_handle());
            task
        };
        match task.await {
            Ok(result) => result,
            Err(ended) => match ended.try_into_panic() {
                // UniFFI turns it into an error.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Failure::Cancelled),
            },
        }
    }
}
