//! Webhooks at the current time, and the waits that they wake.

use std::time::SystemTime;

use super::{Client, clock};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::model::GenerationId;
use crate::webhook::{Webhook, WebhookEvent};

impl Webhook {
    /// Verifies a delivery at the current time and reads its event.
    ///
    /// `body` must be the raw bytes of the request: JSON that was parsed and written again does not
    /// verify. `headers` are all headers of the request, in any order and case: a
    /// [`HeaderMap`](http::HeaderMap), or pairs of names and values. Respond to the service with 400
    /// if this fails.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`]; [`Error::reason`] says why.
    ///
    /// ```
    /// # use pipevideo::{HeaderMap, Webhook, WebhookReason};
    /// let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
    /// let error = webhook.unwrap(b"{}", &HeaderMap::new()).unwrap_err();
    /// assert_eq!(error.reason(), Some(WebhookReason::MissingHeader));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn unwrap<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<WebhookEvent, Error> {
        self.unwrap_at(body, headers, clock::wall())
    }
}

/// Webhooks: verifies deliveries and wakes the waits of their generations. Made by
/// [`webhooks`](Client::webhooks).
#[derive(Clone, Copy, Debug)]
pub struct Webhooks<'a> {
    pub(super) client: &'a Client,
}

impl Webhooks<'_> {
    /// Verifies a delivery with the client's secrets, reads its event, and wakes the waits of its
    /// generation, which poll it at once.
    ///
    /// An event never ends a wait by itself: the response to the poll does. An event that arrives
    /// before its wait has begun is kept for the client's deadline. [Acknowledge](WebhookEvent::acknowledge)
    /// the event once it has been handled: a later delivery of it is then marked as
    /// [`duplicate`](WebhookEvent::duplicate), and wakes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`] as in [`Webhook::unwrap`];
    /// [`ErrorKind::Configuration`] if the client has no webhook secrets.
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::Client, headers: pipevideo::HeaderMap, body: &[u8]) -> u16 {
    /// // In a handler of any web framework, with the raw bytes of the body:
    /// let Ok(event) = client.webhooks().unwrap(body, &headers) else { return 400 };
    /// if !event.duplicate && save(&event).is_err() {
    ///     return 500; // The service delivers the event again, and that is no duplicate.
    /// }
    /// event.acknowledge();
    /// 204
    /// # }
    /// # fn save(_event: &pipevideo::WebhookEvent) -> std::io::Result<()> { Ok(()) }
    /// ```
    pub fn unwrap<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<WebhookEvent, Error> {
        self.unwrap_at(body, headers, clock::wall())
    }

    /// Does what [`unwrap`](Self::unwrap) does, with the delivery verified at the given time.
    ///
    /// # Errors
    /// Those of [`unwrap`](Self::unwrap).
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::Client, headers: pipevideo::HeaderMap, body: &[u8]) -> pipevideo::Result<()> {
    /// use std::time::{Duration, SystemTime};
    ///
    /// // A delivery that was recorded for a test:
    /// let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
    /// let event = client.webhooks().unwrap_at(body, &headers, then)?;
    /// # let _ = event;
    /// # Ok(())
    /// # }
    /// ```
    pub fn unwrap_at<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
        now: SystemTime,
    ) -> Result<WebhookEvent, Error> {
        let Some(webhook) = &self.client.inner.webhook else {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the client has no webhook secret. Set PIPEVIDEO_WEBHOOK_SECRET, or pass one.",
            ));
        };
        // Another process may have acknowledged the event.
        let state = &self.client.inner.state;
        state.wait_until_linked();
        let unwrapped = webhook.unwrap_at(body, headers, now);
        self.client.inner.log.webhook(unwrapped.as_ref());
        let event = unwrapped?;
        if let Some(id) = event.generation_id.as_deref().filter(|_| !event.duplicate) {
            self.wake(id);
            if let Some(link) = &state.link {
                link.publish_ended(id, self.client.inner.config.deadline);
            }
        }
        Ok(event)
    }

    /// Wakes the waits of a generation, which poll it at once: its event was verified elsewhere.
    ///
    /// This is for programs of several processes, where the process that receives the event may not
    /// be the one that waits. The process that [`unwrap`](Self::unwrap)s the event publishes its
    /// [`generation_id`](WebhookEvent::generation_id) through whatever the processes share; each
    /// process that waits subscribes and wakes its waits. As with an event, the response to the poll
    /// decides, so a false wake costs one request and nothing else; and a wake that arrives before
    /// its wait has begun is kept for the client's deadline.
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
        lock(&inner.state.inbox).insert(generation_id, until);
        // A text that cannot be an id has no waits.
        if let Ok(id) = GenerationId::parse(generation_id) {
            inner.state.drivers.wake(&id);
        }
    }
}
