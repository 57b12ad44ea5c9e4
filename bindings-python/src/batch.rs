//! A batch: its options, its steps, and the journal of one that has ended.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bindings_common::{BatchFeed, BatchOptions, failure_category, lock};
use bindings_macros::barrier;
use futures_util::FutureExt;
use pipevideo::{Batch, BatchItem, BatchOutput, Error, FailureCategory};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::arguments::{argument, integer, type_error};
use crate::batch_request;
use crate::batch_state::{BatchState, Output};
use crate::call::{Call, Work};
use crate::callback::check_plain;
use crate::catalog;
use crate::errors;
use crate::finalization;
use crate::outcome::Value;
use crate::process::process;
use crate::raise::raise;
use crate::token::TokenSource;

/// The native half of `BatchRun` and `AsyncBatchRun`. The run starts with the first step.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct NativeBatch {
    state: Mutex<Option<Arc<BatchState>>>,
    tokens: Option<Py<TokenSource>>,
    process: u64,
}

impl NativeBatch {
    pub(crate) fn new(batch: (Batch, BatchFeed), tokens: Option<Py<TokenSource>>) -> Self {
        let state = Mutex::new(Some(BatchState::new(batch)));
        Self { state, tokens, process: process() }
    }

    /// Returns the state, which a forked child does not touch.
    fn state(&self) -> PyResult<Arc<BatchState>> {
        let state = lock(&self.state).clone().filter(|_| self.process == process());
        state.ok_or_else(|| {
            PyRuntimeError::new_err(
                "pipevideo: the batch was made before os.fork(), in the parent process. Make another \
                 one.",
            )
        })
    }

    fn call(&self, py: Python<'_>, work: Work) -> Call {
        let tokens = self.tokens.as_ref().map(|tokens| tokens.clone_ref(py));
        Call::new(work, None, tokens).keeping()
    }
}

#[barrier]
#[pymethods]
impl NativeBatch {
    /// Returns the call that yields the next item or event, None at the end, and, if the step feeds the
    /// run, True if the run has room for a request.
    #[pyo3(signature = (feeds: "bool") -> "Pending[BatchItem | BatchEvent | Literal[True] | None]")]
    fn step(&self, py: Python<'_>, feeds: bool) -> PyResult<Call> {
        let state = self.state()?;
        let work = move |_| {
            async move {
                state.advance(feeds).await;
                Ok(Value::Batch(state))
            }
            .boxed()
        };
        Ok(self.call(py, Box::new(work)))
    }

    /// Returns the call that yields True once the run has room for a request, False if it takes no more.
    #[pyo3(signature = () -> "Pending[bool]")]
    fn room(&self, py: Python<'_>) -> PyResult<Call> {
        let state = self.state()?;
        let work = move |_| async move { Ok(Value::Flag(state.room().await)) }.boxed();
        Ok(self.call(py, Box::new(work)))
    }

    /// Passes a request, for which the run has room.
    #[pyo3(signature = (request: "Mapping[str, Any]"))]
    fn push(&self, request: &Bound<'_, PyAny>) -> PyResult<()> {
        self.state()?.push(batch_request::read(request)?);
        Ok(())
    }

    /// There are no more requests.
    fn finish(&self) -> PyResult<()> {
        self.state()?.finish();
        Ok(())
    }

    /// Stops the run without waiting for its end. Does nothing in a forked child.
    fn halt(&self) {
        if let Ok(state) = self.state() {
            state.halt();
        }
    }

    /// Returns the call that stops the run and ends once it has ended. It does nothing in a forked child.
    #[pyo3(signature = () -> "Pending[None]")]
    fn stop(&self, py: Python<'_>) -> Call {
        let state = self.state().ok();
        let work = move |_| {
            async move {
                if let Some(state) = state {
                    state.stop().await;
                }
                Ok(Value::Nothing)
            }
            .boxed()
        };
        self.call(py, Box::new(work))
    }

    #[pyo3(signature = () -> "BatchSummary")]
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        catalog::batch_summary(py, &self.state()?.summary())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }
}

impl Drop for NativeBatch {
    fn drop(&mut self) {
        let state = lock(&self.state).take();
        if self.process != process() {
            std::mem::forget(state);
        } else if let Some(state) = state {
            // A step that is under way has the state, too.
            state.halt();
        }
    }
}

/// What a step yields, for Python.
pub(crate) fn output(py: Python<'_>, output: Option<Output>) -> PyResult<Bound<'_, PyAny>> {
    match output {
        None => Ok(py.None().into_bound(py)),
        Some(Output::Room) => Ok(true.into_pyobject(py)?.to_owned().into_any()),
        Some(Output::Next(Ok(BatchOutput::Item(item)))) => catalog::batch_item(py, *item),
        Some(Output::Next(Ok(BatchOutput::Event(event)))) => catalog::batch_event(py, &event),
        Some(Output::Next(Err(error))) => Err(raise(py, &error)),
    }
}

/// Reads the options of a batch.
pub(crate) fn options(given: &Bound<'_, PyDict>, total: Option<u64>) -> PyResult<BatchOptions> {
    let mut options = BatchOptions { total, ..BatchOptions::default() };
    for (name, value) in given.iter() {
        if value.is_none() {
            continue;
        }
        let name: String = name.extract()?;
        match name.as_str() {
            "journal" => options.journal = Some(argument::<PathBuf>(&value, &name, "a path")?),
            "download_to" => {
                options.download_to = Some(argument::<PathBuf>(&value, &name, "a path")?);
            }
            "max_in_flight" => options.max_in_flight = integer(&value, &name)?,
            "spend_limit" => options.spend_limit = crate::options::amount(&value, &name)?,
            "deadline" => options.deadline = crate::options::deadline(Some(&value))?,
            "retries" => options.retries = integer(&value, &name)?,
            "retry_categories" => options.retry_categories = Some(categories(&value, &name)?),
            "retry_uncertain" => options.retry_uncertain = argument(&value, &name, "bool")?,
            "stop_after_failures" => options.stop_after_failures = integer(&value, &name)?,
            "keep_prompts" => options.keep_prompts = argument(&value, &name, "bool")?,
            "on_event" => {
                check_plain(&value, &name)?;
                options.events = true;
            }
            _ => return Err(PyTypeError::new_err(format!("there is no option '{name}'"))),
        }
    }
    Ok(options)
}

fn categories(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<FailureCategory>> {
    const KIND: &str = "an iterable of categories, such as \"provider\"";
    if value.is_instance_of::<PyString>() {
        return Err(type_error(name, KIND, value));
    }
    let category = |entry: PyResult<Bound<'_, PyAny>>| {
        let text: String = argument(&entry?, name, KIND)?;
        failure_category(&text).map_err(|message| {
            errors::invalid(value.py(), &format!("argument '{name}': {message}"))
        })
    };
    value.try_iter().map_err(|_| type_error(name, KIND, value))?.map(category).collect()
}

/// The native half of `pipevideo.write_report`.
#[barrier]
#[pyfunction]
#[pyo3(signature = (journal: "Path", report: "Path"))]
pub(crate) fn write_report(
    py: Python<'_>,
    journal: &Bound<'_, PyAny>,
    report: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let journal: PathBuf = argument(journal, "journal", "a path")?;
    let report: PathBuf = argument(report, "report", "a path")?;
    let written = finalization::detached(py, || pipevideo::write_report(journal, report));
    written.map_err(|error| raise(py, &error))
}

type Items = Box<dyn Iterator<Item = Result<BatchItem, Error>> + Send>;

/// The items of a journal, as an iterator.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct JournalItems(Mutex<Items>);

#[barrier]
#[pymethods]
impl JournalItems {
    #[new]
    #[pyo3(signature = (path: "Path"))]
    fn new(py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        let path: PathBuf = argument(path, "path", "a path")?;
        let read = finalization::detached(py, || pipevideo::read_journal(path));
        read.map(|items| Self(Mutex::new(Box::new(items)))).map_err(|error| raise(py, &error))
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let next = finalization::detached(py, || lock(&self.0).next());
        match next.transpose() {
            Ok(item) => item.map(|item| catalog::batch_item(py, item)).transpose(),
            Err(error) => Err(raise(py, &error)),
        }
    }
}
