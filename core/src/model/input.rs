//! What a generation is made from: text, images and videos, in messages of a conversation.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::media::Media;
use super::shown;

/// The input of a request: one text, or a conversation of messages with parts.
///
/// A string converts into a text, a list of parts into one message of the user.
///
/// ```
/// use pipevideo::{Input, InputPart};
///
/// let text: Input = "A cat walking on a beach".into();
/// let parts: Input = vec![
///     InputPart::text("Make it walk"),
///     InputPart::image("https://example.com/cat.png"),
/// ]
/// .into();
/// # let _ = (text, parts);
/// ```
///
/// `Debug` shows the lengths of texts, and URLs without their query.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Input {
    /// A prompt.
    Text(String),
    /// The messages of a conversation, in order.
    Items(Vec<InputItem>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&shown::Hidden(text)).finish(),
            Self::Items(items) => f.debug_tuple("Items").field(items).finish(),
        }
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<InputItem>> for Input {
    fn from(items: Vec<InputItem>) -> Self {
        Self::Items(items)
    }
}

impl From<Vec<InputPart>> for Input {
    fn from(parts: Vec<InputPart>) -> Self {
        Self::Items(vec![InputItem::new(Role::User, parts)])
    }
}

impl<'de> Deserialize<'de> for Input {
    /// Reads a string, a list of items, or a list of parts. Its errors do not quote the input, which
    /// may be the prompt.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let invalid = D::Error::custom::<&str>;
        let entries = match Value::deserialize(deserializer)? {
            Value::String(text) => return Ok(Self::Text(text)),
            Value::Array(entries) => entries,
            _ => {
                return Err(invalid("input must be a string, a list of items, or a list of parts"));
            }
        };
        if !entries.is_empty() && entries.iter().all(|entry| entry.get("role").is_some()) {
            let items: Result<_, _> = entries.into_iter().map(serde_json::from_value).collect();
            return Ok(Self::Items(items.map_err(|_| {
                invalid(
                    "an item of the input must have a role (user, system, assistant, developer) \
                     and a list of parts as its content",
                )
            })?));
        }
        let parts: Result<Vec<InputPart>, _> =
            entries.into_iter().map(serde_json::from_value).collect();
        parts.map(Self::from).map_err(|_| invalid("a part of the input must be an object"))
    }
}

/// One message of the input.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputItem {
    /// The role of the author.
    pub role: Role,
    /// The parts of the message, in order.
    pub content: Vec<InputPart>,
    /// Fields that this library does not know yet, sent unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

shown::debug!(InputItem { role, content } hidden { extra } urls {});

impl InputItem {
    /// A message with these parts.
    ///
    /// ```
    /// use pipevideo::{InputItem, InputPart, Role};
    ///
    /// let item = InputItem::new(Role::System, vec![InputPart::text("Keep it calm.")]);
    /// # let _ = item;
    /// ```
    pub fn new(role: Role, content: Vec<InputPart>) -> Self {
        Self { role, content, extra: Map::new() }
    }
}

/// The role of a message's author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The user, who asks for the video.
    User,
    /// Instructions that take precedence over the user's messages.
    System,
    /// The model, in an earlier turn.
    Assistant,
    /// Instructions of the application's developer.
    Developer,
}

/// One part of a message.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum InputPart {
    /// A part of a documented type.
    Known(KnownPart),
    /// A part of a type, or with fields, that this library does not know yet: sent unchanged.
    Other(Map<String, Value>),
}

impl fmt::Debug for InputPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(part) => part.fmt(f),
            Self::Other(fields) => f.debug_tuple("Other").field(&shown::Hidden(fields)).finish(),
        }
    }
}

/// A part of one of the types that the service documents.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum KnownPart {
    /// A text. The input needs at least one.
    InputText {
        /// The text.
        text: String,
    },
    /// An image.
    InputImage {
        /// The address of the image, and how closely the model examines it.
        image_url: ImageUrl,
    },
    /// A video.
    InputVideo {
        /// The address of the video.
        video_url: VideoUrl,
    },
}

impl fmt::Debug for KnownPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InputText { text } => {
                f.debug_struct("InputText").field("text", &shown::Hidden(text)).finish()
            }
            Self::InputImage { image_url } => {
                f.debug_struct("InputImage").field("image_url", image_url).finish()
            }
            Self::InputVideo { video_url } => {
                f.debug_struct("InputVideo").field("video_url", video_url).finish()
            }
        }
    }
}

/// The address of an image, and how closely the model examines it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImageUrl {
    /// An HTTPS URL or a `data:image/…` URI.
    pub url: String,
    /// How closely the model examines the image; by default as the service chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

shown::debug!(ImageUrl { detail } hidden {} urls { url });

impl ImageUrl {
    /// The address of an image: an HTTPS URL or a `data:image/…` URI.
    ///
    /// ```
    /// use pipevideo::{Detail, ImageUrl};
    ///
    /// let image = ImageUrl::new("https://example.com/cat.png").detail(Detail::High);
    /// assert_eq!(image.detail, Some(Detail::High));
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), detail: None }
    }

    /// Sets how closely the model examines the image.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// The address of a video.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct VideoUrl {
    /// An HTTPS URL or a `data:video/…` URI.
    pub url: String,
}

shown::debug!(VideoUrl {} hidden {} urls { url });

impl VideoUrl {
    /// The address of a video: an HTTPS URL or a `data:video/…` URI.
    ///
    /// ```
    /// let video = pipevideo::VideoUrl::new("https://example.com/cat.mp4");
    /// assert_eq!(video.url, "https://example.com/cat.mp4");
    /// ```
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }
}

/// How closely the model examines an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Detail {
    /// The service chooses.
    Auto,
    /// Coarsely, for fewer tokens.
    Low,
    /// Closely.
    High,
    /// At the image's original size.
    Original,
}

impl InputPart {
    /// A part with a text.
    ///
    /// ```
    /// let part = pipevideo::InputPart::text("A cat walking on a beach");
    /// # let _ = part;
    /// ```
    pub fn text(text: impl Into<String>) -> Self {
        Self::Known(KnownPart::InputText { text: text.into() })
    }

    /// A part with an image: an HTTPS or data URL, or [`Media`] from a file or bytes.
    ///
    /// ```no_run
    /// use pipevideo::{InputPart, Media};
    ///
    /// let by_url = InputPart::image("https://example.com/cat.png");
    /// let by_file = InputPart::image(Media::file("cat.png")?);
    /// # let _ = (by_url, by_file);
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn image(image: impl Into<Media>) -> Self {
        let image_url = ImageUrl::new(image.into().into_url());
        Self::Known(KnownPart::InputImage { image_url })
    }

    /// A part with an image, and how closely the model examines it.
    ///
    /// ```
    /// use pipevideo::{Detail, InputPart};
    ///
    /// let part = InputPart::image_with_detail("https://example.com/cat.png", Detail::High);
    /// # let _ = part;
    /// ```
    pub fn image_with_detail(image: impl Into<Media>, detail: Detail) -> Self {
        let image_url = ImageUrl::new(image.into().into_url()).detail(detail);
        Self::Known(KnownPart::InputImage { image_url })
    }

    /// A part with a video: an HTTPS or data URL, or [`Media`] from a file or bytes.
    ///
    /// ```
    /// let part = pipevideo::InputPart::video("https://example.com/cat.mp4");
    /// # let _ = part;
    /// ```
    pub fn video(video: impl Into<Media>) -> Self {
        let video_url = VideoUrl::new(video.into().into_url());
        Self::Known(KnownPart::InputVideo { video_url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_describes_the_input_and_does_not_quote_it() {
        for (input, description) in [
            (
                json!([{"role": "robot", "content": [{"type": "input_text", "text": "SECRET"}]}]),
                "role",
            ),
            (json!([{"role": "user", "content": "SECRET"}]), "content"),
            (json!(["SECRET"]), "a part"),
            (json!({"SECRET": 1}), "a string, a list of items"),
        ] {
            let error = serde_json::from_value::<Input>(input).unwrap_err().to_string();
            assert!(error.contains(description) && !error.contains("SECRET"), "{error}");
        }
        // An entry without a role makes all of them parts, which are sent unchanged.
        let mixed = json!([{"role": "user"}, {"type": "input_text", "text": "A cat"}]);
        assert!(
            matches!(serde_json::from_value(mixed).unwrap(), Input::Items(items) if items.len() == 1)
        );
    }
}
