//! The file of a journal: opened, locked, checked and repaired.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::record::Header;
use super::replay::{Failure, Replay, Scan, Span, scan};
use super::writer::{Disk, shut_down, unwritable};
use crate::client::clock;
use crate::client::events::{Details, Log};
use crate::client::files::is_in_use;
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};

/// An open journal, locked as long as it is open.
pub(super) struct JournalFile {
    file: File,
    log: Log,
    /// Held while the file's position matters. A sync does not need it.
    position: Mutex<()>,
}

/// How often a locked journal is tried. A run that was just dropped holds its lock until its last
/// lines are on the disk: 80 times 25 ms are long for that and short for a caller who really runs
/// two batches.
const LOCK_ATTEMPTS: u32 = 80;
/// The pause between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

impl JournalFile {
    /// Opens a file, or creates it, and locks it. What is in it is not changed.
    pub(super) async fn lock(path: &Path, log: &Log) -> Result<Self, Error> {
        for _ in 0..LOCK_ATTEMPTS {
            let path = path.to_owned();
            match blocking(move || try_lock(&path)).await? {
                Some(file) => {
                    return Ok(Self { file, log: log.clone(), position: Mutex::new(()) });
                }
                None => clock::sleep(LOCK_PAUSE).await,
            }
        }
        let name = path.display();
        Err(configuration(format!(
            "another run, perhaps of another process, is using the journal {name}. Wait until it \
             has ended, or choose another file."
        )))
    }

    /// Reads what is in the file, and writes a header if there is none. A torn end is cut off.
    /// Returns the length too. Blocks.
    ///
    /// A file that is refused is not changed.
    pub(super) fn prepare(
        &self,
        path: &Path,
        base_url: &str,
        first: &str,
    ) -> Result<(Replay, u64), Error> {
        let Scan { header, replay, length } =
            scan(BufReader::new(&self.file)).map_err(|failure| failure.into_error(path))?;
        let Some(header) = header else {
            let line = Header::new(base_url, first, clock::wall()).encode();
            self.write_header(path, &line).map_err(|error| unwritable(path, error))?;
            return Ok((replay, line.len() as u64));
        };
        check(&header, &replay, path, base_url, first)?;
        let actual = self.file.metadata().map_err(|error| unreadable(path, error))?.len();
        if actual > length {
            self.log.warning(
                "end of the journal was torn, as by a crash, and is removed",
                Details { path: Some(path), ..Details::default() },
            );
            let repaired = self.file.set_len(length).and_then(|()| self.file.sync_all());
            repaired.map_err(|error| unwritable(path, error))?;
        }
        Ok((replay, length))
    }

    fn write_header(&self, path: &Path, line: &[u8]) -> io::Result<()> {
        self.file.set_len(0)?;
        let written = self.write(0, line).and_then(|()| self.file.sync_all());
        if written.is_err() {
            let _ = self.file.set_len(0);
        }
        written?;
        sync_folder(path, &self.log)
    }

    /// The line at `span`. Blocks.
    pub(super) fn line(&self, span: Span) -> io::Result<Vec<u8>> {
        let _position = lock(&self.position);
        read_line(&self.file, span)
    }

    /// Lets the next run have the file. On Windows it has to be closed for that.
    pub(super) fn unlock(&self) {
        // If this fails, closing the file unlocks it.
        let _ = self.file.unlock();
    }
}

impl Disk for JournalFile {
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _position = lock(&self.position);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn pause(&self, pause: Duration) {
        clock::block(pause);
    }
}

/// The line at `span` of a file.
pub(super) fn read_line(mut file: &File, span: Span) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(span.offset))?;
    file.take(span.length).read_to_end(&mut line)?;
    Ok(line)
}

/// Opens and locks a file; `None` if another run holds the lock.
fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options);
    let file = match options.open(path) {
        Err(error) if is_in_use(&error) => return Ok(None),
        opened => opened.map_err(|error| {
            let message = format!(
                "the journal {} cannot be opened: {error}. Check that its folder exists and that \
                 you may write the file.",
                path.display()
            );
            configuration(message).with_source(error)
        })?,
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    if !metadata.is_file() {
        let name = path.display();
        return Err(configuration(format!(
            "{name} is not a regular file, so it cannot be a journal. Choose another one."
        )));
    }
    match lock_opened(&file) {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Without a lock two runs would pay twice.
        Err(TryLockError::Error(error)) => {
            let message = format!(
                "the journal {} cannot be locked: {error}. Choose a file on a local disk.",
                path.display()
            );
            Err(configuration(message).with_source(error))
        }
    }
}

/// Only the owner may read a new journal: it has the signed URLs of videos.
#[cfg(unix)]
fn restrict(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    // Opening a pipe must not block.
    options.mode(0o600).custom_flags(libc::O_NONBLOCK);
}

#[cfg(not(windows))]
fn lock_opened(file: &File) -> Result<(), TryLockError> {
    file.try_lock()
}

/// Others may read the journal, and not open it for writing. This is the lock on Windows: a lock of
/// the file itself would keep others from reading it, too.
#[cfg(windows)]
fn restrict(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const FILE_SHARE_DELETE: u32 = 4;
    options.share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
}

#[cfg(windows)]
fn lock_opened(_: &File) -> Result<(), TryLockError> {
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn restrict(_: &mut OpenOptions) {}

/// Makes a new file's name survive a loss of power.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path, log: &Log) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    match synced {
        // A folder may be writable and not readable, and some file systems cannot sync one.
        Err(error) if is_impossible(&error) => {
            log.warning(
                "folder of the journal cannot be synced: a loss of power may lose it",
                Details { path: Some(path), system_error: Some(&error), ..Details::default() },
            );
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(unix)]
fn is_impossible(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported)
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path, _: &Log) -> io::Result<()> {
    Ok(())
}

/// Rejects the journal of another batch.
fn check(
    header: &Header,
    replay: &Replay,
    path: &Path,
    base_url: &str,
    first: &str,
) -> Result<(), Error> {
    let name = path.display();
    if header.base_url != base_url {
        return Err(configuration(format!(
            "the journal {name} was made with another base URL, which its first line has. Use that \
             one, or choose another file."
        )));
    }
    if header.first != first && !replay.contains(first) {
        return Err(configuration(format!(
            "the journal {name} is that of another batch: it has no request with the key of this \
             batch's first one. Choose another file, or pass the same requests."
        )));
    }
    Ok(())
}

impl Failure {
    pub(super) fn into_error(self, path: &Path) -> Error {
        let name = path.display();
        configuration(match self {
            Self::Unreadable(error) => return unreadable(path, error),
            Self::NotAJournal => format!(
                "{name} is not a journal of a batch. It was not changed. Choose another file."
            ),
            Self::OtherVersion(version) => format!(
                "the journal {name} has version {version} of the format, which this version of \
                 pipevideo does not know. Use the version that wrote it, or choose another file."
            ),
            Self::Damaged { line } => format!(
                "the journal {name} is damaged in line {line}, and not by a crash, which damages \
                 only the end. It was not changed. Restore the line from a copy; without it the \
                 batch may pay for a video twice."
            ),
            Self::Newer { line } => format!(
                "line {line} of the journal {name} was written by a newer version of pipevideo. \
                 Use that version."
            ),
            Self::Changed => format!(
                "the journal {name} was changed while it was in use. Only the batch may write it: \
                 run the batch again."
            ),
        })
    }
}

pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    let message = format!(
        "the journal {} cannot be read: {error}. Check that the file exists and that you may read \
         it.",
        path.display()
    );
    configuration(message).with_source(error)
}

fn configuration(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// Runs work that blocks on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err(shut_down()))
}

/// A journal that is ready for a run, what it says, and its length.
pub(super) async fn open(
    path: &Path,
    base_url: &str,
    first: &str,
    log: &Log,
) -> Result<(Arc<JournalFile>, Replay, u64), Error> {
    let file = Arc::new(JournalFile::lock(path, log).await?);
    let (path, base_url, first) = (path.to_owned(), base_url.to_owned(), first.to_owned());
    blocking(move || {
        let (replay, length) = file.prepare(&path, &base_url, &first)?;
        Ok((file, replay, length))
    })
    .await
}
