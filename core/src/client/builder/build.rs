//! From a client's options to the client.

use std::sync::Arc;

use rust_decimal::Decimal;
use secrecy::ExposeSecret;
#[cfg(feature = "redis")]
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{ClientBuilder, KeyOption, configuration};
use crate::client::client_state::{Account, ClientState, Identity};
#[cfg(not(feature = "redis"))]
use crate::client::events::Details;
use crate::client::key::Key;
use crate::client::redis::RedisUrl;
use crate::client::reqwest::{ConnectOptions, Reqwest};
use crate::client::transport::Transport;
use crate::client::{Client, ClientInner, RequestRoute, call};
use crate::error::Error;
use crate::webhook::Webhook;
use crate::wire::BaseUrl;

impl ClientBuilder {
    /// Builds the client, without sending anything.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if there is no key, or the base URL or another option is invalid.
    pub fn build(self) -> Result<Client, Error> {
        let base_url = self.find_base_url()?;
        let transport = Reqwest::new(&ConnectOptions {
            connect_timeout: self.config.connect_timeout,
            proxy: self.proxy.as_deref(),
            ca_files: &self.ca_files,
            host: base_url.host(),
            loopback: base_url.is_loopback(),
        })?;
        self.build_with(base_url, Arc::new(transport))
    }

    /// Builds the client over any transport, such as that of a test.
    pub(crate) fn build_with(
        mut self,
        base_url: BaseUrl,
        transport: Arc<dyn Transport>,
    ) -> Result<Client, Error> {
        // Options are checked before the environment, so that a wrong argument is reported first.
        self.check()?;
        let webhook = self.find_webhook()?;
        let server = self.find_redis()?;
        let default_key = self.variable("PIPEVIDEO_API_KEY").unwrap_or_default();
        let key = match self.key {
            Some(KeyOption::Function(key)) => key,
            Some(KeyOption::Fixed(key)) => Key::fixed(key)?,
            None => Key::fixed(default_key.into())?,
        };
        let rate_limit = self.rate_limit;
        // Tokens do not show which key they belong to.
        let server = server.filter(|_| !key.is_function());
        let redis = server.as_ref().map(RedisUrl::hash);
        let account = Account { base_url: base_url.clone(), key: key.identity(), redis };
        let identity = Identity { account, rate_limit };
        if !self.allow_insecure {
            self.config.video_hosts = base_url.video_hosts();
        }
        self.config.base_url = base_url;
        let headers = call::standing_headers(&self.config)?;
        let route = RequestRoute {
            request_timeout: self.config.request_timeout,
            proxy: self.proxy,
            ca_files: self.ca_files,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
        };
        let state = ClientState::of(identity, server.as_ref(), &self.log);
        let webhook = webhook.map(|webhook| webhook.sharing(&state.acknowledged));
        Ok(Client {
            inner: Arc::new(ClientInner {
                config: self.config,
                headers,
                key,
                transport,
                state,
                route,
                webhook,
                on_request: self.on_request,
                log: self.log,
                closed: CancellationToken::new(),
            }),
        })
    }

    fn find_base_url(&self) -> Result<BaseUrl, Error> {
        let url = self.base_url.clone().or_else(|| self.variable("PIPEVIDEO_BASE_URL"));
        BaseUrl::parse(url.as_deref().unwrap_or(BaseUrl::DEFAULT), self.allow_insecure)
    }

    /// The verifier of webhooks, if there are secrets. An empty list switches them off, also if the
    /// environment has some.
    fn find_webhook(&self) -> Result<Option<Webhook>, Error> {
        match &self.webhook_secrets {
            Some(secrets) if secrets.is_empty() => Ok(None),
            Some(secrets) => {
                Webhook::new(secrets.iter().map(ExposeSecret::expose_secret)).map(Some)
            }
            None => match self.variable("PIPEVIDEO_WEBHOOK_SECRET") {
                // A trailing comma is a common slip; it does not add an empty secret.
                Some(secrets) => {
                    let secrets = secrets.split(',').filter(|secret| !secret.trim().is_empty());
                    Webhook::new(secrets).map(Some)
                }
                None => Ok(None),
            },
        }
    }

    /// The server over which processes share the key, if there is one.
    #[cfg(feature = "redis")]
    fn find_redis(&self) -> Result<Option<RedisUrl>, Error> {
        let variable = || self.variable("PIPEVIDEO_REDIS_URL").map(SecretString::from);
        let url = self.redis.clone().or_else(variable);
        let url = url.filter(|url| !url.expose_secret().is_empty());
        url.map(|url| RedisUrl::parse(url, &self.ca_files)).transpose()
    }

    #[cfg(not(feature = "redis"))]
    fn find_redis(&self) -> Result<Option<RedisUrl>, Error> {
        if self.variable("PIPEVIDEO_REDIS_URL").is_some() {
            let message = "PIPEVIDEO_REDIS_URL is set, but this build of pipevideo has no Redis: the process has \
                 a budget of its own. Build it with the feature `redis`, or remove the variable.";
            self.log.warning(message, Details::default());
        }
        Ok(None)
    }

    /// The value of an environment variable. An empty one counts as unset, since compose files and CI
    /// set variables that have no value to an empty string.
    fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.environment {
            Some(variables) => variables.get(name).map(|value| value.expose_secret().to_owned()),
            None => std::env::var(name).ok(),
        };
        value.filter(|value| !value.is_empty())
    }

    fn check(&self) -> Result<(), Error> {
        self.config.check()?;
        if self.config.spend_limit.is_some_and(|limit| limit < Decimal::ZERO) {
            return Err(configuration(
                "the spend limit is negative. Set an amount of US dollars, or leave it out.",
            ));
        }
        if self.rate_limit.is_some_and(|limit| limit.requests == 0 || limit.per.is_zero()) {
            return Err(configuration(
                "the rate limit allows no request. Allow at least one, or switch the \
                 limit off.",
            ));
        }
        Ok(())
    }
}
