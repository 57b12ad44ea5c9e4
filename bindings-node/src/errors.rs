//! From the core's error to the JSON from which `lib/errors.js` makes an `Error`.

use bindings_common::{Cause, ErrorFields, cause};
use pipevideo::{Error, ErrorKind, Generation};
use serde_json::{Value as Json, json};

use crate::values::{self, Raw, millis};

/// A call's error, as JSON.
pub(crate) struct Failure(pub(crate) String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(to_json(&error))
    }
}

/// The number under which `lib/errors.js` keeps the reason why a token function failed.
pub(crate) type RejectionId = u32;

/// Returns the error as JSON.
pub(crate) fn to_json(error: &Error) -> String {
    view(error).to_string()
}

pub(crate) fn view(error: &Error) -> Json {
    let cause = cause(error).map(|cause| match cause {
        Cause::Error(error) => json!({ "error": view(error) }),
        Cause::Foreign(id) => json!({ "reason": id as &RejectionId }),
        Cause::System { number, message } => {
            json!({ "system": { "errno": number, "message": message } })
        }
    });
    let mut view = json_of(&ErrorFields::from(error));
    view["cause"] = cause.into();
    view
}

/// Returns the fields that every error has, and those of its kind. Each becomes a property of the
/// `Error` in JavaScript even if it is null, so the fields of other kinds are left out.
fn json_of(fields: &ErrorFields<'_>) -> Json {
    let mut json = json!({
        "kind": fields.kind.as_str(),
        "message": fields.message,
        "serviceMessage": fields.service_message,
        "status": fields.status,
        "code": fields.code,
        "requestId": fields.request_id,
        "generationId": fields.generation_id,
        "retryable": fields.retryable,
        "retryAfterMs": fields.retry_after.map(|pause| pause.as_secs_f64() * 1000.0),
        "attempts": fields.attempts,
    });
    let generation = |generation: Option<&Generation>| {
        let value = values::generation(generation?);
        let raw = match value.raw {
            Some(Raw::Json(json)) => Some(json),
            _ => None,
        };
        Some(json!({ "text": value.text, "raw": raw }))
    };
    match fields.kind {
        ErrorKind::SubmissionUncertain => {
            json["model"] = fields.model.into();
            json["sentAt"] = millis(fields.sent_at).into();
        }
        ErrorKind::GenerationFailed => {
            json["generation"] = generation(fields.generation).into();
            json["category"] = fields.category.into();
        }
        ErrorKind::WaitTimeout => {
            json["last"] = generation(fields.last).into();
            json["polls"] = fields.polls.into();
        }
        ErrorKind::WebhookVerification => json["reason"] = fields.reason.into(),
        _ => {}
    }
    json
}

/// An error that the binding itself finds in an option.
pub(crate) fn configuration(message: &str) -> String {
    json_of(&ErrorFields::new(ErrorKind::Configuration, message)).to_string()
}

/// An error that the binding itself finds in a request. It may quote a value such as a role,
/// but no prompt: `lib/input.js` has checked that texts are strings.
pub(crate) fn invalid(message: &str) -> Failure {
    Failure(json_of(&ErrorFields::new(ErrorKind::InvalidRequest, message)).to_string())
}
