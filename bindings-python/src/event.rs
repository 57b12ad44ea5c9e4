//! A webhook's event, as a frozen Python object over the core's own.

use std::time::SystemTime;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use serde_json::Value;

use crate::errors;
use crate::json;
use crate::values::{extra, hash};

#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct WebhookEvent {
    event: pipevideo::WebhookEvent,
    body: Vec<u8>,
}

impl WebhookEvent {
    pub(crate) fn new(event: pipevideo::WebhookEvent, body: Vec<u8>) -> Self {
        Self { event, body }
    }
}

#[pymethods]
impl WebhookEvent {
    /// What pickle calls.
    #[staticmethod]
    fn _restore(
        py: Python<'_>,
        body: Vec<u8>,
        id: String,
        timestamp: SystemTime,
        duplicate: bool,
    ) -> PyResult<Self> {
        let event = pipevideo::WebhookEvent::read(&body, id, timestamp);
        let mut event = event.map_err(|error| errors::raise(py, &error))?;
        event.duplicate = duplicate;
        Ok(Self { event, body })
    }

    #[getter]
    fn id(&self) -> &str {
        &self.event.id
    }

    #[getter]
    fn timestamp(&self) -> SystemTime {
        self.event.timestamp
    }

    #[getter]
    fn r#type(&self) -> &str {
        &self.event.event_type
    }

    #[getter]
    fn generation_id(&self) -> Option<&str> {
        self.event.generation_id.as_deref()
    }

    #[getter]
    fn status(&self) -> Option<&str> {
        self.event.status.as_ref().map(|status| status.as_str())
    }

    #[getter]
    fn output_video_url(&self) -> Option<&str> {
        self.event.output_video_url.as_deref()
    }

    #[getter]
    fn error_message(&self) -> Option<&str> {
        self.event.error_message.as_deref()
    }

    #[getter]
    fn duplicate(&self) -> bool {
        self.event.duplicate
    }

    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &extra(&self.event.extra))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let wire: Value = serde_json::from_slice(&self.body)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        json::to_python(py, &wire)
    }

    /// Shows neither the signed URL nor the service's message, which may quote the prompt.
    fn __repr__(&self) -> String {
        let text = |text: Option<&str>| text.map_or("None".to_owned(), |text| format!("{text:?}"));
        format!(
            "WebhookEvent(id={:?}, type={:?}, generation_id={}, status={}, duplicate={})",
            self.event.id,
            self.event.event_type,
            text(self.generation_id()),
            text(self.status()),
            if self.event.duplicate { "True" } else { "False" },
        )
    }

    fn __hash__(&self) -> u64 {
        hash((&self.event.id, &self.body))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = this.py();
        let Self { event, body } = this.get();
        let restore = this.get_type().getattr("_restore")?;
        let arguments = (PyBytes::new(py, body), &event.id, event.timestamp, event.duplicate);
        (restore, arguments).into_pyobject(py)
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }
}
