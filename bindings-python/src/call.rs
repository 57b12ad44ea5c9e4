//! A call of the library: awaited on an event loop, or run by a thread that blocks.

mod awaiting;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bindings_common::{catch_async, lock, lost};
use bindings_macros::barrier;
use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::{FutureExt, TryFutureExt};
use pipevideo::barrier::CatchAsync;
use pipevideo::{Error, ErrorKind, Submission};
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt, PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::call_state::{CallState, Event, News, Waiter};
use crate::callback::Callback;
use crate::created::Created;
use crate::finalization::AttachedGuard;
use crate::logs;
use crate::observer::Observed;
use crate::outcome::{Outcome, Value};
use crate::process::process;
use crate::raise;
use crate::runtime::RUNTIME;
use crate::token::{Server, TokenSource};
use crate::update;

/// The work of a call, which begins when the call is started.
pub(crate) type Work = Box<dyn FnOnce(Arc<CallState>) -> Started + Send>;

/// The work that has been started.
pub(crate) type Started = BoxFuture<'static, Result<Value, Error>>;

/// How often a thread that blocks checks for signals, records and token requests. Ctrl-C then takes
/// effect within what a person perceives as at once, for 20 wake-ups a second.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A call of a client's method, which awaits it or runs it, once. Dropping it stops its work.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Call {
    stage: Mutex<Stage>,
    /// The callback for updates or progress.
    callback: Option<Callback>,
    tokens: Option<Py<TokenSource>>,
    process: u64,
    /// Whether an outcome that Python does not receive is kept for the next call.
    keeps: bool,
    /// What is known of the create that the call makes, if it makes one.
    submission: Option<Submission>,
    /// Where the id shows as soon as its create is answered.
    created: Option<Created>,
    observed: Option<Observed>,
}

enum Stage {
    New(Work),
    Running(Running),
    Ended,
}

#[derive(Clone)]
struct Running {
    state: Arc<CallState>,
    work: SharedWork,
    abort: AbortHandle,
}

/// The work under way. The runtime polls it, and the thread that stops the call drops it: it sends
/// nothing after that, so what is known of a create is exact.
#[derive(Clone)]
struct SharedWork {
    future: Arc<Mutex<Option<CatchAsync<Started>>>>,
    state: Arc<CallState>,
}

impl Future for SharedWork {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut future = lock(&self.future);
        let Some(work) = future.as_mut() else { return Poll::Ready(()) };
        Pin::new(work).poll(context).map(|result| {
            *future = None;
            self.state.end(|| match result.flatten() {
                Ok(value) => Outcome::Value(value),
                Err(error) => Outcome::Failed(error),
            });
        })
    }
}

/// Ends a call with an error if it is dropped before the call has an outcome.
struct EndGuard(Arc<CallState>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end(|| Outcome::Failed(lost()));
    }
}

impl Call {
    pub(crate) fn new(
        work: Work,
        callback: Option<Callback>,
        tokens: Option<Py<TokenSource>>,
    ) -> Self {
        let stage = Mutex::new(Stage::New(work));
        Self {
            stage,
            callback,
            tokens,
            process: process(),
            keeps: false,
            submission: None,
            created: None,
            observed: None,
        }
    }

    /// Declares that the call makes a create.
    pub(crate) fn creating(mut self, submission: Submission) -> Self {
        self.submission = Some(submission);
        self
    }

    /// Declares where the id of the generation shows.
    pub(crate) fn showing(mut self, created: Created) -> Self {
        self.created = Some(created);
        self
    }

    /// Has an observer informed of the call.
    pub(crate) fn observed(mut self, observed: Option<Observed>) -> Self {
        self.observed = observed;
        self
    }

    /// Declares that the outcome is kept for the next call if Python does not receive it.
    pub(crate) fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Returns the call under way, and starts it if it is new. `None` if it has ended.
    fn running(&self, py: Python<'_>, waiter: Waiter) -> PyResult<Option<Running>> {
        if self.process != process() {
            return Err(PyRuntimeError::new_err(
                "pipevideo: the call was made before os.fork(), in the parent process. Make it again.",
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
        logs::update_level(py)?;
        let state = CallState::new(waiter);
        if let Some(tokens) = &self.tokens {
            tokens.get().add_call(&state);
        }
        let guard = EndGuard(state.clone());
        let future = Arc::new(Mutex::new(Some(catch_async(work(state.clone())))));
        let work = SharedWork { future, state: state.clone() };
        let (polled, abort) = abortable(work.clone());
        RUNTIME.spawn(async move {
            let _guard = guard;
            let _ = polled.await;
        })?;
        let running = Running { state, work, abort };
        *lock(&self.stage) = Stage::Running(running.clone());
        Ok(Some(running))
    }

    /// Stops the work. Returns the error that says what is known of a create that it leaves behind.
    fn stop(&self) -> Option<Error> {
        let stage = std::mem::replace(&mut *lock(&self.stage), Stage::Ended);
        let Stage::Running(running) = stage else { return None };
        if self.process != process() {
            return None;
        }
        running.state.leave();
        let work = lock(&running.work.future).take();
        let has_ended = work.is_none();
        // If the work made a create, dropping it logs a warning.
        RUNTIME.enter(|| drop(work));
        running.abort.abort();
        let submission = self.submission.as_ref()?;
        let left = match running.state.take_outcome() {
            Some(Outcome::Failed(error)) if error.kind() == ErrorKind::SubmissionUncertain => error,
            _ => submission.uncertain()?,
        };
        if has_ended {
            pipevideo::warn_uncertain(&left);
        }
        Some(left)
    }

    /// Stops the work because of an exception, and notes in it what is known of a create.
    fn interrupt(&self, py: Python<'_>, raised: PyErr) -> PyErr {
        let noted = self.note(py, raised);
        if let Some(observed) = &self.observed {
            if noted.is_instance_of::<PyStopIteration>(py) {
                let value = noted.value(py).getattr(intern!(py, "value")).ok();
                observed.end(py, value.map(Bound::unbind).as_ref(), None);
            } else {
                observed.end(py, None, Some(&noted));
            }
        }
        noted
    }

    fn note(&self, py: Python<'_>, raised: PyErr) -> PyErr {
        if let Some(left) = self.stop() {
            let noted = raise::note(py, &raised, &left).and(logs::emit(py));
            noted.unwrap_or_else(|failed| failed.write_unraisable(py, None));
        }
        raised
    }

    /// Serves token requests of the client, also those of its other calls, and emits log records.
    fn serve(&self, py: Python<'_>, server: Server) -> PyResult<()> {
        let result = logs::emit(py);
        match &self.tokens {
            Some(tokens) => result.and(tokens.get().serve(py, server)),
            None => result,
        }
    }

    /// Handles news until there is an outcome, or no more news, or the callback awaits something.
    fn handle_news<'py>(
        &self,
        py: Python<'py>,
        running: &Running,
    ) -> PyResult<Option<Finished<'py>>> {
        while let Some(news) = running.state.take_news() {
            match news {
                News::Event(event) => {
                    if self.handle(py, event)? {
                        running.state.keep_latest();
                        return Ok(None);
                    }
                }
                News::Outcome(outcome) => {
                    *lock(&self.stage) = Stage::Ended;
                    return outcome.into_python(py).map(Finished).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Passes an event to the callback. Returns whether the callback awaits something.
    fn handle(&self, py: Python<'_>, event: Event) -> PyResult<bool> {
        let argument = match event {
            Event::Update(update) => {
                let update = update::update(py, *update)?.into_any();
                if let Some(observed) = &self.observed {
                    observed.update(py, &update);
                }
                update
            }
            Event::Progress(progress) => update::progress(py, progress)?,
        };
        self.callback.as_ref().map_or(Ok(false), |callback| callback.call(py, argument))
    }

    /// Blocks until the end.
    pub(crate) fn block<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let guard = AttachedGuard::enter(py);
        self.callback.as_ref().map_or(Ok(()), |callback| callback.check_plain(py))?;
        let Some(running) = self.running(py, Waiter::Thread(std::thread::current()))? else {
            return Err(PyRuntimeError::new_err("pipevideo: the call has ended."));
        };
        loop {
            let served = self.serve(py, Server::Thread);
            if let Some(Finished(value)) = self.handle_news(py, &running)? {
                // Records of the end may have come after the others were emitted.
                let served = served.and_then(|()| logs::emit(py));
                served.or_else(|raised| defer(py, raised))?;
                return Ok(value);
            }
            served?;
            guard.detached(py, || running.state.wait_for_news(CHECK_INTERVAL));
            // Once there is an outcome, an exception of a signal handler must not replace it: it may
            // be the only record of a generation that was paid for. The outcome of a watch's step is
            // kept for the next step, so there the exception goes first.
            if self.keeps || !running.state.has_ended() {
                py.check_signals()?;
            }
            if self.process != process() {
                return Err(PyRuntimeError::new_err(
                    "pipevideo: this process was forked during the call.",
                ));
            }
        }
    }
}

/// Defers an exception, since the outcome goes first: Ctrl-C is raised again as a signal, and every
/// other exception is reported.
fn defer(py: Python<'_>, raised: PyErr) -> PyResult<()> {
    if raised.is_instance_of::<PyKeyboardInterrupt>(py) {
        py.import("_thread")?.call_method0("interrupt_main")?;
    } else {
        raised.write_unraisable(py, None);
    }
    Ok(())
}

/// The value of a call that has ended; `None` at the end of a watch.
struct Finished<'py>(Option<Bound<'py, PyAny>>);

#[barrier]
#[pymethods]
impl Call {
    /// Blocks until the call is done.
    fn run<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.block(py).map_err(|raised| self.interrupt(py, raised))?;
        if let Some(observed) = &self.observed {
            observed.end(py, value.clone().map(Bound::unbind).as_ref(), None);
        }
        Ok(value)
    }

    fn __await__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py).map_err(|raised| self.interrupt(py, raised))
    }

    /// Stops the work, and raises the exception: first in the callback, if that awaits something.
    #[pyo3(signature = (typ, val = None, tb = None))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        typ: &Bound<'py, PyAny>,
        val: Option<&Bound<'py, PyAny>>,
        tb: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = tb;
        let raised = val.filter(|value| value.is_instance_of::<PyBaseException>()).unwrap_or(typ);
        let raised = PyErr::from_value(raised.clone());
        let result = match &self.callback {
            Some(callback) => callback.throw(py, raised),
            None => Err(raised),
        };
        match result {
            Ok(Some(yielded)) => Ok(yielded),
            // The callback has caught it.
            Ok(None) => self.__next__(py),
            Err(raised) => Err(self.interrupt(py, raised)),
        }
    }

    /// The id of the generation that the call creates, as soon as it is known.
    #[getter]
    fn generation_id(&self) -> Option<String> {
        self.created.as_ref().and_then(Created::id)
    }

    /// Another call, which ends as soon as the create of this one is answered, and returns the id; None
    /// if this one is cancelled before its create is sent. It does not start this one.
    #[pyo3(signature = () -> "Pending[str | None]")]
    fn created(&self, py: Python<'_>) -> PyResult<Self> {
        let Some(created) = self.created.clone() else {
            return Err(PyRuntimeError::new_err("pipevideo: the call does not create and wait."));
        };
        let work: Work = Box::new(|_| created.wait().map_ok(Value::Id).boxed());
        Ok(Self::new(work, None, self.tokens.as_ref().map(|tokens| tokens.clone_ref(py))))
    }

    /// Stops the work.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let closed = self.callback.as_ref().map_or(Ok(()), |callback| callback.close(py));
        if let Some(observed) = self.observed.as_ref().filter(|observed| !observed.is_step()) {
            observed.end(py, None, None);
        }
        closed.and(self.stop().map_or(Ok(()), |_| logs::emit(py)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(callback) = &self.callback {
            callback.traverse(&visit)?;
        }
        visit.call(&self.tokens)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.stop();
    }
}
