//! The parts of an input, and a request's arguments.

use std::path::PathBuf;

use pipevideo::{
    Detail, GenerationRequest, Input, InputItem, InputPart, Media, ProviderPreference, Role,
};
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyMapping, PyString};
use serde_json::Value;

use crate::ending;
use crate::errors;
use crate::json;
use crate::values::Reduced;

/// A part of an input, made by `text`, `image` or `video`.
#[pyclass(frozen, eq, module = "pipevideo")]
#[derive(PartialEq)]
pub(crate) struct Part(InputPart);

impl Part {
    pub(crate) fn json(&self) -> PyResult<Value> {
        serde_json::to_value(&self.0).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl Part {
    #[staticmethod]
    fn _from_json(text: &str) -> PyResult<Self> {
        let part = serde_json::from_str(text);
        part.map(Self).map_err(|_| PyValueError::new_err("this is not the JSON of a part"))
    }

    /// The wire's JSON.
    #[pyo3(signature = () -> "dict[str, Any]")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.json()?)
    }

    /// Shows neither text nor content: they are the prompt.
    fn __repr__(&self) -> PyResult<String> {
        let json = self.json()?;
        let kind = json["type"].as_str().unwrap_or("part");
        Ok(format!("<{kind}, {} bytes>", json.to_string().len()))
    }

    fn __hash__(&self) -> PyResult<u64> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.json()?.to_string().hash(&mut hasher);
        Ok(hasher.finish())
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<Reduced<'py, (String,)>> {
        Ok((this.get_type().getattr("_from_json")?, (this.get().json()?.to_string(),)))
    }
}

/// A text.
#[pyfunction]
#[pyo3(signature = (text: "str"))]
pub(crate) fn text(text: &Bound<'_, PyAny>) -> PyResult<Part> {
    let text: String = argument(text, "text", "str")?;
    Ok(Part(InputPart::text(text)))
}

/// An image: an HTTPS or data URL, a path, or bytes; and how closely to look at it.
///
/// A file travels inside the request, as a data URI. Its type is taken from its first bytes.
#[pyfunction]
#[pyo3(signature = (image: "Media", detail: "Detail | None" = None))]
pub(crate) fn image(image: &Bound<'_, PyAny>, detail: Option<&Bound<'_, PyAny>>) -> PyResult<Part> {
    let media = media(image, "image")?;
    Ok(Part(match detail {
        None => InputPart::image(media),
        Some(detail) => InputPart::image_with_detail(media, self::detail(detail)?),
    }))
}

/// A video: an HTTPS or data URL, a path, or bytes.
#[pyfunction]
#[pyo3(signature = (video: "Media"))]
pub(crate) fn video(video: &Bound<'_, PyAny>) -> PyResult<Part> {
    Ok(Part(InputPart::video(media(video, "video")?)))
}

fn detail(detail: &Bound<'_, PyAny>) -> PyResult<Detail> {
    let word: String = argument(detail, "detail", "str")?;
    serde_json::from_value(word.into()).map_err(|_| {
        errors::invalid(
            detail.py(),
            "detail is not one that the service knows: auto, low, high, original.",
        )
    })
}

/// A URL, a path, or bytes.
fn media(source: &Bound<'_, PyAny>, argument: &str) -> PyResult<Media> {
    let py = source.py();
    let result = if let Ok(text) = source.cast::<PyString>() {
        let text: String = self::argument(text, argument, "a str")?;
        let is_url = text.contains("://")
            || text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("data:"));
        if is_url {
            return Ok(text.into());
        }
        ending::detached(py, || Media::file(text))
    } else if let Ok(bytes) = source.cast::<PyBytes>() {
        Media::bytes(bytes.as_bytes())
    } else if let Ok(bytes) = source.cast::<PyByteArray>() {
        Media::bytes(bytes.to_vec())
    } else if let Ok(path) = source.extract::<PathBuf>() {
        ending::detached(py, || Media::file(path))
    } else {
        let found = source.get_type().name()?.to_string();
        let message =
            format!("argument '{argument}': expected a URL, a path or bytes, not {found}");
        return Err(PyTypeError::new_err(message));
    };
    result.map_err(|error| errors::raise(py, &error))
}

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
    extra_body: Bound<'py, PyAny>,
}

/// A request from the arguments of `create`, of which all are there.
pub(crate) fn request(arguments: &Bound<'_, PyAny>) -> PyResult<GenerationRequest> {
    let given: Arguments<'_> = arguments.extract()?;
    let model: String = argument(&given.model, "model", "str")?;
    let mut request = GenerationRequest::new(model, input(&given.input)?);
    request.instructions = argument(&given.instructions, "instructions", "str")?;
    request.width = whole(&given.width, "width")?;
    request.height = whole(&given.height, "height")?;
    request.aspect_ratio = argument(&given.aspect_ratio, "aspect_ratio", "str")?;
    request.engine = argument(&given.engine, "engine", "str")?;
    request.expand_prompt = argument(&given.expand_prompt, "expand_prompt", "bool")?;
    request.provider = provider(&given.provider)?;
    if !given.extra_body.is_none() {
        let wrong = || type_error("extra_body", "a mapping", &given.extra_body);
        given.extra_body.cast::<PyMapping>().map_err(|_| wrong())?;
        if let Value::Object(extra) = json::from_python(&given.extra_body, "extra_body")? {
            request.extra_body = extra;
        }
    }
    Ok(request)
}

/// How a value of the right type is refused.
pub(crate) type Refusal = fn(Python<'_>, &str) -> PyErr;

/// An argument as what it should be.
pub(crate) fn argument<'py, T>(value: &Bound<'py, PyAny>, name: &str, kind: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    read(value, name, kind, errors::invalid)
}

/// A whole number, or None. Python counts a bool as one; here it is a mistake.
pub(crate) fn whole<'py, T>(value: &Bound<'py, PyAny>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    match value.is_instance_of::<PyBool>() {
        true => Err(type_error(name, "int", value)),
        false => argument(value, name, "int"),
    }
}

/// An argument or option as what it should be. Another type is a `TypeError`.
pub(crate) fn read<'py, T>(
    value: &Bound<'py, PyAny>,
    name: &str,
    kind: &str,
    refusal: Refusal,
) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let py = value.py();
    value.extract().map_err(|raised: T::Error| {
        let raised: PyErr = raised.into();
        if raised.is_instance_of::<PyUnicodeEncodeError>(py) {
            let message =
                format!("argument '{name}': half a character (a lone surrogate) is no text.");
            refusal(py, &message)
        } else if raised.is_instance_of::<PyOverflowError>(py) {
            refusal(py, &format!("argument '{name}': the number is out of range."))
        } else {
            type_error(name, kind, value)
        }
    })
}

pub(crate) fn type_error(name: &str, kind: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    PyTypeError::new_err(format!("argument '{name}' must be {kind}, not {found}"))
}

fn provider(value: &Bound<'_, PyAny>) -> PyResult<Option<ProviderPreference>> {
    if value.is_none() {
        return Ok(None);
    }
    if value.cast::<PyMapping>().is_ok()
        && let Value::Object(object) = json::from_python(value, "provider")?
    {
        return Ok(Some(object.into()));
    }
    let order: Vec<String> = argument(value, "provider", "a list of slugs, or a mapping")?;
    Ok(Some(order.into()))
}

/// A string, one part, a list of parts, or a list of items.
fn input(value: &Bound<'_, PyAny>) -> PyResult<Input> {
    const KIND: &str = "a str, a list of parts, or a list of items";
    if let Ok(text) = value.cast::<PyString>() {
        return argument(text, "input", KIND).map(Input::Text);
    }
    if let Ok(part) = value.cast::<Part>() {
        return Ok(vec![part.get().0.clone()].into());
    }
    if !json::is_sequence(value) {
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
        let name: String = argument(&name?, "input", "items whose keys are str")?;
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
    let role: String = argument(&value.get_item("role")?, "input", "items whose role is a str")?;
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
    let wrong =
        |_| type_error("input", "items whose content is a str or a list of parts", &content);
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
    let json = json::from_python(value, "input")?;
    serde_json::from_value(json)
        .map_err(|_| errors::invalid(value.py(), "a part of the input has not the form of one."))
}
