//! The event of a webhook delivery, as a frozen Python object over the core's own.

use std::time::SystemTime;

use bindings_macros::barrier;
use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyType};
use serde_json::Value;

use crate::errors;
use crate::json::{self, Object};
use crate::pickle::{Reduced, hash};
use crate::pydantic;
use crate::raise::raise;

/// The event of a genuine delivery: a generation has ended.
///
/// Deliveries arrive more than once and in any order; distinguish them by `id`. Call `acknowledge` when
/// the event is handled, or handle it in a `with` block (or `async with`), which acknowledges it when it
/// ends without an exception.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct WebhookEvent {
    event: pipevideo::WebhookEvent,
    body: Vec<u8>,
}

/// The arguments of `_restore`.
type Arguments<'py> = (Bound<'py, PyBytes>, String, SystemTime, bool);

impl WebhookEvent {
    pub(crate) fn new(event: pipevideo::WebhookEvent, body: Vec<u8>) -> Self {
        Self { event, body }
    }

    /// Ends a `with` block, which raised this exception or none.
    fn exit(&self, exc_type: &Bound<'_, PyAny>) -> PyResult<()> {
        if exc_type.is_none() { self.acknowledge(exc_type.py()) } else { Ok(()) }
    }
}

#[barrier]
#[pymethods]
impl WebhookEvent {
    /// Called by pickle.
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
        let mut event = event.map_err(|error| raise(py, &error))?;
        event.duplicate = duplicate;
        Ok(Self { event, body })
    }

    /// The id of the delivery, which is the same for each attempt.
    #[getter]
    fn id(&self) -> &str {
        &self.event.id
    }

    /// When the delivery was signed.
    #[getter]
    fn timestamp(&self) -> SystemTime {
        self.event.timestamp
    }

    /// What happened: `video.generation.completed`, for both outcomes.
    #[getter]
    fn r#type(&self) -> &str {
        &self.event.event_type
    }

    /// The id of the generation.
    #[getter]
    fn generation_id(&self) -> Option<&str> {
        self.event.generation_id.as_deref()
    }

    /// The status that the delivery reports for the generation.
    #[getter]
    fn status(&self) -> Option<&str> {
        self.event.status.as_ref().map(|status| status.as_str())
    }

    /// The URL of the video, if the generation completed. Treat it as a secret.
    #[getter]
    fn output_video_url(&self) -> Option<&str> {
        self.event.output_video_url.as_deref()
    }

    /// Why the generation failed, if it did. The message may quote the prompt.
    #[getter]
    fn error_message(&self) -> Option<&str> {
        self.event.error_message.as_deref()
    }

    /// Whether an earlier delivery of this event was acknowledged before this one was unwrapped. A
    /// duplicate wakes no waits.
    #[getter]
    fn duplicate(&self) -> bool {
        self.event.duplicate
    }

    /// The fields that this library does not define or could not read.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Object<'_, 'py>> {
        json::object(py, &self.event.extra)
    }

    /// Records that the event is handled: later deliveries of it are duplicates.
    ///
    /// Call it after the work and not before, so that the delivery that follows a failure is handled. It
    /// may be called more than once. Clients with one key share the record, which holds the last 10,000
    /// events of this process. Raises `InvalidRequestError` for an unpickled event, which has no record.
    #[pyo3(signature = () -> "None")]
    fn acknowledge(&self, py: Python<'_>) -> PyResult<()> {
        if self.event.acknowledge() {
            return Ok(());
        }
        let message = "this event cannot be acknowledged, because it was unpickled: whether an event is \
                       handled is recorded where it was received. Acknowledge the event that unwrap \
                       returned.";
        Err(errors::invalid(py, message))
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    /// Acknowledges the event, unless the block raised an exception.
    #[pyo3(signature = (exc_type: "type[BaseException] | None", _exc: "BaseException | None", _traceback: "TracebackType | None") -> "None")]
    fn __exit__(
        &self,
        exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.exit(exc_type)
    }

    #[pyo3(signature = () -> "Awaitable[WebhookEvent]")]
    fn __aenter__(this: Py<Self>) -> Ready {
        Ready(this.into_any())
    }

    /// Acknowledges the event, unless the block raised an exception or was cancelled.
    #[pyo3(signature = (exc_type: "type[BaseException] | None", _exc: "BaseException | None", _traceback: "TracebackType | None") -> "Awaitable[None]")]
    fn __aexit__(
        &self,
        exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Ready> {
        self.exit(exc_type)?;
        Ok(Ready(exc_type.py().None()))
    }

    /// The body's JSON.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let wire: Value = serde_json::from_slice(&self.body)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        json::to_python(py, &wire)
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

    /// Shows neither the signed URL nor the service's message, which may quote the prompt.
    fn __repr__(&self) -> String {
        let text = |text: Option<&str>| text.map_or("None".to_owned(), |text| format!("{text:?}"));
        format!(
            "WebhookEvent(id={:?}, type={:?}, generation_id={}, status={}, duplicate={})",
            self.event.id,
            self.event.event_type,
            text(self.event.generation_id.as_deref()),
            text(self.event.status.as_ref().map(|status| status.as_str())),
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

/// An awaitable with its result, since a Rust method cannot be `async`.
#[pyclass(frozen, module = "pipevideo")]
pub(crate) struct Ready(Py<PyAny>);

#[barrier]
#[pymethods]
impl Ready {
    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyStopIteration::new_err((self.0.clone_ref(py),)))
    }
}
