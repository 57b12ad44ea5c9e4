//! The page `/_emulator/`, which shows in a browser what the emulator does.

mod events;
mod log;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Either;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::control::{PREFIX, same_site};
use crate::http::{Request, Response, ResponseBody};
use crate::state::EmulatorState;

pub(crate) use events::{Events, Seen, event};
pub(crate) use log::{Exchange, PageLog};

/// A response of the page: a file, or the stream of events.
pub(crate) type PageResponse = hyper::Response<Either<ResponseBody, Events>>;

const HTML: &str = include_str!("../../assets/page/page.html");
const CSS: &str = include_str!("../../assets/page/page.css");
const JS: &str = include_str!("../../assets/page/page.js");

/// Responds to a request for the page. None: the request is for something else.
pub(crate) fn respond(state: &Arc<EmulatorState>, request: &Request) -> Option<PageResponse> {
    let (media_type, text) = match request.path.strip_prefix(PREFIX)? {
        "" => ("text/html; charset=utf-8", HTML),
        "page.css" => ("text/css; charset=utf-8", CSS),
        "page.js" => ("text/javascript; charset=utf-8", JS),
        "events" => return Some(events(state, request)),
        path if path.starts_with("videos/") => return Some(video(state, request)),
        _ => return None,
    };
    let response = match same_site::check_host(&request.headers) {
        Ok(()) => {
            let text = Bytes::from_static(text.as_bytes());
            file(Response::new(StatusCode::OK, text.into()), media_type)
        }
        Err(message) => Response::message(StatusCode::FORBIDDEN, message),
    };
    Some(response.into_hyper().map(Either::Left))
}

fn events(state: &Arc<EmulatorState>, request: &Request) -> PageResponse {
    if let Err(message) = same_site::check(&request.headers) {
        return Response::message(StatusCode::FORBIDDEN, message).into_hyper().map(Either::Left);
    }
    let mut response = hyper::Response::new(Either::Right(Events::start(Arc::clone(state))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn video(state: &EmulatorState, request: &Request) -> PageResponse {
    let path = request.path.trim_start_matches(PREFIX);
    let response = match same_site::check(&request.headers) {
        Ok(()) => state.preview(&format!("/{path}"), request),
        Err(message) => Response::message(StatusCode::FORBIDDEN, message),
    };
    response.into_hyper().map(Either::Left)
}

/// Nothing but the page's own script runs in the page, it loads nothing from anywhere but the emulator, and
/// no other page can show it in a frame and have its buttons clicked.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                      connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the page.
fn file(response: Response, media_type: &'static str) -> Response {
    response
        .with(CONTENT_TYPE, HeaderValue::from_static(media_type))
        .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
        .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
