//! Ctrl-C.

use std::future::Future;
use std::io;
use std::pin::pin;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Ctrl-C, from now on: it no longer ends the process by itself.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signals: Signal,
    #[cfg(windows)]
    signals: CtrlC,
}

/// How a work has ended.
pub(crate) enum Ended<T> {
    /// By itself.
    Completed(T),
    /// By itself, after Ctrl-C.
    Interrupted(T),
    /// It was dropped, after Ctrl-C twice.
    Dropped,
}

impl Interrupts {
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(unix)]
        let signals = signal(SignalKind::interrupt())?;
        #[cfg(windows)]
        let signals = ctrl_c()?;
        Ok(Self { signals })
    }

    /// Waits for Ctrl-C.
    pub(crate) async fn next(&mut self) {
        if self.signals.recv().await.is_none() {
            // There is no other source of signals, so none will come.
            std::future::pending().await
        }
    }

    /// Does a work. At the first Ctrl-C `stop` asks it to end, at the second it is dropped.
    pub(crate) async fn guard<T>(
        &mut self,
        work: impl Future<Output = T>,
        stop: impl FnOnce(),
    ) -> Ended<T> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            output = &mut work => return Ended::Completed(output),
            () = self.next() => stop(),
        }
        tokio::select! {
            biased;
            output = &mut work => Ended::Interrupted(output),
            () = self.next() => Ended::Dropped,
        }
    }
}
