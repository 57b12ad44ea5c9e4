//! The emulator in this process, on a thread of its own.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use pipevideo_emulator as emulator;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::ending;
use crate::json;
use crate::runtime::{self, lock};

/// What `pipevideo.testing.Emulator` stands on.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Emulator {
    emulator: Arc<emulator::Emulator>,
    thread: Mutex<Option<Thread>>,
    process: u64,
}

struct Thread {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

type Started = io::Result<Arc<emulator::Emulator>>;

/// Serves until it is told to stop.
fn serve(
    options: emulator::Options,
    started: &mpsc::Sender<Started>,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let emulator = emulator::Emulator::start(options).await.map(Arc::new);
        // Whoever asked waits for this.
        let _ = started.send(emulator);
        let _ = stop.await;
    });
    Ok(())
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

fn refused(error: emulator::Refused) -> PyErr {
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
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: emulator::Options = read(options, "options")?;
        let (starting, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            if let Err(error) = serve(options, &starting, stopped) {
                let _ = starting.send(Err(error));
            }
        };
        let ended = std::thread::Builder::new().name("pipevideo-emulator".to_owned()).spawn(run)?;
        let emulator = ending::detached(py, move || started.recv())
            .map_err(|_| PyOSError::new_err("the emulator has not started"))??;
        let thread = Mutex::new(Some(Thread { stop, ended }));
        Ok(Self { emulator, thread, process: runtime::process() })
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

    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        listed(py, &self.own()?.requests())
    }

    fn clear_requests(&self) -> PyResult<()> {
        self.own()?.clear_requests();
        Ok(())
    }

    fn add_generation(&self, generation: &Bound<'_, PyAny>) -> PyResult<String> {
        self.own()?.add_generation(read(generation, "generation")?).map_err(refused)
    }

    fn settle(&self, id: &str, settlement: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.settle(id, read(settlement, "settlement")?).map_err(refused)
    }

    fn fault(&self, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.fault(read(fault, "fault")?);
        Ok(())
    }

    fn clear_faults(&self) -> PyResult<()> {
        self.own()?.clear_faults();
        Ok(())
    }

    fn set_webhook(&self, endpoint: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.set_webhook(read(endpoint, "endpoint")?).map_err(refused)
    }

    fn delivery_fault(&self, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        self.own()?.delivery_fault(read(fault, "fault")?);
        Ok(())
    }

    fn deliveries<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        listed(py, &self.own()?.deliveries())
    }

    fn set_balance(&self, cents: i64) -> PyResult<()> {
        self.own()?.set_balance(cents);
        Ok(())
    }

    /// Stops the servers; when it returns their ports are free.
    fn stop(&self, py: Python<'_>) {
        let thread = lock(&self.thread).take();
        let Some(thread) = thread else { return };
        if self.process != runtime::process() {
            return std::mem::forget(thread);
        }
        // It ends with its runtime, whose tasks are the servers and their connections.
        let _ = thread.stop.send(());
        let _ = ending::detached(py, || thread.ended.join());
    }
}
