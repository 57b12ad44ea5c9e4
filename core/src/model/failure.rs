//! Why a generation failed.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::fields::{self, Fields, Spelling, Writer};
use super::shown;

/// The error of a failed generation, in the service's words and as a [category](Self::category).
///
/// ```
/// use pipevideo::{FailureCategory, GenerationError};
///
/// let error: GenerationError =
///     serde_json::from_str(r#"{"code":"render_failed","message":"The render pipeline stopped"}"#)?;
/// assert_eq!(error.category(), FailureCategory::Provider);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Fields")]
#[non_exhaustive]
pub struct GenerationError {
    /// The service's code; its values are not documented.
    pub code: Option<String>,
    /// The service's message. It may quote the prompt, so it is not safe to log.
    pub message: Option<String>,
    /// The fields that this library does not know or could not read.
    pub extra: Map<String, Value>,
    spelling: Spelling,
}

impl fmt::Debug for GenerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenerationError")
            .field("code", &shown::Word(&self.code))
            .field("message", &shown::Hidden(&self.message))
            .field("extra", &shown::Hidden(&self.extra))
            .finish()
    }
}

impl GenerationError {
    /// The category of the failure, derived from its code and message.
    pub fn category(&self) -> FailureCategory {
        let code = self.code.as_deref().unwrap_or_default();
        let message = self.message.as_deref().unwrap_or_default();
        FailureCategory::classify(code, message)
    }
}

impl From<Fields> for GenerationError {
    fn from(mut fields: Fields) -> Self {
        let mut spelling = Spelling::default();
        Self {
            code: fields.take("code", &mut spelling, fields::text),
            message: fields.take("message", &mut spelling, fields::text),
            extra: fields.rest(),
            spelling,
        }
    }
}

impl Serialize for GenerationError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::new(serializer, &self.spelling, &self.extra)?;
        out.field("code", self.code.as_ref())?;
        out.field("message", self.message.as_ref())?;
        out.end()
    }
}

/// The category of a failed generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCategory {
    /// The balance was zero, or the charge failed.
    InsufficientCredits,
    /// The orchestration or the render pipeline of the provider failed.
    Provider,
    /// The engine or model is not available at the provider.
    Unavailable,
    /// The service rejected the prompt.
    InvalidPrompt,
    /// The code and message match no other category.
    Other,
}

impl FailureCategory {
    /// The name that every language uses, such as `insufficient_credits`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientCredits => "insufficient_credits",
            Self::Provider => "provider",
            Self::Unavailable => "unavailable",
            Self::InvalidPrompt => "invalid_prompt",
            Self::Other => "other",
        }
    }

    /// Classifies by code first, then by message, since the service documents neither.
    fn classify(code: &str, message: &str) -> Self {
        [code, message].into_iter().find_map(Self::mentioned_in).unwrap_or(Self::Other)
    }

    fn mentioned_in(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase().replace(['_', '-'], " ");
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if mentions_credits(&text) {
            Some(Self::InsufficientCredits)
        } else if has(&["unavailable", "not available", "unsupported", "not supported"]) {
            Some(Self::Unavailable)
        } else if has(&["invalid prompt", "prompt", "moderation", "content policy", "safety"]) {
            Some(Self::InvalidPrompt)
        } else if has(&["provider", "render", "orchestrat", "pipeline", "upload", "engine"]) {
            Some(Self::Provider)
        } else {
            None
        }
    }
}

impl fmt::Display for FailureCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a text says that the credits ran out.
pub(crate) fn mentions_credits(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace(['_', '-'], " ");
    let money = ["credit", "balance", "funds"].iter().any(|word| text.contains(word));
    let short = ["insufficient", "not enough", "zero", "too low", "no credit", "out of", "charge"]
        .iter()
        .any(|word| text.contains(word));
    (money && short) || text.contains("payment required") || text.contains("charge failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_before_the_message() {
        use FailureCategory::*;
        for (code, message, category) in [
            ("insufficient_credits", "", InsufficientCredits),
            ("", "Insufficient balance", InsufficientCredits),
            ("charge_failed", "", InsufficientCredits),
            ("provider_error", "the prompt could not be composed", Provider),
            ("", "render pipeline failed", Provider),
            ("engine_unavailable", "", Unavailable),
            ("", "model not available at the provider", Unavailable),
            ("invalid_prompt", "", InvalidPrompt),
            ("E42", "something", Other),
            ("", "", Other),
        ] {
            assert_eq!(FailureCategory::classify(code, message), category, "{code} {message}");
        }
    }
}
