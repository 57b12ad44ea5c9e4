//! The emulator in this process, on a thread of its own.

use std::time::Duration;

use bindings_common::{emulator_started, emulator_stopped};
use bindings_macros::barrier;
use pipevideo_emulator::{self as emulator, EmulatorThread};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::de::DeserializeOwned;

use crate::arguments::{argument, integer};
use crate::finalization;
use crate::json;
use crate::options::seconds as seconds_of;
use crate::process::process;
use crate::to_json;

/// The native half of `pipevideo.testing.Emulator`.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Emulator {
    emulator: EmulatorThread,
    process: u64,
}

fn read<T: DeserializeOwned>(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<T> {
    let value = to_json::from_python(value, argument)?;
    serde_json::from_value(value)
        .map_err(|error| PyValueError::new_err(format!("argument '{argument}': {error}")))
}

fn rejected(error: emulator::ControlError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

impl Emulator {
    /// Returns the emulator, which serves only in the process that started it.
    fn own(&self) -> PyResult<&emulator::Emulator> {
        if self.process == process() {
            Ok(&self.emulator)
        } else {
            Err(PyRuntimeError::new_err("the emulator belongs to the parent process"))
        }
    }
}

#[barrier]
#[pymethods]
impl Emulator {
    #[new]
    #[pyo3(signature = (options: "dict[str, Any]"))]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let given = to_json::from_python(options, "options")?;
        let options = emulator::Options::for_tests(given)
            .map_err(|error| PyValueError::new_err(format!("argument 'options': {error}")))?;
        let typical = options.typical();
        let emulator = finalization::detached(py, move || EmulatorThread::start(options))?;
        if let Some(typical) = typical {
            emulator_started(emulator.base_url(), typical);
        }
        Ok(Self { emulator, process: process() })
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
        json::wire(py, &self.own()?.requests())
    }

    fn clear_requests(&self) -> PyResult<()> {
        self.own()?.clear_requests();
        Ok(())
    }

    #[pyo3(signature = (generation: "dict[str, Any]"))]
    fn add_generation(&self, generation: &Bound<'_, PyAny>) -> PyResult<String> {
        self.own()?.add_generation(read(generation, "generation")?).map_err(rejected)
    }

    #[pyo3(signature = (id: "str", settlement: "dict[str, Any]"))]
    fn settle(&self, id: &Bound<'_, PyAny>, settlement: &Bound<'_, PyAny>) -> PyResult<()> {
        let id: String = argument(id, "id", "str")?;
        self.own()?.settle(&id, read(settlement, "settlement")?).map_err(rejected)
    }

    #[pyo3(signature = (seconds: "Seconds"))]
    fn advance(&self, seconds: &Bound<'_, PyAny>) -> PyResult<()> {
        let by = Duration::try_from_secs_f64(seconds_of(seconds, "seconds")?).map_err(|_| {
            PyValueError::new_err("argument 'seconds' must be a number of seconds, 0 or more")
        })?;
        self.own()?.advance(by);
        Ok(())
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
        self.own()?.set_webhook(read(endpoint, "endpoint")?).map_err(rejected)
    }

    #[pyo3(signature = (fault: "dict[str, Any]"))]
    fn delivery_fault(&self, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.delivery_fault(read(fault, "fault")?);
        Ok(())
    }

    #[pyo3(signature = () -> "list[dict[str, Any]]")]
    fn deliveries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::wire(py, &self.own()?.deliveries())
    }

    #[pyo3(signature = (cents: "int"))]
    fn set_balance(&self, cents: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.set_balance(integer(cents, "cents")?);
        Ok(())
    }

    /// Stops the servers, and ends the waits of this process for their generations; when it returns
    /// the ports are free.
    fn stop(&self, py: Python<'_>) {
        if self.process == process() {
            finalization::detached(py, || self.emulator.stop());
            emulator_stopped(self.emulator.base_url());
        }
    }
}
