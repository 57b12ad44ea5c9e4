//! Errors as JSON: `kind`, `message`, and the fields that are set, as `docs/errors.md` lists them.

use pipevideo::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::json;

/// The fields of an error.
pub(crate) fn of(error: &Error) -> Value {
    let generation_of = |kind| {
        error.generation().filter(|_| error.kind() == kind).map(|generation| json!(generation))
    };
    let fields = [
        ("service_message", error.service_message().map(Value::from)),
        ("status", error.status().map(Value::from)),
        ("code", error.code().map(Value::from)),
        ("request_id", error.request_id().map(Value::from)),
        ("generation_id", error.generation_id().map(Value::from)),
        ("retryable", Some(error.is_retryable().into())),
        ("retry_after", error.retry_after().map(|pause| pause.as_secs_f64().into())),
        ("attempts", Some(error.attempts().into())),
        ("model", error.model().map(Value::from)),
        ("sent_at", error.sent_at().map(json::time)),
        ("generation", generation_of(ErrorKind::GenerationFailed)),
        ("category", error.category().map(|category| category.as_str().into())),
        ("last", generation_of(ErrorKind::WaitTimeout)),
        ("polls", error.polls().map(Value::from)),
        ("reason", error.reason().map(|reason| reason.as_str().into())),
    ];
    let mut object = of_kind(error.kind().as_str(), error.message());
    object.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(object)
}

/// An error of this command itself.
pub(crate) fn of_kind(kind: &str, message: &str) -> Map<String, Value> {
    [("kind", kind), ("message", message)]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into_iter()
        .collect()
}
