//! The engines, the account's usage, estimates, spend and what a batch yields, as the plain Python classes in
//! `pipevideo/_values.py` and `pipevideo/_batch_values.py`.

use bindings_macros::barrier;
use pipevideo::{
    AccountUsage, ApiResponse, BatchCounts, BatchEvent, BatchItem, BatchSummary, Candidates,
    CostEstimate, EngineCatalog, RecentRequest, Spend,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::json;
use crate::raise;
use crate::to_json;
use crate::values;

/// Makes the Python objects of one response.
struct Values<'py>(Bound<'py, PyAny>);

impl<'py> Values<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Self(py.import("pipevideo")?.into_any()))
    }

    fn make(&self, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        self.0.getattr(class)?.call((), Some(fields))
    }
}

/// Makes a dict of names and values.
macro_rules! fields {
    ($py:expr, $($name:literal: $value:expr),* $(,)?) => {{
        let fields = PyDict::new($py);
        $(fields.set_item($name, $value)?;)*
        fields
    }};
}

/// The catalogue of engines from the service's JSON.
#[barrier]
#[pyfunction]
#[pyo3(signature = (value: "Mapping[str, Any]") -> "EngineCatalog")]
pub(crate) fn _engine_catalog<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    engines(value.py(), &to_json::from_python(value, "value")?.into())
}

/// The account's usage from the service's JSON.
#[barrier]
#[pyfunction]
#[pyo3(signature = (value: "Mapping[str, Any]") -> "AccountUsage")]
pub(crate) fn _account_usage<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    usage(value.py(), &to_json::from_python(value, "value")?.into())
}

fn tuple<'py, T>(
    py: Python<'py>,
    values: &[T],
    make: impl Fn(&T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, values.iter().map(make).collect::<PyResult<Vec<_>>>()?)
}

/// A response of the Python type `APIResponse`.
pub(crate) struct Response<'a>(pub(crate) &'a ApiResponse);

impl<'py> IntoPyObject<'py> for Response<'_> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;
    #[cfg(feature = "stubs")]
    const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr =
        pyo3::type_hint_identifier!("pipevideo._values", "APIResponse");

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        response(py, self.0)
    }
}

pub(crate) fn response<'py>(
    py: Python<'py>,
    response: &ApiResponse,
) -> PyResult<Bound<'py, PyAny>> {
    let headers = PyDict::new(py);
    for name in response.headers.keys() {
        let values = response.headers.get_all(name).iter();
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.set_item(name.as_str(), values.join(", "))?;
    }
    let fields = fields!(py,
        "status": response.status,
        "headers": headers,
        "request_id": response.request_id(),
        "content": PyBytes::new(py, &response.body),
    );
    Values::new(py)?.make("APIResponse", &fields)
}

pub(crate) fn engines<'py>(
    py: Python<'py>,
    catalog: &EngineCatalog,
) -> PyResult<Bound<'py, PyAny>> {
    let values = Values::new(py)?;
    let engines = tuple(py, &catalog.engines, |engine| {
        let models = tuple(py, &engine.models, |model| {
            let fields = fields!(py,
                "id": &model.id,
                "input_per_million_usd": model.input_per_million_usd,
                "output_per_million_usd": model.output_per_million_usd,
            );
            values.make("EngineModel", &fields)
        })?;
        values.make("Engine", &fields!(py, "id": &engine.id, "models": models))
    })?;
    let raw = json::to_python(py, &catalog.raw)?;
    values.make("EngineCatalog", &fields!(py, "engines": engines, "raw": raw))
}

pub(crate) fn usage<'py>(py: Python<'py>, usage: &AccountUsage) -> PyResult<Bound<'py, PyAny>> {
    let values = Values::new(py)?;
    let totals = &usage.totals;
    let totals = fields!(py,
        "total_requests": totals.total_requests,
        "completed_requests": totals.completed_requests,
        "failed_requests": totals.failed_requests,
        "total_cost_cents": totals.total_cost_cents,
    );
    let days = tuple(py, &usage.daily_usage, |day| {
        let fields = fields!(py,
            "date": &day.date,
            "request_count": day.request_count,
            "completed_count": day.completed_count,
            "failed_count": day.failed_count,
            "total_cost_cents": day.total_cost_cents,
            "total_duration_seconds": day.total_duration_seconds,
        );
        values.make("DailyUsage", &fields)
    })?;
    let by_route = tuple(py, &usage.daily_usage_by_route, |day| {
        let routes = tuple(py, &day.routes, |route| self::route(py, &values, route))?;
        values.make("DailyRoutes", &fields!(py, "date": &day.date, "routes": routes))
    })?;
    let recent = tuple(py, &usage.recent_requests, |request| recent(py, &values, request))?;
    let fields = fields!(py,
        "credit_balance": usage.credit_balance,
        "totals": values.make("UsageTotals", &totals)?,
        "daily_usage": days,
        "daily_usage_by_route": by_route,
        "recent_requests": recent,
        "raw": json::to_python(py, &usage.raw)?,
    );
    values.make("AccountUsage", &fields)
}

fn route<'py>(
    py: Python<'py>,
    values: &Values<'py>,
    route: &pipevideo::RouteUsage,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "engine": &route.engine,
        "model": &route.model,
        "provider": &route.provider,
        "request_count": route.request_count,
        "completed_count": route.completed_count,
        "failed_count": route.failed_count,
        "total_cost_cents": route.total_cost_cents,
        "total_prompt_tokens": route.total_prompt_tokens,
        "total_completion_tokens": route.total_completion_tokens,
        "avg_latency_ms": route.avg_latency_ms,
    );
    values.make("RouteUsage", &fields)
}

fn recent<'py>(
    py: Python<'py>,
    values: &Values<'py>,
    request: &RecentRequest,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "id": &request.id,
        "status": request.status.as_ref().map(|status| status.as_str()),
        "model_name": &request.model_name,
        "engine": &request.engine,
        "cost_cents": request.cost_cents,
        "latency_ms": request.latency_ms,
        "created_at": request.created_at,
        "completed_at": request.completed_at,
    );
    values.make("RecentRequest", &fields)
}

pub(crate) fn candidates<'py>(
    py: Python<'py>,
    candidates: &Candidates,
) -> PyResult<Bound<'py, PyAny>> {
    let values = Values::new(py)?;
    let found = pyo3::types::PyList::empty(py);
    for candidate in candidates {
        let fields = fields!(py,
            "id": &candidate.id,
            "status": candidate.status.as_ref().map(|status| status.as_str()),
            "model_name": &candidate.model_name,
            "engine": &candidate.engine,
            "cost_cents": candidate.cost_cents,
            "latency_ms": candidate.latency_ms,
            "created_at": candidate.created_at,
            "completed_at": candidate.completed_at,
            "same_model": candidate.same_model,
            "seconds_after_create": candidate.seconds_after_create,
            "known_before": candidate.known_before,
        );
        found.append(values.make("Candidate", &fields)?)?;
    }
    let arguments = (found, candidates.reaches_back_to, candidates.covers_create);
    py.import("pipevideo._values")?.getattr("Candidates")?.call1(arguments)
}

pub(crate) fn estimate<'py>(
    py: Python<'py>,
    estimate: &CostEstimate,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "cost_usd": estimate.cost_usd,
        "low": estimate.low,
        "high": estimate.high,
        "based_on": estimate.based_on.map(|basis| basis.as_str()),
        "samples": estimate.samples,
    );
    Values::new(py)?.make("CostEstimate", &fields)
}

pub(crate) fn spend<'py>(py: Python<'py>, spend: &Spend) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "spent": spend.spent,
        "failed_but_charged": spend.failed_but_charged,
        "in_flight": spend.in_flight,
        "uncertain": spend.uncertain,
        "limit": spend.limit,
        "remaining": spend.remaining,
        "in_flight_count": spend.in_flight_count,
        "uncertain_count": spend.uncertain_count,
        "unknown_count": spend.unknown_count,
    );
    Values::new(py)?.make("Spend", &fields)
}

pub(crate) fn batch_item(py: Python<'_>, item: BatchItem) -> PyResult<Bound<'_, PyAny>> {
    let error = item.error.as_ref().map(|error| raise::exception(py, error)).transpose()?;
    let generation = item.generation.map(|generation| values::generation(py, generation));
    let fields = fields!(py,
        "key": &item.key,
        "status": item.status.as_str(),
        "generation_id": &item.generation_id,
        "generation": generation.transpose()?,
        "category": item.category.map(|category| category.as_str()),
        "error": error,
        "path": &item.path,
        "bytes": item.bytes,
        "sha256": &item.sha256,
        "candidates": candidates(py, &item.candidates)?,
        "attempts": item.attempts,
        "cost_usd": item.cost_usd,
        "latency": item.latency.map(|latency| latency.as_secs_f64()),
        "from_journal": item.from_journal,
    );
    Values::new(py)?.make("BatchItem", &fields)
}

pub(crate) fn batch_event<'py>(py: Python<'py>, event: &BatchEvent) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "kind": event.kind.as_str(),
        "key": &event.key,
        "generation_id": &event.generation_id,
        "counts": counts(py, &event.counts)?,
        "spend": spend(py, &event.spend)?,
        "total": event.total,
        "ends_in": event.ends_in.map(|time| time.as_secs_f64()),
    );
    Values::new(py)?.make("BatchEvent", &fields)
}

fn counts<'py>(py: Python<'py>, counts: &BatchCounts) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "in_flight": counts.in_flight,
        "completed": counts.completed,
        "failed": counts.failed,
        "uncertain": counts.uncertain,
        "pending": counts.pending,
        "downloaded": counts.downloaded,
        "from_journal": counts.from_journal,
    );
    Values::new(py)?.make("BatchCounts", &fields)
}

pub(crate) fn batch_summary<'py>(
    py: Python<'py>,
    summary: &BatchSummary,
) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py,
        "counts": counts(py, &summary.counts)?,
        "cost_usd": summary.cost_usd,
        "failed_but_charged": summary.failed_but_charged,
        "unpriced": summary.unpriced,
        "latency_median": summary.latency_median.map(|latency| latency.as_secs_f64()),
        "latency_95": summary.latency_95.map(|latency| latency.as_secs_f64()),
        "failures": &summary.failures,
        "errors": &summary.errors,
        "stopped_by": summary.stopped_by.map(|reason| reason.as_str()),
        "elapsed": summary.elapsed.as_secs_f64(),
    );
    Values::new(py)?.make("BatchSummary", &fields)
}
