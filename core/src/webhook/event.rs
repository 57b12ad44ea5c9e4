//! What a delivery says.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::verify::{WebhookReason, refused};
use crate::error::Error;
use crate::model::Status;

/// What a genuine delivery says: that a generation has ended.
///
/// An event of a type that this library does not know is an event all the same. Deliveries come
/// more than once and in any order: tell them apart by [`id`](Self::id).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct WebhookEvent {
    /// The delivery's id, the same each time that it is tried.
    pub id: String,
    /// When it was signed.
    pub timestamp: SystemTime,
    /// What happened: `video.generation.completed`, for both outcomes.
    pub event_type: String,
    /// The generation that it is about.
    pub generation_id: Option<String>,
    /// How it ended, as the delivery claims.
    pub status: Option<Status>,
    /// Where the video is, if it completed. Treat it as a secret.
    pub output_video_url: Option<String>,
    /// Why it failed, if it did. It may quote the prompt.
    pub error_message: Option<String>,
    /// Whether the client has had this delivery before; it changed nothing this time. Always false
    /// where a delivery is verified without a client.
    pub duplicate: bool,
    /// Every field that this library does not know, or could not read.
    pub extra: Map<String, Value>,
}

impl WebhookEvent {
    /// Reads the body of a delivery that was verified before: kept by a queue, or by another process.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookVerification`](crate::ErrorKind::WebhookVerification) if it is no event.
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
        let bad = || refused(WebhookReason::BadPayload);
        let Ok(Value::Object(fields)) = crate::json::read(body) else { return Err(bad()) };
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
        event.event_type = event_type.ok_or_else(bad)?;
        event.status = status.map(|status| Status::from(status.as_str()));
        Ok(event)
    }
}
