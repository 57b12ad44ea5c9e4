//! Batches for programs without async.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::runtime::Runtime;

use super::{Client, block_on};
use crate::error::Error;
use crate::model::FailureCategory;
use crate::{BatchEvent, BatchHandle, BatchItem, BatchRequest, BatchSummary};

impl Client {
    /// Makes a batch of requests; see [`crate::Client::batch`]. The iterator is called on the one
    /// background thread, so it must not block for long.
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::blocking::Client) -> pipevideo::Result<()> {
    /// use pipevideo::GenerationRequest;
    ///
    /// let prompts = ["A cat walking on a beach", "A dog on a skateboard"];
    /// let requests = prompts.map(|prompt| GenerationRequest::new("moonshotai/kimi-k2.5", prompt));
    /// for item in client.batch(requests).journal("run.jsonl").run() {
    ///     let item = item?;
    ///     println!("{} {}", item.key, item.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch<I>(&self, requests: I) -> Batch
    where
        I: IntoIterator<Item: Into<BatchRequest>, IntoIter: Send + 'static>,
    {
        Batch { batch: self.client.batch(requests), runtime: self.runtime }
    }
}

/// A batch of requests: set its options, then [`run`](Self::run) it; see [`crate::Batch`].
#[must_use = "nothing is created unless the batch is run"]
#[derive(Debug)]
pub struct Batch {
    batch: crate::Batch,
    runtime: &'static Runtime,
}

impl Batch {
    /// Sets the file that the run records everything in, one line of JSON for each fact, before it
    /// is acted on; see [`crate::Batch::journal`].
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.batch = self.batch.journal(path);
        self
    }

    /// Downloads each video to a file in this folder, which is created; see
    /// [`crate::Batch::download_to`].
    pub fn download_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.batch = self.batch.download_to(folder);
        self
    }

    /// Sets how many requests are under way at once; see [`crate::Batch::max_in_flight`].
    pub fn max_in_flight(mut self, maximum: usize) -> Self {
        self.batch = self.batch.max_in_flight(maximum);
        self
    }

    /// Sets the maximum that the batch may spend in US dollars, all runs with its journal together;
    /// see [`crate::Batch::spend_limit`].
    pub fn spend_limit(mut self, usd: impl Into<Option<Decimal>>) -> Self {
        self.batch = self.batch.spend_limit(usd);
        self
    }

    /// Bounds the wait for each generation; see [`crate::Batch::deadline`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.batch = self.batch.deadline(deadline);
        self
    }

    /// Sets how often a failed generation is created again; see [`crate::Batch::retries`].
    pub fn retries(mut self, retries: u32) -> Self {
        self.batch = self.batch.retries(retries);
        self
    }

    /// Sets which failures are created again; see [`crate::Batch::retry_categories`].
    pub fn retry_categories(
        mut self,
        categories: impl IntoIterator<Item = FailureCategory>,
    ) -> Self {
        self.batch = self.batch.retry_categories(categories);
        self
    }

    /// Sets whether a create of an earlier run with an unknown outcome is sent again; see
    /// [`crate::Batch::retry_uncertain`].
    pub fn retry_uncertain(mut self, retry: bool) -> Self {
        self.batch = self.batch.retry_uncertain(retry);
        self
    }

    /// Stops creating after this many requests have failed in this run; see
    /// [`crate::Batch::stop_after_failures`].
    pub fn stop_after_failures(mut self, failures: u64) -> Self {
        self.batch = self.batch.stop_after_failures(failures);
        self
    }

    /// Sets whether the journal has the requests, and what may quote them in the responses; see
    /// [`crate::Batch::keep_prompts`].
    pub fn keep_prompts(mut self, keep: bool) -> Self {
        self.batch = self.batch.keep_prompts(keep);
        self
    }

    /// Calls a function with each event; see [`crate::Batch::on_event`].
    pub fn on_event(mut self, function: impl FnMut(&BatchEvent) + Send + 'static) -> Self {
        self.batch = self.batch.on_event(function);
        self
    }

    /// Starts the run; see [`crate::Batch::run`].
    pub fn run(self) -> BatchRun {
        let _entered = self.runtime.enter();
        BatchRun { run: self.batch.run(), runtime: self.runtime }
    }
}

/// A run of a batch: an iterator over its items, as they end; see [`crate::BatchRun`].
#[must_use = "a run that is dropped stops"]
pub struct BatchRun {
    run: crate::BatchRun,
    runtime: &'static Runtime,
}

impl BatchRun {
    /// What the run has done so far; see [`crate::BatchRun::summary`].
    pub fn summary(&self) -> BatchSummary {
        self.run.summary()
    }

    /// A handle, by which another thread can stop the run; see [`crate::BatchRun::handle`].
    pub fn handle(&self) -> BatchHandle {
        self.run.handle()
    }

    /// Stops the run, and blocks until it has ended; see [`crate::BatchRun::stop`].
    pub fn stop(&mut self) -> BatchSummary {
        block_on(self.runtime, self.run.stop())
    }
}

impl Iterator for BatchRun {
    type Item = Result<BatchItem, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.runtime, self.run.next())
    }
}

impl fmt::Debug for BatchRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}
