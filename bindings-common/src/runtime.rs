//! The tokio runtime of a process, on a thread of its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::{catch, lock};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The maximum number of jobs taken from the channel at once. A host that starts thousands of calls
/// in one turn of its event loop then costs the runtime a few wake-ups, and the batch's memory stays
/// at 4 KB.
const BATCH: usize = 256;

/// A current-thread tokio runtime on a background thread, started by the first job.
///
/// The thread never calls into the host language. One thread is as fast as several for calls that
/// wait for the network, and only a single thread has a moment at which all results of a burst are
/// there: when it parks. `before_park` is called then, so that a host's event loop is woken once for
/// many results.
///
/// Hosts that run callbacks of the program on the runtime need a multi-thread runtime instead, since
/// a callback may block.
pub struct BackgroundRuntime {
    jobs: Mutex<Option<UnboundedSender<Job>>>,
    before_park: fn(),
}

impl BackgroundRuntime {
    /// A runtime that has not been started, and the function that its thread calls before it parks.
    pub const fn new(before_park: fn()) -> Self {
        Self { jobs: Mutex::new(None), before_park }
    }

    /// Runs a future on the runtime, which is started if it is not running.
    ///
    /// # Errors
    /// The system's error if the thread or its I/O driver cannot be created. The future is dropped.
    pub fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let mut job: Job = Box::pin(job);
        let mut jobs = lock(&self.jobs);
        if let Some(sender) = &*jobs {
            match sender.send(job) {
                Ok(()) => return Ok(()),
                // The thread has ended, which a panic of the runtime itself would cause.
                Err(mpsc::error::SendError(unsent)) => job = unsent,
            }
        }
        let sender = self.start()?;
        // The receiver lives as long as the thread that has just been started.
        let _ = sender.send(job);
        *jobs = Some(sender);
        Ok(())
    }

    /// Runs a future on the runtime if it is running, and returns whether it is.
    pub fn spawn_if_started(&self, job: impl Future<Output = ()> + Send + 'static) -> bool {
        // The lock is not held while the job is sent or dropped.
        let jobs = lock(&self.jobs).clone();
        jobs.is_some_and(|jobs| jobs.send(Box::pin(job)).is_ok())
    }

    /// Resets to the state before the first job, without dropping what belongs to the runtime.
    ///
    /// A forked child calls it: the thread exists only in the parent, and dropping the channel would
    /// touch memory that the thread may have been changing during the fork.
    pub fn reset(&self) {
        std::mem::forget(lock(&self.jobs).take());
    }

    fn start(&self) -> io::Result<UnboundedSender<Job>> {
        let before_park = self.before_park;
        // A panic here would end the thread, and with it all calls in progress.
        let before_park = move || drop(catch(before_park));
        let runtime =
            Builder::new_current_thread().enable_all().on_thread_park(before_park).build()?;
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
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn jobs_run_on_one_thread_that_is_started_once() {
        let runtime = BackgroundRuntime::new(|| {});
        let (sender, threads) = channel();
        assert!(!runtime.spawn_if_started(async {}), "nothing has started it");
        for _ in 0..1000 {
            let sender = sender.clone();
            runtime.spawn(async move { sender.send(thread::current().id()).unwrap() }).unwrap();
        }
        let first = threads.recv().unwrap();
        assert_ne!(first, thread::current().id());
        assert!(threads.iter().take(999).all(|id| id == first));
        assert!(runtime.spawn_if_started(async {}));
    }

    #[test]
    fn the_park_hook_runs_after_a_job() {
        static PARKED: AtomicUsize = AtomicUsize::new(0);
        let runtime = BackgroundRuntime::new(|| {
            PARKED.fetch_add(1, Ordering::SeqCst);
        });
        let (sender, done) = channel();
        runtime.spawn(async move { sender.send(()).unwrap() }).unwrap();
        done.recv().unwrap();
        while PARKED.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn a_job_that_panics_does_not_end_the_runtime() {
        let runtime = BackgroundRuntime::new(|| {});
        runtime.spawn(async { panic!("a job panics") }).unwrap();
        let (sender, done) = channel();
        runtime.spawn(async move { sender.send(()).unwrap() }).unwrap();
        done.recv().unwrap();
    }

    #[test]
    fn a_forgotten_runtime_is_started_anew() {
        let runtime = BackgroundRuntime::new(|| {});
        let (sender, threads) = channel();
        for _ in 0..2 {
            let sender = sender.clone();
            runtime.spawn(async move { sender.send(thread::current().id()).unwrap() }).unwrap();
            runtime.reset();
            assert!(!runtime.spawn_if_started(async {}));
        }
        assert_ne!(threads.recv().unwrap(), threads.recv().unwrap());
    }
}
