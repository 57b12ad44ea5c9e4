//! One request of a batch: created, awaited, downloaded.

use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, cancelled};
use super::create::Created;
use crate::batch::item::{BatchItem, ItemStatus};
use crate::batch::journal::{Entry, Fact, Hash, State};
use crate::batch::progress::{BatchEventKind, StopReason};
use crate::batch::request::KeyedRequest;
use crate::client::spans::OpenSpan;
use crate::client::{clock, wait};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::model::{
    Candidates, FailureCategory, Generation, GenerationId, GenerationRequest, Update,
};
use crate::polling::wait_state::Snapshot;

/// A request on its way.
pub(super) struct Work {
    pub(super) context: Arc<Context>,
    pub(super) item: BatchItem,
    /// `None` if the journal has its generation, and the request did not come again.
    pub(super) request: Option<GenerationRequest>,
    pub(super) hash: Hash,
    pub(super) created_at: Option<Duration>,
    /// Held while the request counts in the ledger at an estimate.
    pub(super) place: Option<Place>,
    /// What the journal knows of it.
    pub(super) entry: Option<Entry>,
}

/// What to do with a request next.
enum Step {
    Create,
    Wait(GenerationId, Option<Snapshot>),
    /// With the category of a failure, if it is known already.
    Ended(Box<Generation>, Option<FailureCategory>),
}

/// Why a request has no generation with an end.
pub(super) enum Failure {
    /// The run was stopped before it was created.
    Stopped,
    /// It would cost more than its own maximum.
    TooExpensive(Error),
    /// It has no generation.
    NotCreated(Error),
    /// It may have one of these.
    Uncertain(Option<Error>, Candidates),
    /// It has one that was not seen to end.
    Pending(Error),
}

impl Work {
    /// A request, and what the journal says about it.
    pub(super) fn new(context: Arc<Context>, keyed: KeyedRequest, entry: Option<Entry>) -> Self {
        let KeyedRequest { key, request, hash } = keyed;
        Self::with(context, key, Some(request), hash, entry)
    }

    /// A generation in the journal with a request that has not come again.
    pub(super) fn resume(context: Arc<Context>, entry: Entry) -> Self {
        let key = entry.key.as_deref().unwrap_or_default().to_owned();
        let hash = entry.request.unwrap_or(Hash::of(b""));
        Self::with(context, key, None, hash, Some(entry))
    }

    fn with(
        context: Arc<Context>,
        key: String,
        request: Option<GenerationRequest>,
        hash: Hash,
        entry: Option<Entry>,
    ) -> Self {
        let mut item = BatchItem::new(key, ItemStatus::Pending);
        if let Some(entry) = &entry {
            item.attempts = entry.attempts();
            item.cost_usd = Some(entry.earlier_cost).filter(|cost| !cost.is_zero());
        }
        Self { context, item, request, hash, created_at: None, place: None, entry }
    }

    /// Does everything with the request that this run can do. Returns `None` if the run was stopped
    /// before the request was created.
    pub(super) async fn run(mut self) -> Option<BatchItem> {
        let mut step = match self.first_step().await {
            Ok(step) => step,
            Err(failure) => return self.fail(failure),
        };
        loop {
            let (generation, category) = match step {
                Step::Create => match self.create().await {
                    Ok(Created { id, snapshot }) => {
                        step = Step::Wait(id, snapshot);
                        continue;
                    }
                    Err(failure) => return self.fail(failure),
                },
                Step::Wait(id, snapshot) => match self.wait(id, snapshot).await {
                    Ok(generation) => (Box::new(generation), None),
                    Err(error) => return self.fail(Failure::Pending(error)),
                },
                Step::Ended(generation, category) => (generation, category),
            };
            self.on_ended(*generation, category);
            if !self.may_retry() {
                break;
            }
            self.context.emit(BatchEventKind::Retried, Some(&self.item.key), None);
            step = Step::Create;
        }
        if self.item.status == ItemStatus::Completed {
            self.download().await;
        }
        Some(self.item)
    }

    /// Continues from what the journal says.
    async fn first_step(&mut self) -> Result<Step, Failure> {
        let Some(entry) = &self.entry else { return Ok(Step::Create) };
        match &entry.state {
            // The attempts before may have been paid.
            State::NotCreated(_) if !self.may_create_again(entry) => {
                Err(Failure::NotCreated(not_retried()))
            }
            State::NotCreated(_) => Ok(Step::Create),
            State::Created | State::Finished { .. } => {
                self.item.generation_id = entry.id().map(str::to_owned);
                if let State::Finished { span, .. } = entry.state
                    && let Some(journal) = &self.context.journal
                {
                    let finished = journal.load(span).await.map_err(Failure::Pending)?;
                    self.item.from_journal = true;
                    return Ok(Step::Ended(Box::new(finished.generation), finished.category));
                }
                let id = entry.id().unwrap_or_default();
                let id = GenerationId::parse(id).map_err(Failure::Pending)?;
                Ok(Step::Wait(id, None))
            }
            State::Sending { .. } if self.context.options.retry_uncertain => {
                self.context.lost.supersede(&self.item.key);
                Ok(Step::Create)
            }
            State::Sending { .. } => {
                let candidates = self.context.lost.candidates_of(&self.item.key);
                Err(Failure::Uncertain(None, candidates))
            }
        }
    }

    /// Whether a request may be created of which an earlier attempt was not.
    fn may_create_again(&self, entry: &Entry) -> bool {
        let options = &self.context.options;
        entry.attempts() <= options.retries || options.retry_uncertain
    }

    /// Waits until the generation has ended.
    async fn wait(
        &mut self,
        id: GenerationId,
        snapshot: Option<Snapshot>,
    ) -> Result<Generation, Error> {
        let context = self.context.clone();
        let place = self.place.take().unwrap_or_else(|| Place::new(&context));
        let progress = context.progress.clone();
        let on_update: wait::OnUpdate =
            Box::new(move |update: &Update| lock(&progress).expected = Some(update.expected));
        let on_update = context.options.events.then_some(on_update);
        let deadline = context.options.deadline;
        let client = context.client.clone();
        let call = OpenSpan::about("wait", &client.inner.config.base_url, id.as_str());
        let span = call.span();
        let end = wait::until_the_end(client, id, snapshot, deadline, on_update, span);
        let end = context.cancel.run_until_cancelled(Box::pin(call.around(end))).await;
        let generation = match end.unwrap_or_else(|| Err(cancelled())) {
            Ok(generation) => generation,
            Err(error) => match error.generation() {
                Some(failed) if error.kind() == ErrorKind::GenerationFailed => failed.clone(),
                _ => return Err(error),
            },
        };
        context.with_ledger(|ledger, prices| drop(ledger.on_snapshot(prices, &generation)));
        drop(place);
        let fact = Fact::finished(generation.clone(), context.options.keep_prompts);
        context.record(&self.item.key, fact).await?;
        Ok(generation)
    }

    /// Takes the final snapshot into the item.
    fn on_ended(&mut self, generation: Generation, category: Option<FailureCategory>) {
        self.item.set_ended(generation, category);
        if self.item.latency.is_none() {
            let since = |created_at| clock::now().saturating_sub(created_at);
            self.item.latency = self.created_at.map(since);
        }
    }

    /// Whether a failed generation is created again, which is paid again.
    fn may_retry(&self) -> bool {
        let (options, item) = (&self.context.options, &self.item);
        item.status == ItemStatus::Failed
            && item.attempts <= options.retries
            && item.category.is_some_and(|category| options.retry_categories.contains(&category))
            && self.request.is_some()
            && self.context.stopped().is_none()
    }

    fn fail(mut self, failure: Failure) -> Option<BatchItem> {
        match failure {
            Failure::Stopped if self.item.generation.is_none() => return None,
            // An earlier attempt has failed, and is not followed by another.
            Failure::Stopped => {}
            Failure::TooExpensive(error) => {
                self.item.status = ItemStatus::Failed;
                self.item.error = Some(error);
            }
            Failure::NotCreated(error) => {
                let reason = match error.kind() {
                    _ if self.context.client.inner.closed.is_cancelled() => {
                        Some(StopReason::Cancelled)
                    }
                    ErrorKind::SpendLimit => Some(StopReason::SpendLimit),
                    ErrorKind::InsufficientCredits => Some(StopReason::InsufficientCredits),
                    // All others would fail in the same way.
                    ErrorKind::Configuration | ErrorKind::Authentication => Some(StopReason::Error),
                    _ => None,
                };
                if let Some(reason) = reason {
                    self.context.stop(reason, &error);
                }
                self.item.status = ItemStatus::Failed;
                self.item.error = Some(error);
            }
            Failure::Uncertain(error, candidates) => {
                self.item.status = ItemStatus::Uncertain;
                self.item.error = error;
                self.item.candidates = candidates;
            }
            Failure::Pending(error) => {
                // The journal cannot be written.
                if error.kind() == ErrorKind::Configuration {
                    self.context.stop(StopReason::Error, &error);
                }
                self.item.status = ItemStatus::Pending;
                self.item.error = Some(error);
            }
        }
        Some(self.item)
    }
}

/// A place among those that count at an estimate, and will give some of it back.
pub(super) struct Place(Arc<Context>);

impl Place {
    fn new(context: &Arc<Context>) -> Self {
        context.on_admitted();
        Self::of_admitted(context)
    }

    /// The place of a request that [`admit`](Context::admit) has let in.
    pub(super) fn of_admitted(context: &Arc<Context>) -> Self {
        Self(context.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.on_admitted_ended();
    }
}

/// The error of a request with an attempt that was not created after others that may have been paid.
fn not_retried() -> Error {
    let message =
        "an earlier attempt failed or is uncertain, and the one after it was not created.";
    Error::new(ErrorKind::InvalidRequest, message)
        .with_advice("To create it again, which is paid again, set retries or retry_uncertain.")
}
