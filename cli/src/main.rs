//! The program `pipevideo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    pipevideo_cli::run(std::env::args_os()).into()
}
