//! Webhooks: verifies deliveries and, for tests, signs them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bindings_macros::barrier;
use pipevideo::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString, PyTuple};

use crate::arguments::{argument, type_error};
use crate::errors;
use crate::event::WebhookEvent;
use crate::raise::raise;

/// Verifies deliveries without a client. Make one and keep it: it recognizes repeated deliveries by the
/// events that were acknowledged.
///
/// `secrets` is one `whsec_...` secret or several. After a rotation the service signs with the old
/// secret for another day.
#[pyclass(frozen, module = "pipevideo")]
pub(crate) struct Webhook(pipevideo::Webhook);

#[barrier]
#[pymethods]
impl Webhook {
    #[new]
    #[pyo3(signature = (secrets: "str | Sequence[str]"))]
    fn new(secrets: &Bound<'_, PyAny>) -> PyResult<Self> {
        let webhook = pipevideo::Webhook::new(self::secrets(secrets, "secrets")?);
        webhook.map(Self).map_err(|error| raise(secrets.py(), &error))
    }

    /// Verifies a delivery and returns its event.
    ///
    /// `body` must be the raw bytes as they were received: a body that was parsed and serialized again
    /// does not verify. `headers` are those of any framework: a mapping, pairs, or a WSGI environment.
    /// Respond with 2xx once the event is handled, and with 400 on `WebhookVerificationError`. `now`
    /// replaces the current time, `time.time()`: an aware datetime, or Unix seconds.
    #[pyo3(signature = (body: "Body", headers: "Headers", *, now: "Instant | None" = None))]
    fn unwrap<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        now: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, WebhookEvent>> {
        let now = match now {
            Some(now) => instant(now, "now")?,
            None => current_time(body.py())?,
        };
        unwrap(body, headers, |body, headers| self.0.unwrap_at(body, headers, now))
    }

    /// Signs a body as the service does, for tests, and returns the headers. `timestamp` is an aware
    /// datetime, or Unix seconds.
    #[pyo3(signature = (body: "Body", *, id: "str", timestamp: "Instant") -> "dict[str, str]")]
    fn sign<'py>(
        &self,
        body: &Bound<'py, PyAny>,
        id: &Bound<'py, PyAny>,
        timestamp: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let id: String = argument(id, "id", "str")?;
        let timestamp = instant(timestamp, "timestamp")?;
        let headers = PyDict::new(body.py());
        for (name, value) in self.0.sign(raw(body)?, &id, timestamp) {
            headers.set_item(name, value)?;
        }
        Ok(headers)
    }

    fn __repr__(&self) -> &'static str {
        "Webhook(...)"
    }
}

/// Returns the current time by Python's own clock, which tests replace (freezegun, time-machine).
pub(crate) fn current_time(py: Python<'_>) -> PyResult<SystemTime> {
    let time = intern!(py, "time");
    instant(&py.import(time)?.call_method0(time)?, "time.time()")
}

/// Reads a time: an aware datetime, or Unix seconds.
pub(crate) fn instant(value: &Bound<'_, PyAny>, name: &str) -> PyResult<SystemTime> {
    const KIND: &str = "an aware datetime, or Unix seconds";
    if value.getattr_opt(intern!(value.py(), "tzinfo"))?.is_some_and(|zone| zone.is_none()) {
        return Err(type_error(name, KIND, value));
    }
    let seconds: f64 = match value.call_method0(intern!(value.py(), "timestamp")) {
        Ok(seconds) => argument(&seconds, name, KIND)?,
        Err(_) if value.is_instance_of::<PyBool>() => return Err(type_error(name, KIND, value)),
        Err(_) => argument(value, name, KIND)?,
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .ok_or_else(|| {
            let wrong =
                if seconds > 0.0 { "is too far in the future" } else { "must be after 1970" };
            errors::invalid(value.py(), &format!("{name} {wrong}."))
        })
}

/// A header of a delivery: its name and its value.
type Header = (&'static str, Vec<u8>);

/// Verifies a delivery that a web framework received and returns its event.
pub(crate) fn unwrap<'py>(
    body: &Bound<'py, PyAny>,
    headers: &Bound<'py, PyAny>,
    verify: impl FnOnce(&[u8], Vec<Header>) -> Result<pipevideo::WebhookEvent, Error>,
) -> PyResult<Bound<'py, WebhookEvent>> {
    let py = body.py();
    let body = raw(body)?;
    match verify(&body, signed_with(headers)?) {
        Ok(event) => Bound::new(py, WebhookEvent::new(event, body.into_owned())),
        Err(error) => Err(raise(py, &error)),
    }
}

/// Reads one secret or several.
pub(crate) fn secrets(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<String>> {
    match value.cast::<PyString>() {
        Ok(one) => Ok(vec![one.extract()?]),
        Err(_) => argument(value, name, "a str or a list of str"),
    }
}

/// Returns the bytes of a body as they were received.
fn raw<'a>(body: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Some(bytes) = text(body) {
        return Ok(bytes);
    }
    if let Ok(bytes) = body.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    if body.cast::<PyMemoryView>().is_ok() {
        let bytes = body.call_method0(intern!(body.py(), "tobytes"))?;
        return Ok(bytes.extract::<Vec<u8>>()?.into());
    }
    let found = body.get_type().name()?.to_string();
    Err(PyTypeError::new_err(format!(
        "argument 'body' must be the raw bytes as they were received, not {found}: a body that was \
         parsed cannot be verified. Pass the request's raw bytes; the parsed event is returned."
    )))
}

/// Returns the bytes of a str or bytes. A str with lone surrogates, which aiohttp makes of a header
/// that is not UTF-8, yields other bytes than were received, which no signature matches.
fn text<'a>(value: &'a Bound<'_, PyAny>) -> Option<Cow<'a, [u8]>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Some(bytes.as_bytes().into());
    }
    let text = value.cast::<PyString>().ok()?;
    Some(match text.to_string_lossy() {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    })
}

/// Returns the signing headers of a delivery from the headers of any framework: a mapping or pairs, of
/// str or bytes, in which a value may be a list; or a WSGI environment.
fn signed_with(headers: &Bound<'_, PyAny>) -> PyResult<Vec<Header>> {
    let mut found = Vec::with_capacity(3);
    // A subclass of dict may override `items`, so only an exact dict is read directly.
    if let Ok(dict) = headers.cast_exact::<PyDict>() {
        for (name, value) in dict.iter() {
            add(&mut found, &name, &value)?;
        }
        return Ok(found);
    }
    let wrong = || {
        let what = "argument 'headers' must be a mapping, or pairs, of names and values";
        PyTypeError::new_err(what)
    };
    let pairs = match headers.getattr_opt(intern!(headers.py(), "items"))? {
        Some(items) => items.call0()?,
        None if text(headers).is_some() => return Err(wrong()),
        None => headers.clone(),
    };
    for pair in pairs.try_iter().map_err(|_| wrong())? {
        let pair = pair?;
        let pair = pair.cast::<PyTuple>().cloned().or_else(|_| {
            // Pairs from JSON are lists.
            pair.cast::<PyList>().map(|list| list.to_tuple()).map_err(|_| wrong())
        })?;
        match pair.len() {
            2 => add(&mut found, &pair.get_item(0)?, &pair.get_item(1)?)?,
            _ => return Err(wrong()),
        }
    }
    Ok(found)
}

/// Adds a header if it is a signing header. Others are ignored, whatever their values are.
fn add(found: &mut Vec<Header>, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let kind = "a mapping, or pairs, with names that are str or bytes";
    let bytes = text(name).ok_or_else(|| type_error("headers", kind, name))?;
    let Some(name) = signing(&bytes) else { return Ok(()) };
    if let Some(value) = text(value) {
        found.push((name, value.into_owned()));
        return Ok(());
    }
    let wrong = || {
        PyTypeError::new_err(format!(
            "argument 'headers': the value of {name} must be str or bytes, or a list of them"
        ))
    };
    for value in value.try_iter().map_err(|_| wrong())? {
        let value = value?;
        found.push((name, text(&value).ok_or_else(wrong)?.into_owned()));
    }
    Ok(())
}

/// Returns the signing header of this name, which may be spelled as in a WSGI environment.
fn signing(name: &[u8]) -> Option<&'static str> {
    let spelt = name.strip_prefix(b"HTTP_");
    let same = |(ours, theirs): (u8, &u8)| match theirs {
        b'_' if spelt.is_some() => ours == b'-',
        _ => ours.eq_ignore_ascii_case(theirs),
    };
    let name = spelt.unwrap_or(name);
    pipevideo::Webhook::HEADERS
        .into_iter()
        .find(|header| header.len() == name.len() && header.bytes().zip(name).all(same))
}
