//! `cargo xtask release --dry-run`: rehearses a release on this machine, and publishes nothing.
//!
//! Each package is built as the release workflow builds it, by the same scripts (`.github/scripts`); its
//! files are checked; and it is installed from a local index or registry in a [`room::Room`], without the
//! clone and without Rust, where it makes a video with the emulator of the package.

mod contents;
mod crates;
pub(crate) mod licences;
mod node;
mod python;
mod ready;
mod registry;
mod room;
mod swift;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use contents::Expected;
use room::Room;
use tools::Tools;

pub(crate) use ready::check_tag;

use crate::generate::manifests::Workspace;
use crate::output::Show;
use crate::platforms;
use crate::steps::{Steps, target};

/// A part of the rehearsal, and the function that runs it.
type Part = (&'static str, fn(&Rehearsal<'_>) -> Result<(), String>);

/// Swift comes after the crates, since it uses their emulator if there is one; `sdist` after `python`, which
/// packs it.
const PARTS: [Part; 7] = [
    ("repository", ready::rehearse),
    ("crates", crates::rehearse),
    ("python", python::rehearse),
    ("sdist", python::rehearse_source),
    ("node", node::rehearse),
    ("swift", swift::rehearse),
    ("windows", test_on_windows),
];

/// The names of the parts, as the command takes them.
pub(crate) fn parts() -> [&'static str; PARTS.len()] {
    PARTS.map(|(name, _)| name)
}

/// Rehearses the named parts, or all if none is named. A part that fails ends there; the others run all
/// the same.
pub(crate) fn rehearse(steps: &mut Steps, named: &[String]) {
    let started = Instant::now();
    let mut results = Vec::new();
    match Rehearsal::begin(steps) {
        Ok(rehearsal) => {
            let wanted = |name: &str| named.is_empty() || named.iter().any(|it| it == name);
            for (name, part) in PARTS.into_iter().filter(|(name, _)| wanted(name)) {
                let started = Instant::now();
                let result = part(&rehearsal);
                if let Err(why) = &result {
                    println!("\n!!! {name}: {why}");
                }
                results.push((name, started.elapsed(), result));
            }
        }
        Err(problem) => results.push(("preparation", started.elapsed(), Err(problem))),
    }
    println!();
    for (name, took, result) in results {
        steps.ended(name, took, result);
    }
    println!("\nWhat this machine cannot rehearse is in RELEASING.md.");
}

/// Windows has no package here: its tests run under wine.
fn test_on_windows(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let mut steps = Steps::new("windows", &rehearsal.root, Show::AtOnce);
    platforms::windows(&mut steps);
    match steps.failed() {
        [] => Ok(()),
        failed => Err(format!("failed: {}", failed.join(", "))),
    }
}

/// What the parts share.
struct Rehearsal<'a> {
    steps: &'a Steps,
    tools: Tools,
    room: Room,
    root: PathBuf,
    version: String,
}

impl<'a> Rehearsal<'a> {
    fn begin(steps: &'a Steps) -> Result<Self, String> {
        let error = |error: std::io::Error| error.to_string();
        let root = steps.root().canonicalize().map_err(error)?;
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).map_err(error)?;
        let Workspace { version, .. } = Workspace::parse(&manifest)?;
        let tools = Tools::install(steps, &root)?;
        let room = Room::new(&root, &work().join("cargo"))?;
        Ok(Self { steps, tools, room, root, version })
    }

    /// Runs a command.
    fn run(&self, part: &str, command: &mut Command) -> Result<(), String> {
        self.steps.part(part, command)
    }

    /// A command in the clone, with the tools.
    fn command(&self, program: &str) -> Command {
        let mut command = self.tools.command(program);
        command.current_dir(&self.root);
        command
    }

    /// A script of the release workflow.
    fn script(&self, name: &str) -> Command {
        self.command(&self.root.join(".github/scripts").join(name).to_string_lossy())
    }

    /// An empty folder for what is built.
    fn dist(&self, name: &str) -> Result<PathBuf, String> {
        let dist = work().join("dist").join(name);
        let _ = std::fs::remove_dir_all(&dist);
        std::fs::create_dir_all(&dist).map_err(|error| format!("{}: {error}", dist.display()))?;
        Ok(dist)
    }

    /// Checks what is in an archive.
    fn check(&self, archive: &Path, expected: &Expected) -> Result<(), String> {
        expected.check(archive).map(|summary| println!("{summary}"))
    }

    /// Brings a script of the release workflow into a folder of the room.
    fn bring_script(&self, name: &str, folder: &str) -> Result<PathBuf, String> {
        self.room.bring(&self.root.join(".github/scripts").join(name), folder)
    }
}

/// The folder of the rehearsal below Cargo's target directory.
fn work() -> PathBuf {
    target().join("rehearsal")
}

/// The only file of a folder that ends in `suffix`.
fn one(folder: &Path, suffix: &str) -> Result<PathBuf, String> {
    match &all(folder, suffix)?[..] {
        [file] => Ok(file.clone()),
        files => Err(format!("{} has {} files *{suffix}", folder.display(), files.len())),
    }
}

/// The files of a folder that end in `suffix`.
fn all(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, String> {
    let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    Ok(files)
}
