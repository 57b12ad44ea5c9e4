//! What is known about a create while it is in flight, and after its future was dropped.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::clock;
use super::events::{self, Log};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;

/// What is known about a create, also after its future was dropped.
///
/// Dropping the future of a create cancels the call but not what the service does: once the request
/// may have been sent, a generation may exist and be billed. Keep a clone of the submission to learn
/// that. It costs an allocation.
///
/// ```no_run
/// # async fn example(client: pipevideo::Client, shutdown: tokio::sync::Notify) -> pipevideo::Result<()> {
/// use pipevideo::{GenerationRequest, Submission};
///
/// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
/// let submission = Submission::new();
/// tokio::select! {
///     generation = client.generate(request).submission(&submission) => drop(generation?),
///     () = shutdown.notified() => {
///         if let Some(id) = submission.generation_id() {
///             println!("{id} is still running");
///         } else if let Some(uncertain) = submission.uncertain() {
///             println!("{uncertain}");
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Submission(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The id is known, or the call has ended.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// The number of the call for the log.
    call: Option<u64>,
    model: String,
    sent_at: Option<SystemTime>,
    id: Option<String>,
    cancelled: bool,
    ended: bool,
    waited: Duration,
    recorder: Option<Arc<dyn SendRecorder>>,
}

/// Records that a request is sent, before it is.
pub(crate) trait SendRecorder: Send + Sync {
    /// The request is about to be sent, unless this fails.
    fn before_send(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// The service certainly did not process the request. It is sent again after a pause.
    fn on_not_processed(&self);
}

impl Submission {
    /// A submission for one create.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the call, by which the events of its log are recognized. For the bindings.
    #[doc(hidden)]
    pub fn call(&self) -> u64 {
        *lock(&self.0.state).call.get_or_insert_with(events::next_call)
    }

    /// The id of the generation, as soon as the service has returned it.
    pub fn generation_id(&self) -> Option<String> {
        lock(&self.0.state).id.clone()
    }

    /// Waits until the service has returned the id of the generation, and returns it. `None` if the call
    /// has ended without one, and its error says why. It waits as long as the call has not begun.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client, save: fn(String)) -> pipevideo::Result<()> {
    /// use pipevideo::{GenerationRequest, Submission};
    ///
    /// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    /// let submission = Submission::new();
    /// let generate = tokio::spawn(client.generate(request).submission(&submission).into_future());
    /// if let Some(id) = submission.created().await {
    ///     save(id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn created(&self) -> Option<String> {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = lock(&self.0.state);
                if state.id.is_some() || state.ended || state.cancelled {
                    return state.id.clone();
                }
            }
            changed.await;
        }
    }

    /// The error of a create that was cancelled at this moment, of kind
    /// [`SubmissionUncertain`](crate::ErrorKind::SubmissionUncertain), with the id if it is known;
    /// `None` if certainly nothing was created. Once the create has failed, its own error says what
    /// is known, and this is `None`.
    pub fn uncertain(&self) -> Option<Error> {
        let state = lock(&self.0.state);
        Some(Error::cancelled_create(&state.model, state.sent_at?, state.id.as_deref()))
    }

    /// As [`uncertain`](Self::uncertain), for a future that is dropped next: from now on its request is
    /// not sent. Needed where another thread may be polling the future at this moment.
    pub fn cancel(&self) -> Option<Error> {
        lock(&self.0.state).cancelled = true;
        self.0.changed.notify_waiters();
        self.uncertain()
    }

    /// A submission with requests that are recorded before they are sent.
    pub(crate) fn recorded_by(recorder: Arc<dyn SendRecorder>) -> Self {
        let state = State { recorder: Some(recorder), ..State::default() };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }))
    }

    /// A create begins: nothing was sent yet.
    pub(super) fn on_begin(&self, model: &str) {
        let mut state = lock(&self.0.state);
        *state = State {
            call: state.call,
            model: model.to_owned(),
            cancelled: state.cancelled,
            recorder: state.recorder.take(),
            ..State::default()
        };
    }

    /// The create has waited this long for Redis to decide on it.
    pub(super) fn on_waited(&self, waited: Duration) {
        lock(&self.0.state).waited = waited;
    }

    /// How long the create has waited for Redis.
    pub(super) fn waited(&self) -> Duration {
        lock(&self.0.state).waited
    }

    /// Has the recorder record that the request is about to be sent.
    ///
    /// # Errors
    /// It could not, so the request must not be sent.
    pub(super) async fn record_send(&self) -> Result<(), Error> {
        let recorder = lock(&self.0.state).recorder.clone();
        match recorder {
            Some(recorder) => recorder.before_send().await,
            None => Ok(()),
        }
    }

    /// The request was certainly not processed, and is sent again after a pause.
    pub(super) fn on_not_processed(&self) {
        let recorder = lock(&self.0.state).recorder.clone();
        if let Some(recorder) = recorder {
            recorder.on_not_processed();
        }
    }

    /// The request is about to be sent.
    ///
    /// # Errors
    /// The create was cancelled, so it must not be sent.
    pub(super) fn on_send(&self) -> Result<(), Error> {
        let mut state = lock(&self.0.state);
        if state.cancelled {
            let message = "the create was cancelled before it was sent. Create it again.";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        state.sent_at = Some(clock::wall());
        Ok(())
    }

    /// The request was not processed, or its error is about to be returned.
    pub(super) fn on_failed(&self) {
        lock(&self.0.state).sent_at = None;
    }

    pub(super) fn on_created(&self, id: &str) {
        lock(&self.0.state).id = Some(id.to_owned());
        self.0.changed.notify_waiters();
    }

    /// Logs a warning with what is known if the future that holds it is dropped before the end: the
    /// id of a paid video would be lost otherwise.
    pub(super) fn guard(&self, log: &Log) -> Guard<'_> {
        Guard { submission: self, log: log.clone(), ended: false }
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("generation_id", &self.generation_id()).finish()
    }
}

pub(super) struct Guard<'a> {
    submission: &'a Submission,
    log: Log,
    ended: bool,
}

impl Guard<'_> {
    /// The future has returned a result, so nothing is lost.
    pub(super) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.ended
            && let Some(uncertain) = self.submission.uncertain()
        {
            let call = lock(&self.submission.0.state).call;
            self.log.uncertain(call, None, &uncertain);
        }
        lock(&self.submission.0.state).ended = true;
        self.submission.0.changed.notify_waiters();
    }
}
