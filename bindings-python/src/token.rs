//! A key that is a Python function: the runtime requests tokens, and the client's waiters serve the
//! requests.
//!
//! The runtime's thread never calls Python. A request is visible to all waiters of the client: to its
//! event loops, and to its threads that block, of which one is unparked and the others check twenty
//! times a second. The first waiter that checks calls the function, so a waiter that is busy with a
//! callback does not delay the others. While no call waits, as between two steps of a watch, a
//! request stays pending.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use bindings_common::{ForeignError, lock};
use bindings_macros::barrier;
use pipevideo::TokenError;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use tokio::sync::oneshot;

use crate::bridge::LoopQueue;
use crate::call_state::CallState;
use crate::process::process;

/// The function. It belongs to Python's objects: the client, its calls and its watches.
#[pyclass(frozen, weakref, module = "pipevideo._native")]
pub(crate) struct TokenSource {
    function: Mutex<Option<Py<PyAny>>>,
    requests: Arc<TokenRequests>,
}

/// The requests for tokens. The runtime owns them, so they do not keep the function alive, which may
/// belong to an object that has the client.
pub(crate) struct TokenRequests {
    source: OnceLock<Py<PyWeakrefReference>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    process: u64,
    pending: VecDeque<Request>,
    loops: Vec<Weak<LoopQueue>>,
    threads: Vec<Weak<CallState>>,
}

/// A request for a token. If it is dropped without a reply, it is made again.
type Request = oneshot::Sender<Result<String, ForeignError<PyErr>>>;

/// Where requests are served.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Server {
    Thread,
    Loop,
}

impl TokenRequests {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        if state.process != process() {
            // In a forked child the state is the parent's: it is not touched, not even to drop it.
            let fresh = State { process: process(), ..State::default() };
            std::mem::forget(std::mem::replace(&mut *state, fresh));
        }
        state
    }

    /// Requests a token, from the waiter that serves the request first.
    pub(crate) async fn token(self: Arc<Self>) -> Result<String, TokenError> {
        loop {
            let token = self.request();
            if let Ok(token) = token.await {
                return Ok(token?);
            }
        }
    }

    fn request(self: &Arc<Self>) -> oneshot::Receiver<Result<String, ForeignError<PyErr>>> {
        let (request, token) = oneshot::channel();
        let mut state = self.state();
        // Requests may have been abandoned, as after the request timeout.
        state.pending.retain(|request| !request.is_closed());
        state.pending.push_back(request);
        state.loops.retain(|queue| queue.strong_count() > 0);
        let loops = state.loops.iter().filter_map(Weak::upgrade);
        loops.for_each(|queue| queue.request_token(self.clone()));
        if let Some(newest) = state.threads.iter().rev().find_map(Weak::upgrade) {
            newest.unpark();
        }
        token
    }

    /// Serves the requests on an event loop, if the client still exists.
    pub(crate) fn serve(&self, py: Python<'_>) -> PyResult<()> {
        let source = self.source.get().and_then(|source| source.bind(py).upgrade());
        let Some(source) = source else { return Ok(()) };
        source.cast::<TokenSource>()?.get().serve(py, Server::Loop)
    }
}

impl TokenSource {
    pub(crate) fn new(py: Python<'_>, function: Py<PyAny>) -> PyResult<Py<Self>> {
        let requests = TokenRequests { source: OnceLock::new(), state: Mutex::default() };
        let source = Self { function: Mutex::new(Some(function)), requests: Arc::new(requests) };
        let source = Bound::new(py, source)?;
        // It has just been made, so it is not set yet.
        let _ = source.get().requests.source.set(PyWeakrefReference::new(&source)?.unbind());
        Ok(source.unbind())
    }

    pub(crate) fn requests(&self) -> &Arc<TokenRequests> {
        &self.requests
    }

    /// Adds a call that has been started: its waiter serves requests.
    pub(crate) fn add_call(&self, call: &Arc<CallState>) {
        let mut state = self.requests.state();
        match call.queue() {
            Some(queue) => {
                let queue = Arc::downgrade(&queue);
                if !state.loops.iter().any(|other| other.ptr_eq(&queue)) {
                    state.loops.push(queue);
                }
            }
            None => {
                state.threads.retain(|call| call.strong_count() > 0);
                state.threads.push(Arc::downgrade(call));
            }
        }
    }

    /// Serves all requests.
    ///
    /// # Errors
    /// An exception that the function raises in a thread and that is not an `Exception`, such as
    /// `KeyboardInterrupt`: it belongs to that thread. The request is made again, for other waiters.
    pub(crate) fn serve(&self, py: Python<'_>, server: Server) -> PyResult<()> {
        loop {
            let function = lock(&self.function).as_ref().map(|function| function.clone_ref(py));
            let Some(function) = function else { return Ok(()) };
            let Some(request) = self.requests.state().pending.pop_front() else { return Ok(()) };
            if request.is_closed() {
                continue;
            }
            match call(function.bind(py), server) {
                Ok(Token::Ready(token)) => reply(request, Ok(token)),
                Ok(Token::Pending(task)) => reply_when_done(request, &task)?,
                Err(raised)
                    if server == Server::Thread && !raised.is_instance_of::<PyException>(py) =>
                {
                    return Err(raised);
                }
                Err(raised) => reply(request, Err(raised)),
            }
        }
    }
}

#[barrier]
#[pymethods]
impl TokenSource {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.function.try_lock() {
            Ok(function) => visit.call(&*function),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let function = lock(&self.function).take();
        drop(function);
    }
}

enum Token<'py> {
    Ready(String),
    /// The task of an async function, on an event loop.
    Pending(Bound<'py, PyAny>),
}

/// Calls the function. In a thread, an async function is run to its end.
fn call<'py>(function: &Bound<'py, PyAny>, server: Server) -> PyResult<Token<'py>> {
    let py = function.py();
    let token = function.call0()?;
    if !token.hasattr(intern!(py, "__await__"))? {
        return text(&token).map(Token::Ready);
    }
    if server == Server::Loop {
        let task = py.import("asyncio")?.call_method1("ensure_future", (token,))?;
        return Ok(Token::Pending(task));
    }
    let run = py.import("pipevideo._tokens")?.getattr("run")?;
    text(&run.call1((token,))?).map(Token::Ready)
}

/// Replies when a task of the running loop is done.
fn reply_when_done(request: Request, task: &Bound<'_, PyAny>) -> PyResult<()> {
    let done = TokenDone { request: Mutex::new(Some(request)), task: task.clone().unbind() };
    task.call_method1("add_done_callback", (done,))?;
    Ok(())
}

fn reply(request: Request, token: PyResult<String>) {
    const DESCRIPTION: &str = "the function raised an exception";
    // The receiver is gone if the call was cancelled.
    let _ = request.send(token.map_err(|raised| ForeignError::new(raised, DESCRIPTION)));
}

fn text(token: &Bound<'_, PyAny>) -> PyResult<String> {
    token.extract().map_err(|_| {
        let name = token.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("the api_key function must return a str, not {name}"))
    })
}

/// The callback of an async function's task. It also keeps the task alive, of which asyncio itself has
/// only a weak reference.
#[pyclass(frozen, module = "pipevideo._native")]
struct TokenDone {
    request: Mutex<Option<Request>>,
    task: Py<PyAny>,
}

#[barrier]
#[pymethods]
impl TokenDone {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) {
        let _ = (py, &self.task);
        let request = lock(&self.request).take();
        if let Some(request) = request {
            reply(request, task.call_method0("result").and_then(|token| text(&token)));
        }
    }
}
