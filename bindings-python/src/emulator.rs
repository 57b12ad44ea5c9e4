//! The emulator in this process, on a thread of its own.

use pipevideo_emulator::{self as emulator, EmulatorThread};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ending;
use crate::input::{argument, whole};
use crate::json;
use crate::runtime;

/// What `pipevideo.testing.Emulator` stands on.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Emulator {
    emulator: EmulatorThread,
    process: u64,
}

fn read<T: DeserializeOwned>(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<T> {
    let value = json::from_python(value, argument)?;
    serde_json::from_value(value)
        .map_err(|error| PyValueError::new_err(format!("argument '{argument}': {error}")))
}

fn listed<'py>(py: Python<'py>, entries: &[impl Serialize]) -> PyResult<Bound<'py, PyAny>> {
    let entries =
        serde_json::to_value(entries).map_err(|error| PyValueError::new_err(error.to_string()))?;
    json::to_python(py, &entries)
}

fn refused(error: emulator::ControlError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

impl Emulator {
    /// The emulator, which serves only in the process that has started it.
    fn own(&self) -> PyResult<&emulator::Emulator> {
        match self.process == runtime::process() {
            true => Ok(&self.emulator),
            false => Err(PyRuntimeError::new_err("the emulator belongs to the parent process")),
        }
    }
}

#[pymethods]
impl Emulator {
    #[new]
    #[pyo3(signature = (options: "dict[str, Any]"))]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: emulator::Options = read(options, "options")?;
        let emulator = ending::detached(py, move || EmulatorThread::start(options))?;
        Ok(Self { emulator, process: runtime::process() })
    }

    #[getter]
    fn base_url(&self) -> &str {
        self.emulator.base_url()
    }

    #[getter]
    fn video_base(&self) -> &str {
        self.emulator.video_base()
    }

    #[getter]
    fn api_key(&self) -> &str {
        self.emulator.api_key()
    }

    #[getter]
    fn video<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.emulator.video())
    }

    #[pyo3(signature = () -> "list[dict[str, Any]]")]
    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        listed(py, &self.own()?.requests())
    }

    fn clear_requests(&self) -> PyResult<()> {
        self.own()?.clear_requests();
        Ok(())
    }

    #[pyo3(signature = (generation: "dict[str, Any]"))]
    fn add_generation(&self, generation: &Bound<'_, PyAny>) -> PyResult<String> {
        self.own()?.add_generation(read(generation, "generation")?).map_err(refused)
    }

    #[pyo3(signature = (id: "str", settlement: "dict[str, Any]"))]
    fn settle(&self, id: &Bound<'_, PyAny>, settlement: &Bound<'_, PyAny>) -> PyResult<()> {
        let id: String = argument(id, "id", "str")?;
        self.own()?.settle(&id, read(settlement, "settlement")?).map_err(refused)
    }

    #[pyo3(signature = (fault: "dict[str, Any]"))]
    fn fault(&self, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.fault(read(fault, "fault")?);
        Ok(())
    }

    fn clear_faults(&self) -> PyResult<()> {
        self.own()?.clear_faults();
        Ok(())
    }

    #[pyo3(signature = (endpoint: "dict[str, Any]"))]
    fn set_webhook(&self, endpoint: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.set_webhook(read(endpoint, "endpoint")?).map_err(refused)
    }

    #[pyo3(signature = (fault: "dict[str, Any]"))]
    fn delivery_fault(&self, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.delivery_fault(read(fault, "fault")?);
        Ok(())
    }

    #[pyo3(signature = () -> "list[dict[str, Any]]")]
    fn deliveries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        listed(py, &self.own()?.deliveries())
    }

    #[pyo3(signature = (cents: "int"))]
    fn set_balance(&self, cents: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.set_balance(whole(cents, "cents")?);
        Ok(())
    }

    /// Stops the servers; when it returns their ports are free.
    fn stop(&self, py: Python<'_>) {
        if self.process == runtime::process() {
            ending::detached(py, || self.emulator.stop());
        }
    }
}
