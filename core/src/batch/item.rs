//! What has become of one request of a batch.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use super::journal::Download;
use crate::error::Error;
use crate::model::{Candidates, FailureCategory, Generation, Status};

/// What has become of one request of a batch, as far as this run has come with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchItem {
    /// The key of the request.
    pub key: String,
    /// How far the request has come.
    pub status: ItemStatus,
    /// The id of its generation, if one was created.
    pub generation_id: Option<String>,
    /// The final snapshot of its generation. One that comes from the journal lacks what may quote the
    /// prompt, unless prompts are kept.
    pub generation: Option<Generation>,
    /// Why the generation failed.
    pub category: Option<FailureCategory>,
    /// The error, if there was one. A completed item has one if its download failed: the video is
    /// downloaded by the next run with the same journal.
    pub error: Option<Error>,
    /// Where the video is stored.
    pub path: Option<PathBuf>,
    /// The size of the video in bytes.
    pub bytes: Option<u64>,
    /// The SHA-256 of the video, in hexadecimal digits.
    pub sha256: Option<String>,
    /// The generations that an uncertain create may have made.
    pub candidates: Candidates,
    /// How many creates have made a generation, or may have: more than one if failed ones were retried.
    pub attempts: u32,
    /// What they have cost together in US dollars, as far as the service has reported it.
    pub cost_usd: Option<Decimal>,
    /// The time from the creation of the generation to its end.
    pub latency: Option<Duration>,
    /// Whether the generation had ended before this run began.
    pub from_journal: bool,
}

impl BatchItem {
    pub(super) fn new(key: String, status: ItemStatus) -> Self {
        Self {
            key,
            status,
            generation_id: None,
            generation: None,
            category: None,
            error: None,
            path: None,
            bytes: None,
            sha256: None,
            candidates: Candidates::default(),
            attempts: 0,
            cost_usd: None,
            latency: None,
            from_journal: false,
        }
    }

    /// Takes the final snapshot in. The category is that of a failure, if it is known already.
    pub(super) fn set_ended(&mut self, generation: Generation, category: Option<FailureCategory>) {
        if let Some(cost) = generation.usage.as_ref().and_then(|usage| usage.cost_usd) {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default().saturating_add(cost));
        }
        self.latency = generation.latency_ms.map(Duration::from_millis);
        if generation.status == Status::Failed {
            let error = generation.error.as_ref();
            let found = error.map_or(FailureCategory::Other, |error| error.category());
            self.status = ItemStatus::Failed;
            self.category = category.or(Some(found));
            self.error = Some(Error::failed(Arc::new(generation.clone())));
        } else {
            self.status = ItemStatus::Completed;
            self.category = None;
            self.error = None;
        }
        self.generation = Some(generation);
    }

    pub(super) fn set_stored(&mut self, stored: &Download) {
        self.path = Some(PathBuf::from(&stored.path));
        self.bytes = Some(stored.bytes);
        self.sha256 = Some(stored.sha256.to_string());
    }
}

/// How far a request of a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ItemStatus {
    /// Its generation has completed.
    Completed,
    /// Its generation failed, or its create did and certainly made nothing. The next run creates it
    /// again only in the second case.
    Failed,
    /// Its create may have made a generation, and it is not known which. It is not sent again unless
    /// [`retry_uncertain`](crate::Batch::retry_uncertain) is set.
    Uncertain,
    /// Its generation exists, and its end was not seen: at a deadline, for instance. The next run with
    /// the same journal waits for it again.
    Pending,
}

impl ItemStatus {
    /// The name that every language uses, such as `completed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Pending => "pending",
        }
    }
}

impl std::fmt::Display for ItemStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
