//! Webhooks that wake waits.

use super::client_state::lock;
use super::{Client, clock};
use crate::error::{Error, ErrorKind};
use crate::model::GenerationId;
use crate::webhook::WebhookEvent;

/// Webhooks: verify a delivery, and wake the waits of its generation.
#[derive(Clone, Copy, Debug)]
pub struct Webhooks<'a> {
    pub(super) client: &'a Client,
}

impl Webhooks<'_> {
    /// Verifies a delivery with the client's secrets, reads its event, and has the service asked at
    /// once by the waits of its generation.
    ///
    /// An event never ends a wait by itself: what the service then says decides. One that comes before
    /// its wait has begun is remembered for the client's deadline. A delivery that came before is told
    /// as [`duplicate`](WebhookEvent::duplicate) and changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`] as [`Webhook::unwrap`](crate::Webhook::unwrap);
    /// [`ErrorKind::Configuration`] if the client has no secrets.
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::Client, headers: pipevideo::HeaderMap, body: &[u8]) -> u16 {
    /// // In a handler of any web framework, with the body's raw bytes:
    /// match client.webhooks().unwrap(body, &headers) {
    ///     Ok(_event) => 204,
    ///     Err(_) => 400,
    /// }
    /// # }
    /// ```
    pub fn unwrap<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<WebhookEvent, Error> {
        let inner = &self.client.inner;
        let Some(webhook) = &inner.webhook else {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the client has no webhook secret. Set PIPEVIDEO_WEBHOOK_SECRET, or pass one.",
            ));
        };
        let mut event = webhook.unwrap_at(body, headers, clock::wall())?;
        event.duplicate = !lock(&inner.state.inbox).deliveries.insert(&event.id, clock::now());
        if let Some(id) = event.generation_id.as_deref().filter(|_| !event.duplicate) {
            self.wake(id);
        }
        Ok(event)
    }

    /// Has the service asked at once by the waits of a generation: its event was verified elsewhere.
    ///
    /// For programs of several processes, where the event may reach another process than the one that
    /// waits. The one that [`unwrap`](Self::unwrap)s it publishes its
    /// [`generation_id`](WebhookEvent::generation_id), through whatever the processes share; each
    /// that waits subscribes, and wakes its waits. As with an event, what the service then says
    /// decides, so that a false one costs a request and no more; and one that comes before its wait
    /// has begun is remembered for the client's deadline.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client, mut subscription: tokio::sync::mpsc::Receiver<String>) {
    /// while let Some(generation_id) = subscription.recv().await {
    ///     client.webhooks().wake(&generation_id);
    /// }
    /// # }
    /// ```
    pub fn wake(&self, generation_id: &str) {
        let inner = &self.client.inner;
        let until = clock::now().saturating_add(inner.config.deadline);
        lock(&inner.state.inbox).ended.insert(generation_id, until);
        // A text that cannot be an id has no waits.
        if let Ok(id) = GenerationId::parse(generation_id) {
            inner.state.drivers.wake(&id);
        }
    }
}
