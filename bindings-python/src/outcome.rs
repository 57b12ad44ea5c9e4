//! The outcome of a call, and its conversion to Python.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pipevideo::{
    AccountUsage, ApiResponse, Candidates, CostEstimate, EngineCatalog, Error, Generation, Update,
    Watch,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::batch;
use crate::batch_state::BatchState;
use crate::catalog;
use crate::raise::raise;
use crate::stream_state::StreamState;
use crate::update;
use crate::values;
use crate::video::{Chunk, Chunks};

/// The outcome of a call.
pub(crate) enum Outcome {
    Value(Value),
    Failed(Error),
}

/// The value of a call that succeeded.
pub(crate) enum Value {
    Generation(Box<Generation>),
    Answered(Box<(Generation, ApiResponse)>),
    Response(ApiResponse),
    Engines(Box<EngineCatalog>),
    Usage(Box<AccountUsage>),
    Candidates(Candidates),
    Estimate(CostEstimate),
    Path(PathBuf),
    Bytes(Bytes),
    /// The next update of a watch, or its end. It is taken from the watch only when Python receives it.
    Update(Option<Arc<StreamState<Watch, Update>>>),
    /// The next chunk of a video, or its end, taken likewise.
    Chunk(Option<Arc<StreamState<Chunks, Chunk>>>),
    /// The next output of a batch, or None at its end, taken likewise.
    Batch(Arc<BatchState>),
    Id(Option<String>),
    Flag(bool),
    Nothing,
}

impl Outcome {
    /// Returns the value for Python; `None` at the end of a watch.
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
        match self {
            Self::Value(value) => value.into_python(py),
            Self::Failed(error) => Err(raise(py, &error)),
        }
    }
}

impl Value {
    fn into_python(self, py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
        Ok(Some(match self {
            Self::Generation(generation) => values::generation(py, *generation)?.into_any(),
            Self::Answered(answered) => values::answered(py, *answered)?.into_any(),
            Self::Response(response) => catalog::response(py, &response)?,
            Self::Engines(catalog) => catalog::engines(py, &catalog)?,
            Self::Usage(usage) => catalog::usage(py, &usage)?,
            Self::Candidates(found) => catalog::candidates(py, &found)?,
            Self::Estimate(estimate) => catalog::estimate(py, &estimate)?,
            Self::Path(path) => path.into_pyobject(py)?.into_any(),
            Self::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
            Self::Chunk(state) => match state.and_then(|state| state.take()) {
                None => return Ok(None),
                Some(Ok((chunk, progress))) => {
                    let progress = update::progress(py, progress)?;
                    (PyBytes::new(py, &chunk), progress).into_pyobject(py)?.into_any()
                }
                Some(Err(error)) => return Err(raise(py, &error)),
            },
            Self::Update(state) => match state.and_then(|state| state.take()) {
                None => return Ok(None),
                Some(Ok(update)) => update::update(py, update)?.into_any(),
                Some(Err(error)) => return Err(raise(py, &error)),
            },
            Self::Batch(state) => batch::output(py, state.take())?,
            Self::Id(id) => id.into_pyobject(py)?,
            Self::Flag(flag) => flag.into_pyobject(py)?.to_owned().into_any(),
            Self::Nothing => py.None().into_bound(py),
        }))
    }
}
