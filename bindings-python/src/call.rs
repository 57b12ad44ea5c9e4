//! A call of the library: awaited on an event loop, or run by a thread that blocks.

use std::ffi::CString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{AbortHandle, BoxFuture, abortable};
use pipevideo::Error;
use pyo3::exceptions::{
    PyKeyboardInterrupt, PyRuntimeError, PyRuntimeWarning, PyStopAsyncIteration, PyStopIteration,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};

use crate::bridge::Bridge;
use crate::ending::Inside;
use crate::errors;
use crate::logs;
use crate::outcome::{Outcome, Value};
use crate::runtime::{self, lock};
use crate::shared::{Event, News, Shared, Waiter};
use crate::token::{Place, TokenSource};
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
    tokens: Option<Py<TokenSource>>,
    process: u64,
    /// Whether an outcome that is not handed out is kept elsewhere, for the next call.
    keeps: bool,
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
        tokens: Option<Py<TokenSource>>,
    ) -> Self {
        let stage = Mutex::new(Stage::New(work));
        Self { name, stage, callback, tokens, process: runtime::process(), keeps: false }
    }

    /// A call whose outcome is kept for the next one, if it is not handed out.
    pub(crate) fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// The call under way; it is started if it was not. None if it has ended.
    fn running(&self, py: Python<'_>, waiter: Waiter) -> PyResult<Option<Running>> {
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
        let shared = Shared::new(waiter);
        if let Some(tokens) = &self.tokens {
            tokens.get().serve_with(&shared);
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
            running.shared.leave();
            running.abort.abort();
        }
    }

    /// Answers what other calls of the client wish for, and emits records.
    fn serve(&self, py: Python<'_>, place: Place) -> PyResult<()> {
        let result = logs::emit(py);
        match &self.tokens {
            Some(tokens) => result.and(tokens.get().answer(py, place)),
            None => result,
        }
    }

    /// Handles news until there is an outcome, or nothing new.
    fn look<'py>(&self, py: Python<'py>, running: &Running) -> PyResult<Option<Finished<'py>>> {
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
        let _inside = Inside::enter(py);
        let event_loop = running_loop(py)?;
        let queue = Bridge::queue_of(&event_loop)?;
        let Some(running) = self.running(py, Waiter::Loop(Arc::downgrade(&queue)))? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has been awaited already."));
        };
        let mut served = self.serve(py, Place::Loop);
        loop {
            match self.look(py, &running).map_err(|raised| not_the_end(py, raised))? {
                Some(Finished(value)) => {
                    served.or_else(|raised| put_off(py, raised))?;
                    return Err(match value {
                        Some(value) => PyStopIteration::new_err((value.unbind(),)),
                        None => PyStopAsyncIteration::new_err(()),
                    });
                }
                None => std::mem::replace(&mut served, Ok(()))?,
            }
            let future = event_loop.call_method0(intern!(py, "create_future"))?;
            // News from now on wake this loop, which is here.
            if !running.shared.has_news() {
                queue.set_future(&running.shared, future.clone().unbind());
                // What `yield from future` would have done.
                future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
                return Ok(future);
            }
        }
    }

    /// Whether somebody awaits this call, and does so still.
    fn is_awaited(&self, py: Python<'_>) -> PyResult<bool> {
        let future = match &*lock(&self.stage) {
            Stage::Running(running) => running.shared.future(py),
            _ => None,
        };
        let Some(future) = future else { return Ok(false) };
        Ok(!future.call_method0(intern!(py, "done"))?.is_truthy()?)
    }

    /// Blocks until the end.
    pub(crate) fn block<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let inside = Inside::enter(py);
        let Some(running) = self.running(py, Waiter::Thread(std::thread::current()))? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has been made already."));
        };
        loop {
            let served = self.serve(py, Place::Thread);
            if let Some(Finished(value)) = self.look(py, &running)? {
                served.or_else(|raised| put_off(py, raised))?;
                return Ok(value);
            }
            served?;
            inside.detached(py, || running.shared.rest(SIGNALS));
            // An outcome may be the only word of what was paid for. One of a watch is kept for the
            // next step, and Python would raise what a signal's handler does before it is handed on.
            if self.keeps || !running.shared.has_ended() {
                py.check_signals()?;
            }
            if self.process != runtime::process() {
                return Err(PyRuntimeError::new_err(
                    "pipevideo: this process was forked in the middle of the call.",
                ));
            }
        }
    }
}

/// As with every coroutine: a `StopIteration` out of a callback is no end of the call.
fn not_the_end(py: Python<'_>, raised: PyErr) -> PyErr {
    if !raised.is_instance_of::<PyStopIteration>(py) {
        return raised;
    }
    let error = PyRuntimeError::new_err("pipevideo: a callback raised StopIteration");
    error.set_cause(py, Some(raised));
    error
}

/// There is an outcome, which goes first: Ctrl-C comes again as a signal, all else is reported.
fn put_off(py: Python<'_>, raised: PyErr) -> PyResult<()> {
    if raised.is_instance_of::<PyKeyboardInterrupt>(py) {
        py.import("_thread")?.call_method0("interrupt_main")?;
    } else {
        raised.write_unraisable(py, None);
    }
    Ok(())
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
        if self.is_awaited(py)? {
            // It goes on for whoever was first.
            return Err(PyRuntimeError::new_err("pipevideo: the call is being awaited already."));
        }
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

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.callback)?;
        visit.call(&self.tokens)
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
