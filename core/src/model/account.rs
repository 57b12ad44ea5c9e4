//! The account's usage: the balance, totals, usage by day, and the recent requests.

use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{self, decimal_of};
use super::generation::Status;
use super::shown;

/// The account's usage: the balance, totals, usage by day, and the recent requests.
///
/// Amounts are in US cents and exact. [`raw`](Self::raw) holds the service's whole response, with
/// the fields that have no place in the typed view; serializing writes it back unchanged.
///
/// ```
/// use pipevideo::AccountUsage;
///
/// let usage: AccountUsage = serde_json::from_str(r#"{"credit_balance": 1250}"#)?;
/// assert_eq!(usage.credit_balance.unwrap().to_string(), "1250");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Value", into = "Value")]
#[non_exhaustive]
pub struct AccountUsage {
    /// The prepaid credits that are left, in cents.
    pub credit_balance: Option<Decimal>,
    /// The sums over all requests.
    pub totals: UsageTotals,
    /// The usage of each day.
    pub daily_usage: Vec<DailyUsage>,
    /// The usage of each day, by engine, model and provider.
    pub daily_usage_by_route: Vec<DailyRoutes>,
    /// The latest generations. The service offers no other list of them.
    pub recent_requests: Vec<RecentRequest>,
    /// The service's response as JSON, unchanged.
    pub raw: Value,
}

shown::debug!(AccountUsage {
    credit_balance, totals, daily_usage, daily_usage_by_route, recent_requests
} hidden { raw } urls {});

/// The sums over all requests of an account.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct UsageTotals {
    /// The number of requests.
    pub total_requests: Option<u64>,
    /// The number of completed generations.
    pub completed_requests: Option<u64>,
    /// The number of failed generations.
    pub failed_requests: Option<u64>,
    /// Their cost, in cents.
    pub total_cost_cents: Option<Decimal>,
}

/// The usage of one day.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct DailyUsage {
    /// The day, as the service writes it.
    pub date: String,
    /// The number of requests.
    pub request_count: Option<u64>,
    /// The number of completed generations.
    pub completed_count: Option<u64>,
    /// The number of failed generations.
    pub failed_count: Option<u64>,
    /// Their cost, in cents.
    pub total_cost_cents: Option<Decimal>,
    /// The length of the videos that were made, in seconds.
    pub total_duration_seconds: Option<Decimal>,
}

/// The usage of one day by route: by engine, model and provider.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct DailyRoutes {
    /// The day, as the service writes it.
    pub date: String,
    /// The usage of each route.
    pub routes: Vec<RouteUsage>,
}

/// The usage of one route: an engine, model and provider together.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct RouteUsage {
    /// The engine.
    pub engine: Option<String>,
    /// The orchestration model.
    pub model: Option<String>,
    /// The provider's slug.
    pub provider: Option<String>,
    /// The number of requests.
    pub request_count: Option<u64>,
    /// The number of completed generations.
    pub completed_count: Option<u64>,
    /// The number of failed generations.
    pub failed_count: Option<u64>,
    /// Their cost, in cents.
    pub total_cost_cents: Option<Decimal>,
    /// The number of tokens in prompts.
    pub total_prompt_tokens: Option<u64>,
    /// The number of tokens that the models generated.
    pub total_completion_tokens: Option<u64>,
    /// The mean latency from creation to completion, in milliseconds.
    pub avg_latency_ms: Option<Decimal>,
}

/// One of the latest generations.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct RecentRequest {
    /// The generation's id, for `retrieve`, `wait` and `download`.
    pub id: String,
    /// Its status.
    pub status: Option<Status>,
    /// The orchestration model.
    pub model_name: Option<String>,
    /// The engine.
    pub engine: Option<String>,
    /// Its cost, in cents.
    pub cost_cents: Option<Decimal>,
    /// The time from its creation to its completion, in milliseconds.
    pub latency_ms: Option<u64>,
    /// When the service accepted it (Unix milliseconds on the wire).
    pub created_at: Option<SystemTime>,
    /// When it ended (Unix milliseconds on the wire).
    pub completed_at: Option<SystemTime>,
}

impl From<AccountUsage> for Value {
    fn from(usage: AccountUsage) -> Self {
        usage.raw
    }
}

impl From<Value> for AccountUsage {
    fn from(raw: Value) -> Self {
        let totals = &raw["totals"];
        Self {
            credit_balance: decimal_of(&raw["credit_balance"]),
            totals: UsageTotals {
                total_requests: totals["total_requests"].as_u64(),
                completed_requests: totals["completed_requests"].as_u64(),
                failed_requests: totals["failed_requests"].as_u64(),
                total_cost_cents: decimal_of(&totals["total_cost_cents"]),
            },
            daily_usage: list(&raw["daily_usage"], day),
            daily_usage_by_route: list(&raw["daily_usage_by_route"], routes),
            recent_requests: list(&raw["recent_requests"], recent),
            raw,
        }
    }
}

fn list<T>(value: &Value, read: fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().into_iter().flatten().filter_map(read).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn millis(value: &Value) -> Option<SystemTime> {
    fields::time(Duration::from_millis(value.as_u64()?))
}

fn day(value: &Value) -> Option<DailyUsage> {
    Some(DailyUsage {
        date: text(&value["date"])?,
        request_count: value["request_count"].as_u64(),
        completed_count: value["completed_count"].as_u64(),
        failed_count: value["failed_count"].as_u64(),
        total_cost_cents: decimal_of(&value["total_cost_cents"]),
        total_duration_seconds: decimal_of(&value["total_duration_seconds"]),
    })
}

fn routes(value: &Value) -> Option<DailyRoutes> {
    Some(DailyRoutes { date: text(&value["date"])?, routes: list(&value["routes"], route) })
}

fn route(value: &Value) -> Option<RouteUsage> {
    value.is_object().then(|| RouteUsage {
        engine: text(&value["engine"]),
        model: text(&value["model"]),
        provider: text(&value["provider"]),
        request_count: value["request_count"].as_u64(),
        completed_count: value["completed_count"].as_u64(),
        failed_count: value["failed_count"].as_u64(),
        total_cost_cents: decimal_of(&value["total_cost_cents"]),
        total_prompt_tokens: value["total_prompt_tokens"].as_u64(),
        total_completion_tokens: value["total_completion_tokens"].as_u64(),
        avg_latency_ms: decimal_of(&value["avg_latency_ms"]),
    })
}

fn recent(value: &Value) -> Option<RecentRequest> {
    Some(RecentRequest {
        id: text(&value["id"])?,
        status: value["status"].as_str().map(Status::from),
        model_name: text(&value["model_name"]),
        engine: text(&value["engine"]),
        cost_cents: decimal_of(&value["cost_cents"]),
        latency_ms: value["latency_ms"].as_u64(),
        created_at: millis(&value["created_at"]),
        completed_at: millis(&value["completed_at"]),
    })
}
