//! Webhooks: verify, read, and, for tests, sign.

use std::time::SystemTime;

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use pipevideo::{Error, WebhookEvent};

use crate::client::duration;
use crate::{errors, values};

/// Verifies deliveries without a client.
#[napi]
pub struct Verifier(pipevideo::Webhook);

/// A verifier with these secrets, or the error as text.
#[napi]
pub(crate) fn verifier(secrets: Vec<String>) -> Either<Verifier, String> {
    match pipevideo::Webhook::new(secrets) {
        Ok(webhook) => Either::A(Verifier(webhook)),
        Err(error) => Either::B(errors::text(&error)),
    }
}

#[napi]
impl Verifier {
    /// The event as JSON, or the error's in an array of one.
    #[napi]
    pub fn unwrap(&self, body: &[u8], headers: Vec<String>) -> String {
        unwrapped(self.0.unwrap(body, pairs(&headers)))
    }

    /// The headers' names and values in turn; `timestamp` is in milliseconds since 1970.
    #[napi]
    pub fn sign(&self, body: &[u8], id: String, timestamp: f64) -> Vec<String> {
        let time = SystemTime::UNIX_EPOCH.checked_add(duration(timestamp.max(0.0)));
        let headers = self.0.sign(body, &id, time.unwrap_or(SystemTime::UNIX_EPOCH));
        headers.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

pub(crate) fn unwrapped(result: Result<WebhookEvent, Error>) -> String {
    match result {
        Ok(event) => values::event(&event),
        Err(error) => format!("[{}]", errors::text(&error)),
    }
}

/// Names and values that come in turn.
pub(crate) fn pairs(headers: &[String]) -> impl Iterator<Item = (&str, &str)> {
    headers.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()))
}
