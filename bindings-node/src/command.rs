//! The command `pipevideo`.

use std::iter::once;

use bindings_macros::barrier;
use napi::Result;
use napi_derive::napi;

/// Runs the command, which blocks, and returns its exit code.
#[barrier]
#[napi]
pub fn run_command(arguments: Vec<String>) -> Result<u8> {
    Ok(pipevideo_cli::run(once("pipevideo".to_owned()).chain(arguments)))
}
