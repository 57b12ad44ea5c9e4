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

/// The paths of a download.
pub(super) struct Target {
    path: PathBuf,
    part: PathBuf,
    sidecar: PathBuf,
}

/// How often a locked part is tried. A download that was just dropped holds its lock until its last
/// write, on another thread, is done: 20 times 25 ms are long for a write of one chunk and short for
/// a caller who really runs two downloads.
const LOCK_ATTEMPTS: u32 = 20;
/// The pause between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

impl Target {
    /// The paths of a download to `path`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a path that cannot be a file.
    pub(super) fn new(path: PathBuf) -> Result<Self, Error> {
        let invalid = |what: &str| {
            let message = format!("{} {what}. Pass the path of a file.", path.display());
            Err(Error::new(ErrorKind::InvalidRequest, message))
        };
        let Some(name) = path.file_name() else { return invalid("does not name a file") };
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return invalid("is a directory");
        }
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return invalid("is not a regular file");
        }
        let sibling = |suffix: &str| {
            let mut name = name.to_owned();
            name.push(suffix);
            path.with_file_name(name)
        };
        Ok(Self { part: sibling(".part"), sidecar: sibling(".part.json"), path })
    }

    /// Opens the part, with the bytes that an earlier download of the same generation has stored.
    pub(super) async fn open(self, generation_id: &str) -> Result<Writer, Error> {
        check_regular(&self.part)?;
        check_regular(&self.sidecar)?;
        let fresh = Part { generation_id: generation_id.to_owned(), ..Part::default() };
        let earlier = fs::read(&self.sidecar).await.ok();
        let earlier = earlier.and_then(|json| serde_json::from_slice::<Part>(&json).ok());
        let file = open_locked(&self.part).await?;
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

/// Rejects links, through which another user of a shared folder could have any file overwritten, and
/// pipes, which would block.
fn check_regular(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        let message = format!("{} is not a regular file. Remove it.", path.display());
        return Err(Error::new(ErrorKind::Download, message));
    }
    Ok(())
}

/// Opens a part and locks it against other downloads.
async fn open_locked(path: &Path) -> Result<File, Error> {
    let broken = |error| disk("opened", path, error);
    for _ in 0..LOCK_ATTEMPTS {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(path).await.map_err(broken)?.into_std().await;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => clock::sleep(LOCK_PAUSE).await,
            // Some network file systems have no locks; there the caller must not run two downloads to
            // one path.
            Ok(()) | Err(TryLockError::Error(_)) => {
                // The download that held the lock may have moved its file into place since: then this
                // handle is of a complete video, which must not be written to.
                let opened = same_file::Handle::from_file(file.try_clone().map_err(broken)?);
                let at_path = same_file::Handle::from_path(path);
                if matches!((opened, at_path), (Ok(opened), Ok(at_path)) if opened == at_path) {
                    return Ok(File::from_std(file));
                }
            }
        }
    }
    let message = format!(
        "another download is writing {}. Wait for it to end, or choose another path.",
        path.display()
    );
    Err(Error::new(ErrorKind::Download, message))
}

/// Writes the part, and moves it into place at the end.
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

    pub(super) fn is_complete(&self) -> bool {
        self.stored > 0 && self.part.length == Some(self.stored)
    }

    /// Prepares to write from this byte on, of the file that `part` describes.
    pub(super) async fn begin(&mut self, start: u64, part: Part) -> Result<(), Error> {
        self.seek(start).await?;
        if part != self.part {
            self.part = part;
            let json =
                serde_json::to_vec(&self.part).expect("strings and numbers can be written as JSON");
            let written = fs::write(&self.target.sidecar, json).await;
            written.map_err(|error| disk("written", &self.target.sidecar, error))?;
        }
        Ok(())
    }

    /// Discards what is stored.
    pub(super) async fn restart(&mut self) -> Result<(), Error> {
        let part = Part { generation_id: self.part.generation_id.clone(), ..Part::default() };
        // The description is removed first: if the process ends in between, the bytes that are left
        // are not resumed.
        match fs::remove_file(&self.target.sidecar).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk("removed", &self.target.sidecar, error));
            }
            _ => self.part = part,
        }
        self.seek(0).await
    }

    /// Moves to this byte, and discards what is stored after it.
    async fn seek(&mut self, to: u64) -> Result<(), Error> {
        let moved = if self.stored == to { Ok(()) } else { self.file.set_len(to).await };
        self.stored = to;
        let moved = match moved {
            Ok(()) => self.file.seek(SeekFrom::Start(to)).await.map(drop),
            failed => failed,
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

    /// Moves the complete video into place.
    pub(super) async fn finish(mut self) -> Result<PathBuf, Error> {
        self.flush().await?;
        let synced = self.file.sync_all().await;
        let Target { path, part, sidecar } = self.target;
        synced.map_err(|error| disk("written", &part, error))?;
        fs::rename(&part, &path).await.map_err(|error| disk("moved into place", &part, error))?;
        // Without its part the description has no meaning, and the next download replaces it.
        let _ = fs::remove_file(&sidecar).await;
        Ok(path)
    }
}

fn disk(what: &str, path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "Check that its folder exists.",
        io::ErrorKind::PermissionDenied => "Check that its folder is writable.",
        _ => "The bytes received so far are kept, and the next attempt resumes from them.",
    };
    let message = format!("{} could not be {what}: {error}. {advice}", path.display());
    Error::new(ErrorKind::Download, message).with_source(error)
}
