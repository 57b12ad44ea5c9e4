//! The one tokio runtime of this process, on a thread of its own that never touches Python.
//!
//! It is made at the first call. A forked child has no such thread, so it makes its own: what
//! belongs to the parent's is left alone, neither used nor dropped.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::{bridge, ending, logs};

/// A future that the runtime drives to its end.
pub(crate) type Job = BoxFuture<'static, ()>;

/// So many jobs are taken over at once.
const BATCH: usize = 256;
/// A fork does not wait for longer than this until the runtime is at rest.
const REST: Duration = Duration::from_secs(1);

/// Python threads lock it for a few lines, attached to the interpreter, so no fork finds it locked.
static JOBS: Mutex<Option<mpsc::UnboundedSender<Job>>> = Mutex::new(None);
/// How often this process has come out of a fork as the child.
static FORKS: AtomicU64 = AtomicU64::new(0);
/// Keeps the runtime at rest during a fork.
static AT_REST: Mutex<Option<std_mpsc::Sender<()>>> = Mutex::new(None);

/// The mutexes here are held for a few lines that do not panic; if one did, its state is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which process this is: it differs between a parent and its forked child.
pub(crate) fn process() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Hands a job to the runtime, which is started if there is none.
pub(crate) fn spawn(mut job: Job) -> io::Result<()> {
    let mut jobs = lock(&JOBS);
    if let Some(sender) = &*jobs {
        match sender.send(job) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::SendError(unsent)) => job = unsent,
        }
    }
    let sender = start()?;
    // The receiver lives as long as the thread that has just been started.
    let _ = sender.send(job);
    *jobs = Some(sender);
    Ok(())
}

fn start() -> io::Result<mpsc::UnboundedSender<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(bridge::wake_loops)
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

/// Before a fork: brings the runtime to rest, so that the child finds no lock held by it.
pub(crate) fn before_fork() {
    let Some(jobs) = lock(&JOBS).clone() else { return };
    let (resting, rests) = std_mpsc::channel();
    let (go_on, wait) = std_mpsc::channel();
    let job: Job = Box::pin(async move {
        // Nobody listens if the fork would not wait any longer, and nothing is ever sent to `wait`:
        // it ends when the fork is over.
        let _ = resting.send(());
        let _ = wait.recv();
    });
    if jobs.send(job).is_ok() && rests.recv_timeout(REST).is_ok() {
        *lock(&AT_REST) = Some(go_on);
    }
}

/// After a fork, in the parent: the runtime goes on.
pub(crate) fn after_fork_in_parent() {
    lock(&AT_REST).take();
}

/// After a fork, in the child: the parent's runtime is forgotten.
pub(crate) fn after_fork_in_child() {
    std::mem::forget(lock(&AT_REST).take());
    std::mem::forget(lock(&JOBS).take());
    bridge::forget_loops();
    logs::forget();
    ending::after_fork_in_child();
    FORKS.fetch_add(1, Ordering::Relaxed);
    pipevideo::reset_shared_state();
}
