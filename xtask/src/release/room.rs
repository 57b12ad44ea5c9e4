//! A place where a package is tried as its users have it: outside the clone, and without Rust.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs that a machine without Rust has as well, as far as the trials need them.
const PROGRAMS: [&str; 18] = [
    "basename", "bash", "cat", "cp", "dirname", "env", "head", "mkdir", "node", "npm", "npx",
    "python3", "readlink", "rm", "sed", "sh", "tail", "uname",
];

/// A folder outside the clone with a home, a folder for each trial, and the programs of a machine without
/// Rust. It is removed when this value is dropped.
pub(super) struct Room {
    folder: PathBuf,
    /// A folder of the clone.
    cache: PathBuf,
    /// The script that runs a command without the clone, where that is possible.
    without_clone: Option<PathBuf>,
}

impl Room {
    /// Makes the folder. `cache` is a folder of the clone that builds in the room may reuse.
    pub(super) fn new(clone: &Path, cache: &Path) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("pipevideo-release-{}", std::process::id()));
        let mut room = Self { folder, cache: cache.into(), without_clone: None };
        fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        room.folder("cache")?;
        room.folder("home")?;
        let programs = room.folder("bin")?;
        for program in PROGRAMS {
            if let Some(path) = find(program) {
                let mut link = Command::new("ln");
                let _ = link.arg("-s").args([path, programs.join(program)]).status();
            }
        }
        let script = programs.join("without-clone");
        fs::write(&script, room.without_clone(clone)).map_err(|error| error.to_string())?;
        let mut probe = Command::new("sh");
        probe.arg(&script).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
        if probe.status().is_ok_and(|status| status.success()) {
            room.without_clone = Some(script);
        } else {
            println!("The clone stays visible to the trials: only root on Linux can hide it.");
        }
        Ok(room)
    }

    /// A folder of the room, which is made if it is missing.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// Copies a file of the clone into a folder of the room, and returns where it is.
    pub(super) fn bring(&self, file: &Path, folder: &str) -> Result<PathBuf, String> {
        let target = self.folder(folder)?.join(file.file_name().unwrap_or_default());
        fs::copy(file, &target).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(target)
    }

    /// The folder of the programs, which is all of `PATH` where there is no Rust.
    pub(super) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// A command in a folder of the room, on a machine that has neither Rust nor the clone.
    pub(super) fn command(&self, folder: &str, program: &str) -> Result<Command, String> {
        let mut command = self.start(folder, program)?;
        command.env_clear().env("LANG", "C.UTF-8");
        command.env("PATH", self.programs()).env("HOME", self.folder.join("home"));
        Ok(command)
    }

    /// A command in a folder of the room with this machine's environment, Rust included, but without the
    /// clone. What Cargo builds is kept for the next run.
    pub(super) fn command_with_rust(&self, folder: &str, program: &str) -> Result<Command, String> {
        let mut command = self.start(folder, program)?;
        let hidden = self.without_clone.is_some();
        let cache = if hidden { self.folder.join("cache") } else { self.cache.clone() };
        command.env("CARGO_TARGET_DIR", cache);
        // The `cargo` that runs this program has set them, for this program.
        let own = std::env::vars_os().map(|(name, _)| name);
        for variable in own.filter(|name| name.to_string_lossy().starts_with("CARGO_PKG_")) {
            command.env_remove(variable);
        }
        for variable in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
            command.env_remove(variable);
        }
        Ok(command)
    }

    fn start(&self, folder: &str, program: &str) -> Result<Command, String> {
        let mut command;
        if let Some(script) = &self.without_clone {
            command = Command::new("/bin/sh");
            command.arg(script).arg(program);
        } else {
            command = Command::new(program);
        }
        command.current_dir(self.folder(folder)?).stdin(Stdio::null());
        Ok(command)
    }

    /// A script that puts an empty folder over the clone, and the cache for builds at another place, and
    /// then runs its arguments. No other command sees that.
    fn without_clone(&self, clone: &Path) -> String {
        let [clone, cache] = [clone, &self.cache].map(|path| path.display());
        let place = self.folder.join("cache");
        format!(
            "exec /usr/bin/unshare --mount -- /bin/sh -c '\n\
             command -p mount --bind \"{cache}\" \"{}\" &&\n\
             command -p mount -t tmpfs none \"{clone}\" &&\n\
             exec \"$@\"' sh \"$@\"\n",
            place.display()
        )
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The file of a program. Of `python3` it is the interpreter itself, which may be behind a wrapper that
/// needs more than the room has.
fn find(program: &str) -> Option<PathBuf> {
    let mut command;
    if program == "python3" {
        command = Command::new(program);
        command.args(["-c", "import sys; print(sys.executable)"]);
    } else {
        command = Command::new("sh");
        command.args(["-c", "command -v \"$0\"", program]);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    fs::canonicalize(String::from_utf8_lossy(&output.stdout).trim()).ok()
}
