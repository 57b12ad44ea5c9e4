//! The event of a webhook delivery, as a frozen Python object over the core's own.

use std::time::{Duration, SystemTime};

use bindings_macros::barrier;
use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyType};
use serde_json::Value;

use crate::errors;
use crate::json::{self, Object};
use crate::pickle::{Reduced, hash};
use crate::pydantic;
use crate::raise::raise;
use crate::to_json;

/// The event of a genuine delivery: a generation has ended.
///
/// Deliveries arrive more than once and in any order; distinguish them by `id`. Call `acknowledge` when
/// the event is handled, or handle it in a `with` block (or `async with`), which acknowledges it when it
/// ends without an exception.
#[pyclass(frozen, eq, module = "pipevideo")]
pub(crate) struct WebhookEvent {
    event: pipevideo::WebhookEvent,
    body: Vec<u8>,
}

/// The same event may have bodies that are formatted differently, such as after a way through JSON.
impl PartialEq for WebhookEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event == other.event
    }
}

/// The arguments of `_restore`.
type Arguments<'py> = (Bound<'py, PyBytes>, String, SystemTime, bool);

impl WebhookEvent {
    pub(crate) fn new(event: pipevideo::WebhookEvent, body: Vec<u8>) -> Self {
        Self { event, body }
    }

    fn read(
        py: Python<'_>,
        body: Vec<u8>,
        id: String,
        timestamp: SystemTime,
        duplicate: bool,
    ) -> PyResult<Self> {
        let event = pipevideo::WebhookEvent::read(&body, id, timestamp);
        let mut event = event.map_err(|error| raise(py, &error))?;
        event.duplicate = duplicate;
        Ok(Self { event, body })
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
        Self::read(py, body.as_bytes().to_vec(), id, timestamp, duplicate)
    }

    /// Reads what `to_dict` returns. The event cannot be acknowledged: that is up to the process that
    /// received it.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let wire = to_json::from_python(value, "value")?;
        let timestamp = wire["timestamp"].as_u64().map(Duration::from_millis);
        let timestamp = timestamp.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        let (Some(id), Some(timestamp), Some(duplicate), true) = (
            wire["id"].as_str(),
            timestamp,
            wire["duplicate"].as_bool(),
            wire["body"]["eventType"].is_string(),
        ) else {
            return Err(PyValueError::new_err("this is not the JSON of a webhook event"));
        };
        let body = wire["body"].to_string().into_bytes();
        Self::read(value.py(), body, id.to_owned(), timestamp, duplicate)
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

    /// As JSON, for another process: `id`, `timestamp` (Unix milliseconds), `duplicate`, and the delivery's
    /// `body`, unknown fields included.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let body: Value = serde_json::from_slice(&self.body)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let since = self.event.timestamp.duration_since(SystemTime::UNIX_EPOCH);
        let dict = PyDict::new(py);
        dict.set_item("id", &self.event.id)?;
        dict.set_item("timestamp", since.map_or(0, |since| since.as_millis()))?;
        dict.set_item("duplicate", self.event.duplicate)?;
        dict.set_item("body", json::to_python(py, &body)?)?;
        Ok(dict)
    }

    /// The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        pydantic::items(self.to_dict(py)?.as_any())
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
        hash(&self.event.id)
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
