//! The client: each operation is one call of the core.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use bindings_common::lock;
use bindings_macros::barrier;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use pipevideo::{ApiResponse, Client, ClientBuilder, Error, GenerationRequest, Submission};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::arguments::{argument, integer};
use crate::batch::{self, NativeBatch};
use crate::call::{Call, Work};
use crate::call_state::{CallState, Event};
use crate::callback::Callback;
use crate::catalog;
use crate::created::Created;
use crate::errors;
use crate::event::WebhookEvent;
use crate::input;
use crate::logs;
use crate::observer::{self, Observed, with_headers};
use crate::options;
use crate::outcome::Value;
use crate::process::process;
use crate::raise::raise;
use crate::to_json;
use crate::token::TokenSource;
use crate::values::Generation;
use crate::video::Video;
use crate::watch::Watch;
use crate::webhook;

/// The native half of `Pipevideo` and `AsyncPipevideo`.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct NativeClient {
    builder: ClientBuilder,
    tokens: Option<Py<TokenSource>>,
    state: Mutex<State>,
}

enum State {
    /// The client, and the process that it belongs to.
    Open(Client, u64),
    Closed,
}

impl NativeClient {
    /// Returns the client. After a fork the child makes one of its own: the parent's connections are
    /// not touched, not even to close them.
    fn client(&self, py: Python<'_>) -> PyResult<Client> {
        let mut state = lock(&self.state);
        match &*state {
            State::Open(client, owner) if *owner == process() => Ok(client.clone()),
            State::Open(..) => {
                let built = self.builder.clone().build();
                let client = built.map_err(|error| raise(py, &error))?;
                let inherited =
                    std::mem::replace(&mut *state, State::Open(client.clone(), process()));
                std::mem::forget(inherited);
                Ok(client)
            }
            State::Closed => Err(errors::invalid(py, "the client is closed. Make a new one.")),
        }
    }

    /// Returns the client with the options of a call.
    fn client_with(&self, options: &Bound<'_, PyAny>) -> PyResult<Client> {
        let (py, options) = (options.py(), options::call(options)?);
        self.client(py)?.with_options(&options).map_err(|error| raise(py, &error))
    }

    fn tokens(&self, py: Python<'_>) -> Option<Py<TokenSource>> {
        self.tokens.as_ref().map(|tokens| tokens.clone_ref(py))
    }

    fn call(
        &self,
        py: Python<'_>,
        callback: Option<Callback>,
        work: impl FnOnce(Arc<CallState>) -> BoxFuture<'static, Result<Value, Error>> + Send + 'static,
    ) -> Call {
        Call::new(Box::new(work) as Work, callback, self.tokens(py))
    }
}

#[barrier]
#[pymethods]
impl NativeClient {
    #[new]
    #[pyo3(signature = (options: "dict[str, Any]"))]
    fn new(options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (builder, tokens) = options::builder(options)?;
        let client = builder.clone().build().map_err(|error| raise(options.py(), &error))?;
        let state = Mutex::new(State::Open(client, process()));
        Ok(Self { builder, tokens, state })
    }

    fn close(&self) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Closed);
        match state {
            State::Open(client, owner) if owner == process() => client.close(),
            // The parent's client: its calls and connections are the parent's.
            State::Open(client, _) => std::mem::forget(client),
            State::Closed => {}
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }

    #[getter]
    fn is_closed(&self) -> bool {
        matches!(*lock(&self.state), State::Closed)
    }

    fn budget_left(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        Ok(self.client(py)?.budget_left())
    }

    fn peers(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.client(py)?.peers())
    }

    #[pyo3(signature = () -> "Spend")]
    fn spend<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        catalog::spend(py, &self.client(py)?.spend())
    }

    #[pyo3(signature = (
        model: "str",
        engine: "str | None",
        count: "int",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[CostEstimate]")]
    fn estimate(
        &self,
        py: Python<'_>,
        model: &Bound<'_, PyAny>,
        engine: &Bound<'_, PyAny>,
        count: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let model: String = argument(model, "model", "str")?;
        let mut request = GenerationRequest::new(model, "");
        request.engine = argument(engine, "engine", "str")?;
        let estimate =
            self.client_with(options)?.estimate(&request).count(integer(count, "count")?);
        Ok(self.call(py, None, |_| estimate.into_future().map_ok(Value::Estimate).boxed()))
    }

    #[pyo3(signature = (
        arguments: "dict[str, Any]",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[Generation]")]
    fn create(
        &self,
        py: Python<'_>,
        arguments: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let request = input::request(arguments)?;
        let client = self.client_with(options)?;
        let submission = Submission::new();
        let number = observer::is_set().then(|| submission.call());
        let observed = Observed::begin(py, "create", &request.model, &client, number);
        let client = with_headers(py, client, observed.as_ref());
        let kept = submission.clone();
        let call = self.call(py, None, move |_| {
            let create = client.responses().create_with(request, &submission);
            create.with_response().map_ok(answered).boxed()
        });
        Ok(call.creating(kept).observed(observed))
    }

    #[pyo3(signature = (
        id: "str",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[Generation]")]
    fn retrieve(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let id: String = argument(id, "id", "str")?;
        let client = self.client_with(options)?;
        let observed = Observed::begin(py, "retrieve", &id, &client, None);
        let client = with_headers(py, client, observed.as_ref());
        let call = self.call(py, None, move |_| {
            let retrieve = client.responses().retrieve(id);
            retrieve.with_response().map_ok(answered).boxed()
        });
        Ok(call.observed(observed))
    }

    #[pyo3(signature = (
        id: "Generation | str",
        deadline: "Seconds | None",
        on_update: "Callable[[Update], object] | None",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[Generation]")]
    fn wait(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        deadline: Option<&Bound<'_, PyAny>>,
        on_update: Option<Py<PyAny>>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let id = id_of(id, "id")?;
        let deadline = options::deadline(deadline)?;
        let on_update = Callback::new(py, on_update, "on_update")?;
        let client = self.client_with(options)?;
        let observed = Observed::begin(py, "wait", &id, &client, None);
        let mut wait = client.responses().wait(id);
        if let Some(deadline) = deadline {
            wait = wait.deadline(deadline);
        }
        let updates = on_update.is_some() || observed.is_some();
        let call = self.call(py, on_update, move |call| {
            if updates {
                wait = wait.on_update(move |update| push_update(&call, update));
            }
            wait.into_future().map_ok(generation).boxed()
        });
        Ok(call.observed(observed))
    }

    #[pyo3(signature = (
        arguments: "dict[str, Any]",
        deadline: "Seconds | None",
        on_update: "Callable[[Update], object] | None",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[Generation]")]
    fn generate(
        &self,
        py: Python<'_>,
        arguments: &Bound<'_, PyAny>,
        deadline: Option<&Bound<'_, PyAny>>,
        on_update: Option<Py<PyAny>>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let request = input::request(arguments)?;
        let deadline = options::deadline(deadline)?;
        let on_update = Callback::new(py, on_update, "on_update")?;
        let submission = Submission::new();
        let client = self.client_with(options)?;
        let number = observer::is_set().then(|| submission.call());
        let observed = Observed::begin(py, "generate", &request.model, &client, number);
        let client = with_headers(py, client, observed.as_ref());
        let mut generate = client.generate(request).submission(&submission);
        if let Some(deadline) = deadline {
            generate = generate.deadline(deadline);
        }
        let (created, announcer) = Created::new(&submission);
        let announcer = Arc::new(announcer);
        let updates = on_update.is_some() || observed.is_some();
        let call = self.call(py, on_update, move |call| {
            let first = announcer.clone();
            let generate = generate.on_update(move |update| {
                first.created(&update.generation.id);
                if updates {
                    push_update(&call, update);
                }
            });
            async move {
                let ended = generate.await;
                announcer.ended(&ended);
                ended.map(self::generation)
            }
            .boxed()
        });
        Ok(call.creating(submission).showing(created).observed(observed))
    }

    #[pyo3(signature = (
        id: "Generation | str",
        deadline: "Seconds | None",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ))]
    fn watch(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        deadline: Option<&Bound<'_, PyAny>>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Watch> {
        let id = id_of(id, "id")?;
        let deadline = options::deadline(deadline)?;
        let client = self.client_with(options)?;
        let observed = Observed::begin(py, "watch", &id, &client, None);
        let mut watch = client.responses().watch(id);
        if let Some(deadline) = deadline {
            watch = watch.deadline(deadline);
        }
        Ok(Watch::new(watch, self.tokens(py), observed))
    }

    #[pyo3(signature = (options: "dict[str, Any]", total: "int | None"))]
    fn batch(
        &self,
        py: Python<'_>,
        options: &Bound<'_, PyDict>,
        total: Option<u64>,
    ) -> PyResult<NativeBatch> {
        let options = batch::options(options, total)?;
        Ok(NativeBatch::new(options.batch(&self.client(py)?), self.tokens(py)))
    }

    #[pyo3(signature = (
        generation: "Generation | str",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ))]
    fn video(
        &self,
        py: Python<'_>,
        generation: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Video> {
        Video::new(self.client_with(options)?, generation, self.tokens(py))
    }

    #[pyo3(signature = (
        model: "str",
        sent_at: "Instant",
        generation_id,
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[Candidates]")]
    fn reconcile(
        &self,
        py: Python<'_>,
        model: &Bound<'_, PyAny>,
        sent_at: &Bound<'_, PyAny>,
        generation_id: Option<String>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let model: String = argument(model, "model", "str")?;
        let sent_at = webhook::instant(sent_at, "sent_at")?;
        let client = self.client_with(options)?;
        Ok(self.call(py, None, move |_| {
            async move {
                let id = generation_id.as_deref();
                pipevideo::reconcile_stored(&client, &model, sent_at, id).await
            }
            .map_ok(Value::Candidates)
            .boxed()
        }))
    }

    #[pyo3(signature = (
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[EngineCatalog]")]
    fn engines(&self, py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Call> {
        let client = self.client_with(options)?;
        Ok(self.call(py, None, |_| {
            async move { client.engines().list().await }
                .map_ok(|catalog| Value::Engines(Box::new(catalog)))
                .boxed()
        }))
    }

    #[pyo3(signature = (
        path: "str",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[APIResponse]")]
    fn get(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let path: String = argument(path, "path", "str")?;
        let client = self.client_with(options)?;
        Ok(self.call(py, None, move |_| client.get(path).map_ok(Value::Response).boxed()))
    }

    #[pyo3(signature = (
        path: "str",
        body: "Any",
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[APIResponse]")]
    fn post(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let path: String = argument(path, "path", "str")?;
        let body = to_json::from_python(body, "body")?;
        let client = self.client_with(options)?;
        Ok(self.call(py, None, move |_| client.post(path, &body).map_ok(Value::Response).boxed()))
    }

    #[pyo3(signature = (body: "Body", headers: "Headers"))]
    fn unwrap_webhook<'py>(
        &self,
        py: Python<'py>,
        body: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, WebhookEvent>> {
        let client = self.client(py)?;
        let now = webhook::current_time(py)?;
        logs::update_level(py)?;
        let event = webhook::unwrap(body, headers, |body, headers| {
            client.webhooks().unwrap_at(body, headers, now)
        });
        logs::emit(py)?;
        event
    }

    #[pyo3(signature = (generation_id: "str"))]
    fn wake(&self, py: Python<'_>, generation_id: &Bound<'_, PyAny>) -> PyResult<()> {
        let id: String = argument(generation_id, "generation_id", "str")?;
        self.client(py)?.webhooks().wake(&id);
        Ok(())
    }

    #[pyo3(signature = (
        options: "tuple[Seconds | None, int | None, Mapping[str, str] | None]",
    ) -> "Pending[AccountUsage]")]
    fn usage(&self, py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Call> {
        let client = self.client_with(options)?;
        Ok(self.call(py, None, |_| {
            async move { client.usage().retrieve().await }
                .map_ok(|usage| Value::Usage(Box::new(usage)))
                .boxed()
        }))
    }
}

fn answered(answered: (pipevideo::Generation, ApiResponse)) -> Value {
    Value::Answered(Box::new(answered))
}

fn generation(generation: pipevideo::Generation) -> Value {
    Value::Generation(Box::new(generation))
}

/// The id of a generation, which is given itself or by its id.
fn id_of(generation: &Bound<'_, PyAny>, name: &str) -> PyResult<String> {
    match generation.cast::<Generation>() {
        Ok(generation) => Ok(generation.get().core().id.clone()),
        Err(_) => argument(generation, name, "a Generation or its id"),
    }
}

fn push_update(call: &Arc<CallState>, update: &pipevideo::Update) {
    call.push(Event::Update(Box::new(update.clone())));
}
