//! The steps of a stream, each of which is a call.

use std::sync::{Arc, Mutex};

use bindings_common::lock;
use futures_util::{FutureExt, Stream};
use pipevideo::Error;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::call::Call;
use crate::observer::Observed;
use crate::outcome::Value;
use crate::process::process;
use crate::stream_state::StreamState;
use crate::token::TokenSource;

/// What makes the value of a step from the state of its stream, which is `None` once that is closed.
type IntoValue<S, T> = fn(Option<Arc<StreamState<S, T>>>) -> Value;

/// A stream of the core, of which each step is a call. Dropping it ends the stream.
pub(crate) struct Steps<S, T>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    state: Mutex<Option<Arc<StreamState<S, T>>>>,
    value: IntoValue<S, T>,
    tokens: Option<Py<TokenSource>>,
    observed: Option<Observed>,
    process: u64,
}

impl<S, T> Steps<S, T>
where
    S: Stream<Item = Result<T, Error>> + Unpin + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn new(
        stream: S,
        value: IntoValue<S, T>,
        tokens: Option<Py<TokenSource>>,
        observed: Option<Observed>,
    ) -> Self {
        let state = Mutex::new(Some(StreamState::new(stream)));
        Self { state, value, tokens, observed, process: process() }
    }

    /// Returns the call that yields the next item, or None (awaited: StopAsyncIteration) at the end.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Call> {
        if self.process != process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the iteration was started before os.fork(), in the parent process. Start \
                 another one.",
            ));
        }
        let (state, value) = (lock(&self.state).clone(), self.value);
        let work = move |_| {
            async move {
                if let Some(state) = &state {
                    state.advance().await;
                }
                Ok(value(state))
            }
            .boxed()
        };
        let tokens = self.tokens.as_ref().map(|tokens| tokens.clone_ref(py));
        let observed = self.observed.as_ref().map(|observed| observed.step(py));
        Ok(Call::new(Box::new(work), None, tokens).keeping().observed(observed))
    }
}

impl<S, T> Steps<S, T>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    /// Ends the stream; a step that waits ends, too.
    pub(crate) fn close(&self, py: Python<'_>) {
        if let Some(observed) = &self.observed {
            observed.end(py, None, None);
        }
        self.end();
    }

    fn end(&self) {
        let state = lock(&self.state).take();
        if self.process != process() {
            std::mem::forget(state);
        } else if let Some(state) = state {
            state.close();
        }
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }
}

impl<S, T> Drop for Steps<S, T>
where
    S: Stream<Item = Result<T, Error>> + Unpin,
{
    fn drop(&mut self) {
        self.end();
    }
}
