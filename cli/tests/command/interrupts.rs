//! Ctrl-C, by a real signal.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command};

use pipevideo_emulator::Settlement;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Ran, Service, check_secrets, command_in};

/// A program that runs, with what it has written to standard error so far.
pub(super) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    read: String,
}

impl Running {
    pub(super) fn start(service: &Service, arguments: &[&str]) -> Self {
        Self::with(service, arguments, |_| {})
    }

    /// With a command that this function has changed.
    pub(super) fn with(
        service: &Service,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = service.command(arguments);
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, read: String::new() }
    }

    /// Waits until it has written this, and returns the line.
    pub(super) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "{}", self.read);
            self.read += &line;
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The first line of its standard output. The next one may be lost.
    pub(super) fn stdout_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(super) fn end(mut self) -> Ran {
        self.stderr.read_to_string(&mut self.read).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let ran = Ran { code: output.status.code(), stdout, stderr: self.read };
        check_secrets(&ran);
        ran
    }
}

#[test]
fn an_interrupted_wait_says_how_to_continue() {
    let service = Service::slow();
    let mut running = Running::start(&service, &["generate", "A cat", "-o", "cat.mp4"]);
    running.wait_for("Created gen_");
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{}", ran.stderr);
    let again = command_in(&ran.stderr, "wait");
    service.emulator.settle(&again[1], Settlement::completed()).unwrap();
    let ran = service.run(&again.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(service.path("cat.mp4").exists());
    assert_eq!(service.creates(), 1);
}

#[test]
fn an_interrupted_create_waits_for_its_id() {
    let service = Service::slow();
    // The response comes once a webhook was delivered, or was not: there is nothing at this port.
    let url = "http://127.0.0.1:9/".to_owned();
    service.emulator.set_webhook(serde_json::from_value(json!({ "url": url })).unwrap()).unwrap();
    let held = json!({"match": {"method": "POST"}, "after_deliveries": 1});
    service.fault(held);
    let mut running = Running::start(&service, &["--json", "generate", "A cat"]);
    wait_for_create(&service);
    running.signal(Signal::INT);
    running.wait_for("Waiting for the response to the create");
    let other = service.emulator.add_generation(Default::default()).unwrap();
    service.emulator.settle(&other, Settlement::completed()).unwrap();
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(ran.json()["error"]["kind"], "interrupted");
    let again = command_in(&ran.stderr, "wait");
    assert_eq!(service.json(&["retrieve", &again[1]])["id"], again[1].as_str());
}

#[test]
fn a_second_interrupt_ends_at_once_and_says_that_the_create_is_uncertain() {
    let service = Service::slow();
    // Longer than the request timeout.
    service.fault(json!({"match": {"method": "POST"}, "delay_ms": 600_000}));
    let mut running = Running::start(&service, &["--json", "create", "A cat"]);
    wait_for_create(&service);
    running.signal(Signal::INT);
    running.wait_for("Ctrl-C again ends at once");
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert_eq!(ran.json()["error"]["kind"], "submission_uncertain");
    command_in(&ran.stderr, "reconcile");
}

#[test]
fn an_emulator_runs_until_it_is_interrupted() {
    let service = Service::slow();
    let mut running = Running::start(&service, &["--json", "emulator", "--speed", "0"]);
    running.wait_for("Running until Ctrl-C");
    running.signal(Signal::INT);
    let ran = running.end();
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.json()["base_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
}

/// Waits until the emulator has received a create.
fn wait_for_create(service: &Service) {
    while service.creates() == 0 {
        std::thread::yield_now();
    }
}
