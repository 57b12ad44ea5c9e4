//! The names of the videos of a batch.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::journal::Hash;
use crate::device_names::is_device;
use crate::wire::Format;

/// The characters of a key that a file name may not have anywhere: all but these.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b' ');

/// Longer names are cut: file systems allow 255 bytes, and a partial download has a suffix.
const MAX_NAME: usize = 180;

/// The file names that are in use.
#[derive(Default)]
pub(super) struct FileNames(HashSet<u128>);

impl FileNames {
    /// Keeps the name of a video that is stored from others.
    pub(super) fn reserve(&mut self, path: &Path) {
        if let Some(stem) = path.file_stem() {
            self.0.insert(Hash::short(&stem.to_string_lossy().to_lowercase()));
        }
    }

    /// A path in a folder for the video of the request with this key.
    ///
    /// Characters that are not safe in a name are percent-encoded. A name that is cut, reserved, or
    /// differs from another one only by its case gets a part of the key's hash.
    pub(super) fn assign(&mut self, folder: &Path, key: &str, format: Format) -> PathBuf {
        let encoded = utf8_percent_encode(key, ENCODED).to_string();
        let kept = encoded.get(..MAX_NAME).unwrap_or(&encoded);
        let is_whole = kept.len() == encoded.len() && !is_reserved(kept);
        // Some file systems do not distinguish upper and lower case.
        let is_free = self.0.insert(Hash::short(&kept.to_lowercase()));
        let mut name = kept.to_owned();
        if !is_whole || !is_free {
            let hash = Hash::of(key.as_bytes()).to_string();
            name = format!("{name}-{}", hash.get(..12).unwrap_or(&hash));
        }
        folder.join(format!("{name}.{}", format.extension()))
    }
}

/// Whether a name means something else: hidden and relative ones, names that Windows trims, and its
/// devices, with any extension.
fn is_reserved(name: &str) -> bool {
    let has_no_start = name.is_empty() || name.starts_with(['.', ' ', '-']);
    has_no_start || name.ends_with(['.', ' ']) || is_device(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(names: &mut FileNames, key: &str) -> String {
        let path = names.assign(Path::new("videos"), key, Format::Video);
        assert_eq!(path.parent(), Some(Path::new("videos")), "{key:?}");
        path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_is_its_key_where_that_is_safe() {
        let mut names = FileNames::default();
        for (key, expected) in [
            ("cat", "cat.mp4"),
            ("SKU-123_v1.0", "SKU-123_v1.0.mp4"),
            ("a cat", "a cat.mp4"),
            ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
            ("a\u{0}b", "a%00b.mp4"),
            ("Katze für dich", "Katze f%C3%BCr dich.mp4"),
            (".hidden", ".hidden-"),
            ("nul.tar", "nul.tar-"),
            ("COM1", "COM1-"),
            ("com12", "com12.mp4"),
            ("CAT", "CAT-"),
            ("trailing.", "trailing.-"),
        ] {
            let name = name(&mut names, key);
            assert!(name.starts_with(expected) && name.ends_with(".mp4"), "{key:?}: {name}");
        }
        names.reserve(Path::new("other/Bird.mp4"));
        assert!(name(&mut names, "bird").starts_with("bird-"));
        let lottie = names.assign(Path::new(""), "logo", Format::Animation);
        assert_eq!(lottie, Path::new("logo.json"));
    }

    proptest! {
        /// No two keys have the same name, whatever they are, also without regard to case.
        #[test]
        fn names_are_safe_and_unique(keys in prop::collection::hash_set(
            prop_oneof![".{0,8}", "[aA./\\\\ ]{1,4}", "[xX]{170,200}"], 0..20)) {
            let mut names = FileNames::default();
            let mut seen = HashSet::new();
            for key in keys {
                let name = name(&mut names, &key);
                prop_assert!(name.len() < 220 && !name.contains(['/', '\\', ':', '*', '\0']));
                prop_assert!(seen.insert(name.to_lowercase()), "{name}");
            }
        }
    }
}
