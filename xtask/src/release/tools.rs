//! The tools that build and check what is published, in folders of their own below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::work;
use crate::steps::Steps;

/// The lint of dependencies. Cargo builds it, which takes some minutes the first time.
const DENY: &str = "cargo-deny@0.20.2";

/// Where the tools are.
pub(super) struct Tools {
    python: PathBuf,
    npm: PathBuf,
    cargo: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub(super) fn install(steps: &Steps, root: &Path) -> Result<Self, String> {
        let [python, npm, cargo] =
            ["python", "npm", "cargo"].map(|name| work().join("tools").join(name));
        std::fs::create_dir_all(&npm).map_err(|error| format!("{}: {error}", npm.display()))?;
        let lists = root.join(".github/tools");
        std::fs::copy(lists.join("package.json"), npm.join("package.json"))
            .map_err(|error| format!("package.json: {error}"))?;
        let tools = Self { python, npm, cargo };

        let interpreter = tools.python.join("bin/python");
        if !interpreter.exists() {
            let mut environment = Command::new("python3");
            steps.part("environment", environment.args(["-m", "venv"]).arg(&tools.python))?;
        }
        let mut pip = Command::new(interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        steps.part("tools of Python", pip.arg(lists.join("requirements.txt")))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        steps.part("tools of npm", npm.arg(&tools.npm))?;
        Ok(tools)
    }

    /// Installs the lint of dependencies, which only one part needs.
    pub(super) fn install_deny(&self, steps: &Steps) -> Result<(), String> {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--quiet", "--locked", DENY, "--root"]);
        steps.part("tools of Cargo", cargo.arg(&self.cargo))
    }

    /// A command with a `PATH` that has the tools first.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ours =
            [self.python.join("bin"), self.npm.join("node_modules/.bin"), self.cargo.join("bin")];
        let all = ours.into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(all).unwrap_or(path));
        command
    }

    /// The folder of npm's tools.
    pub(super) fn npm(&self) -> &Path {
        &self.npm
    }
}
