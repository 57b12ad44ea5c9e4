//! The response of `GET /v1/usage`. It is computed from the generations each time, so that the two
//! always agree.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::generation::{Generation, Stage};
use super::ledger::Money;
use crate::videos::VIDEO_SECONDS;

/// How many of the newest requests `recent_requests` lists. The service does not document its number.
const RECENT_REQUESTS: usize = 100;

/// The response of `GET /v1/usage`.
pub(crate) fn report(balance: Money, generations: &[Generation]) -> Value {
    let mut totals = Tally::default();
    let mut days = BTreeMap::<String, Tally>::new();
    let mut routes = BTreeMap::<String, BTreeMap<Route, Tally>>::new();
    for generation in generations {
        let date = date(generation.created);
        let route = (generation.engine.id, generation.model.id, generation.provider.id);
        totals.add(generation);
        days.entry(date.clone()).or_default().add(generation);
        routes.entry(date).or_default().entry(route).or_default().add(generation);
    }
    json!({
        "credit_balance": balance.as_cents(),
        "totals": {
            "total_requests": totals.requests,
            "completed_requests": totals.completed,
            "failed_requests": totals.failed,
            "total_cost_cents": totals.cost.as_cents(),
        },
        "daily_usage": days.iter().map(|(date, tally)| tally.day(date)).collect::<Vec<_>>(),
        "daily_usage_by_route": routes.iter().map(by_route).collect::<Vec<_>>(),
        "recent_requests": generations.iter().rev().take(RECENT_REQUESTS).map(recent).collect::<Vec<_>>(),
    })
}

/// Engine, model, provider.
type Route = (&'static str, &'static str, &'static str);

#[derive(Default)]
struct Tally {
    requests: u64,
    completed: u64,
    failed: u64,
    cost: Money,
    prompt_tokens: u64,
    completion_tokens: u64,
    latency_ms: u64,
}

impl Tally {
    fn add(&mut self, generation: &Generation) {
        increase(&mut self.requests, 1);
        match generation.stage {
            Stage::Completed => {
                increase(&mut self.completed, 1);
                increase(&mut self.latency_ms, generation.latency_ms().unwrap_or(0));
            }
            Stage::Failed => increase(&mut self.failed, 1),
            _ => {}
        }
        if let Some(cost) = generation.charged {
            self.cost = self.cost.saturating_add(cost);
            increase(&mut self.prompt_tokens, generation.course.tokens.input_tokens);
            increase(&mut self.completion_tokens, generation.course.tokens.output_tokens);
        }
    }

    fn day(&self, date: &str) -> Value {
        json!({
            "date": date,
            "request_count": self.requests,
            "completed_count": self.completed,
            "failed_count": self.failed,
            "total_cost_cents": self.cost.as_cents(),
            "total_duration_seconds": self.completed.saturating_mul(VIDEO_SECONDS),
        })
    }

    fn route(&self, (engine, model, provider): &Route) -> Value {
        json!({
            "engine": engine,
            "model": model,
            "provider": provider,
            "request_count": self.requests,
            "completed_count": self.completed,
            "failed_count": self.failed,
            "total_cost_cents": self.cost.as_cents(),
            "total_prompt_tokens": self.prompt_tokens,
            "total_completion_tokens": self.completion_tokens,
            "avg_latency_ms": self.latency_ms.checked_div(self.completed),
        })
    }
}

/// Token counts come from outside, so their sums may not overflow.
fn increase(sum: &mut u64, by: u64) {
    *sum = sum.saturating_add(by);
}

fn by_route((date, routes): (&String, &BTreeMap<Route, Tally>)) -> Value {
    let routes: Vec<_> = routes.iter().map(|(route, tally)| tally.route(route)).collect();
    json!({ "date": date, "routes": routes })
}

fn recent(generation: &Generation) -> Value {
    let milliseconds = |at: Duration| u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    json!({
        "id": generation.id,
        "status": generation.status(),
        "model_name": generation.model.id,
        "engine": generation.engine.id,
        "cost_cents": generation.charged.unwrap_or_default().as_cents(),
        "latency_ms": generation.latency_ms(),
        "created_at": milliseconds(generation.created),
        "completed_at": generation.ended.map(milliseconds),
    })
}

/// The UTC date of a time since the Unix epoch (Howard Hinnant's `civil_from_days`).
#[allow(
    clippy::arithmetic_side_effects,
    reason = "seconds divided by 86,400 are far from any bound"
)]
fn date(at: Duration) -> String {
    let days = at.as_secs() / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_utc() {
        let of = |seconds| date(Duration::from_secs(seconds));
        assert_eq!(of(0), "1970-01-01");
        assert_eq!(of(951_782_400), "2000-02-29");
        assert_eq!(of(1_709_827_200), "2024-03-07");
        assert_eq!(of(1_735_689_599), "2024-12-31");
        assert_eq!(of(1_735_689_600), "2025-01-01");
    }
}
