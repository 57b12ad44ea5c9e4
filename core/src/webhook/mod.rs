//! Webhooks: the service reports that a generation has ended.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod acknowledged;
mod event;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use acknowledged::Acknowledged;
pub use event::WebhookEvent;
use verify::Secret;

use crate::error::{Error, ErrorKind};

/// Verifies webhook deliveries, which are signed as Svix and Standard Webhooks specify.
///
/// Pass every secret that is in use: after a rotation the service signs with both the old and the
/// new one for a day.
///
/// Make one and keep it: it and its clones recognize repeated deliveries by the events that were
/// [acknowledged](WebhookEvent::acknowledge).
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
    acknowledged: Arc<Acknowledged>,
}

impl Webhook {
    /// The names of the three signature headers: those of Svix, which the service uses, then those
    /// of Standard Webhooks.
    pub const HEADERS: [&'static str; 6] = verify::HEADERS;

    /// A verifier that accepts deliveries signed with any of these secrets, each `whsec_…`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if there is none, or one is empty or not base64.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let secrets: Vec<_> =
            secrets.into_iter().map(|s| Secret::parse(s.as_ref())).collect::<Result<_, _>>()?;
        if secrets.is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "no webhook secret is configured. Set PIPEVIDEO_WEBHOOK_SECRET, or pass one.",
            ));
        }
        Ok(Self { secrets, acknowledged: Arc::default() })
    }

    /// The same verifier with the record of a client's state.
    #[cfg(feature = "client")]
    pub(crate) fn sharing(self, acknowledged: &Arc<Acknowledged>) -> Self {
        Self { acknowledged: acknowledged.clone(), ..self }
    }

    /// Verifies a delivery at the given time and reads its event.
    ///
    /// `unwrap` does the same at the current time, with the feature `client`.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`]; [`Error::reason`] says why.
    ///
    /// ```
    /// # use pipevideo::{HeaderMap, Webhook, WebhookReason};
    /// # use std::time::SystemTime;
    /// let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
    /// let error = webhook.unwrap_at(b"{}", &HeaderMap::new(), SystemTime::UNIX_EPOCH).unwrap_err();
    /// assert_eq!(error.reason(), Some(WebhookReason::MissingHeader));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn unwrap_at<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        body: impl AsRef<[u8]>,
        headers: impl IntoIterator<Item = (N, V)>,
        now: SystemTime,
    ) -> Result<WebhookEvent, Error> {
        let body = body.as_ref();
        let signed = verify::verify(&self.secrets, body, headers, now)?;
        let mut event = WebhookEvent::read(body, signed.id, signed.timestamp)?;
        event.duplicate = self.acknowledged.contains(&event.id);
        event.acknowledged = Some(self.acknowledged.clone());
        Ok(event)
    }

    /// Signs a body as the service does and returns the three headers, for tests.
    ///
    /// Each of several secrets adds a signature, as after a rotation.
    ///
    /// ```
    /// # use pipevideo::Webhook;
    /// # use std::time::SystemTime;
    /// let webhook = Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?;
    /// let headers = webhook.sign("{}", "msg_1", SystemTime::UNIX_EPOCH);
    /// assert_eq!(headers[0], ("svix-id", "msg_1".to_owned()));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
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
