//! The command `pipevideo`.

use std::ffi::OsString;
use std::iter::once;

use bindings_macros::barrier;
use pyo3::prelude::*;

/// Runs the command, which blocks, and returns its exit code.
#[barrier]
#[pyfunction]
#[pyo3(signature = (arguments: "list[str]"))]
pub(crate) fn _run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let arguments = once("pipevideo".into()).chain(arguments);
    py.detach(|| pipevideo_cli::run(arguments))
}
