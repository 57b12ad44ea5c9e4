//! Python's values as JSON.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyMapping, PySequence, PyString};
use serde_json::{Map, Number, Value};

use crate::arguments::argument as read;
use crate::errors;
use crate::part::Part;

/// The maximum nesting of a value. It bounds the recursion, also for a list that contains itself, and
/// lies below the 128 levels that serde_json reads.
const MAX_DEPTH: usize = 100;

/// Converts a Python value to JSON. A part of an input becomes its JSON.
///
/// # Errors
/// `TypeError` for a type that JSON does not have, `InvalidRequestError` for a value that it does not
/// have. Both name the argument.
pub(crate) fn from_python(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Value> {
    convert(value, argument, MAX_DEPTH)
}

fn convert(value: &Bound<'_, PyAny>, argument: &str, depth: usize) -> PyResult<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(unfit(value, argument, "it is nested too deeply"));
    };
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(yes) = value.cast::<PyBool>() {
        return Ok(Value::Bool(yes.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return read(text, argument, "a str").map(Value::String);
    }
    if let Ok(part) = value.cast::<Part>() {
        return part.get().json();
    }
    if value.cast::<PyInt>().is_ok() {
        return integer(value, argument);
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let number = Number::from_f64(number.value());
        return number
            .map(Value::Number)
            .ok_or_else(|| unfit(value, argument, "JSON has no nan and no inf"));
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let mut object = Map::new();
        for pair in mapping.items()?.try_iter()? {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
            if name.cast::<PyString>().is_err() {
                return Err(wrong(argument, &name, "a key"));
            }
            let name: String = read(&name, argument, "a mapping with str keys")?;
            let value = convert(&value, &format!("{argument}.{name}"), depth)?;
            object.insert(name, value);
        }
        return Ok(Value::Object(object));
    }
    if is_sequence(value) {
        let entries = value.try_iter()?;
        let convert = |entry: PyResult<Bound<'_, PyAny>>| convert(&entry?, argument, depth);
        return entries.map(convert).collect::<PyResult<_>>().map(Value::Array);
    }
    Err(wrong(argument, value, "a value"))
}

/// Returns whether a value is a list or similar. To Python, text and bytes are sequences, too.
pub(crate) fn is_sequence(value: &Bound<'_, PyAny>) -> bool {
    value.cast::<PySequence>().is_ok()
        && value.cast::<PyString>().is_err()
        && value.cast::<PyBytes>().is_err()
        && value.cast::<PyByteArray>().is_err()
}

fn integer(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Value> {
    if let Ok(number) = value.extract::<i64>() {
        return Ok(number.into());
    }
    read::<u64>(value, argument, "int").map(Value::from)
}

fn unfit(value: &Bound<'_, PyAny>, argument: &str, why: &str) -> PyErr {
    errors::invalid(value.py(), &format!("argument '{argument}': {why}."))
}

fn wrong(argument: &str, value: &Bound<'_, PyAny>, what: &str) -> PyErr {
    let found = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    PyTypeError::new_err(format!("argument '{argument}': {what} of type {found} is not JSON"))
}
