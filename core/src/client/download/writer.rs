//! Writes the part of a download, and keeps the description of what is on the disk.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Once};

use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::Progress;
use super::target::{Target, disk};
use crate::client::events::Details;
use crate::client::files;
use crate::error::{Error, ErrorKind};
use crate::wire::{self, Content, Description, Format, Part};

/// So many bytes are received between two times that the description is brought up to date: what a
/// process that is killed loses at most. Syncing runs beside the download, one at a time.
const SAVE_INTERVAL: u64 = 4 * 1024 * 1024;

/// So many bytes at the end of a complete part are compared with the host's.
const TAIL: u64 = 4096;

/// Writes the part, and moves it into place at the end.
///
/// What is stored can be resumed only once the description claims it. A writer that is dropped still
/// brings the description up to date, on the runtime that it was made on.
pub(super) struct Writer {
    /// Taken when the video is complete.
    files: Option<Files>,
    part: Part,
    stored: u64,
    /// How many bytes the description claims.
    claimed: u64,
    runtime: Handle,
}

/// The open files.
struct Files {
    part: tokio::fs::File,
    disk: Arc<Disk>,
    saving: Option<JoinHandle<Result<(), Error>>>,
}

/// What is used on the threads for blocking work.
struct Disk {
    target: Target,
    part: File,
    /// Locked as long as it is open.
    description: File,
    cannot_sync: Once,
}

impl Writer {
    /// Continues the part from what its description claims. Blocks.
    pub(super) fn new(
        target: Target,
        part: File,
        description: File,
        generation_id: String,
    ) -> Result<Self, Error> {
        let unreadable = |error| disk("read", &target.part, error);
        let length = part.metadata().map_err(unreadable)?.len();
        let writing = part.try_clone().map_err(unreadable)?;
        let disk = Disk { target, part, description, cannot_sync: Once::new() };
        let json = disk.read_description()?;
        let (part, stored) = match Description::parse(&json, &generation_id, length) {
            Some(earlier) => (earlier.part, earlier.stored),
            None => {
                disk.retract()?;
                (Part { generation_id, ..Part::default() }, 0)
            }
        };
        disk.part.set_len(stored).map_err(|error| disk.unwritable(error))?;
        let files =
            Files { part: tokio::fs::File::from_std(writing), disk: Arc::new(disk), saving: None };
        let runtime = Handle::current();
        Ok(Self { files: Some(files), part, stored, claimed: stored, runtime })
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { downloaded: self.stored, total: self.part.length }
    }

    /// The byte from which the file is requested: the first that is missing, or, if none is, one so
    /// near the end that little is received to compare.
    pub(super) fn resume_from(&self) -> u64 {
        if self.part.length == Some(self.stored) {
            self.stored.saturating_sub(TAIL)
        } else {
            self.stored
        }
    }

    /// Prepares to write from this byte on, of the file that `part` describes.
    pub(super) async fn begin(&mut self, start: u64, part: Part) -> Result<(), Error> {
        if start < self.claimed {
            // The claim ends before the bytes do: if the process ends in between, those that are
            // left are not resumed.
            let disk = self.files().disk.clone();
            self.files().settle().await?;
            blocking(move || disk.retract()).await?;
            self.claimed = 0;
        }
        self.part = part;
        self.seek(start).await
    }

    /// Discards what is stored.
    pub(super) async fn restart(&mut self) -> Result<(), Error> {
        let generation_id = self.part.generation_id.clone();
        self.begin(0, Part { generation_id, ..Part::default() }).await
    }

    /// Moves to this byte, and discards what is stored after it.
    async fn seek(&mut self, to: u64) -> Result<(), Error> {
        let files = self.files();
        let mut moved = files.part.set_len(to).await;
        if moved.is_ok() {
            moved = files.part.seek(SeekFrom::Start(to)).await.map(drop);
        }
        moved.map_err(|error| files.disk.unwritable(error))?;
        self.stored = to;
        Ok(())
    }

    pub(super) async fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let files = self.files();
        let written = files.part.write_all(chunk).await;
        written.map_err(|error| files.disk.unwritable(error))?;
        self.stored += chunk.len() as u64;
        // Without a validator nothing can be resumed.
        let is_due = self.part.validator.is_some() && self.stored - self.claimed >= SAVE_INTERVAL;
        if is_due && self.files().saving.as_ref().is_none_or(JoinHandle::is_finished) {
            self.start_saving().await?;
        }
        Ok(())
    }

    /// Has the description claim what is stored.
    pub(super) async fn save(&mut self) -> Result<(), Error> {
        self.start_saving().await?;
        self.files().settle().await
    }

    async fn start_saving(&mut self) -> Result<(), Error> {
        let description = self.description();
        self.files().start_saving(description).await?;
        self.claimed = self.stored;
        Ok(())
    }

    fn description(&self) -> Description {
        Description { part: self.part.clone(), stored: self.stored }
    }

    /// Examines what is stored.
    pub(super) async fn examine(&mut self, format: Format) -> Result<Content, Error> {
        let is_length_known = self.part.length.is_some();
        self.read(move |file| wire::examine(file, format, is_length_known)).await
    }

    /// What is stored from this byte on.
    pub(super) async fn tail(&mut self, from: u64) -> Result<Vec<u8>, Error> {
        self.read(move |file| {
            let mut tail = Vec::new();
            file.seek(SeekFrom::Start(from))?;
            file.take(TAIL).read_to_end(&mut tail)?;
            Ok(tail)
        })
        .await
    }

    /// Reads the part. `begin` must be called before more is written.
    async fn read<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut &File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let files = self.files();
        let flushed = files.part.flush().await;
        flushed.map_err(|error| files.disk.unwritable(error))?;
        let disk = files.disk.clone();
        blocking(move || {
            work(&mut &disk.part)
                .map_err(|error| super::target::disk("read", &disk.target.part, error))
        })
        .await
    }

    /// Moves the complete video into place.
    pub(super) async fn finish(mut self) -> Result<PathBuf, Error> {
        self.save().await?;
        let Some(Files { part, disk, .. }) = self.files.take() else { unreachable!("{TAKEN}") };
        drop(part.into_std().await);
        blocking(move || Disk::finish(disk)).await
    }

    fn files(&mut self) -> &mut Files {
        self.files.as_mut().expect(TAKEN)
    }
}

const TAKEN: &str = "only `finish` takes the files, and the writer with them";

impl Drop for Writer {
    fn drop(&mut self) {
        let description = self.description();
        if let Some(mut files) = self.files.take()
            && self.claimed != self.stored
        {
            // Nothing waits for this task but another download to the same path, which tries the
            // lock for a while.
            self.runtime.spawn(async move {
                if files.start_saving(description).await.is_ok() {
                    let _ = files.settle().await;
                }
            });
        }
    }
}

impl Files {
    /// Begins to bring the description up to date, on another thread.
    async fn start_saving(&mut self, description: Description) -> Result<(), Error> {
        self.settle().await?;
        self.part.flush().await.map_err(|error| self.disk.unwritable(error))?;
        let disk = self.disk.clone();
        self.saving = Some(spawn_blocking(move || disk.save(&description)));
        Ok(())
    }

    /// Waits until the description is written, if that has begun.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some(saving) = &mut self.saving else { return Ok(()) };
        let saved = saving.await.unwrap_or_else(|_| Err(shut_down()));
        self.saving = None;
        saved
    }
}

impl Disk {
    fn read_description(&self) -> Result<Vec<u8>, Error> {
        let mut json = Vec::new();
        let read = (&self.description).take(Description::MAX_BYTES).read_to_end(&mut json);
        read.map_err(|error| disk("read", &self.target.description, error))?;
        Ok(json)
    }

    /// Has the description claim nothing.
    fn retract(&self) -> Result<(), Error> {
        let retracted = self.description.set_len(0).and_then(|()| self.sync(&self.description));
        retracted.map_err(|error| disk("written", &self.target.description, error))
    }

    /// Puts the bytes on the disk, and then has the description claim them.
    fn save(&self, description: &Description) -> Result<(), Error> {
        self.sync(&self.part).map_err(|error| self.unwritable(error))?;
        let json = serde_json::to_vec(description).expect("strings and numbers are valid JSON");
        let mut file = &self.description;
        let written = file.rewind().and_then(|()| file.write_all(&json));
        let written = written.and_then(|()| file.set_len(json.len() as u64));
        written.map_err(|error| disk("written", &self.target.description, error))
    }

    /// Puts what was written to a file on the disk, if the file system can.
    fn sync(&self, file: &File) -> io::Result<()> {
        match file.sync_data() {
            Err(error) if is_unsupported(&error) => {
                self.cannot_sync.call_once(|| {
                    self.target.log.warning(
                        "file system cannot sync: a crash may lose downloaded bytes",
                        Details { system_error: Some(&error), ..Details::default() },
                    );
                });
                Ok(())
            }
            synced => synced,
        }
    }

    fn unwritable(&self, error: io::Error) -> Error {
        disk("written", &self.target.part, error)
    }

    /// Closes the part, moves it into place, and removes the description.
    fn finish(this: Arc<Self>) -> Result<PathBuf, Error> {
        let Some(Self { target, part, description, .. }) = Arc::into_inner(this) else {
            unreachable!("no other thread saves any more")
        };
        drop(part);
        let Target { path, part, description: description_path, .. } = target;
        files::rename(&part, &path).map_err(|error| disk("moved into place", &part, error))?;
        // Without its part the description has no meaning, and the next download ignores it.
        let _ = fs::remove_file(&description_path);
        drop(description);
        Ok(path)
    }
}

/// Whether an error means that the file system has no such operation: `ENOSYS`, `ENOTSUP` or
/// `EINVAL`, by their kinds.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Runs work that blocks on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(shut_down()))
}

fn shut_down() -> Error {
    let message =
        "the download was stopped: the runtime is shutting down. Download the video again.";
    Error::new(ErrorKind::Download, message)
}
