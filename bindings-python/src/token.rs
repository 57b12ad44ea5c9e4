//! A key that is a Python function: the runtime asks, and a waiter of the same client answers.
//!
//! The runtime's thread never calls Python, so each request for a token goes to a call that is under
//! way; its thread, or its event loop, calls the function. Somebody is always there: nothing is sent
//! for a client of which no call is under way.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use pipevideo::TokenError;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::sync::oneshot;

use crate::runtime::lock;
use crate::shared::{Event, Shared};

/// The function, and the calls that can call it.
pub(crate) struct TokenHost {
    function: Arc<Py<PyAny>>,
    calls: Mutex<Vec<Weak<Shared>>>,
}

/// A wish for a token.
pub(crate) struct TokenRequest {
    function: Arc<Py<PyAny>>,
    reply: oneshot::Sender<Result<String, Raised>>,
}

impl TokenHost {
    pub(crate) fn new(function: Py<PyAny>) -> Arc<Self> {
        Arc::new(Self { function: Arc::new(function), calls: Mutex::default() })
    }

    /// A call that is under way from now on.
    pub(crate) fn serve_with(&self, call: &Arc<Shared>) {
        let mut calls = lock(&self.calls);
        calls.retain(|call| call.strong_count() > 0);
        calls.push(Arc::downgrade(call));
    }

    /// A token, from whichever call answers: one that ends without an answer makes room for another.
    pub(crate) async fn token(self: Arc<Self>) -> Result<String, TokenError> {
        loop {
            let call = lock(&self.calls).iter().rev().find_map(Weak::upgrade);
            let Some(call) = call else { return Err("no call is under way any more".into()) };
            let (reply, answer) = oneshot::channel();
            call.tell(Event::Token(TokenRequest { function: self.function.clone(), reply }));
            let asked = Arc::downgrade(&call);
            drop(call);
            match answer.await {
                Ok(token) => return Ok(token?),
                Err(_) => lock(&self.calls).retain(|call| !call.ptr_eq(&asked)),
            }
        }
    }
}

impl TokenRequest {
    /// Calls the function. What it awaits goes on as a task of the running loop, or, where none
    /// runs, to its end here and now.
    pub(crate) fn answer(self, py: Python<'_>) -> PyResult<()> {
        let token = match self.function.call0(py) {
            Ok(token) => token.into_bound(py),
            Err(error) => {
                self.reply(Err(error));
                return Ok(());
            }
        };
        if !token.hasattr(intern!(py, "__await__"))? {
            self.reply(text(&token));
            return Ok(());
        }
        let asyncio = py.import("asyncio")?;
        if asyncio.call_method0("_get_running_loop")?.is_none() {
            let run = py.import("pipevideo._tokens")?.getattr("run")?;
            self.reply(run.call1((token,)).and_then(|token| text(&token)));
            return Ok(());
        }
        let task = asyncio.call_method1("ensure_future", (token,))?;
        let done = TokenDone { reply: Mutex::new(Some(self)), task: task.clone().unbind() };
        task.call_method1("add_done_callback", (done,))?;
        Ok(())
    }

    fn reply(self, token: PyResult<String>) {
        // Nobody waits for it if the call has been cancelled.
        let _ = self.reply.send(token.map_err(|error| Raised(Held(Arc::new(error)))));
    }
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
    reply: Mutex<Option<TokenRequest>>,
    task: Py<PyAny>,
}

#[pymethods]
impl TokenDone {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) {
        let _ = (py, &self.task);
        let request = lock(&self.reply).take();
        if let Some(request) = request {
            request.reply(task.call_method0("result").and_then(|token| text(&token)));
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
