//! A webhook's event, as a frozen Python object over the core's own.

use std::time::SystemTime;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::errors;
use crate::json::{self, Object};
use crate::values::{Reduced, hash};

/// What a genuine delivery says: that a generation has ended.
///
/// Deliveries come more than once and in any order: tell them apart by `id`.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct WebhookEvent {
    event: pipevideo::WebhookEvent,
    body: Vec<u8>,
}

/// What `_restore` takes.
type Arguments<'py> = (Bound<'py, PyBytes>, String, SystemTime, bool);

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
        body: &Bound<'_, PyBytes>,
        id: String,
        timestamp: SystemTime,
        duplicate: bool,
    ) -> PyResult<Self> {
        let body = body.as_bytes().to_vec();
        let event = pipevideo::WebhookEvent::read(&body, id, timestamp);
        let mut event = event.map_err(|error| errors::raise(py, &error))?;
        event.duplicate = duplicate;
        Ok(Self { event, body })
    }

    /// The delivery's id, the same each time that it is tried.
    #[getter]
    fn id(&self) -> &str {
        &self.event.id
    }

    /// When it was signed.
    #[getter]
    fn timestamp(&self) -> SystemTime {
        self.event.timestamp
    }

    /// What happened: `video.generation.completed`, for both outcomes.
    #[getter]
    fn r#type(&self) -> &str {
        &self.event.event_type
    }

    /// The generation that it is about.
    #[getter]
    fn generation_id(&self) -> Option<&str> {
        self.event.generation_id.as_deref()
    }

    /// How it ended, as the delivery claims.
    #[getter]
    fn status(&self) -> Option<&str> {
        self.event.status.as_ref().map(|status| status.as_str())
    }

    /// Where the video is, if it completed. Treat it as a secret.
    #[getter]
    fn output_video_url(&self) -> Option<&str> {
        self.event.output_video_url.as_deref()
    }

    /// Why it failed, if it did. It may quote the prompt.
    #[getter]
    fn error_message(&self) -> Option<&str> {
        self.event.error_message.as_deref()
    }

    /// Whether the client has had this delivery before; it changed nothing this time. Always False
    /// without a client.
    #[getter]
    fn duplicate(&self) -> bool {
        self.event.duplicate
    }

    /// Every field that this library does not know, or could not read.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Object<'_, 'py>> {
        json::object(py, &self.event.extra)
    }

    /// The body's JSON.
    #[pyo3(signature = () -> "dict[str, Any]")]
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

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, Arguments<'py>>> {
        let Self { event, body } = this.get();
        let body = PyBytes::new(this.py(), body);
        let restore = this.get_type().getattr("_restore")?;
        Ok((restore, (body, event.id.clone(), event.timestamp, event.duplicate)))
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }
}
