//! From the core's error to the exception classes in `pipevideo/errors.py`.

use std::error::Error as StdError;

use pipevideo::{Error, ErrorKind};
use pyo3::exceptions::{PyException, PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::token::Held;
use crate::values;

/// The exception for an error, with its cause chained. What a token function raised and is no
/// `Exception`, such as `SystemExit`, is for the program: it goes on as it is.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    if let Some(raised) = raised(error)
        && !raised.is_instance_of::<PyException>(py)
    {
        return raised.clone_ref(py);
    }
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("status", error.status())?;
    fields.set_item("code", error.code())?;
    fields.set_item("request_id", error.request_id())?;
    fields.set_item("generation_id", error.generation_id())?;
    fields.set_item("retryable", error.is_retryable())?;
    fields.set_item("retry_after", error.retry_after().map(|pause| pause.as_secs_f64()))?;
    fields.set_item("attempts", error.attempts())?;
    let generation = || match error.generation() {
        Some(generation) => values::generation(py, generation.clone()).map(Some),
        None => Ok(None),
    };
    match error.kind() {
        ErrorKind::SubmissionUncertain => {
            fields.set_item("model", error.model())?;
            fields.set_item("sent_at", error.sent_at())?;
        }
        ErrorKind::GenerationFailed => {
            fields.set_item("generation", generation()?)?;
            fields.set_item("category", error.category().map(|category| category.as_str()))?;
        }
        ErrorKind::WaitTimeout => {
            fields.set_item("last", generation()?)?;
            fields.set_item("polls", error.polls())?;
        }
        ErrorKind::WebhookVerification => {
            fields.set_item("reason", error.reason().map(|reason| reason.as_str()))?;
        }
        _ => {}
    }
    let exception = make(py, error.kind(), error.message(), &fields)?;
    if let Some(cause) = cause(py, error)? {
        exception.setattr("__cause__", cause)?;
    }
    Ok(exception)
}

/// What a token function raised, if that is the cause.
fn raised(error: &Error) -> Option<&PyErr> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(Held(raised)) = source.downcast_ref() {
            return Some(raised);
        }
        next = source.source();
    }
    None
}

fn make<'py>(
    py: Python<'py>,
    kind: ErrorKind,
    message: &str,
    fields: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MAKE.import(py, "pipevideo.errors", "_make")?.call1((kind.as_str(), message, fields))
}

/// What caused the error: one of ours, what a token function raised, or what the system said.
fn cause<'py>(py: Python<'py>, error: &Error) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(ours) = source.downcast_ref::<Error>() {
            return exception(py, ours).map(Some);
        }
        if let Some(Held(raised)) = source.downcast_ref() {
            return Ok(Some(raised.value(py).clone().into_any()));
        }
        if let Some(system) = source.downcast_ref::<std::io::Error>() {
            let raised = PyOSError::new_err((system.raw_os_error(), system.kind().to_string()));
            return Ok(Some(raised.into_value(py).into_bound(py).into_any()));
        }
        next = source.source();
    }
    // Whatever else it is may quote an answer, or a URL.
    Ok(None)
}

/// An error that the binding itself finds in an option.
pub(crate) fn configuration(py: Python<'_>, message: &str) -> PyErr {
    own(py, ErrorKind::Configuration, message)
}

/// An error that the binding itself finds in an argument.
pub(crate) fn invalid(py: Python<'_>, message: &str) -> PyErr {
    own(py, ErrorKind::InvalidRequest, message)
}

fn own(py: Python<'_>, kind: ErrorKind, message: &str) -> PyErr {
    match make(py, kind, message, &PyDict::new(py)) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

pub(crate) fn no_event_loop(py: Python<'_>) -> PyErr {
    let trio = py
        .import("sys")
        .and_then(|sys| sys.getattr("modules"))
        .is_ok_and(|modules| modules.contains("trio").unwrap_or(false));
    let message = match trio {
        true => {
            "pipevideo: AsyncPipevideo runs on asyncio (or uvloop), not on trio. Under trio, call \
             Pipevideo in a thread: await trio.to_thread.run_sync(...)."
        }
        false => "pipevideo: no event loop is running. Await it on asyncio, or use Pipevideo.",
    };
    PyRuntimeError::new_err(message)
}
