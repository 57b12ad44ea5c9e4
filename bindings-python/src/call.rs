//! A call of the library: awaited on an event loop, or run by a thread that blocks.

use std::ffi::CString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture, abortable};
use pipevideo::Error;
use pyo3::exceptions::{PyRuntimeError, PyRuntimeWarning, PyStopAsyncIteration, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::bridge::Bridge;
use crate::ending;
use crate::errors;
use crate::logs;
use crate::outcome::{Outcome, Value};
use crate::runtime::{self, lock};
use crate::shared::{Event, News, Shared, Waiter};
use crate::token::TokenHost;
use crate::update;

/// What a call does, once it is started.
pub(crate) type Work =
    Box<dyn FnOnce(Arc<Shared>) -> BoxFuture<'static, Result<Value, Error>> + Send>;

/// How long a blocked thread does not look for signals.
const SIGNALS: Duration = Duration::from_millis(50);

/// A call that is awaited, as a coroutine is, or run. Dropping it stops what it does.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Call {
    /// The operation, such as `responses.wait`.
    name: &'static str,
    stage: Mutex<Stage>,
    /// What is called with updates or progress.
    callback: Option<Py<PyAny>>,
    tokens: Option<Arc<TokenHost>>,
    process: u64,
}

enum Stage {
    New(Work),
    Running(Running),
    Ended,
}

#[derive(Clone)]
struct Running {
    shared: Arc<Shared>,
    abort: AbortHandle,
}

/// Ends a call without an outcome when it is dropped before there is one.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(|| Outcome::Lost);
    }
}

impl Call {
    pub(crate) fn new(
        name: &'static str,
        work: Work,
        callback: Option<Py<PyAny>>,
        tokens: Option<Arc<TokenHost>>,
    ) -> Self {
        let stage = Mutex::new(Stage::New(work));
        Self { name, stage, callback, tokens, process: runtime::process() }
    }

    /// The call under way; it is started if it was not. None if it has ended.
    fn running(
        &self,
        py: Python<'_>,
        waiter: impl FnOnce() -> PyResult<Waiter>,
    ) -> PyResult<Option<Running>> {
        if self.process != runtime::process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the call was made before os.fork(), in the parent. Make it anew.",
            ));
        }
        let work = {
            let mut stage = lock(&self.stage);
            match std::mem::replace(&mut *stage, Stage::Ended) {
                Stage::New(work) => work,
                Stage::Running(running) => {
                    *stage = Stage::Running(running.clone());
                    return Ok(Some(running));
                }
                Stage::Ended => return Ok(None),
            }
        };
        logs::look(py)?;
        let shared = Shared::new(waiter()?);
        if let Some(tokens) = &self.tokens {
            tokens.serve_with(&shared);
        }
        let ending = Ending(shared.clone());
        let (work, abort) = abortable(work(shared.clone()));
        runtime::spawn(Box::pin(async move {
            if let Ok(result) = work.await {
                ending.0.end(|| match result {
                    Ok(value) => Outcome::Value(value),
                    Err(error) => Outcome::Failed(error),
                });
            }
        }))?;
        let running = Running { shared, abort };
        *lock(&self.stage) = Stage::Running(running.clone());
        Ok(Some(running))
    }

    /// Stops what is under way.
    fn stop(&self) {
        let stage = std::mem::replace(&mut *lock(&self.stage), Stage::Ended);
        if let Stage::Running(running) = stage
            && self.process == runtime::process()
        {
            running.abort.abort();
        }
    }

    /// Handles news until there is an outcome, or nothing new.
    fn look<'py>(&self, py: Python<'py>, running: &Running) -> PyResult<Option<Finished<'py>>> {
        logs::emit(py)?;
        while let Some(news) = running.shared.news() {
            match news {
                News::Event(event) => self.handle(py, event)?,
                News::Outcome(outcome) => {
                    *lock(&self.stage) = Stage::Ended;
                    return outcome.into_python(py).map(Finished).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn handle(&self, py: Python<'_>, event: Event) -> PyResult<()> {
        let argument = match event {
            Event::Token(request) => return request.answer(py),
            Event::Update(update) => update::update(py, *update)?.into_any(),
            Event::Progress(progress) => update::progress(py, progress)?,
        };
        if let Some(callback) = &self.callback {
            callback.call1(py, (argument,))?;
        }
        Ok(())
    }

    /// One step on the event loop: a future to wait for, or the end as an exception.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = running_loop(py)?;
        let waiter = || Ok(Waiter::Loop { queue: Bridge::queue_of(&event_loop)?, future: None });
        let Some(running) = self.running(py, waiter)? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has been awaited already."));
        };
        loop {
            match self.look(py, &running)? {
                Some(Finished(Some(value))) => {
                    return Err(PyStopIteration::new_err((value.unbind(),)));
                }
                Some(Finished(None)) => return Err(PyStopAsyncIteration::new_err(())),
                None => {}
            }
            let future = event_loop.call_method0(intern!(py, "create_future"))?;
            if running.shared.set_future(future.clone().unbind()) {
                // What `yield from future` would have done.
                future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
                return Ok(future);
            }
        }
    }

    /// Blocks until the end.
    pub(crate) fn block<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let waiter = || Ok(Waiter::Thread(std::thread::current()));
        let Some(running) = self.running(py, waiter)? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has been made already."));
        };
        loop {
            if let Some(Finished(value)) = self.look(py, &running)? {
                return Ok(value);
            }
            ending::detached(py, || running.shared.rest(SIGNALS));
            py.check_signals()?;
            if self.process != runtime::process() {
                return Err(PyRuntimeError::new_err(
                    "pipevideo: this process was forked in the middle of the call.",
                ));
            }
        }
    }
}

/// The value of a call that has ended; `None` at the end of a watch.
struct Finished<'py>(Option<Bound<'py, PyAny>>);

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = GET.import(py, "asyncio.events", "_get_running_loop")?;
    let event_loop = get.call0()?;
    if event_loop.is_none() {
        return Err(errors::no_event_loop(py));
    }
    Ok(event_loop)
}

#[pymethods]
impl Call {
    /// Blocks until the call is done.
    fn run<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.block(py).inspect_err(|_| self.stop())
    }

    /// As a coroutine's: what a task is shown with.
    #[getter]
    fn __name__(&self) -> &'static str {
        self.name
    }

    /// As a coroutine's: what a task is shown with.
    #[getter]
    fn __qualname__(&self) -> &'static str {
        self.name
    }

    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py).inspect_err(|_| self.stop())
    }

    /// As a coroutine's.
    fn send<'py>(
        &self,
        py: Python<'py>,
        _value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.__next__(py)
    }

    /// As a coroutine's: what is under way is stopped.
    #[pyo3(signature = (typ, val = None, tb = None))]
    fn throw(
        &self,
        typ: &Bound<'_, PyAny>,
        val: Option<&Bound<'_, PyAny>>,
        tb: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = tb;
        self.stop();
        match val {
            Some(value) if value.is_instance_of::<pyo3::exceptions::PyBaseException>() => {
                Err(PyErr::from_value(value.clone()))
            }
            _ => Err(PyErr::from_value(typ.clone())),
        }
    }

    /// As a coroutine's: what is under way is stopped.
    fn close(&self) {
        self.stop();
    }
}

impl Drop for Call {
    /// A call that was made and never begun has sent nothing: whoever made it should know.
    fn drop(&mut self) {
        if matches!(*lock(&self.stage), Stage::New(_)) {
            Python::try_attach(|py| {
                let kind = py.get_type::<PyRuntimeWarning>();
                let text =
                    format!("pipevideo: {} was never awaited, so nothing was sent", self.name);
                let text = CString::new(text).unwrap_or_default();
                if let Err(raised) = PyErr::warn(py, &kind, &text, 1) {
                    raised.write_unraisable(py, None);
                }
            });
        }
        self.stop();
    }
}
