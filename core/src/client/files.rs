//! What differs between the files of Windows and of other systems.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::clock;
use crate::device_names::is_device;

/// How often a file is tried that another program has open. A virus scanner or an indexer has a new
/// file open for some 100 ms; a program that plays the video which is there, for long.
const ATTEMPTS: u32 = 80;
/// The pause between two attempts: 2 s in all.
const PAUSE: Duration = Duration::from_millis(25);

/// Renames a file, over another one if there is one. Blocks.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    retry_while_in_use(|| fs::rename(from, to))
}

/// Opens a file. Blocks. Windows also refuses that while a removed file with this name is still open.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    retry_while_in_use(|| options.open(path))
}

fn retry_while_in_use<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match operation() {
            Err(error) if may_be_in_use(&error) => clock::block(PAUSE),
            result => return result,
        }
    }
    operation()
}

/// Whether another program keeps this one from opening a file.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    const ERROR_SHARING_VIOLATION: i32 = 32;
    cfg!(windows) && error.raw_os_error() == Some(ERROR_SHARING_VIOLATION)
}

/// Whether the cause may be that another program has the file open. Windows refuses to replace an
/// open file with the same error as one in a folder that is not writable.
pub(crate) fn may_be_in_use(error: &io::Error) -> bool {
    cfg!(windows) && (is_in_use(error) || error.kind() == io::ErrorKind::PermissionDenied)
}

/// Why a name cannot be that of a file on this system.
pub(crate) fn defect(name: &OsStr) -> Option<&'static str> {
    if cfg!(windows) { defect_on_windows(&name.to_string_lossy()) } else { None }
}

fn defect_on_windows(name: &str) -> Option<&'static str> {
    let is_invalid = |c: char| c.is_ascii_control() || r#"<>:"/\|?*"#.contains(c);
    if is_device(name) {
        Some("is the name of a device on Windows")
    } else if name.contains(is_invalid) {
        Some(r#"has a character that Windows does not allow in names, such as : or ?"#)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_has_devices_and_forbidden_characters() {
        for name in ["cat.mp4", "a cat (1).mp4", "Katze-für-dich.mp4", "猫.mp4", "console.mp4"] {
            assert_eq!(defect_on_windows(name), None, "{name}");
        }
        for name in ["nul", "COM1.mp4", "cat.mp4:stream", "cat?.mp4", "a\tcat", "a|b", "12:30.mp4"]
        {
            assert!(defect_on_windows(name).is_some(), "{name}");
            assert_eq!(defect(name.as_ref()).is_some(), cfg!(windows), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_in_use_is_tried_again_and_only_on_windows() {
        for code in [5, 32] {
            let mut calls = 0;
            let renamed = retry_while_in_use(|| {
                calls += 1;
                if calls < 3 { Err(io::Error::from_raw_os_error(code)) } else { Ok(()) }
            });
            assert_eq!(
                (renamed.is_ok(), calls),
                if cfg!(windows) { (true, 3) } else { (false, 1) }
            );
        }
    }
}
