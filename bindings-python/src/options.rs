//! A client's options, from Python's to the core's.

use std::path::PathBuf;
use std::time::Duration;

use bindings_common::{
    AppOptions, CallOptions, ClientOptions, Host, Naming, PollingOptions, RateLimitOptions,
    TimeUnit,
};
use pipevideo::{CallOptions as CoreCallOptions, ClientBuilder, Decimal};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping, PyString};

use crate::arguments::{amount_text, read, type_error};
use crate::errors;
use crate::token::TokenSource;
use crate::webhook;

const HOST: Host = Host {
    user_agent: concat!("pipevideo-python/", env!("CARGO_PKG_VERSION")),
    naming: Naming::SnakeCase,
    time_unit: TimeUnit::Seconds,
};

/// Reads an option, or a member of one.
fn argument<'py, T>(value: &Bound<'py, PyAny>, name: &str, kind: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    read(value, name, kind, errors::configuration)
}

/// Returns the builder for these options, and the token function if the key is one.
pub(crate) fn builder(
    options: &Bound<'_, PyDict>,
) -> PyResult<(ClientBuilder, Option<Py<TokenSource>>)> {
    let mut given = ClientOptions::default();
    let mut tokens = None;
    for (name, value) in options.iter() {
        let name: String = name.extract()?;
        match name.as_str() {
            "api_key" if value.is_callable() => {
                tokens = Some(TokenSource::new(value.py(), value.unbind())?);
            }
            "api_key" => given.api_key = argument(&value, &name, "a str or a function")?,
            "base_url" => given.base_url = argument(&value, &name, "a str")?,
            "allow_insecure" => given.allow_insecure = argument(&value, &name, "a bool")?,
            "request_timeout" => given.request_timeout = Some(seconds(&value, &name)?),
            "connect_timeout" => given.connect_timeout = Some(seconds(&value, &name)?),
            "deadline" => given.deadline = Some(seconds(&value, &name)?),
            "max_retries" => given.max_retries = Some(max_retries(&value)?),
            "rate_limit" => given.rate_limit = Some(rate_limit(&value)?),
            "polling" => given.polling = polling(&value)?,
            "webhook_secrets" => given.webhook_secrets = Some(webhook::secrets(&value, &name)?),
            "app" => given.app = app(&value)?,
            "spend_limit" => given.spend_limit = Some(amount_text(&value, &name)?),
            "headers" => given.headers = headers(&value)?,
            "proxy" => given.proxy = argument(&value, &name, "a str")?,
            "ca_file" => given.ca_file = argument::<Option<PathBuf>>(&value, &name, "a path")?,
            "redis" => given.redis = argument(&value, &name, "a str")?,
            _ => return Err(PyTypeError::new_err(format!("there is no option '{name}'"))),
        }
    }
    let builder = given.builder(&HOST);
    let mut builder = builder.map_err(|message| errors::configuration(options.py(), &message))?;
    if let Some(source) = &tokens {
        let requests = source.get().requests().clone();
        builder = builder.token(move || requests.clone().token());
    }
    Ok((builder, tokens))
}

/// Reads seconds: a number or a timedelta.
pub(crate) fn seconds(value: &Bound<'_, PyAny>, name: &str) -> PyResult<f64> {
    const KIND: &str = "seconds (a number or a timedelta)";
    match value.call_method0("total_seconds") {
        Ok(seconds) => argument(&seconds, name, KIND),
        Err(_) if value.is_instance_of::<PyBool>() => Err(type_error(name, KIND, value)),
        Err(_) => argument(value, name, KIND),
    }
}

/// Reads the options of a call: a tuple of `request_timeout`, `max_retries` and `headers`, each perhaps
/// None.
pub(crate) fn call(options: &Bound<'_, PyAny>) -> PyResult<CoreCallOptions> {
    let py = options.py();
    let given: [Bound<'_, PyAny>; 3] = options.extract()?;
    let [timeout, retries, headers_given] = given.map(|value| (!value.is_none()).then_some(value));
    let options = CallOptions {
        request_timeout: timeout.map(|value| seconds(&value, "request_timeout")).transpose()?,
        max_retries: retries.map(|value| max_retries(&value)).transpose()?,
        headers: headers_given.map(|value| headers(&value)).transpose()?.unwrap_or_default(),
    };
    options.core(&HOST).map_err(|message| errors::configuration(py, &message))
}

/// Reads the deadline of a call.
pub(crate) fn deadline(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    let deadline = HOST.duration("deadline", seconds(value, "deadline")?);
    deadline.map(Some).map_err(|message| errors::invalid(value.py(), &message))
}

/// Reads an amount of US dollars that a call takes.
pub(crate) fn amount(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<Decimal>> {
    if value.is_none() {
        return Ok(None);
    }
    let amount = HOST.amount(name, &amount_text(value, name)?);
    amount.map(Some).map_err(|message| errors::invalid(value.py(), &message))
}

fn max_retries(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if value.is_instance_of::<PyBool>() {
        return Err(type_error("max_retries", "int", value));
    }
    argument(value, "max_retries", "int")
}

fn rate_limit(value: &Bound<'_, PyAny>) -> PyResult<Option<RateLimitOptions>> {
    if value.is_none() {
        return Ok(None);
    }
    let kind = "None or a pair (requests, seconds)";
    let (requests, per): (i64, Bound<'_, PyAny>) = argument(value, "rate_limit", kind)?;
    Ok(Some(RateLimitOptions { requests, per: seconds(&per, "rate_limit")? }))
}

fn polling(value: &Bound<'_, PyAny>) -> PyResult<PollingOptions> {
    const NAMES: [&str; 4] = ["min_interval", "max_interval", "safety_interval", "typical"];
    let mapping = value.cast::<PyMapping>().ok();
    match mapping {
        Some(mapping) => check_keys(mapping, "polling", &NAMES)?,
        None if NAMES.iter().any(|name| value.hasattr(*name).unwrap_or(false)) => {}
        None => return Err(type_error("polling", "a mapping, or an object, of intervals", value)),
    }
    let get = |name: &str| -> PyResult<Option<f64>> {
        let given = match mapping {
            Some(mapping) if !mapping.contains(name)? => None,
            Some(mapping) => Some(mapping.get_item(name)?),
            None => value.getattr_opt(name)?,
        };
        let given = given.filter(|given| !given.is_none());
        given.map(|given| seconds(&given, &format!("polling.{name}"))).transpose()
    };
    Ok(PollingOptions {
        min_interval: get("min_interval")?,
        max_interval: get("max_interval")?,
        safety_interval: get("safety_interval")?,
        typical: get("typical")?,
    })
}

fn app(value: &Bound<'_, PyAny>) -> PyResult<AppOptions> {
    let mapping: &Bound<'_, PyMapping> = value
        .cast()
        .map_err(|_| PyTypeError::new_err("argument 'app' must be a mapping of str to str"))?;
    check_keys(mapping, "app", &["url", "title", "name"])?;
    let get = |name: &str| -> PyResult<Option<String>> {
        if !mapping.contains(name)? {
            return Ok(None);
        }
        argument(&mapping.get_item(name)?, &format!("app.{name}"), "a str")
    };
    Ok(AppOptions { url: get("url")?, title: get("title")?, name: get("name")? })
}

fn check_keys(mapping: &Bound<'_, PyMapping>, option: &str, known: &[&str]) -> PyResult<()> {
    for key in mapping.keys()?.try_iter()? {
        let key: String = argument(&key?, option, "a mapping with str keys")?;
        if !known.contains(&key.as_str()) {
            let known = known.join(", ");
            let message = format!("{option} has no key {key:?}. Its keys are {known}.");
            return Err(errors::configuration(mapping.py(), &message));
        }
    }
    Ok(())
}

fn headers(value: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let mapping: &Bound<'_, PyMapping> = value
        .cast()
        .map_err(|_| PyTypeError::new_err("argument 'headers' must be a mapping of str to str"))?;
    let pair = |pair: PyResult<Bound<'_, PyAny>>| -> PyResult<(String, String)> {
        let (name, value): (Bound<'_, PyString>, Bound<'_, PyString>) =
            argument(&pair?, "headers", "a mapping of str to str")?;
        Ok((name.extract()?, value.extract()?))
    };
    mapping.items()?.try_iter()?.map(pair).collect()
}
