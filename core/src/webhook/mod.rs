//! Webhooks: told by the service instead of asked.

mod event;
mod verify;

use std::fmt;
use std::time::SystemTime;

pub use event::WebhookEvent;
use verify::Secret;
pub use verify::WebhookReason;

use crate::error::{Error, ErrorKind};

/// Verifies deliveries of the service's webhooks, which are signed as Svix and Standard Webhooks
/// say.
///
/// Give it every secret that may be in use: after a rotation the old one signs for another day.
///
/// ```
/// use pipevideo::Webhook;
/// use std::time::{Duration, SystemTime};
///
/// let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
/// let body = br#"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}"#;
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
///
/// let headers = webhook.sign(body, "msg_1", now);
/// let event = webhook.unwrap_at(body, headers, now)?;
/// assert_eq!(event.generation_id.as_deref(), Some("gen_1"));
/// # Ok::<(), pipevideo::Error>(())
/// ```
#[derive(Clone)]
pub struct Webhook {
    secrets: Vec<Secret>,
}

impl Webhook {
    /// The headers that sign a delivery, of which it has three: the service's names for them, and
    /// those of Standard Webhooks.
    pub const HEADERS: [&'static str; 6] = verify::HEADERS;

    /// Verifies with any of these secrets, each `whsec_…`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if there is none, or one is empty or not base64.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let secrets: Vec<_> =
            secrets.into_iter().map(|s| Secret::parse(s.as_ref())).collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "there is no webhook secret. Set PIPEVIDEO_WEBHOOK_SECRET, or pass one.",
            ));
        }
        Ok(Self { secrets })
    }

    /// Verifies a delivery, and reads its event.
    ///
    /// The body has to be the raw bytes as they came: one that was parsed and written again does not
    /// verify. Headers are names and values in any order and case, an [`http::HeaderMap`] or pairs.
    /// Answer it with 2xx at once, and with 400 if this is an error.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`] with its [`reason`](Error::reason).
    ///
    /// ```
    /// # use pipevideo::{ErrorKind, HeaderMap, Webhook, WebhookReason};
    /// let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
    /// let error = webhook.unwrap(b"{}", &HeaderMap::new()).unwrap_err();
    /// assert_eq!(error.reason(), Some(WebhookReason::MissingHeader));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    #[cfg(feature = "client")]
    pub fn unwrap<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<WebhookEvent, Error> {
        self.unwrap_at(body, headers, crate::client::wall())
    }

    /// Like `unwrap`, at a time that is given.
    ///
    /// # Errors
    /// As there.
    pub fn unwrap_at<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
        now: SystemTime,
    ) -> Result<WebhookEvent, Error> {
        let body = body.as_ref();
        let delivery = verify::verify(&self.secrets, body, headers, now)?;
        WebhookEvent::read(body, delivery.id, delivery.timestamp)
    }

    /// Signs a body as the service would, for tests: the three headers.
    ///
    /// With several secrets each signs, as after a rotation.
    pub fn sign(
        &self,
        body: impl AsRef<[u8]>,
        id: &str,
        timestamp: SystemTime,
    ) -> [(&'static str, String); 3] {
        verify::sign(&self.secrets, body.as_ref(), id, timestamp)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}
