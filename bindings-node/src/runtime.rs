//! The one tokio runtime of this process, on a thread of its own that never calls into Node.
//!
//! It is made at the first call, and all of the process's Node environments (the main thread's and
//! each worker thread's) share it.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::bridge;

/// A future that the runtime drives to its end.
pub(crate) type Job = BoxFuture<'static, ()>;

/// So many jobs are taken over at once.
const BATCH: usize = 256;

static JOBS: Mutex<Option<mpsc::UnboundedSender<Job>>> = Mutex::new(None);

/// The mutexes here are held for a few lines that do not panic; if one did, its state is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands a job to the runtime, which is started if there is none. A job that cannot be run is
/// dropped.
///
/// # Errors
/// What the system says where it gives no thread.
pub(crate) fn spawn(job: Job) -> io::Result<()> {
    let mut jobs = lock(&JOBS);
    let sender = match &*jobs {
        Some(sender) => sender,
        None => jobs.insert(start()?),
    };
    // The receiver lives as long as the runtime's thread, which does not end.
    let _ = sender.send(job);
    Ok(())
}

fn start() -> io::Result<mpsc::UnboundedSender<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(bridge::wake_changed)
        .build()?;
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let run = async move {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.recv_many(&mut batch, BATCH).await > 0 {
            for job in batch.drain(..) {
                tokio::spawn(job);
            }
        }
    };
    std::thread::Builder::new()
        .name("pipevideo".to_owned())
        .spawn(move || runtime.block_on(run))?;
    Ok(sender)
}
