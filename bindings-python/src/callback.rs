//! A function of the program that a call calls with its events. On an event loop it may be async.

use std::sync::Mutex;

use bindings_common::lock;
use pyo3::exceptions::{PyStopIteration, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// A function, and what it awaits.
pub(crate) struct Callback {
    function: Py<PyAny>,
    /// The name of the argument.
    name: &'static str,
    /// The iterator of the awaitable that the function has returned and that has not ended. The call
    /// steps it as its own, so that its exception ends the call, and a cancellation reaches it.
    awaited: Mutex<Option<Py<PyAny>>>,
}

impl Callback {
    /// # Errors
    /// `TypeError` if it is not callable.
    pub(crate) fn new(
        py: Python<'_>,
        given: Option<Py<PyAny>>,
        name: &'static str,
    ) -> PyResult<Option<Self>> {
        let Some(function) = given else { return Ok(None) };
        check_callable(function.bind(py), name)?;
        Ok(Some(Self { function, name, awaited: Mutex::new(None) }))
    }

    /// Checks that the function is not async: nothing would await what it returns.
    pub(crate) fn check_plain(&self, py: Python<'_>) -> PyResult<()> {
        check_plain(self.function.bind(py), self.name)
    }

    /// Calls the function. Returns whether it has returned an awaitable.
    pub(crate) fn call(&self, py: Python<'_>, argument: Bound<'_, PyAny>) -> PyResult<bool> {
        let returned = self.function.bind(py).call1((argument,))?;
        if !returned.get_type().hasattr(intern!(py, "__await__"))? {
            return Ok(false);
        }
        let iterator = returned.call_method0(intern!(py, "__await__"))?;
        *lock(&self.awaited) = Some(iterator.unbind());
        Ok(true)
    }

    /// Continues what the function awaits. Returns what to wait for, or `None` at its end.
    pub(crate) fn resume<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.step(py, |awaited| awaited.call_method0(intern!(py, "__next__")))
    }

    /// Raises an exception in what the function awaits, and returns as [`resume`](Self::resume) does. If
    /// it awaits nothing, it raises the exception itself.
    pub(crate) fn throw<'py>(
        &self,
        py: Python<'py>,
        raised: PyErr,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.is_awaited() {
            return Err(raised);
        }
        self.step(py, |awaited| awaited.call_method1(intern!(py, "throw"), (raised,)))
    }

    /// Closes what the function awaits.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        let awaited = lock(&self.awaited).take();
        awaited.map_or(Ok(()), |awaited| awaited.call_method0(py, intern!(py, "close")).map(drop))
    }

    pub(crate) fn is_awaited(&self) -> bool {
        lock(&self.awaited).is_some()
    }

    fn step<'py>(
        &self,
        py: Python<'py>,
        step: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // The lock is not held while Python runs.
        let Some(awaited) = lock(&self.awaited).take() else { return Ok(None) };
        match step(awaited.bind(py)) {
            Ok(yielded) => {
                *lock(&self.awaited) = Some(awaited);
                Ok(Some(yielded))
            }
            Err(raised) if raised.is_instance_of::<PyStopIteration>(py) => Ok(None),
            Err(raised) => Err(raised),
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        match self.awaited.try_lock() {
            Ok(awaited) => visit.call(&*awaited),
            Err(_) => Ok(()),
        }
    }
}

fn check_callable(function: &Bound<'_, PyAny>, name: &str) -> PyResult<()> {
    if function.is_callable() {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!("argument '{name}' must be callable")))
}

/// Checks that a function is callable and not async.
pub(crate) fn check_plain(function: &Bound<'_, PyAny>, name: &str) -> PyResult<()> {
    /// `inspect.CO_COROUTINE`.
    const CO_COROUTINE: u32 = 0x80;
    check_callable(function, name)?;
    let flags = function.getattr("__code__").and_then(|code| code.getattr("co_flags"));
    if flags.and_then(|flags| flags.extract::<u32>()).is_ok_and(|flags| flags & CO_COROUTINE != 0) {
        let message = format!("argument '{name}' must be a plain function, not an async one");
        return Err(PyTypeError::new_err(message));
    }
    Ok(())
}
