//! Reads arguments of Python calls as the types that they should have.

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyType};

use crate::errors;

/// Makes the exception for a value of the right type that is not valid.
pub(crate) type Rejection = fn(Python<'_>, &str) -> PyErr;

/// Reads an argument.
pub(crate) fn argument<'py, T>(value: &Bound<'py, PyAny>, name: &str, kind: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    read(value, name, kind, errors::invalid)
}

/// Reads an integer, or None. Python's bool is a subclass of int; here it is a mistake.
pub(crate) fn integer<'py, T>(value: &Bound<'py, PyAny>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    if value.is_instance_of::<PyBool>() {
        return Err(type_error(name, "int", value));
    }
    argument(value, name, "int")
}

/// Reads an argument or option. A value of another type is a `TypeError`.
pub(crate) fn read<'py, T>(
    value: &Bound<'py, PyAny>,
    name: &str,
    kind: &str,
    rejection: Rejection,
) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let py = value.py();
    value.extract().map_err(|raised: T::Error| {
        let raised: PyErr = raised.into();
        if raised.is_instance_of::<PyUnicodeEncodeError>(py) {
            let message = format!(
                "argument '{name}': the text has a lone surrogate (half a character), which UTF-8 \
                 cannot encode."
            );
            rejection(py, &message)
        } else if raised.is_instance_of::<PyOverflowError>(py) {
            rejection(py, &format!("argument '{name}': the number is out of range."))
        } else {
            type_error(name, kind, value)
        }
    })
}

/// Returns the text of an amount of money: of a Decimal, str, int or float. A float has the shortest
/// text that reads as the same float, so that 0.1 is a tenth.
pub(crate) fn amount_text(value: &Bound<'_, PyAny>, name: &str) -> PyResult<String> {
    const KIND: &str = "a Decimal, str, int or float";
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(number.value().to_string());
    }
    let is_int = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    if is_int || value.is_instance_of::<PyString>() || is_decimal(value)? {
        // A text that UTF-8 cannot encode is no number either.
        return Ok(value.str()?.to_string_lossy().into_owned());
    }
    Err(type_error(name, KIND, value))
}

fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    value.is_instance(DECIMAL.import(value.py(), "decimal", "Decimal")?)
}

pub(crate) fn type_error(name: &str, kind: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    PyTypeError::new_err(format!("argument '{name}' must be {kind}, not {found}"))
}
