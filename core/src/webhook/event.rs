//! The event in a webhook delivery.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::acknowledged::Acknowledged;
use super::verify::rejected;
use crate::error::{Error, WebhookReason};
use crate::model::{Status, shown};

/// The event in a verified webhook delivery: a generation has ended.
///
/// Events of types that this library does not know are read as well. The service may deliver an
/// event more than once and in any order; all deliveries of an event have the same
/// [`id`](Self::id). [Acknowledge](Self::acknowledge) an event when it has been handled, so that
/// later deliveries of it are [duplicates](Self::duplicate).
#[derive(Clone)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct WebhookEvent {
    /// The id of the event, the same in each delivery of it.
    pub id: String,
    /// When the delivery was signed.
    pub timestamp: SystemTime,
    /// The type of the event: `video.generation.completed`, for both outcomes.
    pub event_type: String,
    /// The id of the generation that has ended.
    pub generation_id: Option<String>,
    /// How the generation ended.
    pub status: Option<Status>,
    /// The URL of the video, if the generation completed. Treat it as a secret.
    pub output_video_url: Option<String>,
    /// Why the generation failed, if it did. It may quote the prompt.
    pub error_message: Option<String>,
    /// Whether an earlier delivery of the event was [acknowledged](Self::acknowledge) before this one
    /// was unwrapped. A duplicate wakes no wait.
    pub duplicate: bool,
    /// The fields that this library does not know or could not read.
    pub extra: Map<String, Value>,
    /// Where the event is acknowledged; `None` if it was only read.
    pub(super) acknowledged: Option<Arc<Acknowledged>>,
}

/// Compares what was delivered, not where it is acknowledged.
impl PartialEq for WebhookEvent {
    fn eq(&self, other: &Self) -> bool {
        // A new field is an error here until it is compared or left out.
        let Self {
            id,
            timestamp,
            event_type,
            generation_id,
            status,
            output_video_url,
            error_message,
            duplicate,
            extra,
            acknowledged: _,
        } = self;
        *id == other.id
            && *timestamp == other.timestamp
            && *event_type == other.event_type
            && *generation_id == other.generation_id
            && *status == other.status
            && *output_video_url == other.output_video_url
            && *error_message == other.error_message
            && *duplicate == other.duplicate
            && *extra == other.extra
    }
}

shown::debug!(WebhookEvent {
    id, timestamp, event_type, generation_id, status, duplicate
} hidden { error_message, extra } urls { output_video_url });

impl WebhookEvent {
    /// Records that the event has been handled: later deliveries of it are
    /// [duplicates](Self::duplicate).
    ///
    /// Call it when the handler has succeeded, and not before: the service repeats a delivery if its
    /// handler fails, and the repeated one should be handled. Any clone may be acknowledged, any
    /// number of times. The clients of a process that share a key, a base URL and a rate limit share
    /// the record, and so do the clones of a [`Webhook`](crate::Webhook). It holds the last 10,000
    /// events and ends with the process.
    ///
    /// Returns false, and does nothing, if the event was made by [`read`](Self::read).
    ///
    /// ```
    /// # use pipevideo::Webhook;
    /// # use std::time::SystemTime;
    /// # let (webhook, now) = (Webhook::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])?, SystemTime::UNIX_EPOCH);
    /// # let body = br#"{"eventType":"video.generation.completed"}"#;
    /// # let headers = webhook.sign(body, "msg_1", now);
    /// let event = webhook.unwrap_at(body, headers.clone(), now)?;
    /// if !event.duplicate {
    ///     // Handle the event. If that fails, return here without acknowledging it.
    /// }
    /// event.acknowledge();
    /// assert!(webhook.unwrap_at(body, headers, now)?.duplicate);
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn acknowledge(&self) -> bool {
        let Some(acknowledged) = &self.acknowledged else { return false };
        acknowledged.insert(&self.id);
        true
    }

    /// Reads the body of a delivery that has been verified already, such as one from a queue.
    ///
    /// The event cannot be [acknowledged](Self::acknowledge): that is up to the process that received
    /// it, once it is in the queue.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`](crate::ErrorKind::WebhookVerification) if the body is not an
    /// event.
    ///
    /// ```
    /// use pipevideo::WebhookEvent;
    /// use std::time::SystemTime;
    ///
    /// let body = br#"{"eventType":"video.generation.completed","generationId":"gen_1"}"#;
    /// let event = WebhookEvent::read(body, "msg_1", SystemTime::UNIX_EPOCH)?;
    /// assert_eq!(event.generation_id.as_deref(), Some("gen_1"));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn read(body: &[u8], id: impl Into<String>, timestamp: SystemTime) -> Result<Self, Error> {
        let invalid = || rejected(WebhookReason::BadPayload);
        let Ok(Value::Object(fields)) = crate::json::read(body) else { return Err(invalid()) };
        let (mut event_type, mut status) = (None, None);
        let mut event = Self {
            id: id.into(),
            timestamp,
            event_type: String::new(),
            generation_id: None,
            status: None,
            output_video_url: None,
            error_message: None,
            duplicate: false,
            extra: Map::new(),
            acknowledged: None,
        };
        for (name, value) in fields {
            let known = match name.as_str() {
                "eventType" => Some(&mut event_type),
                "generationId" => Some(&mut event.generation_id),
                "status" => Some(&mut status),
                "outputUrl" => Some(&mut event.output_video_url),
                "errorMessage" => Some(&mut event.error_message),
                _ => None,
            };
            match (known, value) {
                (Some(field), Value::String(text)) => *field = Some(text),
                (Some(_), Value::Null) => {}
                (_, other) => {
                    event.extra.insert(name, other);
                }
            }
        }
        event.event_type = event_type.ok_or_else(invalid)?;
        event.status = status.map(|status| Status::from(status.as_str()));
        Ok(event)
    }
}
