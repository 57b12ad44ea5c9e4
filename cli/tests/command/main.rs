//! The program, against an emulator.

#![allow(clippy::unwrap_used, reason = "a test")]

mod batches;
mod codes;
mod generations;
#[cfg(unix)]
mod interrupts;
#[cfg(unix)]
mod terminal;
mod texts;
mod webhooks;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pipevideo_emulator::{EmulatorThread, Options};
use serde_json::Value;
use tempfile::TempDir;

const KEY: &str = "pv_a_secret_key";
const MODEL: &str = "moonshotai/kimi-k2.5";

/// An emulator, and a folder in which the program runs.
struct Service {
    emulator: EmulatorThread,
    folder: TempDir,
}

/// What a run of the program has left.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Service {
    /// With generations that take about a second.
    fn quick() -> Self {
        Self::with(Options::for_tests(serde_json::json!({})).unwrap())
    }

    /// With generations that end at their first poll.
    fn immediate(status: &str) -> Self {
        Self::with(Options { polls: Some(vec![status.into()]), ..Options::default() })
    }

    /// With generations that never end by themselves.
    fn slow() -> Self {
        Self::with(Options { speed: 0.0, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let options = Options { api_key: Some(KEY.to_owned()), ..options };
        Self {
            emulator: EmulatorThread::start(options).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn fault(&self, fault: Value) {
        self.emulator.fault(serde_json::from_value(fault).unwrap());
    }

    /// How many creates the emulator has received.
    fn creates(&self) -> usize {
        self.emulator.requests().iter().filter(|request| request.method == "POST").count()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path(), arguments);
        command
            .env("PIPEVIDEO_BASE_URL", self.emulator.base_url())
            .env("PIPEVIDEO_API_KEY", KEY)
            .env("PIPEVIDEO_MODEL", MODEL);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments), "")
    }

    /// Runs a command that succeeds, and returns its result.
    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?} {}", ran.stderr);
        ran.json()
    }
}

impl Ran {
    /// The one JSON value on standard output.
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}", self.stdout))
    }
}

/// The program, in a folder and without the variables of this process.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pipevideo"));
    command.args(arguments).current_dir(folder).env_clear();
    // Windows has no sockets without it.
    command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(mut command: Command, input: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    // A program that does not read it may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    check_secrets(&ran);
    ran
}

/// Of all that is written, nothing has the key, and no message has a signed URL.
fn check_secrets(ran: &Ran) {
    assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key is shown");
    assert!(!ran.stderr.contains("signature="), "{}", ran.stderr);
}

/// The arguments of a command that a message names, from its program on.
fn command_in(message: &str, name: &str) -> Vec<String> {
    let start = format!("pipevideo {name} ");
    let at = message.find(&start).unwrap_or_else(|| panic!("no command in {message:?}"));
    let line = message[at..].lines().next().unwrap();
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}
