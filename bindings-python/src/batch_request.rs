//! A request of a batch: a mapping of create's arguments, which may be the row of a table.
//!
//! A table says "not given" in its own ways (None, NaN, an empty cell), and a CSV file has only texts.

use pipevideo::BatchRequest;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyMapping, PyString};

use crate::arguments::{argument, type_error};
use crate::errors;
use crate::input;

/// Reads a request.
pub(crate) fn read(request: &Bound<'_, PyAny>) -> PyResult<BatchRequest> {
    let py = request.py();
    let wrong = || type_error("requests", "an iterable of mappings", request);
    let mapping = request.cast::<PyMapping>().map_err(|_| wrong())?;
    let arguments = PyDict::new(py);
    for name in input::ARGUMENTS {
        arguments.set_item(name, py.None())?;
    }
    let mut key = None;
    for pair in mapping.items()?.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
        let name: String = argument(&name, "requests", "an iterable of mappings with str keys")?;
        if is_missing(&value) {
            continue;
        }
        if name == "key" {
            key = Some(read_key(&value)?);
        } else if input::ARGUMENTS.contains(&name.as_str()) {
            let value = typed(&name, value)?;
            arguments.set_item(name, value)?;
        } else {
            let known = input::ARGUMENTS.join(", ");
            return Err(PyTypeError::new_err(format!(
                "a request of the batch has the argument '{name}', which create does not take. It \
                 takes {known}; a request also has a key. Leave out what is not one of these."
            )));
        }
    }
    for name in ["model", "input"] {
        if arguments.get_item(name)?.is_none_or(|value| value.is_none()) {
            let message = format!("a request of the batch has no {name}.");
            return Err(errors::invalid(py, &message));
        }
    }
    let request = BatchRequest::new(input::request(&arguments)?);
    Ok(match key {
        Some(key) => request.key(key),
        None => request,
    })
}

/// Whether a cell is empty. NaN and pandas's NaT are not equal to themselves; its NA has no truth value.
fn is_missing(value: &Bound<'_, PyAny>) -> bool {
    if value.is_none() {
        return true;
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text.is_empty().unwrap_or(false);
    }
    if value.hasattr("__len__").unwrap_or(true) {
        return false;
    }
    let differs = value.ne(value).unwrap_or(false);
    differs || value.get_type().name().is_ok_and(|name| name == "NAType")
}

/// Reads a key: a text, or a number of a row.
fn read_key(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        return value.str()?.extract();
    }
    argument(value, "key", "str or int")
}

/// The value with the type of its argument, if it is the text of one, or a whole number in a column of
/// floats. What is not stays as it is, and is the same error as in `create`.
fn typed<'py>(name: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let text = value.cast::<PyString>().ok().and_then(|text| text.to_cow().ok());
    Ok(match name {
        "width" | "height" => {
            let whole = match (&text, value.cast::<PyFloat>()) {
                (Some(text), _) => text.trim().parse::<i64>().ok(),
                (None, Ok(number)) if number.value().fract() == 0.0 => {
                    // A number out of range is as wrong after the cast as before.
                    Some(number.value() as i64)
                }
                _ => None,
            };
            match whole {
                Some(whole) => whole.into_pyobject(py)?.into_any(),
                None => value,
            }
        }
        "expand_prompt" => match text.as_deref().map(str::trim) {
            Some(text) if text.eq_ignore_ascii_case("true") => truth(py, true)?,
            Some(text) if text.eq_ignore_ascii_case("false") => truth(py, false)?,
            _ => value,
        },
        _ => value,
    })
}

fn truth(py: Python<'_>, value: bool) -> PyResult<Bound<'_, PyAny>> {
    Ok(value.into_pyobject(py)?.to_owned().into_any())
}
