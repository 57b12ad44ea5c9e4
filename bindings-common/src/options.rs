//! A client's options, from host values to the core's.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use pipevideo::{
    App, CallOptions as CoreCallOptions, Client, ClientBuilder, Decimal, Polling, RateLimit,
    exact_decimal,
};
use serde::{Deserialize, Deserializer};

use crate::emulators;

/// How a host language spells options, for error messages, and what it sends as its `User-Agent`.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The `User-Agent` unless the option `headers` has one, such as `pipevideo-python/0.1.0`. It
    /// shows in the service's logs which library made a request.
    pub user_agent: &'static str,
    /// How names of options are written.
    pub naming: Naming,
    /// The unit of times that are plain numbers.
    pub time_unit: TimeUnit,
}

/// How a host language writes the names of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `max_retries`
    SnakeCase,
    /// `maxRetries`
    CamelCase,
}

/// The unit of times that are plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Names of options have no suffix: `deadline`.
    Seconds,
    /// Names of options end in the unit: `deadlineMs`.
    Milliseconds,
}

impl TimeUnit {
    /// Returns the duration of a number, which has to be finite and not negative. Numbers beyond the
    /// longest `Duration` become the longest one: a wait of 600 billion years never ends either.
    pub fn duration(self, value: f64) -> Option<Duration> {
        if !(0.0..f64::INFINITY).contains(&value) {
            return None;
        }
        let seconds = match self {
            Self::Seconds => value,
            Self::Milliseconds => value / 1000.0,
        };
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

impl Host {
    /// Returns the duration of an option or argument, which is named in snake case and without a
    /// unit.
    ///
    /// # Errors
    /// The message of an error that names the option as the host writes it.
    pub fn duration(&self, name: &str, value: f64) -> Result<Duration, String> {
        self.time_unit.duration(value).ok_or_else(|| {
            let name = self.spell(name);
            match self.time_unit {
                TimeUnit::Seconds => format!("{name} must be a number of seconds, 0 or more."),
                TimeUnit::Milliseconds => {
                    format!("{name}Ms must be a number of milliseconds, 0 or more.")
                }
            }
        })
    }

    /// Returns the amount of an option or argument, which is named in snake case, from its text.
    ///
    /// # Errors
    /// The message of an error that names the option as the host writes it.
    pub fn amount(&self, name: &str, text: &str) -> Result<Decimal, String> {
        exact_decimal(text).ok_or_else(|| {
            let name = self.spell(name);
            format!("{name} must be an amount of US dollars: a decimal number, such as 25.00.")
        })
    }

    /// Writes a name that is given in snake case as the host does.
    pub(crate) fn spell(&self, name: &str) -> String {
        if self.naming == Naming::SnakeCase {
            return name.to_owned();
        }
        let mut spelled = String::with_capacity(name.len());
        let mut after_underscore = false;
        for c in name.chars() {
            if c == '_' {
                after_underscore = true;
                continue;
            }
            spelled.push(if after_underscore { c.to_ascii_uppercase() } else { c });
            after_underscore = false;
        }
        spelled
    }
}

/// The options that a program gave, as plain values of the host; times are in its unit. A `None`
/// leaves the option at the core's default.
///
/// Hosts that pass their options as JSON deserialize it. Names are in camel case, and names of times
/// may end in `Ms`.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the options are those of `ClientBuilder`, documented there")]
pub struct ClientOptions {
    pub api_key: Option<String>,
    #[serde(alias = "baseURL")]
    pub base_url: Option<String>,
    pub allow_insecure: Option<bool>,
    #[serde(alias = "requestTimeoutMs")]
    pub request_timeout: Option<f64>,
    #[serde(alias = "connectTimeoutMs")]
    pub connect_timeout: Option<f64>,
    pub max_retries: Option<i64>,
    /// `Some(None)`, in JSON a null, switches the limit off.
    #[serde(deserialize_with = "present")]
    pub rate_limit: Option<Option<RateLimitOptions>>,
    pub polling: PollingOptions,
    #[serde(alias = "deadlineMs")]
    pub deadline: Option<f64>,
    pub webhook_secrets: Option<Vec<String>>,
    pub app: AppOptions,
    /// The text of a decimal number.
    pub spend_limit: Option<String>,
    /// A name may occur several times.
    pub headers: Vec<(String, String)>,
    pub proxy: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// Has no effect without the feature `redis`.
    pub redis: Option<String>,
    /// Read by [`min_log_level`](Self::min_log_level).
    pub log_level: Option<String>,
    pub environment: Option<HashMap<String, String>>,
}

/// How many requests may be made in how long a time.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `RateLimit`, documented there")]
pub struct RateLimitOptions {
    pub requests: i64,
    #[serde(alias = "perMs")]
    pub per: f64,
}

/// The poll intervals that differ from the default.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `Polling`, documented there")]
pub struct PollingOptions {
    #[serde(alias = "minIntervalMs")]
    pub min_interval: Option<f64>,
    #[serde(alias = "maxIntervalMs")]
    pub max_interval: Option<f64>,
    #[serde(alias = "safetyIntervalMs")]
    pub safety_interval: Option<f64>,
    #[serde(alias = "typicalMs")]
    pub typical: Option<f64>,
}

/// The application that uses the client.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `App`, documented there")]
pub struct AppOptions {
    pub url: Option<String>,
    pub title: Option<String>,
    pub name: Option<String>,
}

/// The options of one call, as plain values of the host; times are in its unit. A `None` leaves the
/// option at the client's.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the options are those of the core's, documented there")]
pub struct CallOptions {
    pub request_timeout: Option<f64>,
    pub max_retries: Option<i64>,
    /// A name may occur several times.
    pub headers: Vec<(String, String)>,
}

impl CallOptions {
    /// Returns the core's options.
    ///
    /// # Errors
    /// The message of a configuration error that names the option as the host writes it.
    pub fn core(self, host: &Host) -> Result<CoreCallOptions, String> {
        let mut options = CoreCallOptions::new().headers(header_map(self.headers)?);
        if let Some(timeout) = self.request_timeout {
            options = options.request_timeout(host.duration("request_timeout", timeout)?);
        }
        if let Some(retries) = self.max_retries {
            options = options.max_retries(max_retries(host, retries)?);
        }
        Ok(options)
    }
}

/// Reads an option for which a null that is present differs from an option that is absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl ClientOptions {
    /// A variable of the environment, if it is set.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.environment {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Returns a builder with these options.
    ///
    /// # Errors
    /// The message of a configuration error that names the option as the host writes it. It never
    /// shows the option's value, which may be a secret.
    pub fn builder(self, host: &Host) -> Result<ClientBuilder, String> {
        let duration = |name: &str, value: Option<f64>| {
            value.map(|value| host.duration(name, value)).transpose()
        };
        let mut builder = Client::builder();
        let base_url = self.base_url.clone().or_else(|| self.variable("PIPEVIDEO_BASE_URL"));
        let polling = match self.polling {
            PollingOptions { min_interval: None, max_interval: None, typical: None, .. } => {
                emulators::polling(&base_url.unwrap_or_default())
            }
            _ => Polling::default(),
        };
        macro_rules! set {
            ($($option:ident: $value:expr),* $(,)?) => {
                $(if let Some(value) = $value { builder = builder.$option(value); })*
            };
        }
        set! {
            api_key: self.api_key,
            base_url: self.base_url,
            allow_insecure: self.allow_insecure,
            request_timeout: duration("request_timeout", self.request_timeout)?,
            connect_timeout: duration("connect_timeout", self.connect_timeout)?,
            max_retries: self.max_retries.map(|retries| max_retries(host, retries)).transpose()?,
            rate_limit: self.rate_limit.map(|limit| rate_limit(host, limit)).transpose()?,
            deadline: duration("deadline", self.deadline)?,
            webhook_secrets: self.webhook_secrets,
            spend_limit: spend_limit(host, self.spend_limit)?,
            proxy: self.proxy,
            ca_file: self.ca_file,
            environment: self.environment,
        }
        #[cfg(feature = "redis")]
        set! { redis: self.redis }
        let mut app = App::default();
        (app.url, app.title, app.name) = (self.app.url, self.app.title, self.app.name);
        let polling = self.polling.polling(host, polling)?;
        Ok(builder.app(app).polling(polling).headers(headers(host, self.headers)?))
    }
}

fn max_retries(host: &Host, retries: i64) -> Result<u32, String> {
    u32::try_from(retries).map_err(|_| {
        let name = host.spell("max_retries");
        format!("{name} must be 0 or more, and at most {}.", u32::MAX)
    })
}

fn spend_limit(host: &Host, limit: Option<String>) -> Result<Option<Decimal>, String> {
    limit.map(|limit| host.amount("spend_limit", &limit)).transpose()
}

fn rate_limit(host: &Host, limit: Option<RateLimitOptions>) -> Result<Option<RateLimit>, String> {
    let Some(given) = limit else { return Ok(None) };
    let requests = u32::try_from(given.requests).map_err(|_| {
        let name = host.spell("rate_limit");
        format!("{name} must allow at least one request, and at most {}.", u32::MAX)
    })?;
    Ok(Some(RateLimit::new(requests, host.duration("rate_limit.per", given.per)?)))
}

impl PollingOptions {
    /// The polling with these options, and by default as in `polling`.
    fn polling(self, host: &Host, mut polling: Polling) -> Result<Polling, String> {
        for (name, value, field) in [
            ("polling.min_interval", self.min_interval, &mut polling.min_interval),
            ("polling.max_interval", self.max_interval, &mut polling.max_interval),
            ("polling.safety_interval", self.safety_interval, &mut polling.safety_interval),
            ("polling.typical", self.typical, &mut polling.typical),
        ] {
            if let Some(value) = value {
                *field = host.duration(name, value)?;
            }
        }
        Ok(polling)
    }
}

const TOO_MANY: &str = "headers: there are too many.";

fn headers(host: &Host, pairs: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let mut headers = header_map(pairs)?;
    let agent = headers.try_entry(USER_AGENT).map_err(|_| TOO_MANY)?;
    agent.or_try_insert(HeaderValue::from_static(host.user_agent)).map_err(|_| TOO_MANY)?;
    Ok(headers)
}

fn header_map(pairs: Vec<(String, String)>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let header = HeaderName::try_from(&name)
            .map_err(|_| format!("headers: {name:?} is not a valid header name."))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("headers: the value of {name:?} is not a valid header value."))?;
        // `append` panics when there are tens of thousands.
        headers.try_append(header, value).map_err(|_| TOO_MANY)?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Host = Host {
        user_agent: "pipevideo-test/1",
        naming: Naming::SnakeCase,
        time_unit: TimeUnit::Seconds,
    };
    const MILLISECONDS: Host =
        Host { naming: Naming::CamelCase, time_unit: TimeUnit::Milliseconds, ..SECONDS };
    const SWIFT_LIKE: Host = Host { naming: Naming::CamelCase, ..SECONDS };

    fn error(host: &Host, options: ClientOptions) -> String {
        options.builder(host).unwrap_err()
    }

    #[test]
    fn finite_numbers_from_0_are_durations() {
        for unit in [TimeUnit::Seconds, TimeUnit::Milliseconds] {
            for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE] {
                assert_eq!(unit.duration(wrong), None, "{wrong}");
            }
            for zero in [0.0, -0.0, f64::MIN_POSITIVE] {
                assert_eq!(unit.duration(zero), Some(Duration::ZERO), "{zero}");
            }
            for huge in [1e30, f64::MAX] {
                assert_eq!(unit.duration(huge), Some(Duration::MAX), "{huge}");
            }
        }
        assert_eq!(TimeUnit::Seconds.duration(1.5), Some(Duration::from_millis(1500)));
        assert_eq!(TimeUnit::Milliseconds.duration(1.5), Some(Duration::from_micros(1500)));
    }

    #[test]
    fn errors_name_options_as_the_host_does() {
        let options = ClientOptions { request_timeout: Some(-1.0), ..Default::default() };
        assert_eq!(
            error(&SECONDS, options.clone()),
            "request_timeout must be a number of seconds, 0 or more."
        );
        assert_eq!(
            error(&SWIFT_LIKE, options.clone()),
            "requestTimeout must be a number of seconds, 0 or more."
        );
        assert_eq!(
            error(&MILLISECONDS, options),
            "requestTimeoutMs must be a number of milliseconds, 0 or more."
        );
        let polling = PollingOptions { safety_interval: Some(f64::NAN), ..Default::default() };
        let options = ClientOptions { polling, ..Default::default() };
        assert_eq!(
            error(&MILLISECONDS, options),
            "polling.safetyIntervalMs must be a number of milliseconds, 0 or more."
        );
    }

    #[test]
    fn counts_have_limits() {
        for (retries, fits) in [(0, true), (u32::MAX.into(), true), (-1, false), (1 << 32, false)] {
            let options = ClientOptions { max_retries: Some(retries), ..Default::default() };
            assert_eq!(options.builder(&SECONDS).is_ok(), fits, "{retries}");
        }
        let limited = |requests, per| {
            let limit = Some(Some(RateLimitOptions { requests, per }));
            ClientOptions { rate_limit: limit, ..Default::default() }.builder(&SWIFT_LIKE).err()
        };
        assert_eq!(limited(i64::from(u32::MAX), 60.0), None);
        assert_eq!(
            limited(-1, 60.0).as_deref(),
            Some("rateLimit must allow at least one request, and at most 4294967295.")
        );
        assert_eq!(
            limited(1, -1.0).as_deref(),
            Some("rateLimit.per must be a number of seconds, 0 or more.")
        );
    }

    #[test]
    fn an_amount_is_the_text_of_a_decimal() {
        for (text, amount) in [("25", "25"), ("0.10", "0.10"), ("-1", "-1"), ("1e-7", "0.0000001")]
        {
            assert_eq!(SECONDS.amount("spend_limit", text).unwrap().to_string(), amount);
        }
        for wrong in ["", "a lot", "1,5", "25 USD", "NaN", "inf", "1e300", "0x1"] {
            let options =
                ClientOptions { spend_limit: Some(wrong.to_owned()), ..Default::default() };
            assert_eq!(
                error(&MILLISECONDS, options),
                "spendLimit must be an amount of US dollars: a decimal number, such as 25.00.",
                "{wrong}"
            );
        }
        let limited = ClientOptions { spend_limit: Some("0.5".to_owned()), ..Default::default() };
        let client = limited.builder(&SECONDS).unwrap().api_key("pv_example").build().unwrap();
        assert_eq!(client.spend().limit, Some(Decimal::new(5, 1)));
    }

    #[test]
    fn headers_are_checked_and_their_values_not_shown() {
        let pairs = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for wrong in ["", "a b", "a:b", "ä", "a\n"] {
            let text = headers(&SECONDS, pairs(wrong, "1")).unwrap_err();
            assert_eq!(text, format!("headers: {wrong:?} is not a valid header name."));
        }
        for wrong in ["SECRET\n", "SECRET\0"] {
            let text = headers(&SECONDS, pairs("x-a", wrong)).unwrap_err();
            assert_eq!(text, "headers: the value of \"x-a\" is not a valid header value.");
        }
        let many = (0..100_000).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
        assert_eq!(headers(&SECONDS, many).unwrap_err(), TOO_MANY);
        let twice = [pairs("x-a", "1"), pairs("X-A", "2")].concat();
        let headers = headers(&SECONDS, twice).unwrap();
        assert!(headers.get_all("x-a").iter().eq(["1", "2"]));
    }

    #[test]
    fn the_user_agent_is_a_default() {
        let agent = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            headers(&SECONDS, pairs.collect()).unwrap()[USER_AGENT].to_str().unwrap().to_owned()
        };
        assert_eq!(agent(&[]), "pipevideo-test/1");
        assert_eq!(agent(&[("User-Agent", "mine/2")]), "mine/2");
    }

    #[test]
    fn a_null_rate_limit_differs_from_an_absent_one() {
        let read = |text: &str| serde_json::from_str::<ClientOptions>(text).unwrap().rate_limit;
        assert!(read("{}").is_none());
        assert!(matches!(read(r#"{"rateLimit": null}"#), Some(None)));
        let limit = read(r#"{"rateLimit": {"requests": 5, "perMs": 250}}"#).flatten().unwrap();
        assert_eq!((limit.requests, limit.per), (5, 250.0));
    }
}
