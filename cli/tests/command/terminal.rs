//! Progress on a terminal, and the log.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use pipevideo_emulator::Settlement;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use super::{Ran, Service, check_secrets};

const GENERATE: [&str; 4] = ["generate", "A cat", "-o", "cat.mp4"];
/// The sequence that clears a line, and the one that goes to the line before.
const CLEAR: &str = "\u{1b}[2K";
const UP: &str = "\u{1b}[1A";

/// A terminal of 80 columns: the end that is read, and the one for a program.
fn terminal() -> (File, OwnedFd) {
    let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&reader).unwrap();
    unlockpt(&reader).unwrap();
    let path = ptsname(&reader, Vec::new()).unwrap();
    let program = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&program, size).unwrap();
    (reader.into(), program)
}

/// Runs a command with its messages on a terminal, and gives what it has shown so far to a function as
/// it grows.
fn on_terminal(
    service: &Service,
    arguments: &[&str],
    variables: &[(&str, &str)],
    mut seen: impl FnMut(&str, Pid),
) -> Ran {
    let (mut reader, program) = terminal();
    let mut command = service.command(arguments);
    command.env("TERM", "xterm").envs(variables.iter().copied()).stderr(Stdio::from(program));
    let child = command.spawn().unwrap();
    // It has the program's end open.
    drop(command);
    let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
    // Reading fails once no process has the terminal any more.
    while let Ok(length @ 1..) = reader.read(&mut piece) {
        shown.extend_from_slice(&piece[..length]);
        seen(&String::from_utf8_lossy(&shown), Pid::from_child(&child));
    }
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(shown).unwrap();
    let ran = Ran { code: output.status.code(), stdout, stderr };
    check_secrets(&ran);
    ran
}

/// What a terminal shows in the end: the last state of each line.
fn left(shown: &str) -> String {
    let line = |line: &str| {
        let line = line.rsplit(CLEAR).next().unwrap_or_default();
        line.replace(UP, "").replace('\r', "").trim_end().to_owned()
    };
    shown.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bar_is_drawn_redrawn_and_cleared() {
    let service = Service::slow();
    let mut settled = false;
    let ran = on_terminal(&service, &GENERATE, &[], |shown, _| {
        // Several frames of the bar, while the generation is queued.
        if !settled && shown.matches("queued [").count() >= 3 {
            let id = shown.split_whitespace().find(|word| word.starts_with("gen_")).unwrap();
            service.emulator.settle(id, Settlement::completed()).unwrap();
            settled = true;
        }
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("[>") && ran.stderr.contains("0%"), "{:?}", ran.stderr);
    assert!(ran.stderr.contains(CLEAR), "{:?}", ran.stderr);
    assert!(!left(&ran.stderr).contains('['), "{:?}", left(&ran.stderr));
}

#[test]
fn ctrl_c_clears_the_bar_before_its_message() {
    let service = Service::slow();
    let mut sent = false;
    let ran = on_terminal(&service, &GENERATE, &[], |shown, program| {
        if !sent && shown.contains("queued [") {
            kill_process(program, Signal::INT).unwrap();
            sent = true;
        }
    });
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    let left = left(&ran.stderr);
    assert!(left.contains("gen_") && !left.contains('['), "{left:?}");
}

#[test]
fn without_a_terminal_nothing_is_drawn() {
    let ran = Service::quick().run(&GENERATE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains(['\r', '\u{1b}', '[']), "{:?}", ran.stderr);
}

#[test]
fn the_log_is_written_as_its_variable_says_and_no_bar_into_it() {
    let service = Service::immediate("completed");
    let ran = on_terminal(&service, &GENERATE, &[("PIPEVIDEO_LOG", "info")], |_, _| {});
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for event in ["generation created", "wait ended", "download done"] {
        assert!(ran.stderr.contains(event), "{event} {}", ran.stderr);
    }
    assert!(ran.stderr.contains("INFO pipevideo: ") && !ran.stderr.contains("DEBUG"));
    assert!(!ran.stderr.contains(CLEAR) && !ran.stderr.contains("A cat"), "{:?}", ran.stderr);

    let logged = |level: &str| {
        let mut command = service.command(&["create", "A cat"]);
        command.env("PIPEVIDEO_LOG", level);
        super::run(command, "")
    };
    assert!(logged("debug").stderr.contains("DEBUG pipevideo: request"));
    service.fault(json!({"match": {"method": "POST"}, "drop": "after_reading"}));
    let uncertain = logged("warn");
    assert!(uncertain.stderr.contains("WARN pipevideo: "), "{}", uncertain.stderr);
    assert!(!uncertain.stderr.contains("INFO"), "{}", uncertain.stderr);
    for level in ["off", ""] {
        assert!(!logged(level).stderr.contains("pipevideo: "));
    }
    let wrong = logged("loud");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("PIPEVIDEO_LOG must be"), "{}", wrong.stderr);
}
