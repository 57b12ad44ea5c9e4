//! Steps of a language's tests: commands, each shown before it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The steps of one language. One that fails does not keep the next ones from running, so that a
/// run tells everything that is wrong.
pub(crate) struct Steps {
    language: &'static str,
    root: PathBuf,
    failed: Vec<String>,
    left_out: Vec<String>,
}

impl Steps {
    /// Nothing has been run yet. Commands will run in the repository's root.
    pub(crate) fn new(language: &'static str, root: &Path) -> Self {
        Self { language, root: root.to_owned(), failed: Vec::new(), left_out: Vec::new() }
    }

    /// The names of the steps that have failed.
    pub(crate) fn failed(&self) -> &[String] {
        &self.failed
    }

    /// The names of the steps that were left out for want of a tool.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Runs a command, written as in a shell but split at spaces only.
    pub(crate) fn run(&mut self, step: &str, command: &str) {
        self.run_with(step, &[], command);
    }

    /// Runs a command with variables in its environment.
    pub(crate) fn run_with(&mut self, step: &str, environment: &[(&str, &str)], command: &str) {
        self.announce(step, environment, command);
        let begun = Instant::now();
        let status = self.command(command).envs(environment.iter().copied()).status();
        match status {
            Ok(status) if status.success() => {
                println!("{}/{step}: passed in {} s", self.language, begun.elapsed().as_secs());
            }
            Ok(status) => self.fail(step, &status.to_string()),
            Err(error) => self.fail(step, &format!("cannot be run: {error}")),
        }
    }

    /// Runs a command, and fails for what its output is said to have wrong.
    pub(crate) fn check(
        &mut self,
        step: &str,
        command: &str,
        complaint: impl FnOnce(&str) -> Option<String>,
    ) {
        self.announce(step, &[], command);
        let complaint = match self.command(command).stderr(Stdio::inherit()).output() {
            Ok(output) if output.status.success() => {
                complaint(&String::from_utf8_lossy(&output.stdout))
            }
            Ok(output) => Some(output.status.to_string()),
            Err(error) => Some(format!("cannot be run: {error}")),
        };
        match complaint {
            None => println!("{}/{step}: passed", self.language),
            Some(complaint) => self.fail(step, &complaint),
        }
    }

    /// Installs a tool. If that does not succeed, the steps that need it will say so.
    pub(crate) fn install(&self, tool: &str, command: &str) {
        self.announce(&format!("install {tool}"), &[], command);
        if !self.command(command).status().is_ok_and(|status| status.success()) {
            println!("{}: {tool} could not be installed", self.language);
        }
    }

    /// Whether a tool is there: it answers this command with success.
    pub(crate) fn has(&self, command: &str) -> bool {
        let quiet = self.command(command).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    /// Says loudly that a step is left out for want of a tool. In CI that is a failure.
    pub(crate) fn skip(&mut self, step: &str, missing: &str) {
        println!("\n!!! {}/{step} is NOT RUN: {missing}", self.language);
        if std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false")) {
            self.fail(step, "in CI nothing may be left out");
        } else {
            self.left_out.push(step.to_owned());
        }
    }

    fn announce(&self, step: &str, environment: &[(&str, &str)], command: &str) {
        let variables = environment.iter().map(|(name, value)| format!("{name}='{value}' "));
        println!("\n=== {}/{step}\n$ {}{command}", self.language, variables.collect::<String>());
    }

    fn fail(&mut self, step: &str, why: &str) {
        println!("{}/{step}: FAILED: {why}", self.language);
        self.failed.push(step.to_owned());
    }

    fn command(&self, command: &str) -> Command {
        let mut words = command.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&self.root);
        command
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("this crate is in a folder of the repository");
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
