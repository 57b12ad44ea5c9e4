//! The steps of a language's tests: commands, each printed before it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::output::{self, Show};
use crate::summary::Counts;

/// The steps of one language. A failed step does not stop the following ones, so that one run reports
/// all failures.
pub(crate) struct Steps {
    language: &'static str,
    root: PathBuf,
    show: Show,
    failed: Vec<String>,
    not_run: Vec<String>,
    tests: Counts,
}

/// Held while a tool is installed: two runs of apt at once fail.
static INSTALLING: Mutex<()> = Mutex::new(());

impl Steps {
    /// An empty list of steps. Their commands will run in `root`, the root of the repository.
    pub(crate) fn new(language: &'static str, root: &Path, show: Show) -> Self {
        Self {
            language,
            root: root.to_owned(),
            show,
            failed: Vec::new(),
            not_run: Vec::new(),
            tests: Counts::default(),
        }
    }

    /// Shows what a command writes when it has ended: from now on, commands run at the same time.
    pub(crate) fn show_at_the_end(&mut self) {
        self.show = Show::AtTheEnd;
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

    /// How many tests the steps have run.
    pub(crate) fn tests(&self) -> Counts {
        self.tests
    }

    /// Runs a command, written as in a shell but split at spaces only, without quoting.
    pub(crate) fn run(&mut self, step: &str, command: &str) {
        self.run_with(step, &[], command);
    }

    /// Runs a command with additional environment variables.
    pub(crate) fn run_with(&mut self, step: &str, environment: &[(&str, &str)], command: &str) {
        self.run_and_check(step, environment, command, self.show, |_| None);
    }

    /// Runs a command and fails if `complaint` finds a mistake in what it writes.
    pub(crate) fn check(
        &mut self,
        step: &str,
        command: &str,
        complaint: impl FnOnce(&str) -> Option<String>,
    ) {
        self.run_and_check(step, &[], command, Show::IfItFails, complaint);
    }

    fn run_and_check(
        &mut self,
        step: &str,
        environment: &[(&str, &str)],
        command: &str,
        show: Show,
        complaint: impl FnOnce(&str) -> Option<String>,
    ) {
        let started = Instant::now();
        let variables = environment.iter().map(|(name, value)| format!("{name}='{value}' "));
        let text = format!("{}{command}", variables.collect::<String>());
        let mut command = self.command(command);
        command.envs(environment.iter().copied());
        let result = match output::run(&mut command, show, &self.title(step), &text) {
            Ok((status, output)) => {
                self.tests += Counts::read(&output);
                if status.success() {
                    complaint(&output).map_or(Ok(()), Err)
                } else {
                    Err(status.to_string())
                }
            }
            Err(error) => Err(format!("could not start: {error}")),
        };
        self.ended(step, started.elapsed(), result);
    }

    /// Runs a part of a step: a command with arguments that may have spaces. Its failure is the caller's to
    /// report.
    pub(crate) fn part(&self, part: &str, command: &mut Command) -> Result<(), String> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let text = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        match output::run(command, self.show, &self.title(part), &text) {
            Ok((status, _)) if status.success() => Ok(()),
            Ok((status, _)) => Err(format!("{part}: {status}")),
            Err(error) => Err(format!("{part}: could not start: {error}")),
        }
    }

    /// Reports how a step ended.
    pub(crate) fn ended(&mut self, step: &str, took: Duration, result: Result<(), String>) {
        match result {
            Ok(()) => println!("{}/{step}: passed in {} s", self.language, took.as_secs()),
            Err(why) => self.fail(step, &why),
        }
    }

    /// Installs a tool. If the installation fails, the steps that need the tool will fail or be skipped.
    pub(crate) fn install(&self, tool: &str, command: &str) {
        let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let title = self.title(&format!("install {tool}"));
        let result = output::run(&mut self.command(command), self.show, &title, command);
        if !result.is_ok_and(|(status, _)| status.success()) {
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
        self.print_not_run(step, missing);
        if std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false")) {
            self.fail(step, "in CI every step must run");
        } else {
            self.not_run.push(step.to_owned());
        }
    }

    /// Reports prominently what no machine of this kind can run. It is no failure, not even in CI.
    pub(crate) fn cannot_run(&mut self, step: &str, why: &str) {
        self.print_not_run(step, why);
        self.not_run.push(step.to_owned());
    }

    fn print_not_run(&self, step: &str, why: &str) {
        println!("\n!!! {}/{step} is NOT RUN: {why}", self.language);
    }

    fn title(&self, step: &str) -> String {
        format!("{}/{step}", self.language)
    }

    fn fail(&mut self, step: &str, why: &str) {
        println!("{}/{step}: FAILED: {why}", self.language);
        self.failed.push(step.to_owned());
    }

    /// A command that runs in the root, written as for [`run`](Self::run).
    pub(crate) fn command(&self, command: &str) -> Command {
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
