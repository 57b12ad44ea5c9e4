//! The observer of calls, which `pipevideo.opentelemetry` sets. Without one this costs a comparison for each
//! call.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bindings_common::lock;
use bindings_macros::barrier;
use pipevideo::{CallOptions, Client, HeaderMap};
use pyo3::intern;
use pyo3::prelude::*;

use crate::logs;
use crate::process::process;

static IS_SET: AtomicBool = AtomicBool::new(false);
static OBSERVER: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// Sets the function that observes calls, or none. It receives the operation, its model or generation's id,
/// the base URL and the number of the call in the log. It returns an object of which `update` is called with
/// each update, and once `end` with the value or the exception; neither if the call was dropped. Of an iterator,
/// `step` is called with what each step has returned or raised. Its `headers` are sent with the call's requests.
/// While it is set, the log has all records.
#[barrier]
#[pyfunction]
#[pyo3(signature = (
    observer: "Callable[[str, str, str, int | None], Any] | None",
) -> "None")]
pub(crate) fn _observe(py: Python<'_>, observer: Option<Py<PyAny>>) -> PyResult<()> {
    IS_SET.store(observer.is_some(), Ordering::Relaxed);
    logs::set_observed(observer.is_some());
    let old = std::mem::replace(&mut *lock(&OBSERVER), observer);
    drop(old);
    logs::update_level(py)
}

pub(crate) fn is_set() -> bool {
    IS_SET.load(Ordering::Relaxed)
}

/// A call that is observed, until it has ended or is dropped.
pub(crate) struct Observed {
    observer: Mutex<Option<Py<PyAny>>>,
    /// Whether the call is a step of the iterator that is observed.
    is_step: bool,
    process: u64,
}

/// The client for an observed call, with the headers that carry the call's span to the service.
pub(crate) fn with_headers(py: Python<'_>, client: Client, observed: Option<&Observed>) -> Client {
    let Some(observed) = observed.and_then(|observed| observed.get(py)) else { return client };
    let headers = unraised(py, observed.getattr(py, intern!(py, "headers")));
    let pairs = headers.and_then(|headers| headers.extract::<HashMap<String, String>>(py).ok());
    // Headers that the library would not take are left out: what observes a call must not change it.
    let headers = pairs.and_then(|pairs| HeaderMap::try_from(&pairs).ok());
    let options = CallOptions::new().headers(headers.unwrap_or_default());
    client.with_options(&options).unwrap_or(client)
}

impl Observed {
    /// Begins to observe a call, if there is an observer.
    pub(crate) fn begin(
        py: Python<'_>,
        operation: &str,
        subject: &str,
        client: &Client,
        call: Option<u64>,
    ) -> Option<Self> {
        if !is_set() {
            return None;
        }
        let observer = lock(&OBSERVER).as_ref().map(|observer| observer.clone_ref(py))?;
        let begun = observer.call1(py, (operation, subject, client.base_url(), call));
        Some(Self::new(unraised(py, begun), false))
    }

    fn new(observer: Option<Py<PyAny>>, is_step: bool) -> Self {
        Self { observer: Mutex::new(observer), is_step, process: process() }
    }

    /// The next step of an iterator that is observed.
    pub(crate) fn step(&self, py: Python<'_>) -> Self {
        Self::new(self.get(py), true)
    }

    pub(crate) fn is_step(&self) -> bool {
        self.is_step
    }

    fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock(&self.observer).as_ref().map(|observer| observer.clone_ref(py))
    }

    pub(crate) fn update(&self, py: Python<'_>, update: &Bound<'_, PyAny>) {
        if let Some(observed) = self.get(py) {
            unraised(py, observed.call_method1(py, intern!(py, "update"), (update,)));
        }
    }

    /// The call has ended with a value or an exception, or was dropped.
    pub(crate) fn end(&self, py: Python<'_>, value: Option<&Py<PyAny>>, raised: Option<&PyErr>) {
        // A forked child ends no call of its parent.
        if self.process != process() {
            return;
        }
        let observer = lock(&self.observer).take();
        if let Some(observer) = observer {
            let raised = raised.map(|raised| raised.value(py));
            let method = if self.is_step { intern!(py, "step") } else { intern!(py, "end") };
            unraised(py, observer.call_method1(py, method, (value, raised)));
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        // A step that is dropped is not the end of its iterator.
        if !self.is_step && lock(&self.observer).is_some() {
            Python::try_attach(|py| self.end(py, None, None));
        }
    }
}

/// Reports an exception: what observes a call must not change it.
fn unraised<T>(py: Python<'_>, result: PyResult<T>) -> Option<T> {
    result.map_err(|raised| raised.write_unraisable(py, None)).ok()
}
