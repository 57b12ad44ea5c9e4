//! How a fault changes a response.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

use super::Fault;
use crate::http::{Origin, Origins, Response};

impl Fault {
    /// The response that this fault makes of the regular one. `regular` is None if the service did not
    /// carry out the request.
    pub(crate) fn response(
        &self,
        regular: Option<Response>,
        origins: &Origins,
        origin: Origin,
    ) -> Response {
        let mut response = match regular {
            Some(regular) if !self.replaces() => regular,
            _ => self.replacement(origins, origin),
        };
        self.patch(&mut response, origins, origin);
        if self.gzip
            && let Some(body) = response.body.buffered()
        {
            response.body = compressed(&body).into();
            response = response.with(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, value) in &self.headers {
            let value = origins.expand(value, origin);
            match (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                (Ok(name), Ok(value)) => response = response.with(name, value),
                _ => return invalid(&format!("The fault's header {name} is not a valid header")),
            }
        }
        response
    }

    fn replacement(&self, origins: &Origins, origin: Origin) -> Response {
        let Ok(status) = StatusCode::from_u16(self.status.unwrap_or(200)) else {
            return invalid("The fault's status is not a valid HTTP status");
        };
        match self.body.clone() {
            Some(Value::String(text)) => {
                let text = origins.expand(&text, origin);
                Response::new(status, Bytes::from(text).into())
                    .with(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
            }
            Some(mut body) => {
                origins.expand_value(&mut body, origin);
                Response::json(status, &body)
            }
            None if status.as_u16() >= 400 => {
                Response::message(status, status.canonical_reason().unwrap_or("Fault"))
            }
            None => Response::empty(status),
        }
    }

    fn patch(&self, response: &mut Response, origins: &Origins, origin: Origin) {
        let Some(mut changes) = self.patch.clone() else {
            return;
        };
        let Some(bytes) = response.body.buffered() else {
            return;
        };
        let Ok(Value::Object(mut body)) = serde_json::from_slice(&bytes) else {
            return;
        };
        origins.expand_members(&mut changes, origin);
        body.extend(changes);
        response.body = Bytes::from(Value::Object(body).to_string()).into();
    }
}

fn compressed(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("memory can be written to")
        .into()
}

/// A fault that cannot be applied is reported to the client, where its author will see it.
fn invalid(message: &str) -> Response {
    Response::message(StatusCode::INTERNAL_SERVER_ERROR, message)
}
