//! What a command writes: shown, and returned to be counted and checked.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// When a command's output is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As it is written.
    AtOnce,
    /// As a whole when the command has ended, since others write at the same time.
    AtTheEnd,
    /// Only if the command fails: its output is read by this program.
    IfItFails,
}

/// How long an ended command's output may stay open, before a process that it left behind is reported.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command and returns what it wrote to stdout and stderr. `text` is the command as it is shown.
///
/// A process that the command leaves behind and that holds its output is an error: nothing that the
/// tests start may stay.
pub(crate) fn run(
    command: &mut Command,
    show: Show,
    title: &str,
    text: &str,
) -> io::Result<(ExitStatus, String)> {
    let header = format!("\n=== {title}\n$ {text}");
    match show {
        Show::AtOnce | Show::IfItFails => println!("{header}"),
        Show::AtTheEnd => println!("{title} begins"),
    }
    let followed = follow(command, GRACE, |line| {
        if show == Show::AtOnce {
            println!("{line}");
        }
    });
    match (show, &followed) {
        (Show::AtTheEnd, Ok((_, output))) => println!("{header}\n{output}"),
        (Show::IfItFails, Ok((status, output))) if !status.success() => println!("{output}"),
        _ => {}
    }
    followed
}

/// Runs a command and calls `on_line` with each line that it writes.
fn follow(
    command: &mut Command,
    grace: Duration,
    on_line: impl Fn(&str),
) -> io::Result<(ExitStatus, String)> {
    let (reader, writer) = io::pipe()?;
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds copies of the pipe's other end, which would keep the reader from its end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());

    let lines = read(reader);
    let mut output = String::new();
    let mut ended = false;
    loop {
        match lines.recv_timeout(grace) {
            Ok(line) => {
                on_line(&line);
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Disconnected) => return Ok((child.wait()?, output)),
            Err(RecvTimeoutError::Timeout) if ended => {
                let problem = format!("it left a process behind; before that it wrote:\n{output}");
                return Err(io::Error::other(problem));
            }
            Err(RecvTimeoutError::Timeout) => ended = child.try_wait()?.is_some(),
        }
    }
}

/// The lines of what is written to a pipe, until all writers have closed it.
fn read(pipe: PipeReader) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches(['\r', '\n']).to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    lines
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> io::Result<(ExitStatus, String)> {
        follow(Command::new("sh").args(["-c", script]), Duration::from_millis(20), |_| {})
    }

    #[test]
    fn what_is_written_to_both_outputs_is_returned_in_order() {
        let (status, output) = shell("echo one; echo two >&2; printf three; exit 3").unwrap();
        assert_eq!(output, "one\ntwo\nthree\n");
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_process_that_is_left_behind_is_reported() {
        let error = shell("echo one; sleep 1 &").unwrap_err().to_string();
        assert!(error.contains("left a process behind"), "{error}");
        assert!(error.ends_with("one\n"), "{error}");
        shell("sleep 0.1").unwrap();
    }

    #[test]
    fn a_command_that_does_not_exist_does_not_start() {
        assert!(follow(&mut Command::new("./no-such-program"), GRACE, |_| {}).is_err());
    }
}
