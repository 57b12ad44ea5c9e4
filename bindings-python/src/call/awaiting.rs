//! How an event loop awaits a call.

use std::sync::Arc;

use bindings_common::lock;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::{Call, Finished, Running, Stage, defer};
use crate::bridge::LoopQueue;
use crate::call_state::Waiter;
use crate::callback::Callback;
use crate::errors;
use crate::finalization::AttachedGuard;
use crate::logs;
use crate::loop_reader::LoopReader;
use crate::token::Server;

impl Call {
    /// Makes one step on the event loop: returns a future to wait for, or raises the end as an
    /// exception.
    pub(super) fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let _guard = AttachedGuard::enter(py);
        let event_loop = running_loop(py)?;
        let queue = LoopReader::queue_of(&event_loop)?;
        let is_new = matches!(*lock(&self.stage), Stage::New(_));
        let Some(running) = self.running(py, Waiter::Loop(Arc::downgrade(&queue)))? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has ended."));
        };
        let mut served = self.serve(py, Server::Loop);
        if is_new {
            // The first step only starts the call, so that a handle has it, however soon it ends.
            served?;
            return next_news(&event_loop, &queue, &running);
        }
        loop {
            if let Some(callback) = &self.callback
                && let Some(yielded) = callback.resume(py)?
            {
                served?;
                return Ok(yielded);
            }
            match self.handle_news(py, &running).map_err(|raised| not_stop_iteration(py, raised))? {
                Some(Finished(value)) => {
                    let served = served.and_then(|()| logs::emit(py));
                    served.or_else(|raised| defer(py, raised))?;
                    return Err(match value {
                        Some(value) => PyStopIteration::new_err((value.unbind(),)),
                        None => PyStopAsyncIteration::new_err(()),
                    });
                }
                None => std::mem::replace(&mut served, Ok(()))?,
            }
            let is_awaited = self.callback.as_ref().is_some_and(Callback::is_awaited);
            if !is_awaited && !running.state.has_news() {
                return next_news(&event_loop, &queue, &running);
            }
        }
    }
}

/// Returns a future that is resolved when the call has news.
fn next_news<'py>(
    event_loop: &Bound<'py, PyAny>,
    queue: &Arc<LoopQueue>,
    running: &Running,
) -> PyResult<Bound<'py, PyAny>> {
    let py = event_loop.py();
    let future = event_loop.call_method0(intern!(py, "create_future"))?;
    // News that the call has not taken have put it into the loop's queue. Its reader runs on this thread,
    // after this step, so it finds the future.
    queue.set_future(&running.state, future.clone().unbind());
    // As `yield from future` does: asyncio rejects a future that is yielded without it.
    future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
    Ok(future)
}

/// Replaces a `StopIteration` of a callback, which would end the call, as every coroutine does.
fn not_stop_iteration(py: Python<'_>, raised: PyErr) -> PyErr {
    if !raised.is_instance_of::<PyStopIteration>(py) {
        return raised;
    }
    let error = PyRuntimeError::new_err("pipevideo: a callback raised StopIteration");
    error.set_cause(py, Some(raised));
    error
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = GET.import(py, "asyncio.events", "_get_running_loop")?;
    let event_loop = get.call0()?;
    if event_loop.is_none() {
        return Err(errors::no_event_loop(py));
    }
    Ok(event_loop)
}
