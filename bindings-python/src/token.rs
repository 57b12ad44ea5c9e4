//! A key that is a Python function: the runtime wishes for tokens, and the client's waiters answer.
//!
//! The runtime's thread never calls Python. A wish goes to all places where the client's calls wait:
//! to its event loops, and to its threads that block, of which one is woken and the others look
//! twenty times a second. Whoever looks first calls the function, so that one that is busy with a
//! callback holds up nobody else. Where nobody looks, as between two steps of a watch, a wish waits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use pipevideo::TokenError;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use tokio::sync::oneshot;

use crate::bridge::LoopQueue;
use crate::runtime::{self, lock};
use crate::shared::Shared;

/// The function, on Python's side: the client, its calls and watches have it.
#[pyclass(frozen, weakref, module = "pipevideo._native")]
pub(crate) struct TokenSource {
    function: Mutex<Option<Py<PyAny>>>,
    host: Arc<TokenHost>,
}

/// The wishes, on the runtime's side. It does not keep the function, which may belong to an object
/// that has the client.
pub(crate) struct TokenHost {
    source: OnceLock<Py<PyWeakrefReference>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    process: u64,
    wishes: VecDeque<Wish>,
    loops: Vec<Weak<LoopQueue>>,
    threads: Vec<Weak<Shared>>,
}

/// A wish for a token. Dropped, it is made again.
type Wish = oneshot::Sender<Result<String, Raised>>;

/// Who answers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Thread,
    Loop,
}

impl TokenHost {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        if state.process != runtime::process() {
            // What a forked child finds is the parent's.
            let fresh = State { process: runtime::process(), ..State::default() };
            std::mem::forget(std::mem::replace(&mut *state, fresh));
        }
        state
    }

    /// A token, from whoever answers first.
    pub(crate) async fn token(self: Arc<Self>) -> Result<String, TokenError> {
        loop {
            let answer = self.wish();
            if let Ok(token) = answer.await {
                return Ok(token?);
            }
        }
    }

    fn wish(self: &Arc<Self>) -> oneshot::Receiver<Result<String, Raised>> {
        let (wish, answer) = oneshot::channel();
        let mut state = self.state();
        // Of those that were given up, as after the request timeout, nobody wants the answer.
        state.wishes.retain(|wish| !wish.is_closed());
        state.wishes.push_back(wish);
        state.loops.retain(|queue| queue.strong_count() > 0);
        state.loops.iter().filter_map(Weak::upgrade).for_each(|queue| queue.ask(self.clone()));
        if let Some(newest) = state.threads.iter().rev().find_map(Weak::upgrade) {
            newest.nudge();
        }
        answer
    }

    /// Answers on an event loop, if the client is still there.
    pub(crate) fn answer(&self, py: Python<'_>) -> PyResult<()> {
        let source = self.source.get().and_then(|source| source.bind(py).upgrade());
        let Some(source) = source else { return Ok(()) };
        source.cast::<TokenSource>()?.get().answer(py, Place::Loop)
    }
}

impl TokenSource {
    pub(crate) fn new(py: Python<'_>, function: Py<PyAny>) -> PyResult<Py<Self>> {
        let host = TokenHost { source: OnceLock::new(), state: Mutex::default() };
        let source = Self { function: Mutex::new(Some(function)), host: Arc::new(host) };
        let source = Bound::new(py, source)?;
        // It has just been made, so that none is set.
        let _ = source.get().host.source.set(PyWeakrefReference::new(&source)?.unbind());
        Ok(source.unbind())
    }

    pub(crate) fn host(&self) -> &Arc<TokenHost> {
        &self.host
    }

    /// A call that is under way from now on: where it waits, wishes are answered.
    pub(crate) fn serve_with(&self, call: &Arc<Shared>) {
        let mut state = self.host.state();
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

    /// Answers all wishes.
    ///
    /// # Errors
    /// What the function raises in a thread and is no `Exception`: Ctrl-C is whose thread it comes
    /// in. The wish is for others then.
    pub(crate) fn answer(&self, py: Python<'_>, place: Place) -> PyResult<()> {
        loop {
            let function = lock(&self.function).as_ref().map(|function| function.clone_ref(py));
            let Some(function) = function else { return Ok(()) };
            let Some(wish) = self.host.state().wishes.pop_front() else { return Ok(()) };
            if wish.is_closed() {
                continue;
            }
            match ask(function.bind(py), place) {
                Ok(Answer::Token(token)) => reply(wish, Ok(token)),
                Ok(Answer::Later(task)) => later(wish, &task)?,
                Err(raised)
                    if place == Place::Thread && !raised.is_instance_of::<PyException>(py) =>
                {
                    return Err(raised);
                }
                Err(raised) => reply(wish, Err(raised)),
            }
        }
    }
}

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

enum Answer<'py> {
    Token(String),
    /// The task of an async function, on an event loop.
    Later(Bound<'py, PyAny>),
}

/// Calls the function. What it awaits in a thread is run to its end.
fn ask<'py>(function: &Bound<'py, PyAny>, place: Place) -> PyResult<Answer<'py>> {
    let py = function.py();
    let token = function.call0()?;
    if !token.hasattr(intern!(py, "__await__"))? {
        return text(&token).map(Answer::Token);
    }
    if place == Place::Loop {
        let task = py.import("asyncio")?.call_method1("ensure_future", (token,))?;
        return Ok(Answer::Later(task));
    }
    let run = py.import("pipevideo._tokens")?.getattr("run")?;
    text(&run.call1((token,))?).map(Answer::Token)
}

/// Answers when a task of the running loop has.
fn later(wish: Wish, task: &Bound<'_, PyAny>) -> PyResult<()> {
    let done = TokenDone { wish: Mutex::new(Some(wish)), task: task.clone().unbind() };
    task.call_method1("add_done_callback", (done,))?;
    Ok(())
}

fn reply(wish: Wish, token: PyResult<String>) {
    // Nobody waits for it if the call has been cancelled.
    let _ = wish.send(token.map_err(|error| Raised(Held(Arc::new(error)))));
}

fn text(token: &Bound<'_, PyAny>) -> PyResult<String> {
    token.extract().map_err(|_| {
        let name = token.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("the api_key function must return a str, not {name}"))
    })
}

/// What is called when the task of an async function is done; it also keeps the task alive.
#[pyclass(frozen, module = "pipevideo._native")]
struct TokenDone {
    wish: Mutex<Option<Wish>>,
    task: Py<PyAny>,
}

#[pymethods]
impl TokenDone {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) {
        let _ = (py, &self.task);
        let wish = lock(&self.wish).take();
        if let Some(wish) = wish {
            reply(wish, task.call_method0("result").and_then(|token| text(&token)));
        }
    }
}

/// The exception of a token function, on its way through the core and back.
#[derive(Debug)]
pub(crate) struct Raised(Held);

/// The exception itself, found again as the source of [`Raised`].
#[derive(Clone)]
pub(crate) struct Held(pub(crate) Arc<PyErr>);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function raised an exception")
    }
}

impl std::error::Error for Raised {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Debug for Held {
    /// What a function raises may quote the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(..)")
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exception")
    }
}

impl std::error::Error for Held {}
