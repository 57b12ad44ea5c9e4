//! The API under `/v1`: its routes and their checks.

mod validate;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::clock::Now;
use crate::http::{Request, Response, decoded};
use crate::service::{Service, catalogue};

pub(crate) use validate::{Create, create as validate_create};

/// The regular response of the service. The service must have been advanced to `now`.
pub(crate) fn respond(service: &mut Service, request: &Request, now: Now) -> Response {
    match route(request) {
        Route::Engines => ok(catalogue::listing()),
        Route::Unknown => not_found("Unknown route"),
        route => match deny(service, request, now) {
            Some(denial) => denial,
            None => respond_to_admitted(service, request, &route, now),
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

fn route(request: &Request) -> Route {
    match (&request.method, request.path.as_str()) {
        (&Method::POST, "/v1/responses") => Route::Create,
        (&Method::GET, "/v1/engines") => Route::Engines,
        (&Method::GET, "/v1/usage") => Route::Usage,
        (&Method::GET, path) => match path.strip_prefix("/v1/responses/") {
            Some(id) if !id.is_empty() && !id.contains('/') => Route::Retrieve(decoded(id)),
            _ => Route::Unknown,
        },
        _ => Route::Unknown,
    }
}

/// The response to a request without the right key or above the rate limit.
fn deny(service: &mut Service, request: &Request, now: Now) -> Option<Response> {
    let Some(given) = request.headers.get(AUTHORIZATION) else {
        return Some(Response::message(StatusCode::UNAUTHORIZED, "Missing API key"));
    };
    let key = given.to_str().ok().and_then(|given| given.strip_prefix("Bearer "));
    if key != Some(service.api_key()) {
        return Some(Response::message(StatusCode::UNAUTHORIZED, "Invalid API key"));
    }
    let seconds = service.rate_limiter.admit(now.real).err()?;
    let body = json!({ "message": "Rate limit exceeded", "data": { "retry_after": seconds } });
    Some(Response::json(StatusCode::TOO_MANY_REQUESTS, &body))
}

fn respond_to_admitted(
    service: &mut Service,
    request: &Request,
    route: &Route,
    now: Now,
) -> Response {
    match route {
        Route::Create => create(service, &request.body, now),
        Route::Retrieve(id) => match service.poll(id, now) {
            Some(generation) => generation_response(generation),
            None => not_found("Generation not found"),
        },
        Route::Usage => ok(service.usage()),
        Route::Engines | Route::Unknown => not_found("Unknown route"),
    }
}

fn create(service: &mut Service, body: &Bytes, now: Now) -> Response {
    let create = match validate_create(body) {
        Ok(create) => create,
        Err(message) => return Response::message(StatusCode::BAD_REQUEST, &message),
    };
    if !service.ledger.has_credit() {
        let message = "Insufficient balance. Please add credits to continue.";
        return Response::message(StatusCode::BAD_REQUEST, message);
    }
    generation_response(service.create(&create, now))
}

fn generation_response(generation: Map<String, Value>) -> Response {
    ok(Value::Object(generation))
}

fn ok(body: Value) -> Response {
    Response::json(StatusCode::OK, &body)
}

fn not_found(message: &str) -> Response {
    Response::message(StatusCode::NOT_FOUND, message)
}

/// Adds a request id to a response, as services do.
pub(crate) fn add_request_id(response: &mut Response, n: u64) {
    let id = format!("req_{n:08}");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers.insert("x-request-id", value);
    }
}
