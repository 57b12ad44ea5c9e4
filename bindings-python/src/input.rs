//! The input of a request, and its other arguments.

use std::path::PathBuf;

use bindings_macros::barrier;
use pipevideo::{
    Detail, GenerationRequest, Input, InputItem, InputPart, Media, ProviderPreference, Role,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString};
use serde_json::Value;

use crate::arguments::{argument, integer, type_error};
use crate::errors;
use crate::finalization;
use crate::options;
use crate::part::Part;
use crate::raise::raise;
use crate::to_json;

/// Makes a text part.
#[barrier]
#[pyfunction]
#[pyo3(signature = (text: "str"))]
pub(crate) fn text(text: &Bound<'_, PyAny>) -> PyResult<Part> {
    let text: String = argument(text, "text", "str")?;
    Ok(Part(InputPart::text(text)))
}

/// Makes an image part from an HTTPS or data URL, a path, or bytes. `detail` is the resolution at
/// which the model sees it.
///
/// The content of a file is sent inside the request, as a data URI. Its type is detected from its
/// first bytes.
#[barrier]
#[pyfunction]
#[pyo3(signature = (image: "Media", detail: "Detail | None" = None))]
pub(crate) fn image(image: &Bound<'_, PyAny>, detail: Option<&Bound<'_, PyAny>>) -> PyResult<Part> {
    let media = media(image, "image")?;
    Ok(Part(match detail {
        None => InputPart::image(media),
        Some(detail) => InputPart::image_with_detail(media, self::detail(detail)?),
    }))
}

/// Makes a video part from an HTTPS or data URL, a path, or bytes.
#[barrier]
#[pyfunction]
#[pyo3(signature = (video: "Media"))]
pub(crate) fn video(video: &Bound<'_, PyAny>) -> PyResult<Part> {
    Ok(Part(InputPart::video(media(video, "video")?)))
}

fn detail(detail: &Bound<'_, PyAny>) -> PyResult<Detail> {
    let literal: String = argument(detail, "detail", "str")?;
    serde_json::from_value(literal.into()).map_err(|_| {
        errors::invalid(detail.py(), "detail must be one of auto, low, high, original.")
    })
}

/// Reads a URL, a path, or bytes.
fn media(source: &Bound<'_, PyAny>, argument: &str) -> PyResult<Media> {
    let py = source.py();
    let result = if let Ok(text) = source.cast::<PyString>() {
        let text: String = self::argument(text, argument, "a str")?;
        let is_url = text.contains("://")
            || text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
        if is_url {
            return Ok(text.into());
        }
        finalization::detached(py, || Media::file(text))
    } else if let Ok(bytes) = source.cast::<PyBytes>() {
        Media::bytes(bytes.as_bytes())
    } else if let Ok(bytes) = source.cast::<PyByteArray>() {
        Media::bytes(bytes.to_vec())
    } else if let Ok(path) = source.extract::<PathBuf>() {
        finalization::detached(py, || Media::file(path))
    } else {
        let found = source.get_type().name()?.to_string();
        let message =
            format!("argument '{argument}': expected a URL, a path or bytes, not {found}");
        return Err(PyTypeError::new_err(message));
    };
    result.map_err(|error| raise(py, &error))
}

/// The names of the arguments of a create.
pub(crate) const ARGUMENTS: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "width",
    "height",
    "aspect_ratio",
    "provider",
    "engine",
    "expand_prompt",
    "max_cost_usd",
    "extra_body",
];

/// The arguments of a create.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Arguments<'py> {
    model: Bound<'py, PyAny>,
    input: Bound<'py, PyAny>,
    instructions: Bound<'py, PyAny>,
    width: Bound<'py, PyAny>,
    height: Bound<'py, PyAny>,
    aspect_ratio: Bound<'py, PyAny>,
    provider: Bound<'py, PyAny>,
    engine: Bound<'py, PyAny>,
    expand_prompt: Bound<'py, PyAny>,
    max_cost_usd: Bound<'py, PyAny>,
    extra_body: Bound<'py, PyAny>,
}

/// Returns the request of the arguments of `create`, all of which are present.
pub(crate) fn request(arguments: &Bound<'_, PyAny>) -> PyResult<GenerationRequest> {
    let given: Arguments<'_> = arguments.extract()?;
    let model: String = argument(&given.model, "model", "str")?;
    let mut request = GenerationRequest::new(model, input(&given.input)?);
    request.instructions = argument(&given.instructions, "instructions", "str")?;
    request.width = integer(&given.width, "width")?;
    request.height = integer(&given.height, "height")?;
    request.aspect_ratio = argument(&given.aspect_ratio, "aspect_ratio", "str")?;
    request.engine = argument(&given.engine, "engine", "str")?;
    request.expand_prompt = argument(&given.expand_prompt, "expand_prompt", "bool")?;
    request.max_cost_usd = options::amount(&given.max_cost_usd, "max_cost_usd")?;
    request.provider = provider(&given.provider)?;
    if !given.extra_body.is_none() {
        let wrong = || type_error("extra_body", "a mapping", &given.extra_body);
        given.extra_body.cast::<PyMapping>().map_err(|_| wrong())?;
        if let Value::Object(extra) = to_json::from_python(&given.extra_body, "extra_body")? {
            request.extra_body = extra;
        }
    }
    Ok(request)
}

fn provider(value: &Bound<'_, PyAny>) -> PyResult<Option<ProviderPreference>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.cast::<PyMapping>().is_ok()
        && let Value::Object(object) = to_json::from_python(value, "provider")?
    {
        return Ok(Some(object.into()));
    }
    let order: Vec<String> = argument(value, "provider", "a list of slugs, or a mapping")?;
    Ok(Some(order.into()))
}

/// Reads a string, one part, a list of parts, or a list of items.
fn input(value: &Bound<'_, PyAny>) -> PyResult<Input> {
    const KIND: &str = "a str, a list of parts, or a list of items";
    if let Ok(text) = value.cast::<PyString>() {
        return argument(text, "input", KIND).map(Input::Text);
    }
    if let Ok(part) = value.cast::<Part>() {
        return Ok(vec![part.get().0.clone()].into());
    }
    if !to_json::is_sequence(value) {
        return Err(type_error("input", KIND, value));
    }
    let entries: Vec<Bound<'_, PyAny>> = value.try_iter()?.collect::<PyResult<_>>()?;
    let is_item = |entry: &Bound<'_, PyAny>| {
        entry.cast::<PyMapping>().is_ok_and(|item| item.contains("role").unwrap_or(false))
    };
    match entries.iter().filter(|entry| is_item(entry)).count() {
        0 => entries.iter().map(part).collect::<PyResult<Vec<_>>>().map(Input::from),
        all if all == entries.len() => {
            entries.iter().map(item).collect::<PyResult<Vec<_>>>().map(Input::from)
        }
        _ => {
            let message = "the input mixes items, which have a role, with parts. Put the parts into \
                           the content of an item.";
            Err(errors::invalid(value.py(), message))
        }
    }
}

fn item(value: &Bound<'_, PyAny>) -> PyResult<InputItem> {
    for name in value.try_iter()? {
        let name: String = argument(&name?, "input", "items with str keys")?;
        let known = match name.as_str() {
            "role" | "content" => true,
            "type" => value.get_item("type")?.eq("message")?,
            _ => false,
        };
        if !known {
            let message = format!(
                "an item of the input has a {name:?} that would be lost: an item has a role and a \
                 content."
            );
            return Err(errors::invalid(value.py(), &message));
        }
    }
    let role: String = argument(&value.get_item("role")?, "input", "items with a str role")?;
    let role: Role = serde_json::from_value(role.into()).map_err(|_| {
        let message = "an item's role is none of user, system, assistant, developer.";
        errors::invalid(value.py(), message)
    })?;
    let content = value
        .get_item("content")
        .map_err(|_| errors::invalid(value.py(), "an item of the input has no content."))?;
    if let Ok(text) = content.cast::<PyString>() {
        let text: String = argument(text, "input", "a str")?;
        return Ok(InputItem::new(role, vec![InputPart::text(text)]));
    }
    if content.cast::<PyMapping>().is_ok() || content.cast::<Part>().is_ok() {
        return Ok(InputItem::new(role, vec![part(&content)?]));
    }
    let wrong = |_| type_error("input", "items with a str or a list of parts as content", &content);
    let parts = content.try_iter().map_err(wrong)?;
    let parts: PyResult<Vec<_>> = parts.map(|entry| part(&entry?)).collect();
    Ok(InputItem::new(role, parts?))
}

fn part(value: &Bound<'_, PyAny>) -> PyResult<InputPart> {
    if let Ok(part) = value.cast::<Part>() {
        return Ok(part.get().0.clone());
    }
    if value.cast::<PyMapping>().is_err() {
        let kind = "made of parts: pipevideo.text(...), image(...), video(...), or their dicts";
        return Err(type_error("input", kind, value));
    }
    let json = to_json::from_python(value, "input")?;
    serde_json::from_value(json).map_err(|_| {
        errors::invalid(value.py(), "a part of the input does not have the form of a part.")
    })
}
