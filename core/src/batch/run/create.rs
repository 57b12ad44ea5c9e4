//! The create of one request of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::{Context, Refusal, cancelled};
use super::lost::Outcome;
use super::recorder::Recorder;
use super::work::{Failure, Place, Work};
use crate::batch::journal::Fact;
use crate::batch::progress::BatchEventKind;
use crate::client::clock;
use crate::client::events::Details;
use crate::client::spans::{self, OpenSpan};
use crate::client::submission::Submission;
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};
use crate::model::{Candidates, GenerationId, GenerationRequest};
use crate::polling::wait_state::Snapshot;
use crate::spend::ledger::EntryNumber;

/// A generation that was created.
pub(super) struct Created {
    pub(super) id: GenerationId,
    /// What the service has returned, if that is a generation.
    pub(super) snapshot: Option<Snapshot>,
}

impl Work {
    /// Creates the generation. Returns its id, and what the service has returned.
    pub(super) async fn create(&mut self) -> Result<Created, Failure> {
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
    ) -> Result<Created, Failure> {
        let context = self.context.clone();
        let recorder = Arc::new(self.recorder(request));
        let submission = Submission::recorded_by(recorder.clone());
        let created = until_sent(&context, request, &submission).await;
        let (id, snapshot) = match created {
            Ok(snapshot) => (snapshot.generation.id.clone(), Some(snapshot)),
            Err(error) => match error.generation_id() {
                // Whatever the error: an id that was received may be paid for.
                Some(id) => (id.to_owned(), None),
                None => (self.on_error(request, number, &recorder, error).await?, None),
            },
        };
        lock(&context.replay).claim(&id);
        self.item.attempts = self.item.attempts.saturating_add(1);
        context.with_ledger(|ledger, _| ledger.on_created(number, &id));
        self.begin_wait(&id);
        self.record_created(&id).await?;
        // Not before: a process that is killed now would lose two outcomes.
        recorder.end();
        Ok(Created { id: GenerationId::parse(id).map_err(Failure::Pending)?, snapshot })
    }

    fn recorder(&self, request: &GenerationRequest) -> Recorder {
        let json = self.context.options.keep_prompts.then(|| serde_json::to_vec(request));
        Recorder {
            context: self.context.clone(),
            key: self.item.key.clone(),
            model: request.model.clone(),
            hash: self.hash,
            attempt: self.item.attempts.saturating_add(1),
            json: json.and_then(Result::ok),
            sending: Mutex::default(),
            was_stopped: AtomicBool::new(false),
            was_recorded: AtomicBool::new(false),
        }
    }

    /// Handles the error of a create without an id. Returns the id if it is found out.
    async fn on_error(
        &mut self,
        request: &GenerationRequest,
        number: EntryNumber,
        recorder: &Recorder,
        error: Error,
    ) -> Result<String, Failure> {
        let (context, key) = (&self.context, &self.item.key);
        if error.kind() == ErrorKind::SubmissionUncertain {
            context.with_ledger(|ledger, _| ledger.on_uncertain(number, None));
            let sent_at = error.sent_at().unwrap_or_else(clock::wall);
            let outcome = context.lost.add(key, &request.model, sent_at, number);
            recorder.end();
            let candidates = match outcome.await {
                Ok(Outcome::Made(id)) => return Ok(id),
                Ok(Outcome::Unknown(candidates)) => candidates,
                Err(_) => Candidates::default(),
            };
            context.note(key, Fact::Uncertain);
            self.item.attempts = self.item.attempts.saturating_add(1);
            return Err(Failure::Uncertain(Some(error), candidates));
        }
        recorder.end();
        context.with_ledger(|ledger, _| ledger.release(number));
        // Otherwise the fact would be about an earlier attempt, which may have made something.
        let is_about_this =
            self.item.attempts == 0 || recorder.was_recorded.load(Ordering::Relaxed);
        let note = |fact| is_about_this.then(|| context.note(key, fact));
        if context.cancel.is_cancelled() || recorder.was_stopped.load(Ordering::Relaxed) {
            note(Fact::NotCreated { error: None });
            return Err(Failure::Stopped);
        }
        note(Fact::given_up(&error));
        Err(Failure::NotCreated(error))
    }

    async fn record_created(&mut self, id: &str) -> Result<(), Failure> {
        let fact = Fact::Created { id: id.to_owned() };
        self.context.record(&self.item.key, fact).await.map_err(|error| {
            // The journal does not have it, so the log must.
            self.context.client.inner.log.warning(
                "generation was created and could not be written to the journal: wait for this id",
                Details { id: Some(id), error: Some(&error), ..Details::default() },
            );
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
}

/// Creates a generation. If the run is stopped before the request was sent, it is not sent any more;
/// after that its response is awaited, since it has an id that is paid for.
async fn until_sent(
    context: &Context,
    request: &GenerationRequest,
    submission: &Submission,
) -> Result<Snapshot, Error> {
    let client = &context.client.inner;
    let call = OpenSpan::creating("create", &client.config.base_url, &request.model);
    let span = call.span();
    let mut create = Box::pin(call.around(async {
        let (created, _) = client.create(request, submission).await?;
        spans::record_id(&span, Some(&created.generation.id));
        spans::record_generation(&span, &created.generation);
        Ok(created)
    }));
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

/// The error of a request that the journal has, that must be created, and that did not come again.
fn not_offered() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the request of this key was not passed to this run.")
        .with_advice("Pass it again to create it.")
}
