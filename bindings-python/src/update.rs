//! What callbacks and watches receive: updates of a generation, progress of a download.

use std::sync::Arc;

use bindings_macros::barrier;
use pipevideo::Generation as CoreGeneration;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyType};

use crate::arguments::argument;
use crate::json::wire;
use crate::literal::Via;
use crate::pickle::{Reduced, hash};
use crate::pydantic;
use crate::to_json;
use crate::values::Generation;

pub(crate) fn update(py: Python<'_>, update: pipevideo::Update) -> PyResult<Bound<'_, Update>> {
    Bound::new(
        py,
        Update {
            elapsed: update.elapsed.as_secs_f64(),
            expected: update.expected.as_secs_f64(),
            progress: update.progress,
            via: update.via.as_str().to_owned(),
            generation: Arc::new(update.generation),
        },
    )
}

pub(crate) fn progress(
    py: Python<'_>,
    progress: pipevideo::Progress,
) -> PyResult<Bound<'_, PyAny>> {
    let class = py.import("pipevideo._values")?.getattr("Progress")?;
    class.call1((progress.downloaded, progress.total))
}

/// A change of a generation, from `watch` or to `on_update`.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct Update {
    generation: Arc<CoreGeneration>,
    elapsed: f64,
    expected: f64,
    progress: f64,
    via: String,
}

/// The arguments that make an update again when it is unpickled.
type Arguments = (Generation, f64, f64, f64, String);

#[barrier]
#[pymethods]
impl Update {
    #[new]
    #[pyo3(signature = (
        generation: "Generation",
        elapsed: "float",
        expected: "float",
        progress: "float",
        via: "Via",
    ))]
    fn new(
        generation: &Bound<'_, PyAny>,
        elapsed: &Bound<'_, PyAny>,
        expected: &Bound<'_, PyAny>,
        progress: &Bound<'_, PyAny>,
        via: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let snapshot: PyRef<'_, Generation> = argument(generation, "generation", "a Generation")?;
        Ok(Self {
            generation: snapshot.0.clone(),
            elapsed: argument(elapsed, "elapsed", "a number")?,
            expected: argument(expected, "expected", "a number")?,
            progress: argument(progress, "progress", "a number")?,
            via: argument(via, "via", "str")?,
        })
    }

    /// The generation after the change.
    #[getter]
    fn generation(&self) -> Generation {
        Generation(self.generation.clone(), None)
    }

    /// Seconds since the generation was created, as far as this process can tell.
    #[getter]
    fn elapsed(&self) -> f64 {
        self.elapsed
    }

    /// The median time of similar generations in seconds.
    #[getter]
    fn expected(&self) -> f64 {
        self.expected
    }

    /// The estimated progress from 0 to 1, for a progress bar. It never goes backwards, and is 1 with
    /// the last update and not before.
    #[getter]
    fn progress(&self) -> f64 {
        self.progress
    }

    /// How the change was detected.
    #[getter]
    fn via(&self) -> Via<'_> {
        Via(&self.via)
    }

    /// Reads what `to_dict` returns.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let wire = to_json::from_python(value, "value")?;
        let number = |name: &str| wire[name].as_f64().ok_or_else(not_an_update);
        let generation: CoreGeneration =
            serde_json::from_value(wire["generation"].clone()).map_err(|_| not_an_update())?;
        Ok(Self {
            generation: Arc::new(generation),
            elapsed: number("elapsed")?,
            expected: number("expected")?,
            progress: number("progress")?,
            via: wire["via"].as_str().ok_or_else(not_an_update)?.to_owned(),
        })
    }

    /// As plain JSON.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let dict = PyDict::new(py);
        dict.set_item("generation", wire(py, &*self.generation)?)?;
        dict.set_item("elapsed", self.elapsed)?;
        dict.set_item("expected", self.expected)?;
        dict.set_item("progress", self.progress)?;
        dict.set_item("via", &self.via)?;
        Ok(dict.into_any())
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

    fn __repr__(&self) -> String {
        format!(
            "Update(id={:?}, status={:?}, elapsed={:.1}, expected={:.1}, progress={:.2}, via={:?})",
            self.generation.id,
            self.generation.status.as_str(),
            self.elapsed,
            self.expected,
            self.progress,
            self.via,
        )
    }

    fn __hash__(&self) -> u64 {
        hash((&self.generation.id, &self.generation.status, self.elapsed.to_bits()))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, Arguments>> {
        let own = this.get();
        let arguments =
            (own.generation()?, own.elapsed, own.expected, own.progress, own.via.clone());
        Ok((this.get_type().into_any(), arguments))
    }
}

fn not_an_update() -> PyErr {
    PyValueError::new_err("this is not the JSON of an update")
}
