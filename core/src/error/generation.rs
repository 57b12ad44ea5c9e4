//! The errors that say what became of a generation: an uncertain create, a failure, a deadline.

use std::sync::Arc;
use std::time::SystemTime;

use super::redact::{Redactor, printable, printable_status};
use super::{Delivery, Error, ErrorKind};
use crate::model::{FailureCategory, Generation};

impl Error {
    /// The error of a create that the service may have processed; `self` is the cause.
    pub(crate) fn into_uncertain(mut self, model: &str, sent_at: SystemTime) -> Self {
        let cause = match self.kind() {
            ErrorKind::Timeout => "no response within the request timeout".to_owned(),
            ErrorKind::Server | ErrorKind::ApiStatus | ErrorKind::RateLimited => {
                format!("HTTP {}", self.0.status.unwrap_or_default())
            }
            ErrorKind::Decode => "an unreadable response".to_owned(),
            _ => "the connection broke".to_owned(),
        };
        let advice = match self.generation_id() {
            Some(id) => format!(
                "The response names {}: wait for that id before you create another.",
                printable(id)
            ),
            None => "Check with reconcile() before you create another.".to_owned(),
        };
        let mut error = Self::new(
            ErrorKind::SubmissionUncertain,
            format!(
                "the create was sent and its outcome is unknown ({cause}). A generation may have \
                 been made and may be billed, so the create was not sent again."
            ),
        )
        .with_advice(&advice);
        error.0.generation_id = self.0.generation_id.clone();
        error.0.service_message = self.0.service_message.clone();
        error.0.status = self.0.status;
        error.0.code = self.0.code.clone();
        error.0.request_id = self.0.request_id.clone();
        error.0.attempts = self.0.attempts;
        error.0.delivery = self.0.delivery;
        error.0.model = Some(model.to_owned());
        error.0.sent_at = Some(sent_at);
        // The cause's own advice, to try again, would contradict this error.
        self.0.message.truncate(self.0.statement_length);
        error.with_source(self.after_a_create())
    }

    /// The error of a create that was cancelled once it may have been sent.
    pub(crate) fn cancelled_create(model: &str, sent_at: SystemTime, id: Option<&str>) -> Self {
        let mut error = match id {
            Some(id) => {
                let id = printable(id);
                let statement = format!(
                    "the call was cancelled, and the service has created {id}, which is still running."
                );
                let advice = format!("Wait for {id} before you create another.");
                Self::new(ErrorKind::SubmissionUncertain, statement).with_advice(&advice)
            }
            None => {
                let statement = "the call was cancelled when its create may have been sent. A generation \
                                 may have been made and may be billed.";
                Self::new(ErrorKind::SubmissionUncertain, statement)
                    .with_advice("Check with reconcile() before you create another.")
            }
        };
        error.0.generation_id = id.map(str::to_owned);
        error.0.delivery = if id.is_some() { Delivery::Answered } else { Delivery::Unknown };
        error.0.model = Some(model.to_owned());
        error.0.sent_at = Some(sent_at);
        error
    }

    /// The error of a wait for a generation that has failed.
    pub(crate) fn failed(generation: Arc<Generation>) -> Self {
        let error = generation.error.as_ref();
        let redactor = Redactor::default();
        let code = error.and_then(|error| redactor.identifier(error.code.as_deref()?));
        let service_message =
            error.and_then(|error| redactor.service_message(error.message.as_deref()?));
        let category = error.map_or(FailureCategory::Other, |error| error.category());
        let (meaning, advice) = match category {
            FailureCategory::InsufficientCredits => {
                ("the credits ran out", "Add credits and create it again.")
            }
            FailureCategory::Provider => {
                ("the provider could not make it", "Create it again, or try another provider.")
            }
            FailureCategory::Unavailable => {
                ("the engine or model is not available", "Choose another one.")
            }
            FailureCategory::InvalidPrompt => ("the prompt was rejected", "Change the prompt."),
            FailureCategory::Other => (
                "the service gave no known reason",
                "The service message, kept apart from this text, may say more.",
            ),
        };
        let id = printable(&generation.id);
        let statement = format!("generation {id} failed: {meaning}. It may have been charged.");
        let mut this = Self::new(ErrorKind::GenerationFailed, statement)
            .with_advice(advice)
            .with_generation_id(&generation.id)
            .with_code(code)
            .with_service_message(service_message)
            .with_delivery(Delivery::Answered);
        this.0.generation = Some(generation);
        this
    }

    /// The error of a wait that reached its deadline, with the failure of its last poll, if it
    /// failed.
    pub(crate) fn deadline(
        id: &str,
        last: Option<Arc<Generation>>,
        polls: u32,
        poll_error: Option<Self>,
    ) -> Self {
        let last_status = match &last {
            Some(last) => format!("its last known status is {}", printable_status(last)),
            None => "its status is not known".to_owned(),
        };
        let statement =
            format!("generation {} had not ended by the deadline; {last_status}.", printable(id));
        let error = Self::new(ErrorKind::WaitTimeout, statement);
        let mut error = match &poll_error {
            Some(poll_error) => error.with_advice(&format!("The last poll failed: {poll_error}")),
            None if last.is_some() => {
                error.with_advice("The generation is still running; call wait with its id again.")
            }
            None => error.with_advice("Call wait with its id again."),
        };
        error.0.delivery = match (&last, &poll_error) {
            (None, Some(poll_error)) => poll_error.delivery(),
            _ => Delivery::Answered,
        };
        error.0.service_message =
            poll_error.as_ref().and_then(|error| error.0.service_message.clone());
        error.0.generation = last;
        error.0.polls = Some(polls);
        let error = error.with_generation_id(id);
        match poll_error {
            Some(poll_error) => error.with_source(poll_error),
            None => error,
        }
    }
}
