//! The licences of the crates that are compiled into the packages, which every binary package must have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The crates that become the packages' native libraries.
const LIBRARIES: &str = "-p pipevideo-python -p pipevideo-node -p pipevideo-swift";
/// The kinds of platform that packages are built for. Others have crates of their own.
const TARGETS: [&str; 6] = [
    "aarch64-apple-darwin",
    "aarch64-apple-ios",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
];

/// What `cargo metadata` says of a crate.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for a crate of this repository.
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Writes the names and licences of all crates in the packages, and each text of a licence once.
pub(crate) fn write(root: &Path, file: &Path) -> Result<(), String> {
    let error = |error: std::io::Error| format!("{}: {error}", file.display());
    fs::write(file, text(root)?).map_err(error)
}

fn text(root: &Path) -> Result<String, String> {
    let compiled = compiled(root)?;
    let metadata = cargo(root, "metadata --format-version=1 --locked")?;
    let Metadata { packages } =
        serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        let name = format!("{} {}", package.name, package.version);
        if !compiled.contains(&name) {
            continue;
        }
        for text in package.licences()? {
            users.entry(text).or_default().push(name.clone());
        }
    }
    let mut all: Vec<_> = users.into_iter().map(|(text, names)| (names, text)).collect();
    all.sort();
    let mut out = "The native library contains these crates, under these licences.\n".to_owned();
    for (names, text) in all {
        out += &format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), names.join(", "));
    }
    Ok(out)
}

/// The names and versions of the crates that are compiled for any of the targets.
fn compiled(root: &Path) -> Result<BTreeSet<String>, String> {
    let targets = TARGETS.map(|target| format!("--target {target}")).join(" ");
    let tree = cargo(
        root,
        &format!(
            "tree {LIBRARIES} {targets} -e normal,no-proc-macro --prefix none -f {{p}} --locked"
        ),
    )?;
    let name = |line: &str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
    };
    Ok(tree.lines().filter_map(name).collect())
}

fn cargo(root: &Path, arguments: &str) -> Result<String, String> {
    let output = Command::new("cargo").args(arguments.split(' ')).current_dir(root).output();
    let output = output.map_err(|error| format!("cargo could not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo {arguments}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

impl Package {
    /// The texts under which it may be used. Under a choice that has MIT, that is the one taken.
    fn licences(&self) -> Result<Vec<String>, String> {
        let folder = self.manifest_path.parent().unwrap_or(Path::new("."));
        let files = fs::read_dir(folder).map_err(|error| format!("{}: {error}", self.name))?;
        let paths = files.filter_map(Result::ok).map(|file| file.path());
        let mut paths: Vec<_> = paths.filter(|path| path.is_file() && is_licence(path)).collect();
        paths.sort();
        if paths.iter().any(|path| is_named(path, "mit")) {
            paths.retain(|path| ["mit", "third", "notice"].iter().any(|part| is_named(path, part)));
        }
        if paths.is_empty() {
            let licence = self.license.as_deref().ok_or(format!("{} has no licence", self.name))?;
            return Ok(vec![format!(
                "{licence}: the text is at https://spdx.org/licenses/{licence}.html, the source in Cargo's \
                 registry."
            )]);
        }
        let read = |path: &PathBuf| match fs::read(path) {
            Ok(bytes) => {
                Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned())
            }
            Err(error) => Err(format!("{}: {error}", path.display())),
        };
        paths.iter().map(read).collect()
    }
}

fn is_licence(path: &Path) -> bool {
    ["license", "licence", "copying", "notice", "unlicense"].iter().any(|part| is_named(path, part))
}

/// Whether a file's name has this part, in letters of any case.
fn is_named(path: &Path, part: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_licence_is_in_the_text() {
        let text = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        for expected in ["tokio 1.", "ring 0.", "BoringSSL", "uniffi 0.32.2", "Unicode", "MPL-2.0"]
        {
            assert!(text.contains(expected), "{expected}");
        }
        for other in ["proptest ", "syn ", "pipevideo "] {
            assert!(!text.contains(other), "{other}");
        }
    }
}
