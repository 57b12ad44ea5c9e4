//! The options of a client.

mod build;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName};
use rust_decimal::Decimal;
use secrecy::SecretString;

use super::app::App;
use super::events::Log;
use super::key::{Key, TokenError};
use super::on_request::OnRequest;
use crate::error::{Error, ErrorKind};
use crate::polling::Polling;
use crate::polling::budget::RateLimit;
use crate::wire::{BaseUrl, VideoHosts};

/// The options of a client, each with a default. Made by
/// [`Client::builder`](crate::Client::builder).
///
/// ```
/// use pipevideo::{Client, Polling};
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .api_key("pv_example")
///     .deadline(Duration::from_secs(20 * 60))
///     .polling(Polling::default().typical(Duration::from_secs(40)))
///     .build()?;
/// # let _ = client;
/// # Ok::<(), pipevideo::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    key: Option<KeyOption>,
    base_url: Option<String>,
    allow_insecure: bool,
    config: Config,
    rate_limit: Option<RateLimit>,
    webhook_secrets: Option<Vec<SecretString>>,
    proxy: Option<String>,
    ca_files: Vec<PathBuf>,
    environment: Option<HashMap<String, SecretString>>,
    #[cfg(feature = "redis")]
    redis: Option<SecretString>,
    on_request: Option<OnRequest>,
    log: Log,
}

#[derive(Clone)]
enum KeyOption {
    Fixed(SecretString),
    Function(Key),
}

/// The options that a client keeps once it is built.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) base_url: BaseUrl,
    pub(crate) request_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) polling: Polling,
    pub(crate) deadline: Duration,
    pub(crate) app: App,
    pub(crate) headers: HeaderMap,
    pub(crate) video_hosts: VideoHosts,
    pub(crate) spend_limit: Option<Decimal>,
}

impl Config {
    /// Checks the timeouts and the headers.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a timeout of zero, or a header that this library sets.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.request_timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(configuration(
                "the request timeout and the connect timeout must be greater than zero.",
            ));
        }
        if let Some(name) = RESERVED_HEADERS.iter().find(|name| self.headers.contains_key(*name)) {
            return Err(configuration(&format!(
                "headers may not set {name}, which this library sets. Remove it."
            )));
        }
        Ok(())
    }
}

/// Set by the caller, these would replace the key or break the framing of requests.
pub(super) const RESERVED_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
];

pub(super) fn configuration(message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            key: None,
            base_url: None,
            allow_insecure: false,
            config: Config {
                base_url: BaseUrl::parse(BaseUrl::DEFAULT, false)
                    .expect("the default base URL is valid"),
                // The service responds to a create at once. Uploads are not part of it.
                request_timeout: Duration::from_secs(30),
                // Long enough for two retransmissions of a lost SYN; systems retry for half a minute and more.
                connect_timeout: Duration::from_secs(5),
                // With full jitter up to 250, 500, 1000 and 2000 ms: past the restart of a proxy.
                max_retries: 4,
                polling: Polling::default(),
                // The guide advises to give up after 10 to 15 minutes.
                deadline: Duration::from_secs(900),
                app: App::default(),
                headers: HeaderMap::new(),
                video_hosts: VideoHosts::ANY,
                spend_limit: None,
            },
            rate_limit: Some(RateLimit::default()),
            webhook_secrets: None,
            proxy: None,
            ca_files: Vec::new(),
            environment: None,
            #[cfg(feature = "redis")]
            redis: None,
            on_request: None,
            log: Log::default(),
        }
    }

    /// Sets the API key; by default that of `PIPEVIDEO_API_KEY`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(KeyOption::Fixed(SecretString::from(key.into())));
        self
    }

    /// Sets a function that is called before each request for the token to send, in place of a key.
    ///
    /// After a 401 it is called once more, and the request is sent again with the other token. If it
    /// fails, a wait calls it again until its deadline. Any other call ends with
    /// [`ErrorKind::Authentication`], and the function's error is the source. Clients with a function
    /// share their request budget only with their own clones, since tokens do not show which key they
    /// belong to.
    ///
    /// ```
    /// let client = pipevideo::Client::builder()
    ///     .token(|| async { Ok("a token from my backend".replace(' ', "-")) })
    ///     .build()?;
    /// # let _ = client;
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn token<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        self.key = Some(KeyOption::Function(Key::function(function)));
        self
    }

    /// Sets the base URL of the API, with or without `/v1`; by default that of `PIPEVIDEO_BASE_URL`,
    /// else `https://api.pipevideo.co`. Plain http is allowed only to loopback addresses.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Allows plain http to other machines, which exposes the key to the network. Videos may then be
    /// on plain http and on private networks, wherever the service is.
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// Bounds the silence of the service in one HTTP call; 30 s by default.
    ///
    /// It begins again with each part of the request that is sent, so that an upload which is slow but
    /// moving does not time out. It then bounds the time to the end of the response. A large upload
    /// adds the time in which its last 4 MiB leave this machine at 64 KiB a second. The response to a
    /// create is accepted up to 2 s later, since it has the id of a generation that is paid for.
    ///
    /// For a download it bounds the time without progress.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// Bounds establishing a connection; 5 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// Sets how often a call that is safe to repeat is retried; 4 times by default.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.config.max_retries = retries;
        self
    }

    /// Sets how many requests may be sent in a window of time; 100 in 60 s by default, `None` for no
    /// limit.
    ///
    /// All clients of this process with the same key, base URL and rate limit share one budget.
    ///
    /// ```
    /// use pipevideo::{Client, RateLimit};
    /// use std::time::Duration;
    ///
    /// let limited = Client::builder().rate_limit(RateLimit::new(50, Duration::from_secs(60)));
    /// let unlimited = Client::builder().rate_limit(None);
    /// # let _ = (limited, unlimited);
    /// ```
    pub fn rate_limit(mut self, limit: impl Into<Option<RateLimit>>) -> Self {
        self.rate_limit = limit.into();
        self
    }

    /// Sets how often generations are polled.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.config.polling = polling;
        self
    }

    /// Bounds each wait that has no deadline of its own; 900 s by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = deadline;
        self
    }

    /// Sets the secrets that sign webhooks, `whsec_…`; by default those of `PIPEVIDEO_WEBHOOK_SECRET`,
    /// separated by commas. After a rotation pass both.
    ///
    /// With secrets, waits rely on webhooks: pass each delivery to
    /// [`webhooks().unwrap`](crate::Webhooks::unwrap), which has the generation polled at once. In
    /// between it is polled only every [`safety_interval`](Polling::safety_interval), in case a
    /// delivery was lost.
    pub fn webhook_secrets<S: Into<String>>(
        mut self,
        secrets: impl IntoIterator<Item = S>,
    ) -> Self {
        let secrets = secrets.into_iter().map(|secret| SecretString::from(secret.into()));
        self.webhook_secrets = Some(secrets.collect());
        self
    }

    /// Sets the maximum that the key may spend in this process, in US dollars; `None`, the default,
    /// for no limit.
    ///
    /// A create that would exceed it fails with [`ErrorKind::SpendLimit`] before it is sent. What
    /// counts is what [`spend`](crate::Client::spend) shows: the cost of generations that have ended, of those
    /// in flight at their estimate, and what is uncertain. For the first estimate the account's usage is
    /// requested. While the cost of such a generation is not known, one is admitted to find out,
    /// and others only if all of them fit at the cost of 100,000 tokens in each direction.
    ///
    /// ```
    /// use pipevideo::{Client, Decimal};
    ///
    /// let client = Client::builder().api_key("pv_example").spend_limit(Decimal::new(25_00, 2)).build()?;
    /// assert_eq!(client.spend().remaining, Some(Decimal::from(25)));
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    pub fn spend_limit(mut self, usd: impl Into<Option<Decimal>>) -> Self {
        self.config.spend_limit = usd.into();
        self
    }

    /// Names the application that uses the service, for the service's statistics.
    pub fn app(mut self, app: App) -> Self {
        self.config.app = app;
        self
    }

    /// Sets headers that are sent with every request to the API.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.config.headers = headers;
        self
    }

    /// Calls a function before each request to the API, polls included, to add headers to it.
    ///
    /// It is called in the request's `tracing` span, so that it can add the `traceparent` of that span. The map
    /// that it receives is empty. What it adds replaces the client's headers of the same names. A header
    /// that this library sets, such as `Authorization`, is left out.
    ///
    /// ```
    /// use pipevideo::Client;
    ///
    /// let client = Client::builder().api_key("pv_example").on_request(|headers| {
    ///     let number = fastrand::u64(..).to_string();
    ///     headers.insert("x-request-number", number.parse().expect("a number is a valid value"));
    /// });
    /// # let _ = client;
    /// ```
    pub fn on_request(mut self, function: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.on_request = Some(OnRequest::new(function));
        self
    }

    /// Sets the proxy; by default that of the environment (`HTTPS_PROXY`, `NO_PROXY` …).
    ///
    /// Its scheme is `http`, `https`, `socks5`, `socks5h` (which resolves names at the proxy), `socks4`
    /// or `socks4a`. [`build`](Self::build) refuses others.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts the certificates in a PEM file, besides Mozilla's roots. Each further call adds a file.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Sets the Redis or Valkey server over which the processes of a key share its budget, webhooks,
    /// created ids and spend; by default that of `PIPEVIDEO_REDIS_URL`, and none without it. An empty
    /// URL switches it off, also if the environment has one.
    ///
    /// The URL is `redis://` or `rediss://`, with an optional user, password and database, or
    /// `unix://` with the path of a socket. With TLS the system's certificates are trusted, or those of
    /// [`ca_file`](Self::ca_file) if there are any. While the server cannot be reached, the process goes on
    /// with its share of the limit. Clients with a token function share nothing, since tokens do not
    /// show which key they belong to.
    ///
    /// ```no_run
    /// use pipevideo::Client;
    ///
    /// let client = Client::builder().api_key("pv_example").redis("redis://127.0.0.1:6379/0").build()?;
    /// println!("{} processes share the budget", client.peers());
    /// # Ok::<(), pipevideo::Error>(())
    /// ```
    #[cfg(feature = "redis")]
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(SecretString::from(url.into()));
        self
    }

    /// Sets the environment variables from which missing options are read, in place of those of the
    /// process. Node's worker threads, which have their own environment, need it. The proxy is
    /// still read from the process's environment.
    ///
    /// ```
    /// use pipevideo::Client;
    ///
    /// let with = |variables: &[(&str, &str)]| {
    ///     Client::builder().environment(variables.iter().copied()).build()
    /// };
    /// assert!(with(&[("PIPEVIDEO_API_KEY", "pv_example")]).is_ok());
    /// assert!(with(&[]).is_err(), "the process's environment is not read");
    /// ```
    pub fn environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        let secret = |value: V| SecretString::from(value.into());
        self.environment =
            Some(variables.map(|(name, value)| (name.into(), secret(value))).collect());
        self
    }

    /// Has the client's events go to this subscriber instead of the program's. For the bindings.
    #[doc(hidden)]
    pub fn log_to(mut self, subscriber: tracing::Dispatch) -> Self {
        self.log = Log::to(subscriber);
        self
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
