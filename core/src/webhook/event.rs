//! The event in a webhook delivery.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::verify::rejected;
use crate::error::{Error, WebhookReason};
use crate::model::{Status, shown};

/// The event in a verified webhook delivery: a generation has ended.
///
/// Events of types that this library does not know are read as well. The service may deliver an
/// event more than once and in any order; all deliveries of an event have the same
/// [`id`](Self::id).
#[derive(Clone, PartialEq)]
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
    /// Whether this client has received the event before; this time it woke no wait. Always false if
    /// the delivery was verified without a client.
    pub duplicate: bool,
    /// The fields that this library does not know or could not read.
    pub extra: Map<String, Value>,
}

shown::debug!(WebhookEvent {
    id, timestamp, event_type, generation_id, status, duplicate
} hidden { error_message, extra } urls { output_video_url });

impl WebhookEvent {
    /// Reads the body of a delivery that has been verified already, such as one from a queue.
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
