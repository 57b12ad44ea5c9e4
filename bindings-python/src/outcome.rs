//! How a call ended, and what Python gets of it.

use std::path::PathBuf;
use std::sync::Arc;

use pipevideo::{AccountUsage, EngineCatalog, Error, Generation, RecentRequest};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::catalog;
use crate::errors;
use crate::update;
use crate::values;
use crate::watch::Following;

/// How a call ended.
pub(crate) enum Outcome {
    Value(Value),
    Failed(Error),
    /// It ended without an outcome: a panic, most likely.
    Lost,
}

/// What a call has yielded.
pub(crate) enum Value {
    Generation(Box<Generation>),
    Engines(Box<EngineCatalog>),
    Usage(Box<AccountUsage>),
    Candidates(Vec<RecentRequest>),
    Path(PathBuf),
    /// The next update of a watch, or its end: whoever takes it finds it there.
    Next(Option<Arc<Following>>),
}

impl Outcome {
    /// The value that Python sees; `None` at the end of a watch.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
        match self {
            Self::Value(value) => value.into_python(py),
            Self::Failed(error) => Err(errors::raise(py, &error)),
            Self::Lost => Err(PyRuntimeError::new_err(
                "pipevideo: the call ended without an outcome. This is a bug in pipevideo.",
            )),
        }
    }
}

impl Value {
    fn into_python(self, py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
        Ok(Some(match self {
            Self::Generation(generation) => values::generation(py, *generation)?.into_any(),
            Self::Engines(catalog) => catalog::engines(py, &catalog)?,
            Self::Usage(usage) => catalog::usage(py, &usage)?,
            Self::Candidates(found) => catalog::candidates(py, &found)?,
            Self::Path(path) => path.into_pyobject(py)?.into_any(),
            Self::Next(following) => match following.and_then(|following| following.take()) {
                None => return Ok(None),
                Some(Ok(update)) => update::update(py, update)?.into_any(),
                Some(Err(error)) => return Err(errors::raise(py, &error)),
            },
        }))
    }
}
