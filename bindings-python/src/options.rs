//! A client's options, from Python's to the core's.

use std::path::PathBuf;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use pipevideo::{App, Client, ClientBuilder, Polling, RateLimit};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping, PyString};

use crate::errors;
use crate::input::{read, type_error};
use crate::token::TokenSource;
use crate::webhook;

/// Whoever reads the service's logs sees which library called, unless `headers` say otherwise.
const AGENT: &str = concat!("pipevideo-python/", env!("CARGO_PKG_VERSION"));

/// An option, or what one consists of, as what it should be.
fn argument<'py, T>(value: &Bound<'py, PyAny>, name: &str, kind: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    read(value, name, kind, errors::configuration)
}

/// The builder for these options, and the key's function if it is one.
pub(crate) fn builder(
    options: &Bound<'_, PyDict>,
) -> PyResult<(ClientBuilder, Option<Py<TokenSource>>)> {
    let mut headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(AGENT))]);
    let mut builder = Client::builder();
    let mut tokens = None;
    for (name, value) in options.iter() {
        let name: String = name.extract()?;
        builder = match name.as_str() {
            "api_key" if value.is_callable() => {
                let source = TokenSource::new(value.py(), value.unbind())?;
                let host = source.get().host().clone();
                tokens = Some(source);
                builder.token(move || host.clone().token())
            }
            "api_key" => builder.api_key(argument::<String>(&value, &name, "a str or a function")?),
            "base_url" => builder.base_url(argument::<String>(&value, &name, "a str")?),
            "allow_insecure" => builder.allow_insecure(argument(&value, &name, "a bool")?),
            "request_timeout" => builder.request_timeout(option_seconds(&value, &name)?),
            "connect_timeout" => builder.connect_timeout(option_seconds(&value, &name)?),
            "deadline" => builder.deadline(option_seconds(&value, &name)?),
            "max_retries" => builder.max_retries(max_retries(&value)?),
            "rate_limit" => builder.rate_limit(rate_limit(&value)?),
            "polling" => builder.polling(polling(&value)?),
            "webhook_secrets" => builder.webhook_secrets(webhook::secrets(&value, &name)?),
            "app" => builder.app(app(&value)?),
            "headers" => {
                add_headers(&mut headers, &value)?;
                builder
            }
            "proxy" => builder.proxy(argument::<String>(&value, &name, "a str")?),
            "ca_file" => builder.ca_file(argument::<PathBuf>(&value, &name, "a path")?),
            _ => return Err(PyTypeError::new_err(format!("there is no option '{name}'"))),
        };
    }
    Ok((builder.headers(headers), tokens))
}

/// Seconds: a number or a timedelta.
///
/// # Errors
/// `TypeError` for anything else, `Err(Ok(message))`'s message for a number that is no duration.
fn seconds(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Result<Duration, String>> {
    const KIND: &str = "seconds (a number or a timedelta)";
    let number: f64 = match value.call_method0("total_seconds") {
        Ok(seconds) => argument(&seconds, name, KIND)?,
        Err(_) if value.is_instance_of::<PyBool>() => return Err(type_error(name, KIND, value)),
        Err(_) => argument(value, name, KIND)?,
    };
    Ok(Duration::try_from_secs_f64(number)
        .map_err(|_| format!("{name} must be a number of seconds, 0 or more.")))
}

fn option_seconds(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Duration> {
    seconds(value, name)?.map_err(|message| errors::configuration(value.py(), &message))
}

/// The deadline of a call.
pub(crate) fn deadline(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    match seconds(value, "deadline")? {
        Ok(deadline) => Ok(Some(deadline)),
        Err(message) => Err(errors::invalid(value.py(), &message)),
    }
}

fn max_retries(value: &Bound<'_, PyAny>) -> PyResult<u32> {
    if value.is_instance_of::<PyBool>() {
        return Err(type_error("max_retries", "int", value));
    }
    let number: i64 = argument(value, "max_retries", "int")?;
    u32::try_from(number).map_err(|_| {
        let message = format!("max_retries must be 0 or more, and at most {}.", u32::MAX);
        errors::configuration(value.py(), &message)
    })
}

fn rate_limit(value: &Bound<'_, PyAny>) -> PyResult<Option<RateLimit>> {
    if value.is_none() {
        return Ok(None);
    }
    let kind = "None or a pair (requests, seconds)";
    let (requests, per): (i64, Bound<'_, PyAny>) = argument(value, "rate_limit", kind)?;
    let requests = u32::try_from(requests).map_err(|_| {
        let message =
            format!("rate_limit must allow at least one request, and at most {}.", u32::MAX);
        errors::configuration(value.py(), &message)
    })?;
    Ok(Some(RateLimit::new(requests, option_seconds(&per, "rate_limit")?)))
}

fn polling(value: &Bound<'_, PyAny>) -> PyResult<Polling> {
    const NAMES: [&str; 4] = ["min_interval", "max_interval", "safety_interval", "typical"];
    let mut polling = Polling::default();
    let mapping = value.cast::<PyMapping>().ok();
    match mapping {
        Some(mapping) => known_keys(mapping, "polling", &NAMES)?,
        None if NAMES.iter().any(|name| value.hasattr(*name).unwrap_or(false)) => {}
        None => return Err(type_error("polling", "a mapping, or an object, of intervals", value)),
    }
    let fields = [
        ("min_interval", &mut polling.min_interval),
        ("max_interval", &mut polling.max_interval),
        ("safety_interval", &mut polling.safety_interval),
        ("typical", &mut polling.typical),
    ];
    for (name, field) in fields {
        let given = match mapping {
            Some(mapping) if !mapping.contains(name)? => None,
            Some(mapping) => Some(mapping.get_item(name)?),
            None => value.getattr_opt(name)?,
        };
        if let Some(given) = given.filter(|given| !given.is_none()) {
            *field = option_seconds(&given, &format!("polling.{name}"))?;
        }
    }
    Ok(polling)
}

fn app(value: &Bound<'_, PyAny>) -> PyResult<App> {
    let mapping: &Bound<'_, PyMapping> = value
        .cast()
        .map_err(|_| PyTypeError::new_err("argument 'app' must be a mapping of str to str"))?;
    known_keys(mapping, "app", &["url", "title", "name"])?;
    let get = |name: &str| -> PyResult<Option<String>> {
        match mapping.contains(name)? {
            true => argument(&mapping.get_item(name)?, &format!("app.{name}"), "a str"),
            false => Ok(None),
        }
    };
    let mut app = App::default();
    app.url = get("url")?;
    app.title = get("title")?;
    app.name = get("name")?;
    Ok(app)
}

fn known_keys(mapping: &Bound<'_, PyMapping>, option: &str, known: &[&str]) -> PyResult<()> {
    for key in mapping.keys()?.try_iter()? {
        let key: String = argument(&key?, option, "a mapping whose keys are str")?;
        if !known.contains(&key.as_str()) {
            let known = known.join(", ");
            let message = format!("{option} has no {key:?}; it has {known}.");
            return Err(errors::configuration(mapping.py(), &message));
        }
    }
    Ok(())
}

fn add_headers(headers: &mut HeaderMap, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let mapping: &Bound<'_, PyMapping> = value
        .cast()
        .map_err(|_| PyTypeError::new_err("argument 'headers' must be a mapping of str to str"))?;
    for pair in mapping.items()?.try_iter()? {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyString>) =
            argument(&pair?, "headers", "a mapping of str to str")?;
        let name: String = name.extract()?;
        let header = HeaderName::try_from(&name)
            .map_err(|_| errors::configuration(py, &format!("headers: {name:?} is no name.")))?;
        let value = HeaderValue::try_from(value.extract::<String>()?).map_err(|_| {
            errors::configuration(py, &format!("headers: the value of {name} cannot be sent."))
        })?;
        headers.insert(header, value);
    }
    Ok(())
}
