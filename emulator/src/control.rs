//! The control interface, `/_emulator/`: the handle's methods over HTTP, for programs in any language.

use hyper::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::Call;
use crate::script::Refused;
use crate::shared::Shared;

pub(crate) const PREFIX: &str = "/_emulator/";

pub(crate) fn answer(shared: &Shared, call: &Call) -> Answer {
    route(shared, call)
        .unwrap_or_else(|Refused(reason)| Answer::message(StatusCode::BAD_REQUEST, &reason))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Balance {
    cents: i64,
}

fn route(shared: &Shared, call: &Call) -> Result<Answer, Refused> {
    let path = call.path.strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["requests"]) => return Ok(ok(json!(shared.requests()))),
        ("DELETE", ["requests"]) => shared.clear_requests(),
        ("POST", ["generations"]) => {
            let id = shared.add_generation(read(call)?)?;
            return Ok(Answer::json(StatusCode::CREATED, &json!({ "id": id })));
        }
        ("POST", ["generations", id, "settle"]) => return Ok(ok(shared.settle(id, read(call)?)?)),
        ("POST", ["faults"]) => shared.add_fault(read(call)?),
        ("DELETE", ["faults"]) => shared.clear_faults(),
        ("PUT", ["webhook"]) => shared.set_webhook(&read(call)?)?,
        ("GET", ["deliveries"]) => return Ok(ok(json!(shared.deliveries.sent()))),
        ("POST", ["deliveries", "faults"]) => shared.deliveries.add_fault(read(call)?),
        ("DELETE", ["deliveries", "faults"]) => shared.deliveries.clear_faults(),
        ("PUT", ["balance"]) => shared.set_balance(read::<Balance>(call)?.cents),
        _ => return Ok(Answer::message(StatusCode::NOT_FOUND, "No such control")),
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Refused> {
    serde_json::from_slice(&call.body).map_err(|error| Refused(error.to_string()))
}

fn ok(body: Value) -> Answer {
    Answer::json(StatusCode::OK, &body)
}
