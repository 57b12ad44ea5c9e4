//! The Swift half of the bindings, which UniFFI generates from what the native library declares.
//!
//! The generator takes minutes to compile. So a digest is checked in with the files, which tells without it
//! that they are what it has written, from what the library declares now.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use goblin::archive::Archive;
use goblin::elf::{Elf, section_header::SHN_UNDEF};
use sha2::{Digest, Sha256};

use crate::steps::{Steps, target};

const STEP: &str = "generated bindings";
const DIGEST: &str = "bindings-swift/bindgen/generated.sha256";
/// The generated files.
const GENERATED: [&str; 4] = [
    "bindings-swift/Sources/PipevideoC/pipevideo.h",
    "bindings-swift/Sources/PipevideoC/pipevideo_swift.h",
    "bindings-swift/Sources/PipevideoFFI/pipevideo.swift",
    "bindings-swift/Sources/PipevideoFFI/pipevideo_swift.swift",
];
/// The lock files of the library and of the generator.
const LOCKS: [&str; 2] = ["Cargo.lock", "bindings-swift/bindgen/Cargo.lock"];
/// How the names of the symbols begin with which UniFFI describes what a library declares.
const DECLARATION: &str = "UNIFFI_META_";

/// Writes the files, and on Linux their digest.
pub(super) fn write(steps: &mut Steps, library: &Path) {
    finish(steps, library, |root, files| {
        for (path, text) in files {
            let written = fs::write(root.join(path), text);
            written.map_err(|error| format!("{path} cannot be written: {error}"))?;
        }
        // Other systems' libraries do not have the sizes of what they declare.
        if !cfg!(target_os = "linux") {
            return Ok(());
        }
        let digest = digest(root, library)? + "\n";
        fs::write(root.join(DIGEST), digest).map_err(|error| format!("{DIGEST}: {error}"))
    });
}

/// Fails if the files would be generated otherwise. The generator runs only if the digest does not say at once
/// that they would not.
pub(super) fn check(steps: &mut Steps, library: &Path) {
    let started = Instant::now();
    let recorded = fs::read_to_string(steps.root().join(DIGEST)).unwrap_or_default();
    if digest(steps.root(), library).is_ok_and(|digest| digest == recorded.trim_ascii()) {
        return steps.ended(STEP, started.elapsed(), Ok(()));
    }
    finish(steps, library, |root, files| {
        for (path, text) in files {
            if read(&root.join(path))? != text.as_bytes() {
                return Err(format!("{path} is not up to date: run `cargo xtask generate swift`"));
            }
        }
        Ok(())
    });
}

/// Runs the generator, and then something with the files, of which it has the paths and the texts.
fn finish(
    steps: &mut Steps,
    library: &Path,
    end: impl FnOnce(&Path, Vec<(&str, String)>) -> Result<(), String>,
) {
    let folder = target().join("bindgen/generated");
    let command = format!(
        "cargo run --manifest-path bindings-swift/bindgen/Cargo.toml --target-dir target/bindgen --locked \
         -- --swift-sources --headers {} {}",
        library.display(),
        folder.display()
    );
    steps.run("generator", &command);
    if steps.failed().iter().any(|step| step == "generator") {
        return;
    }
    let root = steps.root().to_owned();
    let started = Instant::now();
    let files = common_version(&root).and_then(|_| generated(&folder));
    let result = files.and_then(|files| end(&root, files));
    steps.ended(STEP, started.elapsed(), result);
}

/// The files that the generator has written into a folder, by their paths in the repository.
fn generated(folder: &Path) -> Result<Vec<(&'static str, String)>, String> {
    let text = |path: &'static str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let text = String::from_utf8_lossy(&read(&folder.join(name))?).into_owned();
        // UniFFI writes lines that end in spaces, which `git diff --check` reports.
        Ok((path, text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()))
    };
    GENERATED.into_iter().map(text).collect()
}

/// The digest of the files, and of everything that they are generated from.
fn digest(root: &Path, library: &Path) -> Result<String, String> {
    let mut digest = Sha256::new().chain_update(common_version(root)?);
    for path in ["core/uniffi.toml", "bindings-swift/uniffi.toml"].iter().chain(&GENERATED) {
        digest.update(read(&root.join(path))?);
    }
    let declarations = declarations(&read(library)?);
    let declarations = declarations.map_err(|error| format!("{}: {error}", library.display()))?;
    if declarations.is_empty() {
        return Err(format!("{} declares nothing to UniFFI", library.display()));
    }
    for (name, declaration) in declarations {
        digest.update(name);
        digest.update(declaration);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What a static library declares, by the names of the symbols.
fn declarations(library: &[u8]) -> goblin::error::Result<BTreeMap<String, Vec<u8>>> {
    let archive = Archive::parse(library)?;
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let Some(member) = archive.get_at(index) else { continue };
        let start = member.offset as usize;
        let object = &library[start..start + member.size()];
        let elf = Elf::parse(object)?;
        for symbol in &elf.syms {
            let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
            if symbol.st_shndx != SHN_UNDEF as usize
                && name.starts_with(DECLARATION)
                && let Some(section) = elf.section_headers.get(symbol.st_shndx)
            {
                let start = (section.sh_offset + symbol.st_value) as usize;
                let data = &object[start..start + symbol.st_size as usize];
                found.insert(name.to_owned(), data.to_owned());
            }
        }
    }
    Ok(found)
}

/// The version of UniFFI that the library and the generator must have in common.
fn common_version(root: &Path) -> Result<String, String> {
    let [ours, generators] = LOCKS.map(|lock| uniffi_version(&root.join(lock)));
    let (ours, generators) = (ours?, generators?);
    if ours != generators {
        return Err(format!("the library has UniFFI {ours}, and its generator {generators}"));
    }
    Ok(ours)
}

/// The version of UniFFI in a lock file.
fn uniffi_version(lock: &Path) -> Result<String, String> {
    let text = String::from_utf8_lossy(&read(lock)?).into_owned();
    let mut lines = text.lines().skip_while(|line| *line != "name = \"uniffi\"");
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.map(str::to_owned).ok_or_else(|| format!("{} does not have uniffi", lock.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
