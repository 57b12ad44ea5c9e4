//! A generation's updates, one after another.

use std::sync::{Arc, Mutex};

use bindings_common::lock;
use bindings_macros::barrier;
use futures_util::FutureExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::call::Call;
use crate::outcome::Value;
use crate::process::process;
use crate::token::TokenSource;
use crate::watch_state::WatchState;

/// The native half of what `watch` returns.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Watch {
    state: Mutex<Option<Arc<WatchState>>>,
    tokens: Option<Py<TokenSource>>,
    process: u64,
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, tokens: Option<Py<TokenSource>>) -> Self {
        let state = Mutex::new(Some(WatchState::new(watch)));
        Self { state, tokens, process: process() }
    }
}

#[barrier]
#[pymethods]
impl Watch {
    /// Returns the call that yields the next update, or None (awaited: StopAsyncIteration) at the end.
    #[pyo3(signature = () -> "Pending[Update | None]")]
    fn next(&self, py: Python<'_>) -> PyResult<Call> {
        if self.process != process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the watch was started before os.fork(), in the parent process. Start \
                 another one.",
            ));
        }
        let state = lock(&self.state).clone();
        let work = move |_| {
            async move {
                if let Some(state) = &state {
                    state.advance().await;
                }
                Ok(Value::Next(state))
            }
            .boxed()
        };
        let tokens = self.tokens.as_ref().map(|tokens| tokens.clone_ref(py));
        Ok(Call::new(Box::new(work), None, tokens).keeping())
    }

    /// Ends the watch; a step that waits ends, too.
    fn close(&self) {
        let state = lock(&self.state).take();
        if self.process != process() {
            std::mem::forget(state);
        } else if let Some(state) = state {
            state.close();
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Nothing receives an error of a destructor.
        let _ = self.close();
    }
}
