//! The emulator for programs without a tokio runtime.

use std::io;
use std::ops::Deref;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use crate::emulator::Emulator;
use crate::options::Options;

/// An [`Emulator`] on its own thread and runtime, for programs without a tokio runtime.
///
/// It runs until it is stopped or dropped.
///
/// ```
/// use pipevideo_emulator::{EmulatorThread, Options};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = EmulatorThread::start(Options::default())?;
/// println!("point a client at {} with {}", emulator.base_url(), emulator.api_key());
/// emulator.stop();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EmulatorThread {
    emulator: Arc<Emulator>,
    thread: Mutex<Option<RunningThread>>,
}

#[derive(Debug)]
struct RunningThread {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

type Started = io::Result<Arc<Emulator>>;

impl EmulatorThread {
    /// Starts the emulator, as [`Emulator::start`] does.
    ///
    /// # Errors
    /// As those of [`Emulator::start`]; also if no thread can be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let (starting, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            if let Err(error) = serve(options, &starting, stopped) {
                // `start` waits for the result.
                let _ = starting.send(Err(error));
            }
        };
        let ended = Builder::new().name("pipevideo-emulator".to_owned()).spawn(run)?;
        let emulator = started.recv().map_err(io::Error::other)??;
        Ok(Self { emulator, thread: Mutex::new(Some(RunningThread { stop, ended })) })
    }

    /// Stops the servers and closes their connections. Their ports are free when it returns.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(RunningThread { stop, ended }) = thread else { return };
        // Ending the thread drops its runtime and with it the servers and their connections.
        let _ = stop.send(());
        let _ = ended.join();
    }
}

fn serve(
    options: Options,
    started: &mpsc::Sender<Started>,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // `start` waits for the result.
        let _ = started.send(Emulator::start(options).await.map(Arc::new));
        let _ = stop.await;
    });
    Ok(())
}

impl Deref for EmulatorThread {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}
