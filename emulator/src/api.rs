//! The API, `/v1`.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::catalogue;
use crate::service::Service;
use crate::validate;

/// A request that was read.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The service's ordinary answer; time has passed until now.
pub(crate) fn answer(service: &mut Service, call: &Call, now: Duration) -> Answer {
    match route(call) {
        Route::Engines => ok(catalogue::listing()),
        Route::Unknown => not_found("There is no such route"),
        route => match turn_away(service, call, now) {
            Some(refusal) => refusal,
            None => admitted(service, call, &route, now),
        },
    }
}

enum Route {
    Create,
    Retrieve(String),
    Usage,
    Engines,
    Unknown,
}

fn route(call: &Call) -> Route {
    match (&call.method, call.path.as_str()) {
        (&Method::POST, "/v1/responses") => Route::Create,
        (&Method::GET, "/v1/engines") => Route::Engines,
        (&Method::GET, "/v1/usage") => Route::Usage,
        (&Method::GET, path) => match path.strip_prefix("/v1/responses/") {
            Some(id) if !id.is_empty() && !id.contains('/') => {
                Route::Retrieve(percent_decode_str(id).decode_utf8_lossy().into_owned())
            }
            _ => Route::Unknown,
        },
        _ => Route::Unknown,
    }
}

/// The answer to a call without the right key, or over the limit.
fn turn_away(service: &mut Service, call: &Call, now: Duration) -> Option<Answer> {
    let Some(given) = call.headers.get(AUTHORIZATION) else {
        return Some(Answer::message(StatusCode::UNAUTHORIZED, "Missing API key"));
    };
    let key = given.to_str().ok().and_then(|given| given.strip_prefix("Bearer "));
    if key != Some(service.api_key()) {
        return Some(Answer::message(StatusCode::UNAUTHORIZED, "Invalid API key"));
    }
    let seconds = service.limiter.admit(now).err()?;
    let body = json!({ "message": "Rate limit exceeded", "data": { "retry_after": seconds } });
    Some(Answer::json(StatusCode::TOO_MANY_REQUESTS, &body))
}

fn admitted(service: &mut Service, call: &Call, route: &Route, now: Duration) -> Answer {
    match route {
        Route::Create => create(service, &call.body, now),
        Route::Retrieve(id) => match service.look(id, now) {
            Some(generation) => generation_answer(generation),
            None => not_found("Generation not found"),
        },
        Route::Usage => ok(service.usage()),
        Route::Engines | Route::Unknown => not_found("There is no such route"),
    }
}

fn create(service: &mut Service, body: &Bytes, now: Duration) -> Answer {
    let create = match validate::create(body) {
        Ok(create) => create,
        Err(message) => return Answer::message(StatusCode::BAD_REQUEST, &message),
    };
    if !service.ledger.has_credit() {
        let message = "Insufficient balance. Please add credits to continue.";
        return Answer::message(StatusCode::BAD_REQUEST, message);
    }
    generation_answer(service.create(&create, now))
}

fn generation_answer(generation: Map<String, Value>) -> Answer {
    ok(Value::Object(generation))
}

fn ok(body: Value) -> Answer {
    Answer::json(StatusCode::OK, &body)
}

fn not_found(message: &str) -> Answer {
    Answer::message(StatusCode::NOT_FOUND, message)
}

/// Numbers an answer, as services do.
pub(crate) fn number(answer: &mut Answer, n: u64) {
    let id = format!("req_{n:08}");
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers.insert("x-request-id", value);
    }
}
