//! Validation of create requests.

use serde_json::{Map, Value};

use crate::service::catalogue::{self, Engine, Model, Provider};
use crate::videos::Canvas;

/// A valid create request.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) model: &'static Model,
    pub(crate) engine: &'static Engine,
    pub(crate) provider: &'static Provider,
    pub(crate) canvas: Option<Canvas>,
    /// The beginning of its text, which the page shows.
    pub(crate) prompt: Option<String>,
    /// The estimated number of tokens of the input.
    pub(crate) prompt_tokens: u64,
}

/// The tokens that an image or a video adds to the input. A plausible number: vision models count
/// several hundred tokens for an image.
const MEDIA_TOKENS: u64 = 800;

const ROLES: [&str; 4] = ["user", "system", "assistant", "developer"];
const DETAILS: [&str; 4] = ["auto", "low", "high", "original"];

type Checked<T> = Result<T, String>;

/// Reads the body of a create request. The error is the message of the response.
pub(crate) fn create(body: &[u8]) -> Checked<Create> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "The body is not valid JSON")?;
    let body = body.as_object().ok_or("The body must be a JSON object")?;
    let model = model(body)?;
    let prompt_tokens = input(body.get("input"))? + instructions(body)?;
    let (width, height) = (dimension(body, "width")?, dimension(body, "height")?);
    let canvas = Canvas::requested(width, height, text(body, "aspectRatio")?);
    flag(body, "expand_prompt")?;
    let engine = engine(body)?;
    let provider = provider(body, engine, model)?;
    Ok(Create { model, engine, provider, canvas, prompt: prompt(&body["input"]), prompt_tokens })
}

/// The member, or None if it is absent or null.
fn member<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| !value.is_null())
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Checked<Option<&'a str>> {
    let read = |value: &'a Value| value.as_str().ok_or(format!("{name} must be a string"));
    member(body, name).map(read).transpose()
}

fn flag(body: &Map<String, Value>, name: &str) -> Checked<()> {
    match member(body, name) {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(_) => Err(format!("{name} must be true or false")),
    }
}

fn dimension(body: &Map<String, Value>, name: &str) -> Checked<Option<f64>> {
    let read = |value: &Value| {
        let pixels = value.as_f64().filter(|pixels| *pixels > 0.0);
        pixels.ok_or(format!("{name} must be a positive number"))
    };
    member(body, name).map(read).transpose()
}

fn model(body: &Map<String, Value>) -> Checked<&'static Model> {
    let id = text(body, "model")?.ok_or("model is required")?;
    catalogue::find_model(id).ok_or(format!("Invalid model: {id}"))
}

fn instructions(body: &Map<String, Value>) -> Checked<u64> {
    Ok(text(body, "instructions")?.map_or(0, tokens))
}

fn engine(body: &Map<String, Value>) -> Checked<&'static Engine> {
    let id = text(body, "engine")?.unwrap_or("hyperframes");
    catalogue::find_engine(id).ok_or(format!("Invalid engine: {id}"))
}

fn provider(
    body: &Map<String, Value>,
    engine: &'static Engine,
    model: &'static Model,
) -> Checked<&'static Provider> {
    let Some(wanted) = member(body, "provider") else {
        return Ok(catalogue::default_provider());
    };
    let slugs = wanted.as_object().and_then(|wanted| wanted.get("order")).and_then(Value::as_array);
    let slugs: Option<Vec<&str>> =
        slugs.and_then(|slugs| slugs.iter().map(Value::as_str).collect());
    let slugs = slugs.ok_or("provider must be an object with order, a list of slugs")?;
    catalogue::route(slugs.iter().copied(), engine, model).ok_or_else(|| {
        format!(
            "Unsupported provider: none of [{}] supports this engine and model",
            slugs.join(", ")
        )
    })
}

fn input(input: Option<&Value>) -> Checked<u64> {
    match input {
        None | Some(Value::Null) => Err("input is required".to_owned()),
        Some(Value::String(prompt)) if prompt.trim().is_empty() => Err("input is empty".to_owned()),
        Some(Value::String(prompt)) => Ok(tokens(prompt)),
        Some(Value::Array(items)) => items_of(items),
        Some(_) => Err("input must be a string or an array of items".to_owned()),
    }
}

/// How many characters of a prompt are kept.
const MAX_PROMPT: usize = 300;

/// The beginning of the first text of a valid input.
fn prompt(input: &Value) -> Option<String> {
    let parts = input.as_array().into_iter().flatten();
    let mut parts = parts.filter_map(|item| item["content"].as_array()).flatten();
    let text = input.as_str().or_else(|| parts.find_map(|part| part["text"].as_str()))?;
    Some(text.chars().take(MAX_PROMPT).collect())
}

fn items_of(items: &[Value]) -> Checked<u64> {
    let (mut total, mut has_text) = (0, false);
    for item in items {
        for part in parts(item)? {
            total += part_tokens(part)?;
            has_text |= part["type"] == "input_text";
        }
    }
    if has_text {
        Ok(total)
    } else {
        Err("input must contain at least one input_text part".to_owned())
    }
}

fn parts(item: &Value) -> Checked<&Vec<Value>> {
    let role = item["role"].as_str().ok_or("each item of input must have a role")?;
    if !ROLES.contains(&role) {
        return Err(format!("Invalid role: {role}"));
    }
    item["content"].as_array().ok_or("content must be an array of parts".to_owned())
}

fn part_tokens(part: &Value) -> Checked<u64> {
    match part["type"].as_str() {
        Some("input_text") => match part["text"].as_str() {
            Some(text) if !text.trim().is_empty() => Ok(tokens(text)),
            _ => Err("input_text must have a text that is not empty".to_owned()),
        },
        Some("input_image") => {
            let image = &part["image_url"];
            let detail = &image["detail"];
            if !detail.is_null() && !detail.as_str().is_some_and(|d| DETAILS.contains(&d)) {
                return Err("image_url.detail must be auto, low, high or original".to_owned());
            }
            media(image, "image_url", "data:image/")
        }
        Some("input_video") => media(&part["video_url"], "video_url", "data:video/"),
        Some(other) => Err(format!("Unknown type of part: {other}")),
        None => Err("each part must have a type".to_owned()),
    }
}

fn media(holder: &Value, name: &str, data_uri: &str) -> Checked<u64> {
    let url = holder["url"].as_str().ok_or(format!("{name} must be an object with a url"))?;
    if url.starts_with("https://") || url.starts_with(data_uri) {
        return Ok(MEDIA_TOKENS);
    }
    Err(format!("{name}.url must be an https URL or a {data_uri}… URI"))
}

/// An estimate: tokenizers make about one token of four bytes of English.
fn tokens(text: &str) -> u64 {
    text.len() as u64 / 4 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rejection(change: Value) -> Option<String> {
        let mut body = json!({ "model": "moonshotai/kimi-k2.5", "input": "A cat" });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        create(body.to_string().as_bytes()).err()
    }

    fn content(parts: Value) -> Value {
        json!({ "input": [{ "role": "user", "content": parts }] })
    }

    #[test]
    fn valid_creates_are_accepted() {
        let text = json!({ "type": "input_text", "text": "A cat" });
        let data = "data:image/png;base64,AAAA";
        for change in [
            json!({}),
            json!({ "width": 1080, "height": 1920.0, "aspectRatio": "9:16", "expand_prompt": true }),
            json!({ "instructions": "Slow", "engine": "lottie", "provider": { "order": ["framerate"] } }),
            json!({ "engine": null, "provider": null, "not_known_yet": { "a": 1 } }),
            content(json!([text])),
            content(
                json!([text, { "type": "input_image", "image_url": { "url": data, "detail": "low" } }]),
            ),
            content(
                json!([text, { "type": "input_video", "video_url": { "url": "https://a.b/c.mp4" } }]),
            ),
        ] {
            assert_eq!(rejection(change.clone()), None, "{change}");
        }
    }

    #[test]
    fn invalid_creates_are_rejected() {
        for change in [
            json!({ "model": null }),
            json!({ "model": 5 }),
            json!({ "model": "hyperframes" }),
            json!({ "input": null }),
            json!({ "input": "  " }),
            json!({ "input": {} }),
            json!({ "input": [] }),
            json!({ "input": [{ "role": "robot", "content": [{ "type": "input_text", "text": "A cat" }] }] }),
            json!({ "input": [{ "role": "user", "content": "A cat" }] }),
            content(json!([{ "type": "input_text", "text": "" }])),
            content(
                json!([{ "type": "input_image", "image_url": { "url": "https://a.b/c.png" } }]),
            ),
            content(json!([{ "type": "input_image", "image_url": "https://a.b/c.png" }])),
            content(json!([{ "type": "input_video", "video_url": { "url": "http://a.b/c.mp4" } }])),
            content(
                json!([{ "type": "input_video", "video_url": { "url": "data:text/plain,x" } }]),
            ),
            content(json!([{ "type": "text", "text": "A cat" }])),
            json!({ "width": 0 }),
            json!({ "height": "tall" }),
            json!({ "aspectRatio": 1.5 }),
            json!({ "expand_prompt": "yes" }),
            json!({ "engine": "steam" }),
            json!({ "provider": "framerate" }),
            json!({ "provider": { "order": [] } }),
            json!({ "provider": { "order": ["unknown"] } }),
        ] {
            assert!(rejection(change.clone()).is_some(), "{change}");
        }
        assert!(create(b"{").is_err());
        assert!(create(b"[]").is_err());
    }
}
