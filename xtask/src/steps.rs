//! The steps of a language's tests: commands, each printed before it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The steps of one language. A failed step does not stop the following ones, so that one run reports
/// all failures.
pub(crate) struct Steps {
    language: &'static str,
    root: PathBuf,
    failed: Vec<String>,
    not_run: Vec<String>,
}

impl Steps {
    /// An empty list of steps. Their commands will run in `root`, the root of the repository.
    pub(crate) fn new(language: &'static str, root: &Path) -> Self {
        Self { language, root: root.to_owned(), failed: Vec::new(), not_run: Vec::new() }
    }

    /// The root of the repository, where the commands run.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The names of the failed steps.
    pub(crate) fn failed(&self) -> &[String] {
        &self.failed
    }

    /// The names of the steps that did not run because a tool is missing.
    pub(crate) fn not_run(&self) -> &[String] {
        &self.not_run
    }

    /// Runs a command, written as in a shell but split at spaces only, without quoting.
    pub(crate) fn run(&mut self, step: &str, command: &str) {
        self.run_with(step, &[], command);
    }

    /// Runs a command with additional environment variables.
    pub(crate) fn run_with(&mut self, step: &str, environment: &[(&str, &str)], command: &str) {
        self.announce(step, environment, command);
        let started = Instant::now();
        let status = self.command(command).envs(environment.iter().copied()).status();
        match status {
            Ok(status) if status.success() => {
                println!("{}/{step}: passed in {} s", self.language, started.elapsed().as_secs());
            }
            Ok(status) => self.fail(step, &status.to_string()),
            Err(error) => self.fail(step, &format!("could not start: {error}")),
        }
    }

    /// Runs a part of a step: a command with arguments that may have spaces. Its failure is the caller's to
    /// report.
    pub(crate) fn part(&self, part: &str, command: &mut Command) -> Result<(), String> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let text = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        self.announce(part, &[], &text);
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{part}: {status}")),
            Err(error) => Err(format!("{part}: could not start: {error}")),
        }
    }

    /// Reports how a step ended that is more than one command.
    pub(crate) fn ended(&mut self, step: &str, took: Duration, result: Result<(), String>) {
        match result {
            Ok(()) => println!("{}/{step}: passed in {} s", self.language, took.as_secs()),
            Err(why) => self.fail(step, &why),
        }
    }

    /// Runs a command and fails if `complaint` finds a mistake in its output.
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
            Err(error) => Some(format!("could not start: {error}")),
        };
        match complaint {
            None => println!("{}/{step}: passed", self.language),
            Some(complaint) => self.fail(step, &complaint),
        }
    }

    /// Installs a tool. If the installation fails, the steps that need the tool will fail or be skipped.
    pub(crate) fn install(&self, tool: &str, command: &str) {
        self.announce(&format!("install {tool}"), &[], command);
        if !self.command(command).status().is_ok_and(|status| status.success()) {
            println!("{}: could not install {tool}", self.language);
        }
    }

    /// Whether a tool is installed, which it is if this command succeeds.
    pub(crate) fn has(&self, command: &str) -> bool {
        let quiet = self.command(command).stdout(Stdio::null()).stderr(Stdio::null()).status();
        quiet.is_ok_and(|status| status.success())
    }

    /// Reports prominently that a step does not run because a tool is missing. In CI that is a failure.
    pub(crate) fn skip(&mut self, step: &str, missing: &str) {
        println!("\n!!! {}/{step} is NOT RUN: {missing}", self.language);
        if std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false")) {
            self.fail(step, "in CI every step must run");
        } else {
            self.not_run.push(step.to_owned());
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

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("xtask is a folder of the repository");
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
