//! A client's options, from the host's to the core's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bindings_common::{
    AppOptions, CallOptions as CommonCallOptions, ClientOptions, Host, Naming, PollingOptions,
    RateLimitOptions, TimeUnit, subscriber,
};
use pipevideo::{Client, Decimal};

use crate::errors::Failure;
use crate::log::{ClientLog, LogReceiver};
use crate::token::{self, TokenSource};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Swift and Kotlin both write names in camel case, and pass times in seconds.
pub(crate) const HOST: Host = Host {
    // Not sent: the user agent names the host's language.
    user_agent: concat!("pipevideo/", env!("CARGO_PKG_VERSION")),
    naming: Naming::CamelCase,
    time_unit: TimeUnit::Seconds,
};

/// The options that were given; times are in seconds.
#[derive(uniffi::Record)]
pub(crate) struct Options {
    /// The host's language, for the user agent, such as `swift`.
    language: String,
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
    /// The text of a decimal number.
    spend_limit: Option<String>,
    headers: HashMap<String, String>,
    proxy: Option<String>,
    ca_file: Option<String>,
    log_level: Option<String>,
    /// Whether the host's program has a logger of its own.
    has_logger: bool,
}

/// The options of a call; times are in seconds.
#[derive(uniffi::Record)]
pub(crate) struct CallOptions {
    request_timeout: Option<f64>,
    max_retries: Option<i64>,
    headers: HashMap<String, String>,
}

impl CallOptions {
    /// The client with these options.
    pub(crate) fn client(self, client: &Client) -> Result<Client, Failure> {
        let options = CommonCallOptions {
            request_timeout: self.request_timeout,
            max_retries: self.max_retries,
            headers: self.headers.into_iter().collect(),
        };
        let options = options.core(&HOST).map_err(|message| Failure::configuration(&message))?;
        Ok(client.with_options(&options)?)
    }
}

#[derive(uniffi::Enum)]
pub(crate) enum Limit {
    /// The core's default.
    Standard,
    Unlimited,
    Requests {
        count: i64,
        per: f64,
    },
}

impl Options {
    /// Makes the client. Returns too whether it logs.
    pub(crate) fn client(
        self,
        tokens: Option<Arc<dyn TokenSource>>,
        log: Arc<dyn LogReceiver>,
    ) -> Result<(Client, bool), Failure> {
        let has_logger = self.has_logger;
        let options = ClientOptions::from(self);
        let wrong = |message: String| Failure::configuration(&message);
        let level = options.min_log_level(&HOST, has_logger).map_err(wrong)?;
        let mut builder = options.builder(&HOST).map_err(wrong)?;
        if let Some(level) = level {
            builder = builder.log_to(subscriber(ClientLog::new(log, level)?));
        }
        if let Some(tokens) = tokens {
            builder = builder.token(move || token::token(tokens.clone()));
        }
        Ok((builder.build()?, level.is_some()))
    }
}

impl From<Options> for ClientOptions {
    fn from(given: Options) -> Self {
        let mut headers: Vec<_> = given.headers.into_iter().collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            let agent = format!("pipevideo-{}/{VERSION}", given.language);
            headers.push(("user-agent".to_owned(), agent));
        }
        Self {
            api_key: given.api_key,
            base_url: given.base_url,
            allow_insecure: given.allow_insecure,
            request_timeout: given.request_timeout,
            connect_timeout: given.connect_timeout,
            max_retries: given.max_retries,
            rate_limit: match given.rate_limit {
                Limit::Standard => None,
                Limit::Unlimited => Some(None),
                Limit::Requests { count, per } => {
                    Some(Some(RateLimitOptions { requests: count, per }))
                }
            },
            polling: PollingOptions {
                min_interval: given.min_interval,
                max_interval: given.max_interval,
                safety_interval: given.safety_interval,
                typical: given.typical,
            },
            deadline: given.deadline,
            webhook_secrets: given.webhook_secrets,
            app: AppOptions { url: given.app_url, title: given.app_title, name: given.app_name },
            spend_limit: given.spend_limit,
            headers,
            proxy: given.proxy,
            ca_file: given.ca_file.map(Into::into),
            redis: None,
            log_level: given.log_level,
            environment: None,
        }
    }
}

/// The deadline of a call, in seconds.
pub(crate) fn deadline(given: Option<f64>) -> Result<Option<Duration>, Failure> {
    let deadline = given.map(|given| HOST.duration("deadline", given)).transpose();
    deadline.map_err(|message| Failure::invalid(&message))
}

/// An amount of US dollars that a call takes, from its text.
pub(crate) fn amount(name: &str, given: Option<String>) -> Result<Option<Decimal>, Failure> {
    let amount = given.map(|given| HOST.amount(name, &given)).transpose();
    amount.map_err(|message| Failure::invalid(&message))
}
