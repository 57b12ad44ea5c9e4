//! A transport in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::client::clock;
use crate::client::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::error::Delivery;
use crate::lock::lock;

/// The response to a request.
pub(super) enum Reply {
    /// This status and body, at once.
    Respond(u16, String),
    /// As `Respond`, with this `Retry-After`.
    RetryAfter(u16, &'static str, String),
    /// This status and these bytes, with these headers.
    With(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
    /// No connection.
    Refused,
    /// A connection that breaks after the request was sent.
    Lost,
    /// As `Respond`, after this time.
    Late(Duration, u16, String),
    /// This status and these bytes of a body, and then the connection breaks.
    Cut(u16, Vec<u8>),
    /// This status and these bytes of a body, and then nothing.
    Stalled(u16, Vec<u8>),
    /// This status, and a body of a thousand pieces of these bytes.
    Endless(u16, Vec<u8>),
    /// No response, ever.
    Silence,
    /// No response, ever, and nothing is taken of the body.
    Unread,
    /// As `Respond`, after an upload with this time between pieces.
    Slow(Duration, u16, String),
}

/// A generation in this status.
pub(super) fn shows(status: &str) -> Reply {
    let created_at = 1_709_827_200;
    let body = json!({"id": "gen_1", "status": status, "model": "m", "created_at": created_at});
    Reply::Respond(200, body.to_string())
}

type Responder = dyn FnMut(&str, usize) -> Reply + Send;

/// Responds to requests, and records when they came and how many are in flight.
#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

struct State {
    respond: Box<Responder>,
    began: Duration,
    requests: Vec<(String, Duration, HeaderMap)>,
    open: usize,
    retired: Vec<Duration>,
}

impl Fake {
    /// The function receives `GET /path` and the number of such requests before this one.
    pub(super) fn new(respond: impl FnMut(&str, usize) -> Reply + Send + 'static) -> Self {
        let respond = Box::new(respond);
        let began = clock::now();
        Self(Arc::new(Mutex::new(State {
            respond,
            began,
            requests: Vec::new(),
            open: 0,
            retired: Vec::new(),
        })))
    }

    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// When each request of this kind came, counted from when the fake was made.
    pub(super) fn times(&self, kind: &str) -> Vec<Duration> {
        let state = lock(&self.0);
        let times = state.requests.iter().filter(|(name, ..)| name.starts_with(kind));
        times.map(|(_, at, _)| *at - state.began).collect()
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        self.times(kind).len()
    }

    pub(super) fn headers(&self, index: usize) -> HeaderMap {
        lock(&self.0).requests[index].2.clone()
    }

    /// Of which requests the connections were retired, by when they began.
    pub(super) fn retired(&self) -> Vec<Duration> {
        lock(&self.0).retired.clone()
    }

    /// How many requests are in flight.
    pub(super) fn open(&self) -> usize {
        lock(&self.0).open
    }
}

/// Counts a request as in flight until it has a response or is dropped.
struct Open(Fake);

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.0.0).open -= 1;
    }
}

impl Transport for Fake {
    fn send(
        &self,
        request: HttpRequest,
    ) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let name = format!("{} {}", request.method, request.url.path());
        let fake = self.clone();
        async move {
            let reply = {
                let mut state = lock(&fake.0);
                let before = state.requests.iter().filter(|(n, ..)| *n == name).count();
                state.requests.push((name.clone(), clock::now(), request.headers));
                state.open += 1;
                (state.respond)(&name, before)
            };
            let _open = Open(fake.clone());
            let broken = |what, delivery| TransportError { what, delivery, source: None };
            let respond = |status, body| HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body,
            };
            let bytes = |body: Vec<u8>| stream::iter([Ok(Bytes::from(body))]);
            let mut pieces = request.body.pieces();
            let reads_body = !matches!(reply, Reply::Refused | Reply::Unread);
            while reads_body && pieces.take().is_some() {
                if let Reply::Slow(pause, ..) = reply {
                    clock::sleep(pause).await;
                }
            }
            if let Reply::Late(latency, ..) = reply {
                clock::sleep(latency).await;
            }
            match reply {
                Reply::Respond(status, body)
                | Reply::Late(_, status, body)
                | Reply::Slow(_, status, body) => Ok(respond(status, bytes(body.into()).boxed())),
                Reply::RetryAfter(status, after, body) => {
                    let response = respond(status, bytes(body.into()).boxed());
                    let after = HeaderValue::from_static(after);
                    let headers = HeaderMap::from_iter([(RETRY_AFTER, after)]);
                    Ok(HttpResponse { headers, ..response })
                }
                Reply::With(status, headers, body) => {
                    let headers = headers.into_iter().map(|(name, value)| {
                        (HeaderName::from_static(name), HeaderValue::from_static(value))
                    });
                    let response = respond(status, bytes(body).boxed());
                    Ok(HttpResponse { headers: headers.collect(), ..response })
                }
                Reply::Cut(status, body) => {
                    let broken = Err(broken("the connection broke", Delivery::Unknown));
                    Ok(respond(status, bytes(body).chain(stream::iter([broken])).boxed()))
                }
                Reply::Stalled(status, body) => {
                    Ok(respond(status, bytes(body).chain(stream::pending()).boxed()))
                }
                Reply::Endless(status, piece) => {
                    let piece = Bytes::from(piece);
                    Ok(respond(
                        status,
                        stream::repeat_with(move || Ok(piece.clone())).take(1000).boxed(),
                    ))
                }
                Reply::Lost => {
                    Err(broken("the connection broke before the response", Delivery::Unknown))
                }
                Reply::Refused => Err(broken("no connection could be made", Delivery::NotSent)),
                Reply::Unread | Reply::Silence => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn retire_connections(&self, began: Duration) {
        let mut state = lock(&self.0);
        let began = began - state.began;
        state.retired.push(began);
    }
}
