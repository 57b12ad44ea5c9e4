//! Exceptions that the binding itself raises, and the classes in `pipevideo/errors.py`.

use bindings_common::ErrorFields;
use pipevideo::ErrorKind;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Makes the exception of a kind. The module is imported each time: a program that clears
/// `sys.modules` and imports the package again gets the classes of the new import.
pub(crate) fn make<'py>(
    py: Python<'py>,
    fields: &ErrorFields<'_>,
    attributes: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let make = py.import("pipevideo.errors")?.getattr("_make")?;
    make.call1((fields.kind.as_str(), fields.message, attributes))
}

/// An error that the binding itself finds in an option.
pub(crate) fn configuration(py: Python<'_>, message: &str) -> PyErr {
    found_here(py, ErrorKind::Configuration, message)
}

/// An error that the binding itself finds in an argument.
pub(crate) fn invalid(py: Python<'_>, message: &str) -> PyErr {
    found_here(py, ErrorKind::InvalidRequest, message)
}

fn found_here(py: Python<'_>, kind: ErrorKind, message: &str) -> PyErr {
    match make(py, &ErrorFields::new(kind, message), &PyDict::new(py)) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

/// Reports an exception instead of raising it, unless it is not an `Exception`.
///
/// # Errors
/// An exception that is not an `Exception`, such as `KeyboardInterrupt`: it is for the program.
pub(crate) fn report_unraisable(py: Python<'_>, raised: PyErr) -> PyResult<()> {
    if !raised.is_instance_of::<PyException>(py) {
        return Err(raised);
    }
    raised.write_unraisable(py, None);
    Ok(())
}

pub(crate) fn no_event_loop(py: Python<'_>) -> PyErr {
    let trio = py
        .import("sys")
        .and_then(|sys| sys.getattr("modules"))
        .is_ok_and(|modules| modules.contains("trio").unwrap_or(false));
    let message = if trio {
        "pipevideo: AsyncPipevideo runs on asyncio (or uvloop), not on trio. Under trio, call \
         Pipevideo in a thread: await trio.to_thread.run_sync(...)."
    } else {
        "pipevideo: no event loop is running. Await the call on asyncio, or use Pipevideo."
    };
    PyRuntimeError::new_err(message)
}
