//! What the page shows of the service.

use std::time::Duration;

use serde_json::{Value, json};

use super::Service;
use super::generation::{Generation, Stage};
use super::ledger::Money;
use crate::clock::Now;
use crate::page::{Seen, event};

/// How many of the newest generations the page shows.
const MAX_GENERATIONS: usize = 40;

impl Service {
    /// The events of the generations that are new to a page or have changed, the oldest first. `start` is
    /// when the emulator was started: the page has times in seconds since then.
    pub(crate) fn generation_events(&self, seen: &mut Seen, now: Now, start: Duration) -> String {
        let first = self.generations.len().saturating_sub(MAX_GENERATIONS);
        let newest = self.generations.iter().enumerate().skip(first);
        let views = newest.map(|(index, generation)| (index, self.view(generation, now, start)));
        seen.changed(views).iter().map(|view| event("generation", view)).collect()
    }

    fn view(&self, generation: &Generation, now: Now, start: Duration) -> Value {
        let seconds = |at: Duration| at.saturating_sub(start).as_secs_f64();
        // The page has no forecast where time stands still.
        let left = generation.end_of_course().filter(|_| self.options.speed > 0.0);
        let left = left.map(|end| end.saturating_sub(now.progress));
        let outcome = match generation.stage {
            Stage::Completed => Some("completed"),
            Stage::Failed => Some("failed"),
            _ => None,
        };
        json!({
            "id": generation.id,
            "prompt": generation.prompt,
            "model": generation.model.id,
            "engine": generation.engine.id,
            "status": generation.status(),
            "outcome": outcome,
            "created": seconds(generation.created),
            "ended": generation.ended.map(seconds),
            "expected": left.map(|left| seconds(now.real.saturating_add(left))),
            "cost_usd": generation.charged.map(|cost| cost.as_usd()),
            "error": generation.error,
            "video": (generation.stage == Stage::Completed).then(|| generation.path()),
        })
    }

    /// The account, as the page shows it.
    pub(crate) fn account(&mut self, now: Now) -> Value {
        let spent = self.generations.iter().filter_map(|generation| generation.charged);
        let spent = spent.fold(Money::default(), Money::saturating_add);
        json!({
            "balance_cents": self.ledger.balance().as_cents(),
            "spent_usd": spent.as_usd(),
            "used": self.rate_limiter.used(now.real),
            "limit": self.options.rate_limit,
            "speed": self.options.speed,
        })
    }
}
