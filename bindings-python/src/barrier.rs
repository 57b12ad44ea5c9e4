//! The panic barrier around each exported function: what `#[barrier]` refers to.
//!
//! Without it pyo3 raises a `PanicException`, which `except Exception` does not catch.

use bindings_common::catch;
use pyo3::prelude::*;

use crate::raise::raise;

pub(crate) use pyo3::PyResult as Result;

/// Calls a function; a panic is an `InternalError`.
pub(crate) fn sync<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch(work).unwrap_or_else(|error| Python::attach(|py| Err(raise(py, &error))))
}
