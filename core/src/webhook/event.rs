//! What a delivery says.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::verify::{Delivery, WebhookReason, refused};
use crate::error::Error;
use crate::model::Status;

/// What a genuine delivery says: that a generation has ended.
///
/// An event of a type that this library does not know is an event all the same. Deliveries come
/// more than once and in any order: tell them apart by [`id`](Self::id).
#[derive(Clone, Debug, PartialEq)]
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
    pub(super) fn read(body: &[u8], delivery: Delivery) -> Result<Self, Error> {
        let bad = || refused(WebhookReason::BadPayload);
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else { return Err(bad()) };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => None,
            Some(other) => {
                fields.insert(name.to_owned(), other);
                None
            }
        };
        Ok(Self {
            id: delivery.id,
            timestamp: delivery.timestamp,
            event_type: text("eventType").ok_or_else(bad)?,
            generation_id: text("generationId"),
            status: text("status").map(|status| Status::from(status.as_str())),
            output_video_url: text("outputUrl"),
            error_message: text("errorMessage"),
            duplicate: false,
            extra: fields,
        })
    }
}
