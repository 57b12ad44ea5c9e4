//! The control interface `/_emulator/`: the methods of [`Emulator`](crate::Emulator) over HTTP.

pub(crate) mod same_site;
mod types;

use hyper::StatusCode;
use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::http::{Request, Response, decoded};
use crate::state::EmulatorState;

pub use types::{ControlError, GenerationError, NewGeneration, PollStep, Settlement, Tokens};

/// The start of all paths of the control interface.
pub(crate) const PREFIX: &str = "/_emulator/";

/// Carries out a control request.
pub(crate) fn respond(state: &EmulatorState, request: &Request) -> Response {
    if let Err(message) = same_site::check(&request.headers) {
        return Response::message(StatusCode::FORBIDDEN, message);
    }
    route(state, request).unwrap_or_else(|ControlError(message)| {
        Response::message(StatusCode::BAD_REQUEST, &message)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Balance {
    cents: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

impl Advance {
    fn duration(&self) -> Result<Duration, ControlError> {
        let duration = Duration::try_from_secs_f64(self.seconds);
        duration.map_err(|_| ControlError("seconds must be a number, 0 or more".to_owned()))
    }
}

fn route(state: &EmulatorState, request: &Request) -> Result<Response, ControlError> {
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["requests"]) => return Ok(ok(json!(state.requests()))),
        ("DELETE", ["requests"]) => state.clear_requests(),
        ("POST", ["generations"]) => {
            let id = state.add_generation(read(request)?)?;
            return Ok(Response::json(StatusCode::CREATED, &json!({ "id": id })));
        }
        ("POST", ["generations", id, "settle"]) => {
            return Ok(ok(state.settle(&decoded(id), read(request)?)?));
        }
        ("POST", ["advance"]) => state.advance(read::<Advance>(request)?.duration()?),
        ("POST", ["faults"]) => state.add_fault(read(request)?),
        ("DELETE", ["faults"]) => state.clear_faults(),
        ("PUT", ["webhook"]) => state.set_webhook(&read(request)?)?,
        ("GET", ["deliveries"]) => return Ok(ok(json!(state.deliveries.sent()))),
        ("POST", ["deliveries", "faults"]) => state.deliveries.add_fault(read(request)?),
        ("DELETE", ["deliveries", "faults"]) => state.deliveries.clear_faults(),
        ("PUT", ["balance"]) => state.set_balance(read::<Balance>(request)?.cents),
        _ => return Ok(Response::message(StatusCode::NOT_FOUND, "Unknown control request")),
    }
    Ok(Response::empty(StatusCode::NO_CONTENT))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, ControlError> {
    serde_json::from_slice(&request.body).map_err(|error| ControlError(error.to_string()))
}

fn ok(body: Value) -> Response {
    Response::json(StatusCode::OK, &body)
}
