//! Webhooks: verify, read, and, for tests, sign.

use std::time::SystemTime;

use bindings_macros::barrier;
use pipevideo::WebhookEvent;

use crate::errors::Failure;

/// Verifies webhook deliveries without a client.
#[derive(uniffi::Object)]
pub(crate) struct WebhookVerifier(pipevideo::Webhook);

#[derive(uniffi::Record)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Header {
    pub(crate) fn pairs(headers: Vec<Self>) -> impl Iterator<Item = (String, String)> {
        headers.into_iter().map(|header| (header.name, header.value))
    }
}

#[barrier(default)]
#[uniffi::export]
impl WebhookVerifier {
    #[uniffi::constructor]
    pub(crate) fn new(secrets: Vec<String>) -> Result<Self, Failure> {
        Ok(Self(pipevideo::Webhook::new(secrets)?))
    }

    pub(crate) fn unwrap(
        &self,
        body: Vec<u8>,
        headers: Vec<Header>,
        now: Option<SystemTime>,
    ) -> Result<WebhookEvent, Failure> {
        let headers = Header::pairs(headers);
        Ok(match now {
            Some(now) => self.0.unwrap_at(body, headers, now),
            None => self.0.unwrap(body, headers),
        }?)
    }

    pub(crate) fn sign(&self, body: Vec<u8>, id: String, timestamp: SystemTime) -> Vec<Header> {
        let signed = self.0.sign(body, &id, timestamp);
        signed.map(|(name, value)| Header { name: name.to_owned(), value }).into()
    }
}
