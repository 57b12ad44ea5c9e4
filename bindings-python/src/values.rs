//! A generation and what belongs to it, as frozen Python objects over the core's own values.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::SystemTime;

use pipevideo::{Generation as Core, GenerationError as CoreError, TokenUsage as CoreUsage};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json;

pub(crate) fn generation(py: Python<'_>, core: Core) -> PyResult<Bound<'_, Generation>> {
    Bound::new(py, Generation(Arc::new(core)))
}

/// An exact amount as `decimal.Decimal`.
pub(crate) fn decimal(py: Python<'_>, amount: Option<Decimal>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    match amount {
        Some(amount) => CLASS.import(py, "decimal", "Decimal")?.call1((amount.to_string(),)),
        None => Ok(py.None().into_bound(py)),
    }
}

fn text(value: &impl Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| PyValueError::new_err(error.to_string()))
}

pub(crate) fn wire<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let value =
        serde_json::to_value(value).map_err(|error| PyValueError::new_err(error.to_string()))?;
    json::to_python(py, &value)
}

fn read<T: DeserializeOwned>(class: &str, text: &str) -> PyResult<T> {
    // The text may be anything, so the error does not quote it.
    serde_json::from_str(text)
        .map_err(|_| PyValueError::new_err(format!("this is not the JSON of a {class}")))
}

pub(crate) fn extra(extra: &serde_json::Map<String, Value>) -> Value {
    Value::Object(extra.clone())
}

pub(crate) fn hash(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// `Class._from_json` and the JSON text: what pickle keeps.
fn reduced<'py>(this: &Bound<'py, PyAny>, text: String) -> PyResult<Bound<'py, PyTuple>> {
    let restore = this.get_type().getattr("_from_json")?;
    (restore, (text,)).into_pyobject(this.py())
}

/// A text as Python would write it, cut where it gets long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct Generation(pub(crate) Arc<Core>);

impl Generation {
    pub(crate) fn core(&self) -> &Core {
        &self.0
    }
}

#[pymethods]
impl Generation {
    #[staticmethod]
    fn from_dict(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::_from_json(&json::from_python(value, "value")?.to_string())
    }

    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("generation", text).map(|core| Self(Arc::new(core)))
    }

    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    #[getter]
    fn status(&self) -> &str {
        self.0.status.as_str()
    }

    #[getter]
    fn is_final(&self) -> bool {
        self.0.is_final()
    }

    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    #[getter]
    fn engine(&self) -> Option<&str> {
        self.0.engine.as_deref()
    }

    #[getter]
    fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    #[getter]
    fn created_at(&self) -> Option<SystemTime> {
        self.0.created_at
    }

    #[getter]
    fn output_video_url(&self) -> Option<&str> {
        self.0.output_video_url.as_deref()
    }

    #[getter]
    fn usage(&self) -> Option<TokenUsage> {
        self.0.usage.clone().map(TokenUsage)
    }

    #[getter]
    fn error(&self) -> Option<GenerationError> {
        self.0.error.clone().map(GenerationError)
    }

    #[getter]
    fn latency_ms(&self) -> Option<u64> {
        self.0.latency_ms
    }

    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, self.0.output.as_ref().unwrap_or(&Value::Null))
    }

    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &extra(&self.0.extra))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &*self.0)
    }

    fn __repr__(&self) -> String {
        let mut shown = format!("Generation(id={:?}, status={:?}", self.0.id, self.status());
        if let Some(model) = &self.0.model {
            shown += &format!(", model={}", quoted(model));
        }
        if let Some(cost) = self.0.usage.as_ref().and_then(|usage| usage.cost_usd) {
            shown += &format!(", cost_usd={cost}");
        }
        if let Some(error) = &self.0.error {
            shown += &format!(", error={:?}", error.category().as_str());
        }
        // The URL is signed: who has it has the video.
        if self.0.output_video_url.is_some() {
            shown += ", output_video_url=…";
        }
        shown + ")"
    }

    fn _repr_html_(&self) -> String {
        let summary = escaped(&self.__repr__());
        match &self.0.output_video_url {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => format!(
                "<video controls preload=\"metadata\" style=\"max-width: 480px\" src=\"{}\">\
                 </video><br><code>{summary}</code>",
                escaped(url)
            ),
            _ => format!("<code>{summary}</code>"),
        }
    }

    fn __hash__(&self) -> u64 {
        hash((&self.0.id, &self.0.status))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        reduced(this.as_any(), text(&*this.get().0)?)
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }
}

/// A text in HTML, also within quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct TokenUsage(CoreUsage);

#[pymethods]
impl TokenUsage {
    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("token usage", text).map(Self)
    }

    #[getter]
    fn input_tokens(&self) -> Option<u64> {
        self.0.input_tokens
    }

    #[getter]
    fn output_tokens(&self) -> Option<u64> {
        self.0.output_tokens
    }

    #[getter]
    fn total_tokens(&self) -> Option<u64> {
        self.0.total_tokens
    }

    #[getter]
    fn cost_usd<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decimal(py, self.0.cost_usd)
    }

    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &extra(&self.0.extra))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &self.0)
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

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        reduced(this.as_any(), text(&this.get().0)?)
    }
}

#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct GenerationError(CoreError);

#[pymethods]
impl GenerationError {
    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        read("generation's error", text).map(Self)
    }

    #[getter]
    fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    #[getter]
    fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    #[getter]
    fn category(&self) -> &'static str {
        self.0.category().as_str()
    }

    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &extra(&self.0.extra))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        wire(py, &self.0)
    }

    /// The message may quote the prompt, and is left out.
    fn __repr__(&self) -> String {
        let code = self.0.code.as_deref().map_or("None".to_owned(), quoted);
        format!("GenerationError(code={code}, category={:?})", self.category())
    }

    fn __hash__(&self) -> u64 {
        hash((&self.0.code, &self.0.message))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        reduced(this.as_any(), text(&this.get().0)?)
    }
}
