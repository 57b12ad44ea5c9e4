//! Webhooks that wake waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::gate::lock;
use super::{Client, clock};
use crate::error::{Error, ErrorKind};
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
                "the client has no webhook secret. Set PIPEVIDEO_WEBHOOK_SECRET, or pass \
                 webhook_secrets.",
            ));
        };
        let mut event = webhook.unwrap_at(body, headers, clock::wall())?;
        let generation = event.generation_id.as_deref();
        let until = clock::now().saturating_add(inner.config.deadline);
        event.duplicate = !lock(&inner.shared.inbox).take_in(&event.id, generation, until);
        if let Some(id) = generation.filter(|_| !event.duplicate) {
            inner.shared.followers.wake(id);
        }
        Ok(event)
    }
}

/// What webhooks have told: for waits that begin later, and to know a delivery that comes again. At
/// most [`REMEMBERED`] of each.
#[derive(Default)]
pub(crate) struct Inbox {
    deliveries: HashSet<String>,
    /// The generations that have been told of, and until when that is remembered.
    told: HashMap<String, Duration>,
    order: VecDeque<(String, Option<String>)>,
}

const REMEMBERED: usize = 10_000;

impl Inbox {
    /// Remembers a delivery; false if it came before.
    fn take_in(&mut self, delivery: &str, generation: Option<&str>, until: Duration) -> bool {
        if !self.deliveries.insert(delivery.to_owned()) {
            return false;
        }
        if let Some(id) = generation {
            self.told.insert(id.to_owned(), until);
        }
        self.order.push_back((delivery.to_owned(), generation.map(str::to_owned)));
        if self.order.len() > REMEMBERED
            && let Some((delivery, generation)) = self.order.pop_front()
        {
            self.deliveries.remove(&delivery);
            if let Some(id) = generation {
                self.told.remove(&id);
            }
        }
        true
    }

    /// Whether a webhook has told of this generation's end.
    pub(crate) fn has_told(&self, id: &str, now: Duration) -> bool {
        self.told.get(id).is_some_and(|until| now <= *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut inbox = Inbox::default();
        for n in 0..3 * REMEMBERED {
            let id = n.to_string();
            assert!(inbox.take_in(&id, Some(&id), Duration::MAX));
            assert!(!inbox.take_in(&id, Some(&id), Duration::MAX));
        }
        assert_eq!((inbox.deliveries.len(), inbox.told.len()), (REMEMBERED, REMEMBERED));
        assert!(!inbox.has_told("0", Duration::ZERO));
    }

    #[test]
    fn it_is_remembered_for_a_time() {
        let mut inbox = Inbox::default();
        inbox.take_in("msg_1", Some("gen_1"), Duration::from_secs(9));
        assert!(inbox.has_told("gen_1", Duration::from_secs(9)));
        assert!(!inbox.has_told("gen_1", Duration::from_secs(10)));
        assert!(!inbox.has_told("gen_2", Duration::ZERO));
    }
}
