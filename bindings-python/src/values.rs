//! A generation and what belongs to it, as frozen Python objects over the core's own values.

use std::sync::Arc;
use std::time::SystemTime;

use bindings_macros::barrier;
use pipevideo::{
    ApiResponse, Generation as CoreGeneration, GenerationError as CoreError,
    TokenUsage as CoreUsage,
};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyType};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::catalog;
use crate::json::{self, Object, wire};
use crate::literal::FailureCategory;
use crate::pickle::{Reduced, hash, read, reduced};
use crate::pydantic;
use crate::to_json;

pub(crate) fn generation(py: Python<'_>, core: CoreGeneration) -> PyResult<Bound<'_, Generation>> {
    Bound::new(py, Generation(Arc::new(core), None))
}

/// A generation that a call has returned, with the response.
pub(crate) fn answered(
    py: Python<'_>,
    (core, response): (CoreGeneration, ApiResponse),
) -> PyResult<Bound<'_, Generation>> {
    Bound::new(py, Generation(Arc::new(core), Some(Arc::new(response))))
}

/// A quoted text, cut after 80 characters so that a `repr` stays on one line.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

/// One video request as the service last reported it: a plain, immutable snapshot.
///
/// Its `id` is all that another process, language or machine needs to continue with it.
#[pyclass(frozen, eq, module = "pipevideo")]
pub(crate) struct Generation(pub(crate) Arc<CoreGeneration>, pub(crate) Option<Arc<ApiResponse>>);

impl PartialEq for Generation {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Generation {
    pub(crate) fn core(&self) -> &CoreGeneration {
        &self.0
    }
}

#[barrier]
#[pymethods]
impl Generation {
    /// Reads the wire's JSON, which `to_dict` returns.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::_from_json(&to_json::from_python(value, "value")?.to_string())
    }

    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("generation", text).map(|core| Self(Arc::new(core), None))
    }

    /// The service's id, `gen_...`.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// `queued`, `in_progress`, `completed`, `failed`, or the service's own text.
    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    /// Whether the generation has ended (completed or failed) and will not change any more.
    #[getter]
    fn is_final(&self) -> bool {
        self.0.is_final()
    }

    /// The orchestration model.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The engine that renders the video, such as `hyperframes`.
    #[getter]
    fn engine(&self) -> Option<&str> {
        self.0.engine.as_deref()
    }

    /// The slug of the provider that the service chose.
    #[getter]
    fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// When the service accepted the request, in UTC.
    #[getter]
    fn created_at(&self) -> Option<SystemTime> {
        self.0.created_at
    }

    /// The URL of the video, once completed. It is signed and expires; treat it as a secret.
    #[getter]
    fn output_video_url(&self) -> Option<&str> {
        self.0.output_video_url.as_deref()
    }

    /// Tokens and cost, once the service reports them.
    #[getter]
    fn usage(&self) -> Option<TokenUsage> {
        self.0.usage.clone().map(TokenUsage)
    }

    /// Why the generation failed, if it did.
    #[getter]
    fn error(&self) -> Option<GenerationError> {
        self.0.error.clone().map(GenerationError)
    }

    /// The end-to-end time in milliseconds, once completed.
    #[getter]
    fn latency_ms(&self) -> Option<u64> {
        self.0.latency_ms
    }

    /// The service's `output` as JSON. The service does not document its content.
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, self.0.output.as_ref().unwrap_or(&Value::Null))
    }

    /// The response of the `create` or `retrieve` that returned it; None where it comes from elsewhere.
    /// It is no part of the value: not of its equality, its JSON, or its pickle.
    #[getter]
    fn response(&self) -> Option<catalog::Response<'_>> {
        self.1.as_deref().map(catalog::Response)
    }

    /// The fields that this library does not define or could not read.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Object<'_, 'py>> {
        json::object(py, &self.0.extra)
    }

    /// The wire's JSON, unknown fields included.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &*self.0)
    }

    /// The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        pydantic::items(&self.to_dict(py)?)
    }

    /// How pydantic validates and serializes it.
    #[classmethod]
    #[pyo3(signature = (_source: "Any", _handler: "Any") -> "Any")]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        pydantic::core_schema(class)
    }

    /// The JSON schema that pydantic shows, such as in FastAPI's documentation.
    #[classmethod]
    #[pyo3(signature = (_schema: "Any", _handler: "Any") -> "dict[str, Any]")]
    fn __get_pydantic_json_schema__<'py>(
        class: &Bound<'py, PyType>,
        _schema: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        class.py().import("pipevideo._pydantic")?.getattr("generation_json_schema")?.call0()
    }

    fn __repr__(&self) -> String {
        let mut shown =
            format!("Generation(id={:?}, status={:?}", self.0.id, self.0.status.as_str());
        if let Some(model) = &self.0.model {
            shown += &format!(", model={}", quoted(model));
        }
        if let Some(cost) = self.0.usage.as_ref().and_then(|usage| usage.cost_usd) {
            shown += &format!(", cost_usd={cost}");
        }
        if let Some(error) = &self.0.error {
            shown += &format!(", error={:?}", error.category().as_str());
        }
        // The URL is signed: it gives access to the video.
        if self.0.output_video_url.is_some() {
            shown += ", output_video_url=…";
        }
        shown + ")"
    }

    /// Without the URL, which a saved notebook would have: it is signed, and gives access to the video.
    fn _repr_html_(&self) -> PyResult<String> {
        Ok(format!("<code>{}</code>", escaped(&self.__repr__()?)))
    }

    fn __hash__(&self) -> u64 {
        hash((&self.0.id, &self.0.status))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, (String,)>> {
        reduced(this.as_any(), &*this.get().0)
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }
}

/// Escapes a text for HTML, also within quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

/// Tokens and cost of a generation, as far as the service reports them.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct TokenUsage(CoreUsage);

#[barrier]
#[pymethods]
impl TokenUsage {
    /// Reads the wire's JSON, which `to_dict` returns.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::_from_json(&to_json::from_python(value, "value")?.to_string())
    }

    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("token usage", text).map(Self)
    }

    /// The number of input tokens.
    #[getter]
    fn input_tokens(&self) -> Option<u64> {
        self.0.input_tokens
    }

    /// The number of output tokens.
    #[getter]
    fn output_tokens(&self) -> Option<u64> {
        self.0.output_tokens
    }

    /// The total number of tokens, as the service counts them.
    #[getter]
    fn total_tokens(&self) -> Option<u64> {
        self.0.total_tokens
    }

    /// The exact amount charged, in US dollars.
    #[getter]
    fn cost_usd(&self) -> Option<Decimal> {
        self.0.cost_usd
    }

    /// The fields that this library does not define or could not read.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Object<'_, 'py>> {
        json::object(py, &self.0.extra)
    }

    /// The wire's JSON, unknown fields included.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &self.0)
    }

    /// The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        pydantic::items(&self.to_dict(py)?)
    }

    /// How pydantic validates and serializes it.
    #[classmethod]
    #[pyo3(signature = (_source: "Any", _handler: "Any") -> "Any")]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        pydantic::core_schema(class)
    }

    fn __repr__(&self) -> String {
        let count = |count: Option<u64>| count.map_or("None".to_owned(), |n| n.to_string());
        format!(
            "TokenUsage(input_tokens={}, output_tokens={}, total_tokens={}, cost_usd={})",
            count(self.0.input_tokens),
            count(self.0.output_tokens),
            count(self.0.total_tokens),
            self.0.cost_usd.map_or("None".to_owned(), |cost| cost.to_string()),
        )
    }

    fn __hash__(&self) -> u64 {
        hash((self.0.input_tokens, self.0.output_tokens, self.0.cost_usd))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, (String,)>> {
        reduced(this.as_any(), &this.get().0)
    }
}

/// Why a generation failed: the service's own code and message, and a category.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct GenerationError(CoreError);

#[barrier]
#[pymethods]
impl GenerationError {
    /// Reads the wire's JSON, which `to_dict` returns.
    #[staticmethod]
    #[pyo3(signature = (value: "Mapping[str, Any]"))]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::_from_json(&to_json::from_python(value, "value")?.to_string())
    }

    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("generation's error", text).map(Self)
    }

    /// The service's code. The service does not document its values.
    #[getter]
    fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's message. It may quote the prompt, so think before you log it.
    #[getter]
    fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The category of the failure, derived from its code and message.
    #[getter]
    fn category(&self) -> FailureCategory<'static> {
        FailureCategory(self.0.category().as_str())
    }

    /// The fields that this library does not define or could not read.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Object<'_, 'py>> {
        json::object(py, &self.0.extra)
    }

    /// The wire's JSON, unknown fields included.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &self.0)
    }

    /// The names and values of `to_dict`, so that `dict(...)` works, and FastAPI's encoder with it.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        pydantic::items(&self.to_dict(py)?)
    }

    /// How pydantic validates and serializes it.
    #[classmethod]
    #[pyo3(signature = (_source: "Any", _handler: "Any") -> "Any")]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        pydantic::core_schema(class)
    }

    /// Omits the message, which may quote the prompt.
    fn __repr__(&self) -> String {
        let code = self.0.code.as_deref().map_or("None".to_owned(), quoted);
        format!("GenerationError(code={code}, category={:?})", self.0.category().as_str())
    }

    fn __hash__(&self) -> u64 {
        hash((&self.0.code, &self.0.message))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, (String,)>> {
        reduced(this.as_any(), &this.get().0)
    }
}
