//! The tokio runtime of a process, on a thread of its own.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{catch, lock};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The maximum number of messages taken from the channel at once. A host that starts thousands of
/// calls in one turn of its event loop then costs the runtime a few wake-ups, and the batch's memory
/// stays at 8 KB.
const BATCH: usize = 256;

/// How long an idle thread of the runtime's pool lives, which resolves names and writes files. A
/// process with fewer threads is safer to fork, and starting one takes 50 µs.
const POOL_KEEP_ALIVE: Duration = Duration::from_millis(10);

/// How long [`pause`](BackgroundRuntime::pause) waits for the system to remove a thread that has
/// ended, which takes microseconds.
const MAX_REMOVAL: Duration = Duration::from_millis(10);

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
    state: Mutex<Option<State>>,
    before_park: fn(),
}

struct State {
    messages: UnboundedSender<Message>,
    handle: Handle,
    thread: Thread,
}

enum Thread {
    Running(JoinHandle<()>),
    Paused(Engine),
}

/// What the thread runs. It can move to another thread between two polls of its jobs.
struct Engine {
    runtime: Runtime,
    messages: UnboundedReceiver<Message>,
}

enum Message {
    Run(Job),
    /// Ends the thread, unless the receiver is gone by then.
    Stop(SyncSender<Stopped>),
}

struct Stopped {
    engine: Engine,
    /// The directory that exists as long as the thread does, on Linux.
    directory: Option<PathBuf>,
}

impl BackgroundRuntime {
    /// A runtime that has not been started, and the function that its thread calls before it parks.
    pub const fn new(before_park: fn()) -> Self {
        Self { state: Mutex::new(None), before_park }
    }

    /// Runs a future on the runtime, which is started if it is not running.
    ///
    /// # Errors
    /// The system's error if the thread or its I/O driver cannot be created. The future is dropped.
    pub fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let mut message = Message::Run(Box::pin(job));
        let mut state = lock(&self.state);
        resume(&mut state)?;
        if let Some(state) = &*state {
            match state.messages.send(message) {
                Ok(()) => return Ok(()),
                // The thread has ended, which a panic of the runtime itself would cause.
                Err(mpsc::error::SendError(unsent)) => message = unsent,
            }
        }
        let started = self.start()?;
        // The receiver lives as long as the thread that has just been started.
        let _ = started.messages.send(message);
        *state = Some(started);
        Ok(())
    }

    /// Calls a function in the context of the runtime, if it has been started: the destructors of
    /// futures may spawn tasks.
    pub fn enter<T>(&self, function: impl FnOnce() -> T) -> T {
        let handle = lock(&self.state).as_ref().map(|state| state.handle.clone());
        let _context = handle.as_ref().map(Handle::enter);
        function()
    }

    /// Ends the thread between two polls and keeps its jobs until [`resume`](Self::resume), or until
    /// the next job. Does nothing if the thread is busy for longer than the limit.
    ///
    /// A process without the thread can be forked: no lock is held, and CPython does not warn.
    pub fn pause(&self, limit: Duration) {
        let mut state = lock(&self.state);
        let Some(State { messages, thread, .. }) = &mut *state else { return };
        // A channel without a buffer: the thread either hands its engine over, or keeps it.
        let (stop, stopped) = sync_channel(0);
        if !matches!(thread, Thread::Running(_)) || messages.send(Message::Stop(stop)).is_err() {
            return;
        }
        let Ok(Stopped { engine, directory }) = stopped.recv_timeout(limit) else { return };
        if let Thread::Running(ended) = std::mem::replace(thread, Thread::Paused(engine)) {
            let _ = ended.join();
        }
        let ended = Instant::now();
        while directory.as_ref().is_some_and(|directory| directory.exists())
            && ended.elapsed() < MAX_REMOVAL
        {
            std::thread::yield_now();
        }
    }

    /// Continues after [`pause`](Self::pause), on a new thread.
    ///
    /// # Errors
    /// The system's error if the thread cannot be created. All jobs are dropped.
    pub fn resume(&self) -> io::Result<()> {
        resume(&mut lock(&self.state))
    }

    /// Resets to the state before the first job, without dropping what belongs to the runtime.
    ///
    /// A forked child calls it: the thread exists only in the parent, and dropping the runtime would
    /// touch what the two processes share.
    pub fn reset(&self) {
        std::mem::forget(lock(&self.state).take());
    }

    fn start(&self) -> io::Result<State> {
        let before_park = self.before_park;
        // A panic here would end the thread, and with it all calls in progress.
        let before_park = move || drop(catch(before_park));
        let mut builder = Builder::new_current_thread();
        builder.enable_all().thread_keep_alive(POOL_KEEP_ALIVE).on_thread_park(before_park);
        let runtime = builder.build()?;
        let handle = runtime.handle().clone();
        let (sender, messages) = mpsc::unbounded_channel();
        let thread = start_thread(Engine { runtime, messages })?;
        Ok(State { messages: sender, handle, thread: Thread::Running(thread) })
    }
}

fn resume(state: &mut Option<State>) -> io::Result<()> {
    match state.take() {
        Some(State { messages, handle, thread: Thread::Paused(engine) }) => {
            let thread = Thread::Running(start_thread(engine)?);
            *state = Some(State { messages, handle, thread });
        }
        other => *state = other,
    }
    Ok(())
}

fn start_thread(mut engine: Engine) -> io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("pipevideo".to_owned());
    thread.spawn(move || {
        let directory = std::fs::read_link("/proc/thread-self").ok();
        let directory = directory.map(|thread| Path::new("/proc").join(thread));
        while let Some(stop) = engine.runtime.block_on(run(&mut engine.messages)) {
            match stop.send(Stopped { engine, directory: directory.clone() }) {
                Ok(()) => return,
                Err(SendError(unsent)) => engine = unsent.engine,
            }
        }
    })
}

/// Spawns jobs until the thread is to stop, or until nothing can send a job any more.
async fn run(messages: &mut UnboundedReceiver<Message>) -> Option<SyncSender<Stopped>> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut stop = None;
    while stop.is_none() && messages.recv_many(&mut batch, BATCH).await > 0 {
        for message in batch.drain(..) {
            match message {
                Message::Run(job) => drop(tokio::spawn(job)),
                Message::Stop(stopped) => stop = Some(stopped),
            }
        }
    }
    stop
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
        for _ in 0..1000 {
            let sender = sender.clone();
            runtime.spawn(async move { sender.send(thread::current().id()).unwrap() }).unwrap();
        }
        let first = threads.recv().unwrap();
        assert_ne!(first, thread::current().id());
        assert!(threads.iter().take(999).all(|id| id == first));
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
        }
        assert_ne!(threads.recv().unwrap(), threads.recv().unwrap());
    }

    #[test]
    fn a_paused_runtime_has_no_thread_and_keeps_its_jobs() {
        let runtime = BackgroundRuntime::new(|| {});
        let (sender, threads) = channel();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        runtime
            .spawn(async move {
                sender.send(thread::current().id()).unwrap();
                wait.await.unwrap();
                sender.send(thread::current().id()).unwrap();
            })
            .unwrap();
        let first = threads.recv().unwrap();
        runtime.pause(Duration::MAX);
        assert!(matches!(lock(&runtime.state).as_ref().unwrap().thread, Thread::Paused(_)));
        go.send(()).unwrap();
        assert!(threads.try_recv().is_err(), "nothing runs");
        runtime.pause(Duration::MAX);
        runtime.resume().unwrap();
        assert_ne!(threads.recv().unwrap(), first);
        runtime.resume().unwrap();
    }

    #[test]
    fn a_job_ends_a_pause() {
        let runtime = BackgroundRuntime::new(|| {});
        let (sender, done) = channel();
        for _ in 0..2 {
            let sender = sender.clone();
            runtime.spawn(async move { sender.send(()).unwrap() }).unwrap();
            done.recv().unwrap();
            runtime.pause(Duration::MAX);
        }
    }

    #[test]
    fn a_busy_runtime_is_not_paused_and_continues() {
        let runtime = BackgroundRuntime::new(|| {});
        let (begin, begun) = channel();
        let (go, wait) = channel::<()>();
        let (sender, done) = channel();
        runtime
            .spawn(async move {
                begin.send(()).unwrap();
                wait.recv().unwrap();
            })
            .unwrap();
        begun.recv().unwrap();
        runtime.pause(Duration::ZERO);
        assert!(matches!(lock(&runtime.state).as_ref().unwrap().thread, Thread::Running(_)));
        go.send(()).unwrap();
        runtime.spawn(async move { sender.send(()).unwrap() }).unwrap();
        done.recv().unwrap();
    }
}
