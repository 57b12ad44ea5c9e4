//! The log of received requests.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, http::request};
use serde::Serialize;
use serde_json::Value;

use super::Origin;

/// The size of the log: ten times the requests of the largest load test here (10,000 waits). Beyond
/// it, the oldest entries are dropped.
const MAX_ENTRIES: usize = 100_000;
/// The largest body that is logged, 4 MiB: enough for the data URIs of the tests. Of a larger body only
/// the length is logged.
const MAX_LOGGED_BODY: usize = 4 << 20;

/// A request that one of the two servers received. Control requests are not logged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceivedRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it was sent, with its escapes.
    pub path: String,
    /// The query, without the `?`.
    pub query: Option<String>,
    /// The server that received it.
    pub origin: Origin,
    /// The headers, with names in lower case.
    ///
    /// The value of `authorization` is `Bearer <key>` for the right key and `Bearer <other>` for
    /// anything else, so that logs contain no keys.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, or as a string if it is not JSON. Null if it is empty or was not read.
    pub body: Value,
    /// When it was received, in seconds since the start of the emulator.
    pub at: f64,
}

impl ReceivedRequest {
    pub(crate) fn new(head: &request::Parts, origin: Origin, key: &str, at: Duration) -> Self {
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            origin,
            headers: headers(&head.headers, key),
            body: Value::Null,
            at: at.as_secs_f64(),
        }
    }

    pub(crate) fn with_body(mut self, body: &Bytes) -> Self {
        self.body = match body.len() {
            0 => Value::Null,
            n if n > MAX_LOGGED_BODY => Value::String(format!("<{n} bytes>")),
            _ => serde_json::from_slice(body)
                .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
        };
        self
    }
}

fn headers(headers: &HeaderMap, key: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name.as_str() {
            "authorization" if value.strip_prefix("Bearer ") == Some(key) => "Bearer <key>".into(),
            "authorization" => "Bearer <other>".into(),
            _ => value,
        };
        let joined = all.entry(name.to_string()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&value);
    }
    all
}

/// The received requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<ReceivedRequest>);

impl RequestLog {
    pub(crate) fn push(&mut self, request: ReceivedRequest) {
        if self.0.len() == MAX_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub(crate) fn entries(&self) -> Vec<ReceivedRequest> {
        self.0.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
