//! What pickle keeps of the frozen objects, and their hashes.

use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The result of `__reduce__`: a function, and its arguments.
pub(crate) type Reduced<'py, A> = (Bound<'py, PyAny>, A);

/// Reduces an object to its class's `_from_json` and the JSON.
pub(crate) fn from_json<'py>(
    this: &Bound<'py, PyAny>,
    json: String,
) -> PyResult<Reduced<'py, (String,)>> {
    Ok((this.get_type().getattr("_from_json")?, (json,)))
}

/// Reduces an object to its class's `_from_json` and the JSON of its value.
pub(crate) fn reduced<'py>(
    this: &Bound<'py, PyAny>,
    value: &impl Serialize,
) -> PyResult<Reduced<'py, (String,)>> {
    let json =
        serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    from_json(this, json)
}

/// Reads the JSON of a class's value.
pub(crate) fn read<T: DeserializeOwned>(class: &str, json: &str) -> PyResult<T> {
    // The text may be anything, so the error does not quote it.
    serde_json::from_str(json)
        .map_err(|_| PyValueError::new_err(format!("this is not the JSON of a {class}")))
}

pub(crate) fn hash(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
