//! The log of received requests.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::{HeaderMap, http::request};
use serde::Serialize;
use serde_json::Value;

use super::Origin;
use crate::bounded_log::{Weigh, headers_weight, value_weight};

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

impl Weigh for ReceivedRequest {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.path.len()
            + self.query.as_ref().map_or(0, String::len)
            + headers_weight(&self.headers)
            + value_weight(&self.body)
    }
}
