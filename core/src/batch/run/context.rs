//! What the requests of a run share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::Output;
use super::lost::LostCreates;
use crate::batch::files::FileNames;
use crate::batch::item::{BatchItem, ItemStatus};
use crate::batch::journal::{Fact, Journal, Replay};
use crate::batch::progress::{BatchEvent, BatchEventKind, Progress, StopReason};
use crate::client::events::Details;
use crate::client::{Client, clock};
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};
use crate::model::{FailureCategory, GenerationRequest};
use crate::spend::ledger::{EntryNumber, Ledger, check_maximum};
use crate::spend::prices::PricedRoute;

/// The options of a batch.
#[derive(Clone, Debug)]
pub(in crate::batch) struct Options {
    pub(in crate::batch) journal: Option<PathBuf>,
    pub(in crate::batch) download_to: Option<PathBuf>,
    pub(in crate::batch) max_in_flight: usize,
    pub(in crate::batch) spend_limit: Option<Decimal>,
    pub(in crate::batch) deadline: Option<Duration>,
    pub(in crate::batch) retries: u32,
    pub(in crate::batch) retry_categories: Vec<FailureCategory>,
    pub(in crate::batch) retry_uncertain: bool,
    pub(in crate::batch) stop_after_failures: Option<u64>,
    pub(in crate::batch) keep_prompts: bool,
    pub(in crate::batch) events: bool,
}

/// What the requests of a run share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) total: Option<u64>,
    pub(super) journal: Option<Journal>,
    pub(super) replay: Mutex<Replay>,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) lost: LostCreates,
    /// Each create has a permit while what it makes is not known. Whatever has to know what all creates
    /// have made takes all of them.
    pub(super) sends: Arc<Semaphore>,
    pub(super) sends_at_once: u32,
    pub(super) names: Mutex<FileNames>,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) began: Duration,
    /// Cancelled when the caller stops the run.
    pub(super) cancel: CancellationToken,
    pub(super) outputs: mpsc::UnboundedSender<Output>,
    /// Set once the run creates nothing more.
    stopped: Mutex<Option<Error>>,
    /// How many requests have a place in the ledger that will be given back.
    admitted: Mutex<usize>,
    room: Notify,
}

/// Why a request is not created.
pub(super) enum Refusal {
    /// The run creates nothing more.
    Stopped,
    /// It would cost more than its own maximum.
    TooExpensive(Error),
    /// It does not fit the limit of the batch.
    LimitReached(Error),
}

impl Context {
    pub(super) fn new(
        client: Client,
        options: Options,
        total: Option<u64>,
        (journal, replay): (Option<Journal>, Replay),
        run: (Arc<Mutex<Progress>>, CancellationToken, mpsc::UnboundedSender<Output>),
    ) -> Self {
        let (progress, cancel, outputs) = run;
        let sends_at_once = sends_at_once(&client, options.max_in_flight);
        Self {
            client,
            options,
            total,
            journal,
            replay: Mutex::new(replay),
            ledger: Mutex::default(),
            lost: LostCreates::default(),
            sends: Arc::new(Semaphore::new(sends_at_once as usize)),
            sends_at_once,
            names: Mutex::default(),
            progress,
            began: clock::now(),
            cancel,
            outputs,
            stopped: Mutex::default(),
            admitted: Mutex::default(),
            room: Notify::new(),
        }
    }

    /// Appends a fact to the journal, and returns once it is on the disk.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) async fn record(&self, key: &str, fact: Fact) -> Result<(), Error> {
        match &self.journal {
            Some(journal) => journal.record(key, fact).await,
            None => Ok(()),
        }
    }

    /// Appends a fact that may be lost if the process is killed.
    pub(super) fn note(&self, key: &str, fact: Fact) {
        if let Some(journal) = &self.journal {
            journal.note(key, fact);
        }
    }

    /// Stops creating. What is under way continues.
    pub(super) fn stop(&self, reason: StopReason, error: &Error) {
        let mut stopped = lock(&self.stopped);
        if stopped.is_some() {
            return;
        }
        *stopped = Some(error.clone());
        drop(stopped);
        if reason != StopReason::Cancelled {
            self.client.inner.log.warning(
                "batch creates nothing more",
                Details { reason: Some(&reason), error: Some(error), ..Details::default() },
            );
        }
        lock(&self.progress).stopped_by = Some(reason);
        self.emit(BatchEventKind::Stopped, None, None);
        self.room.notify_waiters();
    }

    /// The error with which a create ends once the run creates nothing more.
    pub(super) fn stopped(&self) -> Option<Error> {
        if self.cancel.is_cancelled() {
            return Some(cancelled());
        }
        lock(&self.stopped).clone()
    }

    /// Waits until the cost of a create fits the limit, and reserves it.
    ///
    /// # Errors
    /// The request must not be created.
    pub(super) async fn admit(&self, request: &GenerationRequest) -> Result<EntryNumber, Refusal> {
        let limit = self.options.spend_limit;
        let inner = &self.client.inner;
        if limit.is_some() || request.max_cost_usd.is_some() {
            // Without the account's prices the first create finds out what it costs.
            let route = PricedRoute::of(request);
            let _ = self.cancel.run_until_cancelled(inner.fetch_prices(&route)).await;
        }
        let checked = inner.state.ledger.with_prices(|prices| check_maximum(prices, request));
        checked.map_err(Refusal::TooExpensive)?;
        loop {
            let room = self.room.notified();
            if self.stopped().is_some() {
                return Err(Refusal::Stopped);
            }
            let reserved = inner
                .state
                .ledger
                .with_prices(|prices| lock(&self.ledger).reserve(prices, request, limit));
            match reserved {
                Ok(number) => {
                    self.on_admitted();
                    return Ok(number);
                }
                // What is under way may cost less than it is estimated at.
                Err(_) if *lock(&self.admitted) > 0 => {
                    tokio::select! {
                        () = room => {}
                        () = self.cancel.cancelled() => {}
                    }
                }
                Err(error) => return Err(Refusal::LimitReached(error)),
            }
        }
    }

    /// A request counts at an estimate that it will give back.
    pub(super) fn on_admitted(&self) {
        *lock(&self.admitted) += 1;
    }

    /// A request that was admitted has ended.
    pub(super) fn on_admitted_ended(&self) {
        *lock(&self.admitted) -= 1;
        self.room.notify_waiters();
    }

    /// Calls a function with the ledger, and then with those that wait for room in it.
    pub(super) fn with_ledger<T>(
        &self,
        function: impl FnOnce(&mut Ledger, &crate::spend::prices::Prices) -> T,
    ) -> T {
        let result = self.client.inner.state.ledger.with_prices(|prices| {
            let mut ledger = lock(&self.ledger);
            let result = function(&mut ledger, prices);
            ledger.estimate_anew(prices);
            result
        });
        self.room.notify_waiters();
        result
    }

    /// A request has ended, with this item unless the run was stopped before it was created.
    pub(super) fn on_ended(&self, item: Option<&BatchItem>) {
        let mut progress = lock(&self.progress);
        progress.counts.in_flight = progress.counts.in_flight.saturating_sub(1);
        let Some(item) = item else { return };
        progress.on_item(item);
        if item.status == ItemStatus::Failed && !item.from_journal {
            progress.failed_here += 1;
        }
        let failed = progress.failed_here;
        drop(progress);
        self.emit(item.status.into(), Some(&item.key), item.generation_id.as_deref());
        if self.options.stop_after_failures.is_some_and(|maximum| failed >= maximum) {
            let message = format!("{failed} requests of the batch have failed, so it has stopped.");
            let error = Error::new(ErrorKind::InvalidRequest, message)
                .with_advice("Find out why, and run it again with the same journal.");
            self.stop(StopReason::Failures, &error);
        }
    }

    /// Tells the caller that something has happened, if that is wanted.
    pub(super) fn emit(&self, kind: BatchEventKind, key: Option<&str>, id: Option<&str>) {
        if !self.options.events {
            return;
        }
        let spend = lock(&self.ledger).spend(self.options.spend_limit);
        let progress = lock(&self.progress);
        let elapsed = clock::now().saturating_sub(self.began);
        let event = BatchEvent {
            kind,
            key: key.map(str::to_owned),
            generation_id: id.map(str::to_owned),
            counts: progress.counts,
            spend,
            total: self.total,
            ends_in: progress.ends_in(self.total, elapsed, self.options.max_in_flight),
        };
        // A caller that is gone does not miss it.
        let _ = self.outputs.send(Output::Event(Box::new(event)));
    }
}

/// The error of a request of a run that its caller has stopped.
pub(super) fn cancelled() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the batch was stopped.")
        .with_advice("Run it again with the same journal to continue.")
}

/// How many creates are sent at once: one, unless the rate limit allows so many that the service's
/// latency would hold them up.
///
/// A process that is killed loses the outcome of those that are being sent. What a single one has made
/// can be found out; of several it stays unknown which request has made which generation.
fn sends_at_once(client: &Client, max_in_flight: usize) -> u32 {
    // The service responds to a create at once: within a quarter of a second.
    const LATENCY: Duration = Duration::from_millis(250);
    let at_once = match client.inner.state.limiter.limit() {
        Some(limit) => f64::from(limit.requests) * LATENCY.div_duration_f64(limit.per),
        None => f64::INFINITY,
    };
    let at_once = at_once.clamp(1.0, max_in_flight as f64);
    (at_once as u32).clamp(1, MAX_SENDS)
}

/// As many as a semaphore has.
const MAX_SENDS: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RateLimit;

    #[tokio::test]
    async fn several_creates_are_sent_at_once_only_if_the_limit_is_high() {
        let second = Duration::from_secs(1);
        for (nth, (limit, max_in_flight, at_once)) in [
            (Some(RateLimit::default()), 50, 1),
            (Some(RateLimit::new(100, second)), 50, 25),
            (Some(RateLimit::new(100, second)), 10, 10),
            (Some(RateLimit::new(2, second)), 50, 1),
            (None, 50, 50),
            (None, usize::MAX, 65_536),
        ]
        .into_iter()
        .enumerate()
        {
            let client = Client::builder().base_url("http://127.0.0.1:9");
            let client = client.api_key(format!("pv_at_once_{nth}")).rate_limit(limit);
            assert_eq!(sends_at_once(&client.build().unwrap(), max_in_flight), at_once, "{nth}");
        }
    }
}
