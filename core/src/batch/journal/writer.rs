//! Appends lines in groups: while one group is synced, the lines of the next accumulate.
//!
//! The work is done on a thread for blocking work, so that a future that is dropped, or
//! never polled again, delays no other.

use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::client::events::{Details, Log};
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};

#[cfg(test)]
mod tests;

/// The operations of a file that a writer needs. Tests have another one, which fails.
pub(super) trait Disk: Send + Sync + 'static {
    /// Writes bytes from this offset on. It may fail with a part of them written.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything that was written is on the disk.
    fn sync(&self) -> io::Result<()>;
    /// Discards what follows this length.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Blocks the thread.
    fn pause(&self, pause: Duration);
}

/// The pause after the first failure of a group, which doubles after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(125);
/// The pauses are 32 s in all. A disk is full for that long when another program has a large
/// temporary file or logs are rotated; more would keep a batch that cannot continue from saying so.
const PAUSES: u32 = 8;

/// Appends lines to a journal.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The runtime that the writer was made on.
    runtime: Handle,
}

struct Shared {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    log: Log,
    state: Mutex<State>,
}

type Waiter = oneshot::Sender<Result<(), Error>>;

#[derive(Default)]
struct State {
    /// The length of the file up to the last line that was synced.
    length: u64,
    /// The lines of the next group.
    lines: Vec<u8>,
    /// The calls that wait for it.
    waiters: Vec<Waiter>,
    /// Whether a thread writes, which will write the next group too.
    is_writing: bool,
    /// Why the journal is not written any more.
    failure: Option<Error>,
}

impl Writer {
    /// A writer to a file of this length. Needs a runtime.
    pub(super) fn new(disk: Arc<dyn Disk>, path: &Path, length: u64, log: &Log) -> Self {
        let state = Mutex::new(State { length, ..State::default() });
        let shared = Shared { disk, path: path.to_owned(), log: log.clone(), state };
        let shared = Arc::new(shared);
        Self { shared, runtime: Handle::current() }
    }

    /// Appends a line, and returns once it is on the disk.
    pub(super) async fn record(&self, line: &[u8]) -> Result<(), Error> {
        let (waiter, written) = oneshot::channel();
        self.append(line, Some(waiter))?;
        written.await.unwrap_or_else(|_| Err(shut_down()))
    }

    /// Appends a line without waiting.
    pub(super) fn note(&self, line: &[u8]) {
        // A journal that cannot be written fails every call that waits.
        let _ = self.append(line, None);
    }

    /// Returns once all lines are on the disk.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        self.record(b"").await
    }

    fn append(&self, line: &[u8], waiter: Option<Waiter>) -> Result<(), Error> {
        let mut state = lock(&self.shared.state);
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.lines.extend_from_slice(line);
        state.waiters.extend(waiter);
        let is_writing = mem::replace(&mut state.is_writing, true);
        drop(state);
        if !is_writing {
            // A runtime that shuts down drops it, which locks the state.
            let writing = Writing { shared: self.shared.clone(), is_done: false };
            self.runtime.spawn_blocking(move || writing.run());
        }
        Ok(())
    }
}

/// Writes groups until there is none. If that does not begin, since the runtime shuts down, or
/// panics, the waiting calls end as well.
struct Writing {
    shared: Arc<Shared>,
    is_done: bool,
}

impl Writing {
    fn run(mut self) {
        while let Some((offset, lines, waiters)) = self.next_group() {
            match self.shared.write(offset, &lines) {
                Ok(()) => {
                    lock(&self.shared.state).length = offset.saturating_add(lines.len() as u64);
                    end(waiters, &Ok(()));
                }
                Err(error) => self.fail(error, waiters),
            }
        }
    }

    fn next_group(&mut self) -> Option<(u64, Vec<u8>, Vec<Waiter>)> {
        let mut state = lock(&self.shared.state);
        if state.lines.is_empty() && state.waiters.is_empty() {
            state.is_writing = false;
            self.is_done = true;
            return None;
        }
        Some((state.length, mem::take(&mut state.lines), mem::take(&mut state.waiters)))
    }

    fn fail(&self, error: io::Error, mut waiters: Vec<Waiter>) {
        let failure = unwritable(&self.shared.path, error);
        let mut state = lock(&self.shared.state);
        state.failure = Some(failure.clone());
        state.lines = Vec::new();
        waiters.append(&mut state.waiters);
        drop(state);
        end(waiters, &Err(failure));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_done {
            let mut state = lock(&self.shared.state);
            state.is_writing = false;
            state.waiters.clear();
        }
    }
}

fn end(waiters: Vec<Waiter>, result: &Result<(), Error>) {
    for waiter in waiters {
        // The call may have been dropped.
        let _ = waiter.send(result.clone());
    }
}

impl Shared {
    /// Writes and syncs lines, again after each pause if that fails.
    fn write(&self, offset: u64, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut pause = FIRST_PAUSE;
        for retry in 0.. {
            // After a failed sync the next one may succeed although pages were dropped. So the lines
            // are written again before it.
            let written = self.disk.write(offset, lines).and_then(|()| self.disk.sync());
            let Err(error) = written else { break };
            // No half line stays, and a full disk gets its room back. If this fails too, the next
            // attempt overwrites the lines, or the next run repairs the torn end.
            let _ = self.disk.truncate(offset);
            if retry == PAUSES {
                return Err(error);
            }
            if retry == 0 {
                self.log.warning(
                    "journal cannot be written: trying again for 30 s",
                    Details {
                        path: Some(&self.path),
                        system_error: Some(&error),
                        ..Details::default()
                    },
                );
            }
            self.disk.pause(pause);
            pause = pause.saturating_mul(2);
        }
        Ok(())
    }
}

pub(super) fn unwritable(path: &Path, error: io::Error) -> Error {
    let message = format!(
        "the journal {} cannot be written: {error}. Free space and run the batch again with the \
         same journal.",
        path.display()
    );
    Error::new(ErrorKind::Configuration, message).with_source(error)
}

pub(super) fn shut_down() -> Error {
    let message = "the journal is not written any more: the runtime is shutting down. Run the \
                   batch again with the same journal.";
    Error::new(ErrorKind::Configuration, message)
}
