//! Paths as relative URLs.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a segment of a URL may not have. A colon in the first one would make it a scheme.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The URL of a file, relative to a folder. Both paths are absolute. None: they are on different drives.
pub(super) fn relative(folder: &Path, file: &Path) -> Option<String> {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return None;
    }
    let up = from.iter().skip(common).map(|_| "..".to_owned());
    let down = to.iter().skip(common).map(|component| match component {
        Component::ParentDir => "..".to_owned(),
        other => utf8_percent_encode(&other.as_os_str().to_string_lossy(), ENCODED).to_string(),
    });
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_urls() {
        let from = |folder: &str, file: &str| relative(Path::new(folder), Path::new(file)).unwrap();
        assert_eq!(from("/run", "/run/videos/a.mp4"), "videos/a.mp4");
        assert_eq!(from("/run/report", "/run/a b?.mp4"), "../a%20b%3F.mp4");
        assert_eq!(from("/run", "/run/javascript:x\".mp4"), "javascript%3Ax%22.mp4");
        assert_eq!(relative(Path::new("a"), Path::new("/b")), None);
    }
}
