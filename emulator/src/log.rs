//! The log of what was received.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, http::request};
use serde::Serialize;
use serde_json::Value;

use crate::faults::Origin;

/// The oldest entries go when there are more than these.
const MOST_ENTRIES: usize = 100_000;
/// Of a longer body only the length is kept.
const LONGEST_BODY: usize = 4 << 20;

/// One request as it arrived, at either origin. Those to the control interface are not logged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceivedRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// What came behind the `?`.
    pub query: Option<String>,
    /// Where it arrived.
    pub origin: Origin,
    /// Headers, the names in lower case. `authorization` is `Bearer <key>` when it was the right key,
    /// and `Bearer <other>` when it was anything else.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; a string if it was something else, null if there was none or it was not read.
    pub body: Value,
    /// Seconds since the emulator's start.
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
            n if n > LONGEST_BODY => Value::String(format!("<{n} bytes>")),
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

#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<ReceivedRequest>);

impl Log {
    pub(crate) fn push(&mut self, request: ReceivedRequest) {
        if self.0.len() == MOST_ENTRIES {
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
