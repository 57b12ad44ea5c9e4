//! The files of a download: `PATH.part` and `PATH.part.json`, then `PATH`.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, SeekFrom};

use super::Progress;
use crate::client::clock;
use crate::error::{Error, ErrorKind};
use crate::wire::Part;

/// Where a download goes.
pub(super) struct Target {
    path: PathBuf,
    part: PathBuf,
    sidecar: PathBuf,
}

/// How often, and how far apart, a part is tried that somebody still holds: a download that was
/// just dropped may have its last write under way.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

impl Target {
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a path that cannot be a file.
    pub(super) fn new(path: PathBuf) -> Result<Self, Error> {
        let refuse = |what: &str| {
            let message = format!("{} {what}. Pass a file's path.", path.display());
            Err(Error::new(ErrorKind::InvalidRequest, message))
        };
        let Some(name) = path.file_name() else { return refuse("names no file") };
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return refuse("is a directory");
        }
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return refuse("is no regular file");
        }
        let sibling = |suffix: &str| {
            let mut name = name.to_owned();
            name.push(suffix);
            path.with_file_name(name)
        };
        Ok(Self { part: sibling(".part"), sidecar: sibling(".part.json"), path })
    }

    /// Opens the part, with what an earlier run has left of the same generation.
    pub(super) async fn open(self, generation_id: &str) -> Result<Writer, Error> {
        check_regular(&self.part)?;
        check_regular(&self.sidecar)?;
        let fresh = Part { generation_id: generation_id.to_owned(), ..Part::default() };
        let earlier = fs::read(&self.sidecar).await.ok();
        let earlier = earlier.and_then(|json| serde_json::from_slice::<Part>(&json).ok());
        let file = open_alone(&self.part).await?;
        let metadata = file.metadata().await;
        let length = metadata.map_err(|error| disk("read", &self.part, error))?.len();
        let mut writer = Writer { target: self, file, stored: length, part: fresh };
        match earlier.filter(|earlier| earlier.generation_id == generation_id) {
            Some(earlier) if earlier.length.is_none_or(|whole| length <= whole) => {
                writer.part = earlier;
                writer.seek(length).await?;
            }
            _ => writer.restart().await?,
        }
        Ok(writer)
    }
}

/// Through a link somebody could have another file overwritten; a pipe would block.
fn check_regular(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        let message = format!("{} is no regular file. Remove it.", path.display());
        return Err(Error::new(ErrorKind::Download, message));
    }
    Ok(())
}

/// Opens a part that nobody else writes.
async fn open_alone(path: &Path) -> Result<File, Error> {
    let broken = |error| disk("opened", path, error);
    for _ in 0..LOCK_TRIES {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(path).await.map_err(broken)?.into_std().await;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => clock::sleep(LOCK_PAUSE).await,
            // Where files cannot be locked, two downloads to one path are the caller's affair.
            Ok(()) | Err(TryLockError::Error(_)) => {
                // Whoever held it may just have moved it into place: that file is a whole video.
                let ours = same_file::Handle::from_file(file.try_clone().map_err(broken)?);
                let there = same_file::Handle::from_path(path);
                if matches!((ours, there), (Ok(ours), Ok(there)) if ours == there) {
                    return Ok(File::from_std(file));
                }
            }
        }
    }
    let message = format!("another download is writing {}. Wait for it.", path.display());
    Err(Error::new(ErrorKind::Download, message))
}

/// A part that is being written.
pub(super) struct Writer {
    target: Target,
    file: File,
    stored: u64,
    part: Part,
}

impl Writer {
    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { downloaded: self.stored, total: self.part.length }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.stored > 0 && self.part.length == Some(self.stored)
    }

    /// Content will follow from this byte on, of the file so described.
    pub(super) async fn begin(&mut self, start: u64, part: Part) -> Result<(), Error> {
        self.seek(start).await?;
        if part != self.part {
            self.part = part;
            let json = serde_json::to_vec(&self.part).expect("strings and numbers are JSON");
            let written = fs::write(&self.target.sidecar, json).await;
            written.map_err(|error| disk("written", &self.target.sidecar, error))?;
        }
        Ok(())
    }

    /// Forgets what is stored.
    pub(super) async fn restart(&mut self) -> Result<(), Error> {
        let part = Part { generation_id: self.part.generation_id.clone(), ..Part::default() };
        // The description goes first: without it a part is never taken up again.
        match fs::remove_file(&self.target.sidecar).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk("removed", &self.target.sidecar, error));
            }
            _ => self.part = part,
        }
        self.seek(0).await
    }

    /// Goes on at this byte, and drops what is stored beyond it.
    async fn seek(&mut self, to: u64) -> Result<(), Error> {
        let moved = match self.stored == to {
            true => Ok(()),
            false => self.file.set_len(to).await,
        };
        self.stored = to;
        let moved = match moved {
            Ok(()) => self.file.seek(SeekFrom::Start(to)).await.map(drop),
            broken => broken,
        };
        moved.map_err(|error| disk("written", &self.target.part, error))
    }

    pub(super) async fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(chunk).await;
        written.map_err(|error| disk("written", &self.target.part, error))?;
        self.stored += chunk.len() as u64;
        Ok(())
    }

    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().await.map_err(|error| disk("written", &self.target.part, error))
    }

    /// Moves the whole video into place.
    pub(super) async fn finish(mut self) -> Result<PathBuf, Error> {
        self.flush().await?;
        let synced = self.file.sync_all().await;
        let Target { path, part, sidecar } = self.target;
        synced.map_err(|error| disk("written", &part, error))?;
        fs::rename(&part, &path).await.map_err(|error| disk("moved into place", &part, error))?;
        // Without its part it says nothing, and the next download replaces it.
        let _ = fs::remove_file(&sidecar).await;
        Ok(path)
    }
}

fn disk(what: &str, path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "Check that its folder exists.",
        io::ErrorKind::PermissionDenied => "Check that its folder can be written to.",
        _ => "What has arrived stays for the next try.",
    };
    let message = format!("{} could not be {what}: {error}. {advice}", path.display());
    Error::new(ErrorKind::Download, message).with_source(error)
}
