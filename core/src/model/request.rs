//! The request for a generation.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::fields;
use super::input::{Input, InputPart, KnownPart};
use super::media::check_url;
use super::shown;
use crate::error::{Error, ErrorKind};

/// A request for a generation. Only the model and the input are required.
///
/// A request is checked before it is sent. If something is wrong with it, the call fails with
/// [`ErrorKind::InvalidRequest`], and nothing has been sent. `Debug` does not show the prompt.
///
/// ```
/// use pipevideo::GenerationRequest;
///
/// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach")
///     .width(1920)
///     .height(1080)
///     .provider(["framerate"]);
/// assert_eq!(serde_json::to_value(&request)?["provider"]["order"][0], "framerate");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GenerationRequest {
    // generated: create arguments (by `cargo xtask generate`, from conformance/surface.json)
    /// The orchestration model, such as `moonshotai/kimi-k2.5`; not an engine.
    pub model: String,
    /// The prompt: a text, the parts of one message, or messages.
    pub input: Input,
    /// System-level instructions, apart from the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The width of the canvas in pixels; the service's default is 1080.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// The height of the canvas in pixels; the service's default is 1920.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<i64>,
    /// The aspect ratio, a hint such as `16:9`.
    #[serde(
        default,
        rename = "aspectRatio",
        alias = "aspect_ratio",
        skip_serializing_if = "Option::is_none"
    )]
    pub aspect_ratio: Option<String>,
    /// The providers that may render the video: slugs by preference, or the API's own object. The
    /// service's default is `framerate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderPreference>,
    /// The engine that renders: `hyperframes` (the service's default), `lottie` or `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Whether the service may elaborate the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand_prompt: Option<bool>,
    /// The maximum cost of the generation, in US dollars. If even the low estimate exceeds it, the
    /// call fails as `spend_limit`, and nothing is sent. The service does not receive it.
    #[serde(default, skip_serializing, deserialize_with = "fields::amount")]
    pub max_cost_usd: Option<Decimal>,
    /// Fields that this library does not have yet, sent unchanged.
    #[serde(flatten)]
    pub extra_body: Map<String, Value>,
    // end of generated
}

// generated: create debug (by `cargo xtask generate`, from conformance/surface.json)
shown::debug!(GenerationRequest {
    model, input, width, height, aspect_ratio, provider, engine, expand_prompt, max_cost_usd
} hidden { instructions, extra_body } urls {});
// end of generated

impl GenerationRequest {
    /// A request for a video that this model makes from this input.
    pub fn new(model: impl Into<String>, input: impl Into<Input>) -> Self {
        Self {
            model: model.into(),
            input: input.into(),
            // generated: create defaults (by `cargo xtask generate`, from conformance/surface.json)
            instructions: None,
            width: None,
            height: None,
            aspect_ratio: None,
            provider: None,
            engine: None,
            expand_prompt: None,
            max_cost_usd: None,
            extra_body: Map::new(),
            // end of generated
        }
    }

    // generated: create setters (by `cargo xtask generate`, from conformance/surface.json)
    /// Sets system-level instructions, apart from the conversation.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Sets the width of the canvas in pixels; the service's default is 1080.
    pub fn width(mut self, width: impl Into<i64>) -> Self {
        self.width = Some(width.into());
        self
    }

    /// Sets the height of the canvas in pixels; the service's default is 1920.
    pub fn height(mut self, height: impl Into<i64>) -> Self {
        self.height = Some(height.into());
        self
    }

    /// Sets the aspect ratio, a hint such as `16:9`.
    pub fn aspect_ratio(mut self, aspect_ratio: impl Into<String>) -> Self {
        self.aspect_ratio = Some(aspect_ratio.into());
        self
    }

    /// Sets the providers that may render the video: slugs by preference, or the API's own object.
    /// The service's default is `framerate`.
    pub fn provider(mut self, provider: impl Into<ProviderPreference>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the engine that renders: `hyperframes` (the service's default), `lottie` or `auto`.
    pub fn engine(mut self, engine: impl Into<String>) -> Self {
        self.engine = Some(engine.into());
        self
    }

    /// Sets whether the service may elaborate the prompt.
    pub fn expand_prompt(mut self, expand_prompt: bool) -> Self {
        self.expand_prompt = Some(expand_prompt);
        self
    }

    /// Sets the maximum cost of the generation, in US dollars. If even the low estimate exceeds it,
    /// the call fails as `spend_limit`, and nothing is sent. The service does not receive it.
    pub fn max_cost_usd(mut self, max_cost_usd: impl Into<Decimal>) -> Self {
        self.max_cost_usd = Some(max_cost_usd.into());
        self
    }
    // end of generated

    /// Adds a field that this library does not know yet. It is sent unchanged.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra_body.insert(name.into(), value.into());
        self
    }

    /// Rejects what the service would reject, and what can only be a mistake.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`]
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |what: &str| Err(Error::new(ErrorKind::InvalidRequest, what));
        if self.model.trim().is_empty() {
            return invalid("the model is empty. Name one, such as moonshotai/kimi-k2.5.");
        }
        if [self.width, self.height].into_iter().flatten().any(|pixels| pixels <= 0) {
            return invalid("width and height are pixels and must be positive.");
        }
        if self.max_cost_usd.is_some_and(|maximum| maximum < Decimal::ZERO) {
            return invalid("max_cost_usd is negative. Pass an amount of US dollars.");
        }
        if let Some(name) =
            self.extra_body.keys().find(|name| TYPED_FIELDS.contains(&name.as_str()))
        {
            return invalid(&format!(
                "the extra body repeats {name}. Set it once, as an argument of its own."
            ));
        }
        if !self.input_texts().any(|text| !text.trim().is_empty()) {
            return invalid("the input has no text. Add at least one text part that is not empty.");
        }
        self.parts().try_for_each(|part| match part {
            InputPart::Known(KnownPart::InputImage { image_url }) => {
                check_url(&image_url.url, "image")
            }
            InputPart::Known(KnownPart::InputVideo { video_url }) => {
                check_url(&video_url.url, "video")
            }
            InputPart::Known(KnownPart::InputText { .. }) => Ok(()),
            InputPart::Other(part) => check_other(part),
        })
    }

    fn parts(&self) -> impl Iterator<Item = &InputPart> {
        let items: &[_] = match &self.input {
            Input::Text(_) => &[],
            Input::Items(items) => items,
        };
        items.iter().flat_map(|item| &item.content)
    }

    fn input_texts(&self) -> impl Iterator<Item = &str> {
        let text = match &self.input {
            Input::Text(text) => Some(text.as_str()),
            Input::Items(_) => None,
        };
        text.into_iter().chain(self.parts().filter_map(|part| match part {
            InputPart::Known(KnownPart::InputText { text }) => Some(text.as_str()),
            InputPart::Known(_) => None,
            InputPart::Other(part) => part.get("text").and_then(Value::as_str),
        }))
    }
}

/// Checks a part that is not one of the documented ones.
///
/// It may have a type or fields that this library does not know yet. A documented type must have its
/// required fields: a misspelled `image_url` would be dropped and the video paid for without it.
fn check_other(part: &Map<String, Value>) -> Result<(), Error> {
    let invalid = |what: &str| {
        let message = format!("{what}. Use the library's functions to make parts.");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    };
    let url = |name: &str| part.get(name)?.get("url")?.as_str();
    match part.get("type").and_then(Value::as_str) {
        None | Some("") => invalid("a part of the input has no type"),
        Some("input_text") if !part.get("text").is_some_and(Value::is_string) => {
            invalid("a part of type input_text has no text")
        }
        Some("input_image") => match url("image_url") {
            Some(url) => check_url(url, "image"),
            None => invalid("a part of type input_image has no image_url with a url in it"),
        },
        Some("input_video") => match url("video_url") {
            Some(url) => check_url(url, "video"),
            None => invalid("a part of type input_video has no video_url with a url in it"),
        },
        Some(_) => Ok(()),
    }
}

/// The fields that `extra_body` may not repeat: JSON with the same name twice would leave it to the
/// service which one counts.
// generated: create names (by `cargo xtask generate`, from conformance/surface.json)
const TYPED_FIELDS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "width",
    "height",
    "aspectRatio",
    "provider",
    "engine",
    "expand_prompt",
    "max_cost_usd",
];
// end of generated

/// Which providers may render a generation.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum ProviderPreference {
    /// Slugs in order of preference. The service takes the first that supports the engine and model.
    Order(Vec<String>),
    /// The `provider` object of the HTTP API.
    Object(Map<String, Value>),
}

impl fmt::Debug for ProviderPreference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(slugs) => f.debug_tuple("Order").field(slugs).finish(),
            Self::Object(object) => f.debug_tuple("Object").field(&shown::Hidden(object)).finish(),
        }
    }
}

impl<S: Into<String>> From<Vec<S>> for ProviderPreference {
    fn from(slugs: Vec<S>) -> Self {
        Self::Order(slugs.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for ProviderPreference {
    fn from(slugs: [S; N]) -> Self {
        Self::Order(slugs.into_iter().map(Into::into).collect())
    }
}

impl From<Map<String, Value>> for ProviderPreference {
    fn from(object: Map<String, Value>) -> Self {
        Self::Object(object)
    }
}

impl Serialize for ProviderPreference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Order(order) => serializer.collect_map([("order", order)]),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ProviderPreference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "provider must be a list of slugs, or an object")]
        enum Form {
            Order(Vec<String>),
            Object(Map<String, Value>),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Order(order) => Self::Order(order),
            Form::Object(object) => Self::Object(object),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_part_without_the_required_fields_of_its_type_is_rejected() {
        let check = |part: Value| {
            let input = json!([{"type": "input_text", "text": "A cat"}, part]);
            serde_json::from_value::<GenerationRequest>(json!({"model": "m", "input": input}))
                .unwrap()
                .check()
        };
        let url = "https://example.com/cat.png";
        for accepted in [
            json!({"type": "input_image", "image_url": {"url": url}}),
            json!({"type": "input_image", "image_url": {"url": url, "detail": "ultra"}}),
            json!({"type": "input_video", "video_url": {"url": url}, "fps": 12}),
            json!({"type": "input_text", "text": "walking", "cache": true}),
            json!({"type": "input_audio"}),
        ] {
            assert!(check(accepted.clone()).is_ok(), "{accepted}");
        }
        for rejected in [
            json!({"type": "input_image"}),
            json!({"type": "input_image", "image_url": url}),
            json!({"type": "input_image", "image_url": {"url": "source:0", "detail": "ultra"}}),
            json!({"type": "input_video", "image_url": {"url": url}}),
            json!({"type": "input_text", "txt": "A cat"}),
            json!({"role": "user", "content": [{"type": "input_text", "text": "A cat"}]}),
            json!({"type": ""}),
            json!({}),
        ] {
            let error = check(rejected.clone()).expect_err("the part is rejected");
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{rejected}");
        }
    }

    #[test]
    fn instructions_do_not_count_as_input() {
        let request = GenerationRequest::new("m", "").instructions("Keep it calm");
        assert!(request.check().is_err());
    }
}
