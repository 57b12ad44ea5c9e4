//! The paths of a download: `PATH.part` and `PATH.part.json`, then `PATH`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf, is_separator};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::writer::{Writer, blocking};
use crate::client::events::{Details, Log};
use crate::client::{clock, files};
use crate::error::{Error, ErrorKind};

/// The paths of a download.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) part: PathBuf,
    pub(super) description: PathBuf,
    pub(super) log: Log,
}

/// How often a locked description is tried. A download that was just dropped holds its lock until its
/// last bytes are on the disk: 80 times 25 ms are long for that and short for a caller who really
/// runs two downloads.
const LOCK_ATTEMPTS: u32 = 80;
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
        let last = path.as_os_str().as_encoded_bytes().last();
        if path.is_dir() || last.is_some_and(|last| is_separator(char::from(*last))) {
            return invalid("is a directory");
        }
        if let Some(defect) = files::defect(name) {
            return invalid(defect);
        }
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return invalid("is not a regular file");
        }
        let stem = stem(name);
        let sibling = |suffix: &str| {
            let mut name = stem.clone();
            name.push(suffix);
            path.with_file_name(name)
        };
        let (part, description) = (sibling(".part"), sibling(DESCRIPTION_SUFFIX));
        Ok(Self { path, part, description, log: Log::default() })
    }

    /// Has warnings go where the client's events go.
    pub(super) fn with_log(self, log: &Log) -> Self {
        Self { log: log.clone(), ..self }
    }

    /// Opens the part, with the bytes that an earlier download of the same generation has stored.
    ///
    /// The lock is on the description, which stays open until the video is in place. The part itself
    /// is closed before: some file systems, such as gcsfuse, store a file when it is closed.
    pub(super) async fn open(self, generation_id: &str) -> Result<Writer, Error> {
        let description = self.lock().await?;
        let id = generation_id.to_owned();
        blocking(move || {
            let part = open_regular(&self.part)?;
            Writer::new(self, part, description, id)
        })
        .await
    }

    /// Opens the description and locks it against other downloads.
    async fn lock(&self) -> Result<File, Error> {
        for _ in 0..LOCK_ATTEMPTS {
            let (path, log) = (self.description.clone(), self.log.clone());
            let locked = blocking(move || {
                let file = open_regular(&path)?;
                match file.try_lock() {
                    Err(TryLockError::WouldBlock) => return Ok(None),
                    Err(TryLockError::Error(error)) => log.warning(
                        "file system has no locks: two downloads to one path at once would mix",
                        Details { system_error: Some(&error), ..Details::default() },
                    ),
                    Ok(()) => {}
                }
                // The download that held the lock may have removed the file since.
                Ok(is_at(&file, &path).then_some(file))
            });
            match locked.await? {
                Some(file) => return Ok(file),
                None => clock::sleep(LOCK_PAUSE).await,
            }
        }
        let message = format!(
            "another download is writing {}. Wait for it to end, or choose another path.",
            self.part.display()
        );
        Err(Error::new(ErrorKind::Download, message))
    }
}

const DESCRIPTION_SUFFIX: &str = ".part.json";
/// The longest name of a file on most file systems, in bytes.
const MAX_NAME: usize = 255;

/// The name of the file, shortened if it leaves no room for the suffix.
fn stem(name: &OsStr) -> OsString {
    let room = MAX_NAME - DESCRIPTION_SUFFIX.len();
    // A longer name exists only on file systems with another limit, and leave it to them.
    if name.len() <= room || name.len() > MAX_NAME {
        return name.to_owned();
    }
    let hash = Sha256::digest(name.as_encoded_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let text = name.to_string_lossy();
    let end = (0..room - hash.len()).rev().find(|end| text.is_char_boundary(*end));
    format!("{}-{hash}", &text[..end.unwrap_or_default()]).into()
}

/// Opens a file for reading and writing, and creates it if it is missing. Rejects links, through
/// which another user of a shared folder could have any file overwritten, and pipes and devices.
fn open_regular(path: &Path) -> Result<File, Error> {
    let irregular = || {
        let message = format!("{} is a link or not a regular file. Remove it.", path.display());
        Error::new(ErrorKind::Download, message)
    };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    do_not_follow(&mut options);
    let file = files::open(path, &options).map_err(|error| {
        // The errors of a link and of a directory differ between systems.
        if path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
            irregular()
        } else {
            disk("opened", path, error)
        }
    })?;
    let metadata = file.metadata().map_err(|error| disk("read", path, error))?;
    if metadata.is_file() && !has_other_names(&file) { Ok(file) } else { Err(irregular()) }
}

#[cfg(unix)]
fn do_not_follow(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    // Opening a pipe must not block.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
}

#[cfg(windows)]
fn do_not_follow(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
}

#[cfg(not(any(unix, windows)))]
fn do_not_follow(_: &mut OpenOptions) {}

/// Whether a file has hard links elsewhere.
fn has_other_names(file: &File) -> bool {
    // 0, if it was removed in between: the caller finds out.
    number_of_names(file).is_ok_and(|names| names > 1)
}

#[cfg(unix)]
fn number_of_names(file: &File) -> io::Result<u64> {
    file.metadata().map(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata))
}

#[cfg(windows)]
fn number_of_names(file: &File) -> io::Result<u64> {
    winapi_util::file::information(file).map(|information| information.number_of_links())
}

#[cfg(not(any(unix, windows)))]
fn number_of_names(_: &File) -> io::Result<u64> {
    Ok(1)
}

/// Whether this open file is the one at the path.
fn is_at(file: &File, path: &Path) -> bool {
    let opened = file.try_clone().and_then(same_file::Handle::from_file);
    let at_path = same_file::Handle::from_path(path);
    matches!((opened, at_path), (Ok(opened), Ok(at_path)) if opened == at_path)
}

pub(super) fn disk(what: &str, path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "Check that its folder exists.",
        _ if files::may_be_in_use(&error) => {
            "Check that its folder is writable, and that no other program has the file open."
        }
        io::ErrorKind::PermissionDenied => "Check that its folder is writable.",
        _ => "The bytes received so far are kept, and the next attempt resumes from them.",
    };
    let message = format!("{} could not be {what}: {error}. {advice}", path.display());
    Error::new(ErrorKind::Download, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_long_name_leaves_room_for_the_suffix() {
        for length in [10, 245, 246, 250, 255] {
            for name in ["a".repeat(length), "é".repeat(length / 2) + &"e".repeat(length % 2)] {
                let target = Target::new(Path::new("folder").join(&name)).unwrap();
                let description = target.description.file_name().unwrap().to_str().unwrap();
                assert!(description.len() <= MAX_NAME, "{length}: {}", description.len());
                assert_eq!(description.starts_with(&name), length <= 245);
                if length > 245 {
                    assert_eq!(description.len(), MAX_NAME, "as much as fits is kept");
                }
                assert_eq!(target.description, target.part.with_extension("part.json"));
            }
        }
        let other = |last: char| stem(format!("{}{last}", "a".repeat(250)).as_ref());
        assert_ne!(other('b'), other('c'), "names with a common start stay apart");
        assert_eq!(stem("a".repeat(256).as_ref()).len(), 256, "the file system decides");
    }

    #[test]
    fn a_path_that_ends_in_a_separator_is_not_that_of_a_file() {
        let is_refused = |path: &str| Target::new(PathBuf::from(path)).is_err();
        assert!(is_refused("missing/"));
        assert_eq!(is_refused(r"missing\"), cfg!(windows));
        assert_eq!(is_refused("aux.mp4"), cfg!(windows));
    }

    #[test]
    fn a_file_that_was_removed_or_replaced_is_no_longer_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.mp4.part.json");
        let file = open_regular(&path).unwrap();
        assert!(is_at(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path), "removed");
        let other = open_regular(&path).unwrap();
        assert!(!is_at(&file, &path), "replaced");
        assert!(is_at(&other, &path));
    }

    #[test]
    fn a_failure_of_the_disk_says_what_to_check() {
        for (kind, advice) in [
            (io::ErrorKind::NotFound, "Check that its folder exists."),
            (io::ErrorKind::PermissionDenied, "Check that its folder is writable"),
            (io::ErrorKind::StorageFull, "the next attempt resumes"),
        ] {
            let error = disk("written", Path::new("out.mp4.part"), kind.into());
            let text = error.message();
            assert!(text.starts_with("out.mp4.part could not be written: "), "{text}");
            assert!(text.contains(advice), "{text}");
        }
    }
}
