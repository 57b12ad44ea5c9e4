//! JSON to Python's own values, and back.

use std::collections::BTreeMap;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString,
};
use serde_json::{Map, Number, Value};

use crate::errors;
use crate::input::{Part, argument as read};

/// Deeper than this is no JSON that the API takes.
const DEEPEST: usize = 100;

/// A JSON value as Python has it.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(yes) => PyBool::new(py, *yes).to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => whole.into_pyobject(py)?.into_any(),
            (_, Some(whole)) => whole.into_pyobject(py)?.into_any(),
            _ => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(to_python(py, value)?)?;
            }
            list.into_any()
        }
        Value::Object(values) => {
            let dict = PyDict::new(py);
            for (name, value) in values {
                dict.set_item(name, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// A JSON object as Python has it.
pub(crate) type Object<'a, 'py> = BTreeMap<&'a str, Bound<'py, PyAny>>;

/// The fields of a JSON object as Python has them.
pub(crate) fn object<'a, 'py>(
    py: Python<'py>,
    fields: &'a Map<String, Value>,
) -> PyResult<Object<'a, 'py>> {
    fields.iter().map(|(name, value)| Ok((name.as_str(), to_python(py, value)?))).collect()
}

/// A Python value as JSON; parts of an input count as their JSON.
///
/// # Errors
/// `TypeError` that names the argument, for a type that JSON does not have; `InvalidRequestError` for
/// a value.
pub(crate) fn from_python(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Value> {
    convert(value, argument, DEEPEST)
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
        return whole(value, argument);
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
            let name: String = read(&name, argument, "a mapping whose keys are str")?;
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

/// Whether it is a list, or like one. Python counts text and bytes as sequences, too.
pub(crate) fn is_sequence(value: &Bound<'_, PyAny>) -> bool {
    value.cast::<PySequence>().is_ok()
        && value.cast::<PyString>().is_err()
        && value.cast::<PyBytes>().is_err()
        && value.cast::<PyByteArray>().is_err()
}

fn whole(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<Value> {
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
