//! A part of an input, as a frozen Python object.

use bindings_macros::barrier;
use pipevideo::InputPart;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyType};
use serde_json::Value;

use crate::json;
use crate::pickle::{Reduced, from_json, hash, read};
use crate::pydantic;
use crate::to_json;

/// A part of an input, made by `text`, `image` or `video`.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct Part(pub(crate) InputPart);

impl Part {
    pub(crate) fn json(&self) -> PyResult<Value> {
        serde_json::to_value(&self.0).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[barrier]
#[pymethods]
impl Part {
    /// Reads the wire's JSON, which `to_dict` returns.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::_from_json(&to_json::from_python(value, "value")?.to_string())
    }

    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("part", text).map(Self)
    }

    /// The wire's JSON.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.json()?)
    }

    /// The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        pydantic::items(&self.to_dict(py)?)
    }

    /// How pydantic validates and serializes it.
    #[classmethod]
    #[pyo3(signature = (_source: "Any", _handler: "Any") -> "Any")]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        pydantic::core_schema(class)
    }

    /// Shows neither text nor content, which are the prompt.
    fn __repr__(&self) -> PyResult<String> {
        let json = self.json()?;
        let kind = json["type"].as_str().unwrap_or("part");
        Ok(format!("<{kind}, {} bytes>", json.to_string().len()))
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(hash(self.json()?.to_string()))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, (String,)>> {
        from_json(this.as_any(), this.get().json()?.to_string())
    }
}
