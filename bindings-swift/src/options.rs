//! A client's options, from Swift's to the core's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use pipevideo::{App, Client, Polling, RateLimit};

use crate::errors::Failure;
use crate::token::{self, TokenSource};

/// Whoever reads the service's logs sees which library called, unless `headers` say otherwise.
const AGENT: &str = concat!("pipevideo-swift/", env!("CARGO_PKG_VERSION"));

/// The options that were given; times in seconds.
#[derive(uniffi::Record)]
pub(crate) struct Options {
    api_key: Option<String>,
    base_url: Option<String>,
    allow_insecure: Option<bool>,
    request_timeout: Option<f64>,
    connect_timeout: Option<f64>,
    max_retries: Option<i64>,
    rate_limit: Limit,
    min_interval: Option<f64>,
    max_interval: Option<f64>,
    safety_interval: Option<f64>,
    typical: Option<f64>,
    deadline: Option<f64>,
    webhook_secrets: Option<Vec<String>>,
    app_url: Option<String>,
    app_title: Option<String>,
    app_name: Option<String>,
    headers: HashMap<String, String>,
    proxy: Option<String>,
    ca_file: Option<String>,
}

#[derive(uniffi::Enum)]
pub(crate) enum Limit {
    Standard,
    Off,
    Own { requests: i64, per: f64 },
}

impl Options {
    pub(crate) fn client(self, tokens: Option<Arc<dyn TokenSource>>) -> Result<Client, Failure> {
        let polling = self.polling()?;
        let mut app = App::default();
        (app.url, app.title, app.name) = (self.app_url, self.app_title, self.app_name);
        let mut builder =
            Client::builder().headers(headers(self.headers)?).app(app).polling(polling);
        if let Some(key) = self.api_key {
            builder = builder.api_key(key);
        }
        if let Some(tokens) = tokens {
            builder = builder.token(move || token::token(tokens.clone()));
        }
        if let Some(url) = self.base_url {
            builder = builder.base_url(url);
        }
        if let Some(allow) = self.allow_insecure {
            builder = builder.allow_insecure(allow);
        }
        if let Some(timeout) = option("requestTimeout", self.request_timeout)? {
            builder = builder.request_timeout(timeout);
        }
        if let Some(timeout) = option("connectTimeout", self.connect_timeout)? {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(retries) = self.max_retries {
            builder = builder.max_retries(
                u32::try_from(retries)
                    .map_err(|_| Failure::configuration("maxRetries must be 0 or more."))?,
            );
        }
        builder = match self.rate_limit {
            Limit::Standard => builder,
            Limit::Off => builder.rate_limit(None),
            Limit::Own { requests, per } => builder.rate_limit(rate_limit(requests, per)?),
        };
        if let Some(deadline) = option("deadline", self.deadline)? {
            builder = builder.deadline(deadline);
        }
        if let Some(secrets) = self.webhook_secrets {
            builder = builder.webhook_secrets(secrets);
        }
        if let Some(url) = self.proxy {
            builder = builder.proxy(url);
        }
        if let Some(path) = self.ca_file {
            builder = builder.ca_file(path);
        }
        Ok(builder.build()?)
    }

    fn polling(&self) -> Result<Polling, Failure> {
        let mut polling = Polling::default();
        for (name, given, field) in [
            ("polling.minInterval", self.min_interval, &mut polling.min_interval),
            ("polling.maxInterval", self.max_interval, &mut polling.max_interval),
            ("polling.safetyInterval", self.safety_interval, &mut polling.safety_interval),
            ("polling.typical", self.typical, &mut polling.typical),
        ] {
            *field = option(name, given)?.unwrap_or(*field);
        }
        Ok(polling)
    }
}

fn rate_limit(requests: i64, per: f64) -> Result<RateLimit, Failure> {
    let requests = u32::try_from(requests)
        .map_err(|_| Failure::configuration("rateLimit must allow at least one request."))?;
    let per = seconds("rateLimit", per).map_err(|message| Failure::configuration(&message))?;
    Ok(RateLimit::new(requests, per))
}

fn option(name: &str, given: Option<f64>) -> Result<Option<Duration>, Failure> {
    given
        .map(|given| seconds(name, given))
        .transpose()
        .map_err(|message| Failure::configuration(&message))
}

/// The deadline of a call.
pub(crate) fn deadline(given: Option<f64>) -> Result<Option<Duration>, Failure> {
    let deadline = given.map(|given| seconds("deadline", given)).transpose();
    deadline.map_err(|message| Failure::invalid(&message))
}

fn seconds(name: &str, given: f64) -> Result<Duration, String> {
    // Longer than any clock runs, so that it fits.
    const FOREVER: f64 = 1e18;
    Duration::try_from_secs_f64(given.min(FOREVER))
        .map_err(|_| format!("{name} must be 0 or more."))
}

fn headers(given: HashMap<String, String>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(AGENT))]);
    for (name, value) in given {
        let header = HeaderName::try_from(&name)
            .map_err(|_| Failure::configuration(&format!("headers: {name:?} is no name.")))?;
        let value = HeaderValue::try_from(value).map_err(|_| {
            Failure::configuration(&format!("headers: the value of {name} cannot be sent."))
        })?;
        headers.insert(header, value);
    }
    Ok(headers)
}
