//! Shows the id of a generation as soon as its create is answered, while the call goes on.

use pipevideo::{Error, Generation, Submission};
use tokio::sync::watch;

/// The id, or the error of a call that has none; `None` while neither is known.
type Known = Option<Result<String, Error>>;

/// What others learn of a create.
#[derive(Clone)]
pub(crate) struct Created {
    known: watch::Receiver<Known>,
    submission: Submission,
}

/// The other end, which the work of the call has.
pub(crate) struct Announcer(watch::Sender<Known>);

impl Created {
    pub(crate) fn new(submission: &Submission) -> (Self, Announcer) {
        let (announcer, known) = watch::channel(None);
        (Self { known, submission: submission.clone() }, Announcer(announcer))
    }

    /// Returns the id, if it is known.
    pub(crate) fn id(&self) -> Option<String> {
        match &*self.known.borrow() {
            Some(Ok(id)) => Some(id.clone()),
            _ => self.submission.generation_id(),
        }
    }

    /// Waits for the id. `None` if the call was cancelled before its create was sent.
    ///
    /// # Errors
    /// That of the call, or what is known of a create if its call was cancelled.
    pub(crate) async fn wait(mut self) -> Result<Option<String>, Error> {
        if let Ok(known) = self.known.wait_for(Option::is_some).await
            && let Some(known) = &*known
        {
            return known.clone().map(Some);
        }
        match (self.submission.generation_id(), self.submission.uncertain()) {
            (Some(id), _) => Ok(Some(id)),
            (None, Some(uncertain)) => Err(uncertain),
            (None, None) => Ok(None),
        }
    }
}

impl Announcer {
    /// The create was answered.
    pub(crate) fn created(&self, id: &str) {
        self.announce(|| Ok(id.to_owned()));
    }

    /// The call has ended. An error may have the id, too.
    pub(crate) fn ended(&self, result: &Result<Generation, Error>) {
        self.announce(|| match result {
            Ok(generation) => Ok(generation.id.clone()),
            Err(error) => error.generation_id().map(str::to_owned).ok_or_else(|| error.clone()),
        });
    }

    fn announce(&self, what: impl FnOnce() -> Result<String, Error>) {
        self.0.send_if_modified(|known| {
            let is_new = known.is_none();
            if is_new {
                *known = Some(what());
            }
            is_new
        });
    }
}
