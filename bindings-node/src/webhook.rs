//! Webhooks: verifying deliveries, and signing them for tests.

use bindings_macros::barrier;
use napi::bindgen_prelude::Either;
use napi_derive::napi;
use pipevideo::{Error, WebhookEvent};

use crate::{errors, values};

/// Verifies webhook deliveries without a client.
#[napi]
pub struct Verifier(pipevideo::Webhook);

/// Makes a verifier with these secrets, or returns the error as JSON.
#[barrier]
#[napi]
pub(crate) fn verifier(secrets: Vec<String>) -> Either<Verifier, String> {
    match pipevideo::Webhook::new(secrets) {
        Ok(webhook) => Either::A(Verifier(webhook)),
        Err(error) => Either::B(errors::to_json(&error)),
    }
}

#[barrier]
#[napi]
impl Verifier {
    /// Returns the event, or the error as JSON; `now` is in milliseconds since 1970.
    #[napi]
    pub fn unwrap(
        &self,
        body: &[u8],
        headers: Vec<String>,
        now: f64,
    ) -> Either<UnwrappedEvent, String> {
        unwrapped(self.0.unwrap_at(body, pairs(&headers), values::time(now)))
    }

    /// Returns the names and values of the headers in turn; `timestamp` is in milliseconds since 1970.
    #[napi]
    pub fn sign(&self, body: &[u8], id: String, timestamp: f64) -> Vec<String> {
        let headers = self.0.sign(body, &id, values::time(timestamp));
        headers.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

/// An event that can be acknowledged.
#[napi]
pub struct UnwrappedEvent(WebhookEvent);

#[barrier]
#[napi]
impl UnwrappedEvent {
    /// Returns the event as JSON.
    #[napi]
    pub fn json(&self) -> String {
        values::event(&self.0)
    }

    #[napi]
    pub fn acknowledge(&self) {
        self.0.acknowledge();
    }
}

pub(crate) fn unwrapped(result: Result<WebhookEvent, Error>) -> Either<UnwrappedEvent, String> {
    match result {
        Ok(event) => Either::A(UnwrappedEvent(event)),
        Err(error) => Either::B(errors::to_json(&error)),
    }
}

/// Pairs of names and values that are given in turn.
pub(crate) fn pairs(headers: &[String]) -> impl Iterator<Item = (&str, &str)> {
    headers.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()))
}
