//! A generation's updates, one after another.

use std::sync::Arc;

use futures_util::FutureExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::sync::Mutex;

use crate::call::Call;
use crate::outcome::Value;
use crate::runtime::{self, lock};
use crate::token::TokenHost;

type Stream = Arc<Mutex<Option<pipevideo::Watch>>>;

/// What `watch` returns stands on this.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Watch {
    stream: std::sync::Mutex<Option<Stream>>,
    tokens: Option<Arc<TokenHost>>,
    process: u64,
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, tokens: Option<Arc<TokenHost>>) -> Self {
        let stream = Some(Arc::new(Mutex::new(Some(watch))));
        Self { stream: std::sync::Mutex::new(stream), tokens, process: runtime::process() }
    }
}

#[pymethods]
impl Watch {
    /// The call that yields the next update, or None (awaited: StopAsyncIteration) at the end.
    #[pyo3(signature = () -> "Pending[Update | None]")]
    fn next(&self) -> PyResult<Call> {
        if self.process != runtime::process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the watch was begun before os.fork(), in the parent. Begin another.",
            ));
        }
        let stream = lock(&self.stream).clone();
        let work = move |_| {
            async move {
                let Some(stream) = stream else { return Ok(Value::Update(None)) };
                let mut stream = stream.lock().await;
                let Some(watch) = stream.as_mut() else { return Ok(Value::Update(None)) };
                let next = watch.next().await;
                if !matches!(next, Some(Ok(_))) {
                    *stream = None;
                }
                next.transpose().map(|update| Value::Update(update.map(Box::new)))
            }
            .boxed()
        };
        Ok(Call::new("responses.watch", Box::new(work), None, self.tokens.clone()))
    }

    /// Stops following.
    fn close(&self) {
        let stream = lock(&self.stream).take();
        if self.process != runtime::process() {
            std::mem::forget(stream);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}
