//! The emulator for programs without a runtime.

use std::io;
use std::ops::Deref;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use crate::handle::Emulator;
use crate::options::Options;

/// An [`Emulator`] on a thread and a runtime of its own, for programs that have no runtime.
///
/// It serves until it is stopped or dropped.
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
    thread: Mutex<Option<Thread>>,
}

#[derive(Debug)]
struct Thread {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

type Started = io::Result<Arc<Emulator>>;

impl EmulatorThread {
    /// Starts it, as [`Emulator::start`] does.
    ///
    /// # Errors
    /// When a port or a thread cannot be had, or webhooks would go elsewhere than to loopback.
    pub fn start(options: Options) -> io::Result<Self> {
        let (starting, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            if let Err(error) = serve(options, &starting, stopped) {
                // Whoever asked waits for this.
                let _ = starting.send(Err(error));
            }
        };
        let ended = Builder::new().name("pipevideo-emulator".to_owned()).spawn(run)?;
        let emulator = started.recv().map_err(io::Error::other)??;
        Ok(Self { emulator, thread: Mutex::new(Some(Thread { stop, ended })) })
    }

    /// Stops the servers and closes their connections; when it returns their ports are free.
    pub fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Thread { stop, ended }) = thread else { return };
        // The thread ends with its runtime, whose tasks are the servers and their connections.
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
        // Whoever asked waits for this.
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
