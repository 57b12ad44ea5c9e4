//! A generation: one video request, as the service last described it.

use std::fmt;
use std::time::SystemTime;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::failure::GenerationError;
use super::fields::{self, Fields, Spelling, UnixSeconds, Writer};
use super::shown;

/// A snapshot of one video request, as the service last described it.
///
/// The [`id`](Self::id) is all that another process, language or machine needs to continue with it.
/// Deserializing is lenient: a field that is missing, null or of an unexpected shape is `None`, and
/// fields without a type here are in [`extra`](Self::extra). Only an object without an `id` or a
/// `status` is rejected. Use `serde_json` to read and write it, which keeps
/// [`cost_usd`](TokenUsage::cost_usd) exact.
///
/// ```
/// use pipevideo::{Generation, Status};
///
/// let generation: Generation = serde_json::from_str(
///     r#"{"id":"gen_1","status":"completed","usage":{"cost_usd":0.0421},"colour":"red"}"#,
/// )?;
/// assert_eq!(generation.status, Status::Completed);
/// assert_eq!(generation.usage.unwrap().cost_usd.unwrap().to_string(), "0.0421");
/// assert_eq!(generation.extra["colour"], "red");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(try_from = "Fields")]
#[non_exhaustive]
pub struct Generation {
    /// The id that the service assigned, `gen_…`.
    pub id: String,
    /// How far the generation has come.
    pub status: Status,
    /// The orchestration model.
    pub model: Option<String>,
    /// The engine that renders, such as `hyperframes`.
    pub engine: Option<String>,
    /// The slug of the provider that the service chose.
    pub provider: Option<String>,
    /// When the service accepted the request (Unix seconds on the wire).
    pub created_at: Option<SystemTime>,
    /// The URL of the video, once completed: signed, so treat it as a secret, and expiring.
    pub output_video_url: Option<String>,
    /// The tokens and the cost, once the service reports them.
    pub usage: Option<TokenUsage>,
    /// Why the generation failed, if it did.
    pub error: Option<GenerationError>,
    /// The time from creation to completion, in milliseconds, once completed.
    pub latency_ms: Option<u64>,
    /// The service's `output` as JSON. Its content is not documented.
    pub output: Option<Value>,
    /// The fields that this library does not know or could not read.
    pub extra: Map<String, Value>,
    spelling: Spelling,
}

shown::debug!(Generation {
    id, status, model, engine, provider, created_at, usage, error, latency_ms
} hidden { output, extra } urls { output_video_url });

impl Generation {
    /// Whether the generation has ended: it has completed or failed and does not change any more.
    ///
    /// ```
    /// # use pipevideo::Generation;
    /// let generation: Generation = serde_json::from_str(r#"{"id":"gen_1","status":"queued"}"#)?;
    /// assert!(!generation.is_final());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn is_final(&self) -> bool {
        self.status.is_final()
    }
}

/// The id, which is what calls take that need no more.
impl From<Generation> for String {
    fn from(generation: Generation) -> Self {
        generation.id
    }
}

/// The id, which is what calls take that need no more.
impl From<&Generation> for String {
    fn from(generation: &Generation) -> Self {
        generation.id.clone()
    }
}

impl TryFrom<Fields> for Generation {
    type Error = &'static str;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let mut spelling = Spelling::default();
        let s = &mut spelling;
        Ok(Self {
            id: fields
                .take("id", s, fields::text)
                .filter(|id| !id.is_empty())
                .ok_or("a generation without an id")?,
            status: fields
                .take("status", s, fields::text)
                .map(|text| status(&text, s))
                .ok_or("a generation without a status")?,
            model: fields.take("model", s, fields::text),
            engine: fields.take("engine", s, fields::text),
            provider: fields.take("provider", s, fields::text),
            created_at: fields.take("created_at", s, fields::seconds),
            output_video_url: fields.take("output_video_url", s, fields::text),
            usage: fields.take_exact("usage", s, fields::json),
            error: fields.take("error", s, fields::object),
            latency_ms: fields.take("latency_ms", s, fields::count),
            output: fields.take("output", s, Ok),
            extra: fields.rest(),
            spelling,
        })
    }
}

fn status(text: &str, spelling: &mut Spelling) -> Status {
    let status = Status::from(text);
    if status.as_str() != text {
        spelling.record_text("status", text);
    }
    status
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::new(serializer, &self.spelling, &self.extra)?;
        out.field("id", Some(&self.id))?;
        // A status that the caller has changed since is written as it is now.
        let recorded = self.spelling.recorded_text("status");
        let recorded = recorded.filter(|text| Status::from(*text) == self.status);
        out.field("status", Some(recorded.unwrap_or(self.status.as_str())))?;
        out.field("model", self.model.as_ref())?;
        out.field("engine", self.engine.as_ref())?;
        out.field("provider", self.provider.as_ref())?;
        out.field("created_at", self.created_at.map(UnixSeconds))?;
        out.field("output_video_url", self.output_video_url.as_ref())?;
        out.field("usage", self.usage.as_ref())?;
        out.field("error", self.error.as_ref())?;
        out.field("latency_ms", self.latency_ms)?;
        out.field("output", self.output.as_ref())?;
        out.end()
    }
}

/// The status of a generation. It only moves forward: queued, in progress, completed or failed.
///
/// ```
/// use pipevideo::Status;
///
/// assert_eq!(Status::from("in_progress"), Status::InProgress);
/// assert_eq!(Status::from("rendering").to_string(), "rendering");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The service has accepted the request and not begun with it.
    Queued,
    /// The video is being composed or rendered.
    InProgress,
    /// The video is finished.
    Completed,
    /// The generation ended without a video.
    Failed,
    /// A status that this library does not know, as the service wrote it. It is never final. (The
    /// older spellings `pending` and `processing` are read as queued and in progress.)
    Other(String),
}

impl Status {
    /// The status as the service writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }

    /// Whether the generation has ended: completed or failed.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        match text {
            "queued" | "pending" => Self::Queued,
            "in_progress" | "processing" => Self::InProgress,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queued => f.write_str("Queued"),
            Self::InProgress => f.write_str("InProgress"),
            Self::Completed => f.write_str("Completed"),
            Self::Failed => f.write_str("Failed"),
            Self::Other(text) => f.debug_tuple("Other").field(&shown::Word(text)).finish(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(Self::from(text.as_ref()))
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The tokens and the cost of a generation, as far as the service has reported them.
///
/// ```
/// use pipevideo::TokenUsage;
///
/// let usage: TokenUsage = serde_json::from_str(r#"{"prompt_tokens": 12, "cost_usd": "0.10"}"#)?;
/// assert_eq!(usage.input_tokens, Some(12));
/// assert_eq!(usage.cost_usd.unwrap().to_string(), "0.10");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Fields")]
#[non_exhaustive]
pub struct TokenUsage {
    /// The number of tokens in the prompt (`input_tokens` or `prompt_tokens` on the wire).
    pub input_tokens: Option<u64>,
    /// The number of tokens that the model generated (`output_tokens` or `completion_tokens` on the
    /// wire).
    pub output_tokens: Option<u64>,
    /// The sum of both, as the service counts them.
    pub total_tokens: Option<u64>,
    /// The amount charged, in US dollars and exact.
    pub cost_usd: Option<Decimal>,
    /// The fields that this library does not know or could not read.
    pub extra: Map<String, Value>,
    spelling: Spelling,
}

shown::debug!(TokenUsage {
    input_tokens, output_tokens, total_tokens, cost_usd
} hidden { extra } urls {});

impl From<Fields> for TokenUsage {
    fn from(mut fields: Fields) -> Self {
        let mut spelling = Spelling::default();
        let s = &mut spelling;
        Self {
            input_tokens: fields.take_count("input_tokens", "prompt_tokens", s),
            output_tokens: fields.take_count("output_tokens", "completion_tokens", s),
            total_tokens: fields.take("total_tokens", s, fields::count),
            cost_usd: fields.take_decimal("cost_usd", s),
            extra: fields.rest(),
            spelling,
        }
    }
}

impl Serialize for TokenUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::new(serializer, &self.spelling, &self.extra)?;
        out.count("input_tokens", "prompt_tokens", self.input_tokens)?;
        out.count("output_tokens", "completion_tokens", self.output_tokens)?;
        out.field("total_tokens", self.total_tokens)?;
        out.decimal("cost_usd", self.cost_usd.as_ref())?;
        out.end()
    }
}
