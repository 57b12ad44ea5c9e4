//! A client's options, from JavaScript's to the core's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use pipevideo::{App, Client, Polling, RateLimit};
use serde::{Deserialize, Deserializer};

use crate::bridge::Channel;
use crate::client::duration;
use crate::errors;
use crate::token;

/// Whoever reads the service's logs sees which library called, unless `headers` say otherwise.
const AGENT: &str = concat!("pipevideo-node/", env!("CARGO_PKG_VERSION"));

/// The options as `lib/options.js` writes them, durations in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Clone, Default)]
struct Options {
    api_key: Option<String>,
    #[serde(rename = "baseURL")]
    base_url: Option<String>,
    allow_insecure: Option<bool>,
    request_timeout_ms: Option<f64>,
    connect_timeout_ms: Option<f64>,
    deadline_ms: Option<f64>,
    max_retries: Option<u32>,
    #[serde(deserialize_with = "given")]
    rate_limit: Option<Option<Rate>>,
    polling: Option<Pace>,
    webhook_secrets: Option<Vec<String>>,
    app: Option<Attribution>,
    headers: Vec<(String, String)>,
    proxy: Option<String>,
    ca_file: Option<PathBuf>,
    /// The variables of the thread's `process.env` that are the core's.
    environment: HashMap<String, String>,
    /// What `NODE_EXTRA_CA_CERTS` says.
    extra_ca_file: Option<PathBuf>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rate {
    requests: u32,
    per_ms: f64,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pace {
    min_interval_ms: Option<f64>,
    max_interval_ms: Option<f64>,
    safety_interval_ms: Option<f64>,
    typical_ms: Option<f64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribution {
    url: Option<String>,
    title: Option<String>,
    name: Option<String>,
}

/// A null that was given is not the same as nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A client by these options, or the error as text.
pub(crate) fn client(options: &str, token: Option<(Arc<Channel>, u32)>) -> Result<Client, String> {
    let options: Options =
        serde_json::from_str(options).map_err(|error| errors::configuration(&error.to_string()))?;
    let client = build(options.clone(), token.clone());
    if client.is_ok() || options.extra_ca_file.is_none() {
        return client;
    }
    // Node itself warns of an extra file that is not there, or broken, and goes on.
    build(Options { extra_ca_file: None, ..options }, token)
}

fn build(options: Options, token: Option<(Arc<Channel>, u32)>) -> Result<Client, String> {
    let mut builder = Client::builder().environment(options.environment);
    if let Some((channel, client)) = token {
        builder = builder.token(move || token::ask(channel.clone(), client));
    }
    macro_rules! set {
        ($($name:ident = $value:expr),* $(,)?) => {
            $(if let Some(value) = $value { builder = builder.$name(value); })*
        };
    }
    set! {
        api_key = options.api_key,
        base_url = options.base_url,
        allow_insecure = options.allow_insecure,
        request_timeout = options.request_timeout_ms.map(duration),
        connect_timeout = options.connect_timeout_ms.map(duration),
        deadline = options.deadline_ms.map(duration),
        max_retries = options.max_retries,
        rate_limit = options.rate_limit.map(rate_limit),
        polling = options.polling.map(polling),
        webhook_secrets = options.webhook_secrets,
        app = options.app.map(|given| {
            let mut app = App::default();
            (app.url, app.title, app.name) = (given.url, given.title, given.name);
            app
        }),
        proxy = options.proxy,
        ca_file = options.ca_file,
        ca_file = options.extra_ca_file,
    }
    builder = builder.headers(headers(options.headers)?);
    builder.build().map_err(|error| errors::text(&error))
}

fn rate_limit(given: Option<Rate>) -> Option<RateLimit> {
    given.map(|rate| RateLimit::new(rate.requests, duration(rate.per_ms)))
}

fn polling(given: Pace) -> Polling {
    let mut polling = Polling::default();
    for (field, ms) in [
        (&mut polling.min_interval, given.min_interval_ms),
        (&mut polling.max_interval, given.max_interval_ms),
        (&mut polling.safety_interval, given.safety_interval_ms),
        (&mut polling.typical, given.typical_ms),
    ] {
        if let Some(ms) = ms {
            *field = duration(ms);
        }
    }
    polling
}

fn headers(given: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let header = HeaderName::try_from(&name)
            .map_err(|_| errors::configuration(&format!("headers: {name:?} is no name.")))?;
        let value = HeaderValue::try_from(value).map_err(|_| {
            errors::configuration(&format!("headers: the value of {name} cannot be sent."))
        })?;
        headers.append(header, value);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(headers)
}
