//! The progress of a batch, and its summary.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;

use super::item::{BatchItem, ItemStatus};
use crate::error::ErrorKind;
use crate::model::Spend;

/// Something that has happened in a batch, with where the batch is then.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchEvent {
    /// What has happened.
    pub kind: BatchEventKind,
    /// The key of the request that it is about, if it is about one.
    pub key: Option<String>,
    /// The id of its generation, if that is known.
    pub generation_id: Option<String>,
    /// The number of requests in each state.
    pub counts: BatchCounts,
    /// What the batch has spent, earlier runs with the same journal included.
    pub spend: Spend,
    /// The number of requests, if their source has a length.
    pub total: Option<u64>,
    /// When the batch will end, by how long such generations take; `None` while that is not known.
    pub ends_in: Option<Duration>,
}

/// What has happened in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchEventKind {
    /// A generation was created.
    Created,
    /// A failed generation is created again.
    Retried,
    /// A generation has completed.
    Completed,
    /// A request failed.
    Failed,
    /// The outcome of a create is not known.
    Uncertain,
    /// A generation exists, and its end was not seen.
    Pending,
    /// A video was stored.
    Downloaded,
    /// The batch creates nothing more. What is under way continues.
    Stopped,
}

impl BatchEventKind {
    /// The name that every language uses, such as `created`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Retried => "retried",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Pending => "pending",
            Self::Downloaded => "downloaded",
            Self::Stopped => "stopped",
        }
    }
}

impl From<ItemStatus> for BatchEventKind {
    fn from(status: ItemStatus) -> Self {
        match status {
            ItemStatus::Completed => Self::Completed,
            ItemStatus::Failed => Self::Failed,
            ItemStatus::Uncertain => Self::Uncertain,
            ItemStatus::Pending => Self::Pending,
        }
    }
}

/// The number of requests in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchCounts {
    /// Those that are under way.
    pub in_flight: u64,
    /// Those that have completed.
    pub completed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those with an unknown outcome.
    pub uncertain: u64,
    /// Those that are created and were not seen to end.
    pub pending: u64,
    /// Those with a stored video.
    pub downloaded: u64,
    /// Those that had ended before this run began.
    pub from_journal: u64,
}

/// Why a batch has stopped creating before its requests were used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The next create would exceed the spend limit of the batch or of its client.
    SpendLimit,
    /// The credits of the account are used up.
    InsufficientCredits,
    /// As many requests failed as [`stop_after_failures`](crate::Batch::stop_after_failures) says.
    Failures,
    /// The run was stopped by its caller.
    Cancelled,
    /// The source of the requests failed, or a request was not valid in this batch, or the journal could
    /// not be written.
    Error,
}

impl StopReason {
    /// The name that every language uses, such as `spend_limit`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpendLimit => "spend_limit",
            Self::InsufficientCredits => "insufficient_credits",
            Self::Failures => "failures",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a run has done so far, what it has taken from its journal included.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BatchSummary {
    /// The number of requests in each state.
    pub counts: BatchCounts,
    /// What the generations have cost in US dollars, failed ones included.
    pub cost_usd: Decimal,
    /// The part of it that generations were charged which failed.
    pub failed_but_charged: Decimal,
    /// The number of generations that ended without a cost.
    pub unpriced: u64,
    /// The median of the latencies of completed generations.
    pub latency_median: Option<Duration>,
    /// The latency that 95 of 100 completed generations stay below.
    pub latency_95: Option<Duration>,
    /// The number of failed generations by category.
    pub failures: BTreeMap<&'static str, u64>,
    /// The number of errors of the items by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Why the run has stopped creating, if it did before its requests were used up.
    pub stopped_by: Option<StopReason>,
    /// How long the run has taken.
    pub elapsed: Duration,
}

/// Counts what a run does.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) counts: BatchCounts,
    pub(super) stopped_by: Option<StopReason>,
    /// The requests that failed in this run.
    pub(super) failed_here: u64,
    cost: Decimal,
    failed_but_charged: Decimal,
    unpriced: u64,
    /// In milliseconds. Four bytes for each item of a million are little.
    latencies: Vec<u32>,
    failures: BTreeMap<&'static str, u64>,
    errors: BTreeMap<&'static str, u64>,
    /// How long such generations take, by the poll driver.
    pub(super) expected: Option<Duration>,
}

impl Progress {
    pub(super) fn on_item(&mut self, item: &BatchItem) {
        let counts = &mut self.counts;
        let count = match item.status {
            ItemStatus::Completed => &mut counts.completed,
            ItemStatus::Failed => &mut counts.failed,
            ItemStatus::Uncertain => &mut counts.uncertain,
            ItemStatus::Pending => &mut counts.pending,
        };
        *count += 1;
        counts.downloaded += u64::from(item.path.is_some());
        counts.from_journal += u64::from(item.from_journal);
        self.cost = self.cost.saturating_add(item.cost_usd.unwrap_or_default());
        let usage = item.generation.as_ref().map(|generation| generation.usage.as_ref());
        let cost = usage.and_then(|usage| usage?.cost_usd);
        self.unpriced += u64::from(usage.is_some() && cost.is_none());
        // All but the last attempt of a completed item have failed.
        let completed = cost.filter(|_| item.status == ItemStatus::Completed).unwrap_or_default();
        let failed = item.cost_usd.unwrap_or_default().saturating_sub(completed);
        self.failed_but_charged = self.failed_but_charged.saturating_add(failed);
        if item.status == ItemStatus::Completed
            && let Some(latency) = item.latency
        {
            self.latencies.push(u32::try_from(latency.as_millis()).unwrap_or(u32::MAX));
        }
        if let Some(category) = item.category {
            *self.failures.entry(category.as_str()).or_default() += 1;
        }
        if let Some(error) = &item.error {
            *self.errors.entry(ErrorKind::as_str(error.kind())).or_default() += 1;
        }
    }

    pub(super) fn summary(&self, elapsed: Duration) -> BatchSummary {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let quantile = |share: f64| {
            // The nearest rank: the smallest value that this share does not exceed.
            let rank = (share * latencies.len() as f64).ceil() as usize;
            let latency = latencies.get(rank.saturating_sub(1))?;
            Some(Duration::from_millis((*latency).into()))
        };
        BatchSummary {
            counts: self.counts,
            cost_usd: self.cost.normalize(),
            failed_but_charged: self.failed_but_charged.normalize(),
            unpriced: self.unpriced,
            latency_median: quantile(0.5),
            latency_95: quantile(0.95),
            failures: self.failures.clone(),
            errors: self.errors.clone(),
            stopped_by: self.stopped_by,
            elapsed,
        }
    }

    /// When the batch will end, if it goes on with this many at once.
    pub(super) fn ends_in(
        &self,
        total: Option<u64>,
        elapsed: Duration,
        max_in_flight: usize,
    ) -> Option<Duration> {
        let BatchCounts { completed, failed, uncertain, pending, from_journal, .. } = self.counts;
        let ended = completed + failed + uncertain + pending;
        let left = total?.checked_sub(ended)? as f64;
        let ended_here = ended.saturating_sub(from_journal) as f64;
        let seconds = if ended_here >= max_in_flight as f64 {
            // The pace so far has everything in it: the rate limit, retries, downloads.
            elapsed.as_secs_f64() * left / ended_here
        } else {
            self.expected?.as_secs_f64() * (left / max_in_flight as f64).max(0.5)
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Generation;
    use serde_json::json;

    fn item(status: ItemStatus, cost: Option<&str>, all: Option<&str>, seconds: u64) -> BatchItem {
        let decimal = |text: &str| Decimal::from_str_exact(text).unwrap();
        let body = json!({"id": "gen_1", "status": status.as_str(), "usage": {"cost_usd": cost}});
        let generation: Option<Generation> = serde_json::from_value(body).ok();
        BatchItem {
            generation: generation.filter(Generation::is_final),
            cost_usd: all.map(decimal),
            latency: Some(Duration::from_secs(seconds)),
            ..BatchItem::new("a".to_owned(), status)
        }
    }

    #[test]
    fn names_are_shown_as_in_every_language() {
        for (status, name) in [
            (ItemStatus::Completed, "completed"),
            (ItemStatus::Failed, "failed"),
            (ItemStatus::Uncertain, "uncertain"),
            (ItemStatus::Pending, "pending"),
        ] {
            assert_eq!((status.as_str(), status.to_string().as_str()), (name, name));
        }
        for (reason, name) in [
            (StopReason::SpendLimit, "spend_limit"),
            (StopReason::InsufficientCredits, "insufficient_credits"),
            (StopReason::Failures, "failures"),
            (StopReason::Cancelled, "cancelled"),
            (StopReason::Error, "error"),
        ] {
            assert_eq!((reason.as_str(), reason.to_string().as_str()), (name, name));
        }
    }

    #[test]
    fn a_summary_has_the_sums_of_its_items() {
        let mut progress = Progress::default();
        for second in 1..=20 {
            progress.on_item(&item(ItemStatus::Completed, Some("0.10"), Some("0.10"), second));
        }
        progress.on_item(&item(ItemStatus::Completed, Some("0.10"), Some("0.25"), 21));
        progress.on_item(&item(ItemStatus::Completed, None, None, 22));
        progress.on_item(&item(ItemStatus::Failed, Some("0.03"), Some("0.03"), 900));
        progress.on_item(&item(ItemStatus::Pending, None, Some("0.02"), 900));
        let summary = progress.summary(Duration::ZERO);
        assert_eq!(summary.cost_usd.to_string(), "2.3");
        assert_eq!(summary.failed_but_charged.to_string(), "0.2");
        assert_eq!((summary.unpriced, summary.counts.completed), (1, 22));
        assert_eq!(summary.latency_median, Some(Duration::from_secs(11)));
        assert_eq!(summary.latency_95, Some(Duration::from_secs(21)));
        assert_eq!(Progress::default().summary(Duration::ZERO), BatchSummary::default());
    }

    #[test]
    fn the_end_is_forecast_by_the_planner_first_and_by_the_pace_later() {
        let mut progress = Progress::default();
        let seconds = Duration::from_secs;
        assert_eq!(progress.ends_in(Some(100), seconds(1), 10), None);
        progress.expected = Some(seconds(60));
        assert_eq!(progress.ends_in(None, seconds(1), 10), None, "no length");
        assert_eq!(progress.ends_in(Some(100), seconds(1), 10), Some(seconds(600)));
        assert_eq!(progress.ends_in(Some(2), seconds(1), 10), Some(seconds(30)));
        let ended =
            BatchCounts { completed: 20, failed: 4, uncertain: 3, pending: 3, ..progress.counts };
        progress.counts = BatchCounts { from_journal: 10, ..ended };
        assert_eq!(progress.ends_in(Some(100), seconds(40), 10), Some(seconds(140)));
    }
}
