//! A generation: one video request, as the service last told it.

use std::fmt;
use std::time::SystemTime;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::failure::GenerationError;
use super::fields::{self, Fields, UnixSeconds, Wording, Writer};

/// One video request as the service last told it: a plain, immutable snapshot.
///
/// Its [`id`](Self::id) is all that is needed to go on with it in another process, language or
/// machine. Reading is lenient: a field that is missing, null or of an unexpected shape is `None`,
/// and whatever is not typed here is in [`extra`](Self::extra). Only an object without an `id` and
/// a `status` is refused. Reading and writing need `serde_json`, so that
/// [`cost_usd`](TokenUsage::cost_usd) stays exact.
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(try_from = "Fields")]
#[non_exhaustive]
pub struct Generation {
    /// The service's id, `gen_…`.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// The orchestration model.
    pub model: Option<String>,
    /// The engine that renders, such as `hyperframes`.
    pub engine: Option<String>,
    /// The slug of the provider that the service chose.
    pub provider: Option<String>,
    /// When the service took it (Unix seconds on the wire).
    pub created_at: Option<SystemTime>,
    /// Where the video is, once completed: a signed URL that expires. Treat it as a secret.
    pub output_video_url: Option<String>,
    /// Tokens and cost, once known.
    pub usage: Option<TokenUsage>,
    /// Why it failed, if it did.
    pub error: Option<GenerationError>,
    /// How long it took end to end, in milliseconds, once completed.
    pub latency_ms: Option<u64>,
    /// The service's `output` as JSON; its content is not documented.
    pub output: Option<Value>,
    /// Every field that this library does not know, or could not read.
    pub extra: Map<String, Value>,
    wording: Wording,
}

impl Generation {
    /// Whether it has ended: completed or failed, and will not change any more.
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

impl TryFrom<Fields> for Generation {
    type Error = &'static str;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let mut wording = Wording::default();
        let n = &mut wording;
        Ok(Self {
            id: fields
                .take("id", n, fields::text)
                .filter(|id| !id.is_empty())
                .ok_or("a generation without an id")?,
            status: fields
                .take("status", n, fields::text)
                .map(|word| status(&word, n))
                .ok_or("a generation without a status")?,
            model: fields.take("model", n, fields::text),
            engine: fields.take("engine", n, fields::text),
            provider: fields.take("provider", n, fields::text),
            created_at: fields.take("created_at", n, fields::seconds),
            output_video_url: fields.take("output_video_url", n, fields::text),
            usage: fields.take_exact("usage", n, fields::json),
            error: fields.take("error", n, fields::object),
            latency_ms: fields.take("latency_ms", n, fields::count),
            output: fields.take("output", n, Ok),
            extra: fields.rest(),
            wording,
        })
    }
}

fn status(word: &str, wording: &mut Wording) -> Status {
    let status = Status::from(word);
    if status.as_str() != word {
        wording.note("status", word);
    }
    status
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::new(serializer, &self.wording, &self.extra)?;
        out.field("id", Some(&self.id))?;
        let word = self.wording.of("status").filter(|word| Status::from(*word) == self.status);
        out.field("status", Some(word.unwrap_or(self.status.as_str())))?;
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

/// How far a generation is; it only ever moves forward.
///
/// ```
/// use pipevideo::Status;
///
/// assert_eq!(Status::from("in_progress"), Status::InProgress);
/// assert_eq!(Status::from("rendering").to_string(), "rendering");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Accepted, not begun.
    Queued,
    /// Being composed or rendered.
    InProgress,
    /// Finished; the video is there.
    Completed,
    /// Ended without a video.
    Failed,
    /// The service's own text where this library does not know it, or an older spelling
    /// (`pending` counts as queued, `processing` as in progress); never final.
    Other(String),
}

impl Status {
    /// The service's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }

    /// Whether it is an end: completed or failed.
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

/// Tokens and cost of a generation, as far as the service has told them.
///
/// ```
/// use pipevideo::TokenUsage;
///
/// let usage: TokenUsage = serde_json::from_str(r#"{"prompt_tokens": 12, "cost_usd": "0.10"}"#)?;
/// assert_eq!(usage.input_tokens, Some(12));
/// assert_eq!(usage.cost_usd.unwrap().to_string(), "0.10");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Fields")]
#[non_exhaustive]
pub struct TokenUsage {
    /// Tokens read (`input_tokens` or `prompt_tokens` on the wire).
    pub input_tokens: Option<u64>,
    /// Tokens written (`output_tokens` or `completion_tokens` on the wire).
    pub output_tokens: Option<u64>,
    /// Both together, as the service counts them.
    pub total_tokens: Option<u64>,
    /// What was charged, in US dollars, exactly.
    pub cost_usd: Option<Decimal>,
    /// Every field that this library does not know, or could not read.
    pub extra: Map<String, Value>,
    wording: Wording,
}

impl From<Fields> for TokenUsage {
    fn from(mut fields: Fields) -> Self {
        let mut wording = Wording::default();
        let n = &mut wording;
        Self {
            input_tokens: fields.take_count("input_tokens", "prompt_tokens", n),
            output_tokens: fields.take_count("output_tokens", "completion_tokens", n),
            total_tokens: fields.take("total_tokens", n, fields::count),
            cost_usd: fields.take_decimal("cost_usd", n),
            extra: fields.rest(),
            wording,
        }
    }
}

impl Serialize for TokenUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::new(serializer, &self.wording, &self.extra)?;
        out.count("input_tokens", "prompt_tokens", self.input_tokens)?;
        out.count("output_tokens", "completion_tokens", self.output_tokens)?;
        out.field("total_tokens", self.total_tokens)?;
        out.decimal("cost_usd", self.cost_usd.as_ref())?;
        out.end()
    }
}
