//! What a generation is made from: text, images and videos, in messages of a conversation.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::media::Media;

/// The input of a request: one text, or messages of parts.
///
/// A string becomes a text, a list of parts one user message.
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
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Input {
    /// One prompt.
    Text(String),
    /// Messages, in order.
    Items(Vec<InputItem>),
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
    /// Reads a string, a list of items, or a list of parts. What it refuses is not quoted: it may be
    /// the prompt.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = D::Error::custom::<&str>;
        let entries = match Value::deserialize(deserializer)? {
            Value::String(text) => return Ok(Self::Text(text)),
            Value::Array(entries) => entries,
            _ => return Err(refuse("input is a string, a list of items, or a list of parts")),
        };
        if !entries.is_empty() && entries.iter().all(|entry| entry.get("role").is_some()) {
            let items: Result<_, _> = entries.into_iter().map(serde_json::from_value).collect();
            return Ok(Self::Items(items.map_err(|_| {
                refuse(
                    "an item of the input has a role (user, system, assistant, developer) and a \
                     list of parts as its content",
                )
            })?));
        }
        let parts: Result<Vec<InputPart>, _> =
            entries.into_iter().map(serde_json::from_value).collect();
        parts.map(Self::from).map_err(|_| refuse("a part of the input has not the form of one"))
    }
}

/// One message of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputItem {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<InputPart>,
    /// Fields that this library does not know yet, sent as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl InputItem {
    /// A message of several parts.
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

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person who wants the video.
    User,
    /// Guidance that outranks the user's.
    System,
    /// The model, in an earlier turn.
    Assistant,
    /// Guidance by the program's author.
    Developer,
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum InputPart {
    /// A part that this library knows.
    Known(KnownPart),
    /// A part of a kind, or with fields, that it does not know yet: sent as it is.
    Other(Map<String, Value>),
}

/// The kinds of parts that the service documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum KnownPart {
    /// Text; at least one must stand among all items.
    InputText {
        /// The text.
        text: String,
    },
    /// An image.
    InputImage {
        /// Where it is, and how closely to look.
        image_url: ImageUrl,
    },
    /// A video.
    InputVideo {
        /// Where it is.
        video_url: VideoUrl,
    },
}

/// An image's address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageUrl {
    /// An HTTPS URL or a `data:image/…` URI.
    pub url: String,
    /// How closely the model looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// A video's address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoUrl {
    /// An HTTPS URL or a `data:video/…` URI.
    pub url: String,
}

/// How closely the model looks at an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// As the service chooses.
    Auto,
    /// Coarsely, for fewer tokens.
    Low,
    /// Closely.
    High,
    /// At the image's own size.
    Original,
}

impl InputPart {
    /// A text.
    ///
    /// ```
    /// let part = pipevideo::InputPart::text("A cat walking on a beach");
    /// # let _ = part;
    /// ```
    pub fn text(text: impl Into<String>) -> Self {
        Self::Known(KnownPart::InputText { text: text.into() })
    }

    /// An image: an HTTPS or data URL, or [`Media`] from a file or bytes.
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
        let url = image.into().into_url();
        Self::Known(KnownPart::InputImage { image_url: ImageUrl { url, detail: None } })
    }

    /// An image, and how closely to look at it.
    ///
    /// ```
    /// use pipevideo::{Detail, InputPart};
    ///
    /// let part = InputPart::image_with_detail("https://example.com/cat.png", Detail::High);
    /// # let _ = part;
    /// ```
    pub fn image_with_detail(image: impl Into<Media>, detail: Detail) -> Self {
        let url = image.into().into_url();
        Self::Known(KnownPart::InputImage { image_url: ImageUrl { url, detail: Some(detail) } })
    }

    /// A video: an HTTPS or data URL, or [`Media`] from a file or bytes.
    ///
    /// ```
    /// let part = pipevideo::InputPart::video("https://example.com/cat.mp4");
    /// # let _ = part;
    /// ```
    pub fn video(video: impl Into<Media>) -> Self {
        let url = video.into().into_url();
        Self::Known(KnownPart::InputVideo { video_url: VideoUrl { url } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_refused_is_told_and_not_quoted() {
        for (input, told) in [
            (
                json!([{"role": "nobody", "content": [{"type": "input_text", "text": "SECRET"}]}]),
                "role",
            ),
            (json!([{"role": "user", "content": "SECRET"}]), "content"),
            (json!(["SECRET"]), "a part"),
            (json!({"SECRET": 1}), "a string, a list of items"),
        ] {
            let error = serde_json::from_value::<Input>(input).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("SECRET"), "{error}");
        }
        // One that is no message makes all of them parts, which are sent as they are.
        let mixed = json!([{"role": "user"}, {"type": "input_text", "text": "A cat"}]);
        assert!(
            matches!(serde_json::from_value(mixed).unwrap(), Input::Items(items) if items.len() == 1)
        );
    }
}
