//! A generation's updates, one after another.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use pipevideo::{Error, Update};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tokio::sync::{Mutex, Semaphore};

use crate::call::Call;
use crate::outcome::Value;
use crate::runtime::{self, lock};
use crate::token::TokenSource;

/// What `watch` returns stands on this.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Watch {
    following: std::sync::Mutex<Option<Arc<Following>>>,
    tokens: Option<Py<TokenSource>>,
    process: u64,
}

/// What a watch shares with its steps.
pub(crate) struct Following {
    watch: Mutex<Option<pipevideo::Watch>>,
    /// What has come and has not been handed out: a step that is interrupted leaves it here for the
    /// next one.
    unread: std::sync::Mutex<VecDeque<Result<Update, Error>>>,
    /// It has no permits; it is closed with the watch.
    open: Semaphore,
}

impl Following {
    /// What has come; None at the end.
    pub(crate) fn take(&self) -> Option<Result<Update, Error>> {
        lock(&self.unread).pop_front()
    }

    /// Waits until there is something to take, or the end.
    async fn advance(&self) {
        let mut watch = self.watch.lock().await;
        let Some(open) = watch.as_mut().filter(|_| lock(&self.unread).is_empty()) else { return };
        let closed = pin!(self.open.acquire());
        // An update goes into the queue in the same poll that has yielded it: no abort comes between.
        let next = match select(closed, pin!(open.next())).await {
            Either::Left(_) => None,
            Either::Right((next, _)) => next,
        };
        if !matches!(next, Some(Ok(_))) {
            *watch = None;
        }
        lock(&self.unread).extend(next);
    }
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, tokens: Option<Py<TokenSource>>) -> Self {
        let following = Following {
            watch: Mutex::new(Some(watch)),
            unread: std::sync::Mutex::default(),
            open: Semaphore::new(0),
        };
        let following = std::sync::Mutex::new(Some(Arc::new(following)));
        Self { following, tokens, process: runtime::process() }
    }
}

#[pymethods]
impl Watch {
    /// The call that yields the next update, or None (awaited: StopAsyncIteration) at the end.
    #[pyo3(signature = () -> "Pending[Update | None]")]
    fn next(&self, py: Python<'_>) -> PyResult<Call> {
        if self.process != runtime::process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the watch was begun before os.fork(), in the parent. Begin another.",
            ));
        }
        let following = lock(&self.following).clone();
        let work = move |_| {
            async move {
                if let Some(following) = &following {
                    following.advance().await;
                }
                Ok(Value::Next(following))
            }
            .boxed()
        };
        let tokens = self.tokens.as_ref().map(|tokens| tokens.clone_ref(py));
        Ok(Call::new("responses.watch", Box::new(work), None, tokens).keeping())
    }

    /// Stops following; a step that waits ends.
    fn close(&self) {
        let following = lock(&self.following).take();
        if self.process != runtime::process() {
            std::mem::forget(following);
        } else if let Some(following) = following {
            following.open.close();
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}
