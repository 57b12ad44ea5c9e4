//! The account's usage: balance, totals, days, and the recent requests.

use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::decimal;
use super::fields;
use super::generation::Status;

/// The account's usage: balance, totals, days and recent requests.
///
/// What the typed view does not show is in [`raw`](Self::raw), the service's answer as it came;
/// that is also what is written. Amounts are in US cents and exact.
///
/// ```
/// use pipevideo::AccountUsage;
///
/// let usage: AccountUsage = serde_json::from_str(r#"{"credit_balance": 1250}"#)?;
/// assert_eq!(usage.credit_balance.unwrap().to_string(), "1250");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Value", into = "Value")]
#[non_exhaustive]
pub struct AccountUsage {
    /// What is left, in cents.
    pub credit_balance: Option<Decimal>,
    /// The sums.
    pub totals: UsageTotals,
    /// Each day.
    pub daily_usage: Vec<DailyUsage>,
    /// Each day, by engine, model and provider.
    pub daily_usage_by_route: Vec<DailyRoutes>,
    /// The latest generations; the only list of them that the service offers.
    pub recent_requests: Vec<RecentRequest>,
    /// The answer as it came.
    pub raw: Value,
}

/// Sums over all requests.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct UsageTotals {
    /// All of them.
    pub total_requests: Option<u64>,
    /// The completed ones.
    pub completed_requests: Option<u64>,
    /// The failed ones.
    pub failed_requests: Option<u64>,
    /// What they cost, in cents.
    pub total_cost_cents: Option<Decimal>,
}

/// One day.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct DailyUsage {
    /// The day, as the service writes it.
    pub date: String,
    /// All requests.
    pub request_count: Option<u64>,
    /// The completed ones.
    pub completed_count: Option<u64>,
    /// The failed ones.
    pub failed_count: Option<u64>,
    /// What they cost, in cents.
    pub total_cost_cents: Option<Decimal>,
    /// How much video was made, in seconds.
    pub total_duration_seconds: Option<Decimal>,
}

/// One day, by route.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct DailyRoutes {
    /// The day, as the service writes it.
    pub date: String,
    /// Each route that was used.
    pub routes: Vec<RouteUsage>,
}

/// The use of one engine, model and provider together.
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
    /// All requests.
    pub request_count: Option<u64>,
    /// The completed ones.
    pub completed_count: Option<u64>,
    /// The failed ones.
    pub failed_count: Option<u64>,
    /// What they cost, in cents.
    pub total_cost_cents: Option<Decimal>,
    /// Tokens read.
    pub total_prompt_tokens: Option<u64>,
    /// Tokens written.
    pub total_completion_tokens: Option<u64>,
    /// The mean time end to end, in milliseconds.
    pub avg_latency_ms: Option<Decimal>,
}

/// One of the latest generations.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct RecentRequest {
    /// The generation's id: all that is needed to go on with it.
    pub id: String,
    /// How far it is.
    pub status: Option<Status>,
    /// The orchestration model.
    pub model_name: Option<String>,
    /// The engine.
    pub engine: Option<String>,
    /// What it cost, in cents.
    pub cost_cents: Option<Decimal>,
    /// How long it took end to end, in milliseconds.
    pub latency_ms: Option<u64>,
    /// When the service took it (Unix milliseconds on the wire).
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
            credit_balance: decimal(&raw["credit_balance"]),
            totals: UsageTotals {
                total_requests: totals["total_requests"].as_u64(),
                completed_requests: totals["completed_requests"].as_u64(),
                failed_requests: totals["failed_requests"].as_u64(),
                total_cost_cents: decimal(&totals["total_cost_cents"]),
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
        total_cost_cents: decimal(&value["total_cost_cents"]),
        total_duration_seconds: decimal(&value["total_duration_seconds"]),
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
        total_cost_cents: decimal(&value["total_cost_cents"]),
        total_prompt_tokens: value["total_prompt_tokens"].as_u64(),
        total_completion_tokens: value["total_completion_tokens"].as_u64(),
        avg_latency_ms: decimal(&value["avg_latency_ms"]),
    })
}

fn recent(value: &Value) -> Option<RecentRequest> {
    Some(RecentRequest {
        id: text(&value["id"])?,
        status: value["status"].as_str().map(Status::from),
        model_name: text(&value["model_name"]),
        engine: text(&value["engine"]),
        cost_cents: decimal(&value["cost_cents"]),
        latency_ms: value["latency_ms"].as_u64(),
        created_at: millis(&value["created_at"]),
        completed_at: millis(&value["completed_at"]),
    })
}
