//! From the core's error to the JSON that `lib/errors.js` makes a real `Error` of.

use std::error::Error as StdError;

use pipevideo::{Error, ErrorKind};
use serde_json::{Value as Json, json};

use crate::token::Rejected;
use crate::values::{self, millis};

/// A call's error, as JSON.
pub(crate) struct Failure(pub(crate) String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(text(&error))
    }
}

/// The error as JSON.
pub(crate) fn text(error: &Error) -> String {
    view(error).to_string()
}

fn view(error: &Error) -> Json {
    let mut view = json!({
        "kind": error.kind().as_str(),
        "message": error.message(),
        "status": error.status(),
        "code": error.code(),
        "requestId": error.request_id(),
        "generationId": error.generation_id(),
        "retryable": error.is_retryable(),
        "retryAfterMs": error.retry_after().map(|pause| pause.as_secs_f64() * 1000.0),
        "attempts": error.attempts(),
        "cause": cause(error),
    });
    let generation = || {
        error.generation().map(|generation| {
            let value = values::generation(generation);
            json!({ "text": value.text, "raw": value.raw })
        })
    };
    match error.kind() {
        ErrorKind::SubmissionUncertain => {
            view["model"] = error.model().into();
            view["sentAt"] = millis(error.sent_at()).into();
        }
        ErrorKind::GenerationFailed => {
            view["generation"] = generation().into();
            view["category"] = error.category().map(|category| category.as_str()).into();
        }
        ErrorKind::WaitTimeout => {
            view["last"] = generation().into();
            view["polls"] = error.polls().into();
        }
        ErrorKind::WebhookVerification => {
            view["reason"] = error.reason().map(|reason| reason.as_str()).into();
        }
        _ => {}
    }
    view
}

/// What caused the error: one of ours, what a token function was rejected with, or what the system
/// said. Whatever else it is may quote an answer, or a URL.
fn cause(error: &Error) -> Option<Json> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(ours) = source.downcast_ref::<Error>() {
            return Some(json!({ "error": view(ours) }));
        }
        if let Some(Rejected(reason)) = source.downcast_ref() {
            return Some(json!({ "reason": reason }));
        }
        if let Some(system) = source.downcast_ref::<std::io::Error>() {
            let (number, text) = (system.raw_os_error(), system.kind().to_string());
            return Some(json!({ "system": { "errno": number, "message": text } }));
        }
        next = source.source();
    }
    None
}

/// An error that the binding itself finds in an option.
pub(crate) fn configuration(message: &str) -> String {
    own(ErrorKind::Configuration, message)
}

/// An error that the binding itself finds in a request, whose text may be a prompt.
pub(crate) fn invalid(error: &serde_json::Error) -> Failure {
    let what = error.to_string();
    Failure(own(
        ErrorKind::InvalidRequest,
        &format!("the request has not the form of one: {what}."),
    ))
}

fn own(kind: ErrorKind, message: &str) -> String {
    json!({ "kind": kind.as_str(), "message": message }).to_string()
}
