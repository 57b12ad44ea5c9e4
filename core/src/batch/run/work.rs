//! One request of a batch: created, awaited, downloaded.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::context::{Context, Refusal, cancelled};
use super::lost::Outcome;
use super::recorder::Recorder;
use crate::batch::item::{BatchItem, ItemStatus};
use crate::batch::journal::{self, Entry, Fact, Hash, State};
use crate::batch::progress::{BatchEventKind, StopReason};
use crate::batch::request::KeyedRequest;
use crate::client::submission::Submission;
use crate::client::{clock, wait};
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};
use crate::model::{
    Candidates, FailureCategory, Generation, GenerationId, GenerationRequest, Update,
};
use crate::polling::wait_state::Snapshot;
use crate::spend::ledger::EntryNumber;
use crate::wire::Format;

/// A request on its way.
pub(super) struct Work {
    context: Arc<Context>,
    item: BatchItem,
    /// `None` if the journal has its generation, and the request did not come again.
    request: Option<GenerationRequest>,
    hash: Hash,
    created_at: Option<Duration>,
    /// Held while the request counts in the ledger at an estimate.
    place: Option<Place>,
    /// What the journal knows of it.
    entry: Option<Entry>,
}

/// What to do with a request next.
enum Step {
    Create,
    Wait(GenerationId, Option<Snapshot>),
    /// With the category of a failure, if it is known already.
    Ended(Box<Generation>, Option<FailureCategory>),
}

/// Why a request has no generation with an end.
enum Failure {
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
                    Ok((id, snapshot)) => {
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
            State::Sending { .. } if self.context.options.retry_uncertain => Ok(Step::Create),
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

    /// Creates the generation. Returns its id, and what the service has returned.
    async fn create(&mut self) -> Result<(GenerationId, Option<Snapshot>), Failure> {
        let context = self.context.clone();
        // One that may be retried needs the request again.
        let request = match self.request.clone() {
            Some(request) => request,
            None => return Err(Failure::NotCreated(not_offered())),
        };
        let number = context.admit(&request).await.map_err(|refusal| match refusal {
            Refusal::Stopped => Failure::Stopped,
            Refusal::TooExpensive(error) => Failure::TooExpensive(error),
            Refusal::LimitReached(error) => Failure::NotCreated(error),
        })?;
        self.place = Some(Place::of_admitted(&context));
        self.send(&request, number).await
    }

    async fn send(
        &mut self,
        request: &GenerationRequest,
        number: EntryNumber,
    ) -> Result<(GenerationId, Option<Snapshot>), Failure> {
        let context = self.context.clone();
        let key = self.item.key.clone();
        let json = context.options.keep_prompts.then(|| serde_json::to_vec(request));
        let recorder = Arc::new(Recorder {
            context: context.clone(),
            key: key.clone(),
            model: request.model.clone(),
            hash: self.hash,
            attempt: self.item.attempts.saturating_add(1),
            json: json.and_then(Result::ok),
            sending: Mutex::default(),
            was_stopped: AtomicBool::new(false),
            was_recorded: AtomicBool::new(false),
        });
        let submission = Submission::recorded_by(recorder.clone());
        let created = until_sent(&context, request, &submission).await;
        if let Some(id) = id_of(&created) {
            lock(&context.replay).claim(&id);
        }
        let id = match created {
            Ok(snapshot) => {
                self.on_created(&snapshot.generation.id, number).await?;
                // Not before: a process that is killed now would lose two outcomes.
                recorder.end();
                let id = GenerationId::parse(snapshot.generation.id.as_str());
                return Ok((id.map_err(Failure::Pending)?, Some(snapshot)));
            }
            Err(error) if error.kind() == ErrorKind::SubmissionUncertain => {
                self.item.attempts = self.item.attempts.saturating_add(1);
                context.with_ledger(|ledger, _| ledger.on_uncertain(number, error.generation_id()));
                match error.generation_id() {
                    Some(id) => {
                        let id = id.to_owned();
                        self.record_created(&id).await?;
                        recorder.end();
                        id
                    }
                    None => {
                        let sent_at = error.sent_at().unwrap_or_else(clock::wall);
                        let outcome = context.lost.add(&key, &request.model, sent_at, number);
                        recorder.end();
                        match outcome.await {
                            Ok(Outcome::Made(id)) => id,
                            unknown => {
                                let candidates = match unknown {
                                    Ok(Outcome::Unknown(candidates)) => candidates,
                                    _ => Candidates::default(),
                                };
                                context.note(&key, Fact::Uncertain);
                                return Err(Failure::Uncertain(Some(error), candidates));
                            }
                        }
                    }
                }
            }
            Err(error) => {
                recorder.end();
                context.with_ledger(|ledger, _| ledger.release(number));
                // Otherwise the fact would be about an earlier attempt, which may have made something.
                let is_about_this =
                    self.item.attempts == 0 || recorder.was_recorded.load(Ordering::Relaxed);
                let note = |fact| is_about_this.then(|| context.note(&key, fact));
                if context.cancel.is_cancelled() || recorder.was_stopped.load(Ordering::Relaxed) {
                    note(Fact::NotCreated { error: None });
                    return Err(Failure::Stopped);
                }
                note(Fact::given_up(&error));
                return Err(Failure::NotCreated(error));
            }
        };
        self.begin_wait(&id);
        Ok((GenerationId::parse(id).map_err(Failure::Pending)?, None))
    }

    async fn on_created(&mut self, id: &str, number: EntryNumber) -> Result<(), Failure> {
        self.item.attempts = self.item.attempts.saturating_add(1);
        self.context.with_ledger(|ledger, _| ledger.on_created(number, id));
        self.begin_wait(id);
        self.record_created(id).await
    }

    async fn record_created(&mut self, id: &str) -> Result<(), Failure> {
        let fact = Fact::Created { id: id.to_owned() };
        self.context.record(&self.item.key, fact).await.map_err(|error| {
            // The journal does not have it, so the log must.
            warn!(id, "a generation was created and could not be written to the journal: {error}");
            self.item.generation_id = Some(id.to_owned());
            Failure::Pending(error)
        })
    }

    fn begin_wait(&mut self, id: &str) {
        self.item.generation_id = Some(id.to_owned());
        self.item.from_journal = false;
        self.created_at = Some(clock::now());
        // The request may hold a video of 20 MB, and is needed again only for a retry.
        if self.context.options.retries == 0 {
            self.request = None;
        }
        self.context.emit(BatchEventKind::Created, Some(&self.item.key), Some(id));
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
        let end = wait::until_the_end(context.client.clone(), id, snapshot, deadline, on_update);
        let end = context.cancel.run_until_cancelled(Box::pin(end)).await;
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

    /// Downloads the video, unless an earlier run has.
    async fn download(&mut self) {
        let context = self.context.clone();
        let (Some(folder), Some(generation)) =
            (&context.options.download_to, &self.item.generation)
        else {
            return;
        };
        if let Some(stored) = self.entry.as_mut().and_then(|entry| entry.download.take())
            && self.item.from_journal
            && is_stored(&stored).await
        {
            self.item.set_stored(&stored);
            return;
        }
        let format = Format::of(generation.engine.as_deref());
        let path = lock(&context.names).assign(folder, &self.item.key, format);
        let download = context.client.responses().download(generation, path);
        let stored = async { hashed(download.await?).await };
        let stored = context.cancel.run_until_cancelled(Box::pin(stored)).await;
        match stored.unwrap_or_else(|| Err(cancelled())) {
            Ok(stored) => {
                self.item.set_stored(&stored);
                if let Err(error) = context.record(&self.item.key, Fact::Downloaded(stored)).await {
                    self.item.error = Some(error);
                }
                let id = self.item.generation_id.as_deref();
                context.emit(BatchEventKind::Downloaded, Some(&self.item.key), id);
            }
            Err(error) => self.item.error = Some(error),
        }
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
struct Place(Arc<Context>);

impl Place {
    fn new(context: &Arc<Context>) -> Self {
        context.on_admitted();
        Self::of_admitted(context)
    }

    /// The place of a request that [`admit`](Context::admit) has let in.
    fn of_admitted(context: &Arc<Context>) -> Self {
        Self(context.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.on_admitted_ended();
    }
}

/// Creates a generation. If the run is stopped before the request was sent, it is not sent any more;
/// after that its response is awaited, since it has an id that is paid for.
async fn until_sent(
    context: &Context,
    request: &GenerationRequest,
    submission: &Submission,
) -> Result<Snapshot, Error> {
    let mut create = Box::pin(context.client.inner.create(request, submission));
    tokio::select! {
        biased;
        created = &mut create => return created,
        () = context.cancel.cancelled() => {}
    }
    if submission.cancel().is_none() {
        return Err(cancelled());
    }
    create.await
}

fn id_of(created: &Result<Snapshot, Error>) -> Option<String> {
    match created {
        Ok(snapshot) => Some(snapshot.generation.id.clone()),
        Err(error) => error.generation_id().map(str::to_owned),
    }
}

/// Whether a video is still where the journal says.
async fn is_stored(stored: &journal::Download) -> bool {
    let (path, bytes) = (stored.path.clone(), stored.bytes);
    let has_size = move || std::fs::metadata(path).is_ok_and(|file| file.len() == bytes);
    spawn_blocking(has_size).await.unwrap_or_default()
}

/// The size and the hash of a video.
async fn hashed(path: PathBuf) -> Result<journal::Download, Error> {
    let failed = |error: io::Error, path: &Path| {
        let message = format!("{} was stored and cannot be read: {error}.", path.display());
        Error::new(ErrorKind::Download, message)
            .with_advice("Run the batch again.")
            .with_source(error)
    };
    let hash = move || {
        let (bytes, sha256) = hash_of(&path).map_err(|error| failed(error, &path))?;
        let path = path.to_string_lossy().into_owned();
        Ok(journal::Download { path, bytes, sha256 })
    };
    spawn_blocking(hash).await.unwrap_or_else(|_| Err(cancelled()))
}

fn hash_of(path: &Path) -> io::Result<(u64, Hash)> {
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, Hash(hasher.finalize().into()))),
            read => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
        }
    }
}

/// The error of a request that the journal has, that must be created, and that did not come again.
fn not_offered() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the request of this key was not passed to this run.")
        .with_advice("Pass it again to create it.")
}

/// The error of a request with an attempt that was not created after others that may have been paid.
fn not_retried() -> Error {
    let message =
        "an earlier attempt failed or is uncertain, and the one after it was not created.";
    Error::new(ErrorKind::InvalidRequest, message)
        .with_advice("To create it again, which is paid again, set retries or retry_uncertain.")
}
