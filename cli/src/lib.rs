//! The command `pipevideo`, for a terminal and for scripts.
//!
//! It is a program, and a function that the packages for Python and Node call: [`run`]. What the
//! command does is described in its help and in `docs/command-line.md`.

mod arguments;
mod commands;
mod error_json;
mod exit;
mod failure;
mod interrupts;
mod json;
mod log;
mod output;
mod progress;
mod session;

use std::ffi::OsString;

use clap::Parser;

use self::arguments::Arguments;
use self::failure::Failure;
use self::output::Output;

/// Runs the command with these arguments, of which the first is the name of the program, and returns
/// its exit code.
///
/// It reads the environment, and the standard streams are those of the process. It blocks until the
/// command has ended. From the first request on, Ctrl-C is handled: the first one ends the command in
/// an orderly way, the second one ends the process.
///
/// ```
/// assert_eq!(pipevideo_cli::run(["pipevideo", "--version"]), 0);
/// assert_eq!(pipevideo_cli::run(["pipevideo", "genrate"]), 2);
/// ```
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap, with the code 0. If they cannot be written,
            // neither can a message be.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
        }
    };
    let output = Output { json: arguments.json };
    let ended = runtime().and_then(|runtime| {
        let ended = runtime.block_on(commands::run(arguments, output));
        // A thread that reads standard input would hold the process up.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(code) => code,
        Err(failure) => output.failure(&failure),
    }
}

/// Returns the exit code of an error of this kind.
///
/// ```
/// assert_eq!(pipevideo_cli::exit_code(pipevideo::ErrorKind::GenerationFailed), 3);
/// ```
pub fn exit_code(kind: pipevideo::ErrorKind) -> u8 {
    exit::code(kind)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Io)
}
