//! From the core's error to the exception classes in `pipevideo/errors.py`.

use bindings_common::{Cause, ErrorFields, ForeignError, cause};
use pipevideo::{Error, ErrorKind, Generation};
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;
use crate::values;

/// Returns the exception for an error, with its cause chained.
///
/// What a token function raised and is not an `Exception`, such as `SystemExit`, is for the program:
/// it is raised as it is.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    if let Some(raised) = ForeignError::<PyErr>::find(error)
        && !raised.is_instance_of::<PyException>(py)
    {
        return raised.clone_ref(py);
    }
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

/// Notes in an exception that ended a call what is known of the create that the call leaves behind.
pub(crate) fn note(py: Python<'_>, raised: &PyErr, left: &Error) -> PyResult<()> {
    let note = py.import("pipevideo.errors")?.getattr("_note")?;
    note.call1((raised.value(py), exception(py, left)?))?;
    Ok(())
}

/// Makes the exception of an error, with its cause chained.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let fields = ErrorFields::from(error);
    let exception = errors::make(py, &fields, &attributes(py, &fields)?)?;
    let cause = match cause(error) {
        Some(Cause::Error(error)) => self::exception(py, error)?,
        Some(Cause::Foreign(raised)) => {
            let raised: &PyErr = raised;
            raised.value(py).clone().into_any()
        }
        Some(Cause::System { number, message }) => {
            PyOSError::new_err((number, message)).into_value(py).into_bound(py).into_any()
        }
        None => return Ok(exception),
    };
    exception.setattr("__cause__", cause)?;
    Ok(exception)
}

/// The attributes that every exception has, and those of its class: `_make` rejects others.
fn attributes<'py>(py: Python<'py>, fields: &ErrorFields<'_>) -> PyResult<Bound<'py, PyDict>> {
    let attributes = PyDict::new(py);
    attributes.set_item("service_message", fields.service_message)?;
    attributes.set_item("status", fields.status)?;
    attributes.set_item("code", fields.code)?;
    attributes.set_item("request_id", fields.request_id)?;
    attributes.set_item("generation_id", fields.generation_id)?;
    attributes.set_item("retryable", fields.retryable)?;
    attributes.set_item("retry_after", fields.retry_after.map(|pause| pause.as_secs_f64()))?;
    attributes.set_item("attempts", fields.attempts)?;
    let generation = |generation: Option<&Generation>| {
        generation.map(|generation| values::generation(py, generation.clone())).transpose()
    };
    match fields.kind {
        ErrorKind::SubmissionUncertain => {
            attributes.set_item("model", fields.model)?;
            attributes.set_item("sent_at", fields.sent_at)?;
        }
        ErrorKind::GenerationFailed => {
            attributes.set_item("generation", generation(fields.generation)?)?;
            attributes.set_item("category", fields.category)?;
        }
        ErrorKind::WaitTimeout => {
            attributes.set_item("last", generation(fields.last)?)?;
            attributes.set_item("polls", fields.polls)?;
        }
        ErrorKind::WebhookVerification => attributes.set_item("reason", fields.reason)?,
        _ => {}
    }
    Ok(attributes)
}
