//! What pydantic and FastAPI need of the frozen objects.

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyType};

/// Returns the schema by which pydantic validates and serializes a class.
pub(crate) fn core_schema<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("pipevideo._pydantic")?.call_method1("core_schema", (class,))
}

/// Iterates over the names and values of a dict.
pub(crate) fn items<'py>(dict: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    dict.call_method0("items")?.try_iter()
}
