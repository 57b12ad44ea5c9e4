//! Webhooks: verify, read, and, for tests, sign.

use std::time::{Duration, SystemTime};

use pipevideo::{Error, WebhookEvent};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString};

use crate::errors;
use crate::input::argument;
use crate::json;

/// Verifies deliveries without a client.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Webhook(pipevideo::Webhook);

#[pymethods]
impl Webhook {
    #[new]
    fn new(secrets: &Bound<'_, PyAny>) -> PyResult<Self> {
        let webhook = pipevideo::Webhook::new(self::secrets(secrets, "secrets")?);
        webhook.map(Self).map_err(|error| errors::raise(secrets.py(), &error))
    }

    fn unwrap<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        unwrap(body, headers, |body, headers| self.0.unwrap(body, headers))
    }

    /// The headers that the service would send; `timestamp` is in Unix seconds.
    fn sign<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        id: &Bound<'py, PyAny>,
        timestamp: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = body.py();
        let id: String = argument(id, "id", "str")?;
        let since = Duration::try_from_secs_f64(timestamp)
            .map_err(|_| errors::invalid(py, "timestamp must be after 1970."))?;
        let headers = PyDict::new(py);
        for (name, value) in self.0.sign(raw(body)?, &id, SystemTime::UNIX_EPOCH + since) {
            headers.set_item(name, value)?;
        }
        Ok(headers)
    }
}

type Headers = Vec<(String, Vec<u8>)>;

/// Verifies what a web framework has received, and reads it.
pub(crate) fn unwrap<'py>(
    body: &Bound<'py, PyAny>,
    headers: &Bound<'py, PyAny>,
    verify: impl FnOnce(&[u8], Headers) -> Result<WebhookEvent, Error>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = body.py();
    let body = raw(body)?;
    match verify(&body, pairs(headers)?) {
        Ok(event) => self::event(py, &event, &body),
        Err(error) => Err(errors::raise(py, &error)),
    }
}

/// One secret or several.
pub(crate) fn secrets(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<String>> {
    match value.cast::<PyString>() {
        Ok(one) => Ok(vec![one.extract()?]),
        Err(_) => argument(value, name, "a str or a list of str"),
    }
}

/// The bytes of a body as they came.
fn raw(body: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = body.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = body.cast::<PyByteArray>() {
        return Ok(bytes.to_vec());
    }
    if let Ok(text) = body.cast::<PyString>() {
        return Ok(text.extract::<String>()?.into_bytes());
    }
    let found = body.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!(
        "argument 'body' must be the raw bytes as they came, not {found}: a body that was parsed \
         cannot be verified. Pass the request's raw bytes, and the parsed event is returned."
    )))
}

/// Headers as any framework has them: a mapping, or pairs, of str or bytes.
fn pairs(headers: &Bound<'_, PyAny>) -> PyResult<Headers> {
    let wrong = |_| {
        PyTypeError::new_err("argument 'headers' must be a mapping, or pairs, of names and values")
    };
    let pairs = match headers.getattr_opt(intern!(headers.py(), "items"))? {
        Some(items) => items.call0()?,
        None => headers.clone(),
    };
    let mut found = Headers::new();
    for pair in pairs.try_iter().map_err(wrong)? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract().map_err(wrong)?;
        let name = text(&name).map_err(wrong)?;
        found.push((String::from_utf8_lossy(&name).into_owned(), text(&value).map_err(wrong)?));
    }
    Ok(found)
}

fn text(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => Ok(value.extract::<String>()?.into_bytes()),
    }
}

fn event<'py>(py: Python<'py>, event: &WebhookEvent, body: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // The core has read it, so it is JSON.
    let wire = serde_json::from_slice(body).unwrap_or_default();
    let fields = PyDict::new(py);
    fields.set_item("id", &event.id)?;
    fields.set_item("timestamp", event.timestamp)?;
    fields.set_item("event_type", &event.event_type)?;
    fields.set_item("generation_id", &event.generation_id)?;
    fields.set_item("status", event.status.as_ref().map(|status| status.as_str()))?;
    fields.set_item("output_video_url", &event.output_video_url)?;
    fields.set_item("error_message", &event.error_message)?;
    fields.set_item("duplicate", event.duplicate)?;
    fields.set_item("raw", json::to_python(py, &wire)?)?;
    py.import("pipevideo._values")?.getattr("WebhookEvent")?.call((), Some(&fields))
}
