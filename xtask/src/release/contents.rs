//! What an archive that is published must have, may have, and how large it may be.

use std::path::Path;
use std::process::Command;

/// What is expected of one kind of archive. A `*` in a pattern stands for any characters but `/`, and `**`
/// at its end for everything below.
pub(super) struct Expected {
    /// The files that it must have: patterns of which each matches at least one file.
    pub(super) required: &'static [&'static str],
    /// The patterns of the other files that it may have. Anything else is a stray file.
    pub(super) allowed: &'static [&'static str],
    /// The maximum size of the archive.
    pub(super) max_bytes: u64,
}

impl Expected {
    /// Checks an archive. What it says on success is a line for people.
    pub(super) fn check(&self, archive: &Path) -> Result<String, String> {
        let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = std::fs::metadata(archive).map_err(|error| format!("{name}: {error}"))?.len();
        let files = list(archive)?;
        self.check_files(&files, bytes).map_err(|why| format!("{name}: {why}"))?;
        Ok(format!(
            "{name}: {} files, {} KB of {}",
            files.len(),
            bytes / 1024,
            self.max_bytes / 1024
        ))
    }

    fn check_files(&self, files: &[String], bytes: u64) -> Result<(), String> {
        let mut problems = Vec::new();
        for pattern in self.required {
            if !files.iter().any(|file| matches(pattern, file)) {
                problems.push(format!("it has no {pattern}"));
            }
        }
        let mut expected = self.required.iter().chain(self.allowed);
        for file in files {
            if !expected.clone().any(|pattern| matches(pattern, file)) {
                problems.push(format!("{file} does not belong in it"));
            }
        }
        debug_assert!(expected.next().is_some(), "an archive has files");
        if bytes > self.max_bytes {
            problems.push(format!("it has {bytes} bytes, and may have {}", self.max_bytes));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

/// The files of an archive. Those of a tarball are in a folder of its own, which is left out.
fn list(archive: &Path) -> Result<Vec<String>, String> {
    let zip = archive.extension().is_some_and(|extension| extension == "whl");
    let mut command = if zip {
        let script =
            "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep='\\n')";
        let mut python = Command::new("python3");
        python.args(["-c", script]);
        python
    } else {
        let mut tar = Command::new("tar");
        tar.arg("-tzf");
        tar
    };
    let output = command.arg(archive).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("it cannot be read: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let files = text.lines().filter(|line| !line.ends_with('/'));
    let inside = |line: &str| line.split_once('/').map_or(line, |(_, rest)| rest).to_owned();
    Ok(files.map(|line| if zip { line.to_owned() } else { inside(line) }).collect())
}

/// Whether a pattern matches a whole path.
fn matches(pattern: &str, path: &str) -> bool {
    if let Some(folder) = pattern.strip_suffix("**") {
        return path.starts_with(folder);
    }
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
            ends.take_while(|&end| !rest[..end].contains('/'))
                .any(|end| matches(after, &rest[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected =
        Expected { required: &["LICENSE-*", "src/lib.rs"], allowed: &["src/**"], max_bytes: 100 };

    fn problem(files: &[&str], bytes: u64) -> String {
        let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
        EXPECTED.check_files(&files, bytes).err().unwrap_or_default()
    }

    #[test]
    fn a_star_stops_at_a_folder_and_two_do_not() {
        assert!(matches("pipevideo/*.py", "pipevideo/errors.py"));
        assert!(!matches("pipevideo/*.py", "pipevideo/tests/errors.py"));
        assert!(!matches("pipevideo/*.py", "pipevideo/errors.pyc"));
        assert!(matches("*.dist-info/sboms/*.json", "pipevideo-1.dist-info/sboms/a.json"));
        assert!(matches("src/**", "src/model/usage.rs") && !matches("src/**", "srcs/lib.rs"));
        assert!(matches("a", "a") && !matches("a", "b") && !matches("a", "ab"));
    }

    #[test]
    fn missing_and_stray_files_and_a_large_archive_are_reported() {
        assert_eq!(problem(&["LICENSE-MIT", "src/lib.rs", "src/a/b.rs"], 100), "");
        assert_eq!(problem(&["src/lib.rs"], 100), "it has no LICENSE-*");
        let stray = problem(&["LICENSE-MIT", "src/lib.rs", ".env"], 100);
        assert_eq!(stray, ".env does not belong in it");
        assert!(
            problem(&["LICENSE-MIT", "src/lib.rs"], 101).contains("101 bytes, and may have 100")
        );
    }
}
