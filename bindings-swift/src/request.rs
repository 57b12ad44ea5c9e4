//! The arguments of a create, from the host's to the core's.

use bindings_common::{catch, lost};
use bindings_macros::barrier;
use pipevideo::{Detail, GenerationRequest, InputItem, InputPart, Media, ProviderPreference, Role};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::errors::Failure;
use crate::options;

#[derive(uniffi::Record)]
pub(crate) struct Arguments {
    model: String,
    input: Input,
    instructions: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    aspect_ratio: Option<String>,
    provider: Option<Provider>,
    engine: Option<String>,
    expand_prompt: Option<bool>,
    /// The text of a decimal number.
    max_cost_usd: Option<String>,
    /// A JSON object.
    extra_body: Option<String>,
}

#[derive(uniffi::Enum)]
pub(crate) enum Input {
    Text { text: String },
    Parts { parts: Vec<Part> },
    Items { items: Vec<Item> },
}

#[derive(uniffi::Record)]
pub(crate) struct Item {
    role: String,
    content: Vec<Part>,
}

#[derive(uniffi::Enum)]
pub(crate) enum Part {
    Text { text: String },
    Image { source: Source, detail: Option<String> },
    Video { source: Source },
}

#[derive(uniffi::Enum)]
pub(crate) enum Source {
    Url { url: String },
    File { path: String },
    Bytes { bytes: Vec<u8> },
}

#[derive(uniffi::Enum)]
pub(crate) enum Provider {
    Order {
        slugs: Vec<String>,
    },
    /// The JSON object that is sent as it is.
    Object {
        json: String,
    },
}

impl Arguments {
    /// Returns the request. Files are read on a thread that may block, so that other calls continue.
    pub(crate) async fn request(self) -> Result<GenerationRequest, Failure> {
        if matches!(self.input, Input::Text { .. }) {
            return self.read();
        }
        let read = tokio::task::spawn_blocking(|| catch(|| self.read())).await;
        read.unwrap_or_else(|_| Err(lost()))?
    }

    fn read(self) -> Result<GenerationRequest, Failure> {
        let mut request = GenerationRequest::new(self.model, self.input.read()?);
        request.instructions = self.instructions;
        request.width = self.width;
        request.height = self.height;
        request.aspect_ratio = self.aspect_ratio;
        request.engine = self.engine;
        request.expand_prompt = self.expand_prompt;
        request.max_cost_usd = options::amount("max_cost_usd", self.max_cost_usd)?;
        request.provider = self.provider.map(Provider::read).transpose()?;
        if let Some(json) = self.extra_body {
            request.extra_body = object("extraBody", &json)?;
        }
        Ok(request)
    }
}

impl Input {
    fn read(self) -> Result<pipevideo::Input, Failure> {
        let parts = |parts: Vec<Part>| -> Result<Vec<InputPart>, Failure> {
            parts.into_iter().map(Part::read).collect()
        };
        match self {
            Self::Text { text } => Ok(text.into()),
            Self::Parts { parts: list } => Ok(parts(list)?.into()),
            Self::Items { items } => {
                let items = items.into_iter().map(|item| {
                    let role: Role = literal("an item's role", item.role)?;
                    Ok(InputItem::new(role, parts(item.content)?))
                });
                Ok(items.collect::<Result<Vec<_>, Failure>>()?.into())
            }
        }
    }
}

impl Part {
    fn read(self) -> Result<InputPart, Failure> {
        Ok(match self {
            Self::Text { text } => InputPart::text(text),
            Self::Image { source, detail: None } => InputPart::image(source.read()?),
            Self::Image { source, detail: Some(detail) } => {
                let detail: Detail = literal("an image's detail", detail)?;
                InputPart::image_with_detail(source.read()?, detail)
            }
            Self::Video { source } => InputPart::video(source.read()?),
        })
    }
}

impl Source {
    fn read(self) -> Result<Media, Failure> {
        Ok(match self {
            Self::Url { url } => url.into(),
            Self::File { path } => Media::file(path)?,
            Self::Bytes { bytes } => Media::bytes(bytes)?,
        })
    }
}

/// Returns the maximum size of a file or of bytes in a request.
#[barrier(default)]
#[uniffi::export]
fn max_media_bytes() -> u64 {
    Media::MAX_BYTES
}

impl Provider {
    fn read(self) -> Result<ProviderPreference, Failure> {
        Ok(match self {
            Self::Order { slugs } => slugs.into(),
            Self::Object { json } => object("provider", &json)?.into(),
        })
    }
}

/// Reads a literal of a closed set.
fn literal<T: DeserializeOwned>(what: &str, literal: String) -> Result<T, Failure> {
    serde_json::from_value(literal.into())
        .map_err(|_| Failure::invalid(&format!("{what} is not a value that the service defines.")))
}

fn object(name: &str, json: &str) -> Result<Map<String, Value>, Failure> {
    // The host writes the JSON of an object. Only numbers that are not finite make it invalid.
    serde_json::from_str(json).map_err(|_| {
        Failure::invalid(&format!(
            "{name} has a number that is not finite, which JSON cannot hold."
        ))
    })
}
