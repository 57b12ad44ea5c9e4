//! The I/O half: the client and what it drives.

mod builder;
mod call;
mod client_state;
mod clock;
mod download;
mod driver;
mod engines;
mod followers;
mod generate;
mod inbox;
mod key;
mod limiter;
mod recent_ids;
mod reqwest;
mod responses;
#[cfg(test)]
mod tests;
mod transport;
mod usage;
mod wait;
mod webhooks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

pub(crate) use builder::Config;
pub use builder::{App, ClientBuilder};
use client_state::Shared;
pub use client_state::forget_shared_state;
pub(crate) use clock::wall;
pub use download::{Download, DownloadSource, Progress};
pub use engines::Engines;
pub use generate::Generate;
use key::Key;
pub use key::TokenError;
pub use responses::Responses;
use transport::Transport;
pub use usage::Usage;
pub use wait::{Wait, Watch};
pub use webhooks::Webhooks;

use crate::error::Error;
use crate::model::GenerationRequest;
use crate::webhook::Webhook;

/// A client of Pipevideo's API.
///
/// Clones share everything, and all clients of a process with the same key and base URL share one
/// rate limit. It needs a tokio runtime with time and I/O.
///
/// ```no_run
/// # async fn example() -> pipevideo::Result<()> {
/// use pipevideo::{Client, GenerationRequest};
///
/// let client = Client::from_env()?;
/// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
/// let generation = client.generate(request).await?;
/// client.responses().download(&generation, "cat.mp4").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) headers: HeaderMap,
    pub(crate) key: Key,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) webhook: Option<Webhook>,
}

impl Client {
    /// The options, each with its default.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// A client by the environment: `PIPEVIDEO_API_KEY`, and `PIPEVIDEO_BASE_URL` if set.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration): no key, or a bad base URL.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Generations: create, retrieve, wait, watch, download, reconcile.
    pub fn responses(&self) -> Responses<'_> {
        Responses { client: self }
    }

    /// The catalogue of engines, models and rates.
    pub fn engines(&self) -> Engines<'_> {
        Engines { client: self }
    }

    /// The account's usage.
    pub fn usage(&self) -> Usage<'_> {
        Usage { client: self }
    }

    /// Webhooks: verify a delivery, and wake the waits of its generation.
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks { client: self }
    }

    /// Creates a generation and waits for its end.
    ///
    /// The deadline begins when the service has taken the request. Dropping the future stops the
    /// wait, not the generation: to have its id even then, [`create`](Responses::create) and
    /// [`wait`](Responses::wait) apart, or look at the first update.
    ///
    /// # Errors
    /// Those of [`create`](Responses::create) and [`wait`](Responses::wait).
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use pipevideo::GenerationRequest;
    ///
    /// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    /// let generation = client
    ///     .generate(request)
    ///     .on_update(|update| println!("{} {}", update.generation.id, update.generation.status))
    ///     .await?;
    /// println!("{:?}", generation.output_video_url);
    /// # Ok(())
    /// # }
    /// ```
    pub fn generate(&self, request: GenerationRequest) -> Generate {
        Generate::new(self.clone(), request)
    }

    /// The same client with another request timeout, for some calls: everything else is shared.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is zero.
    ///
    /// ```
    /// # fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let patient = client.with_request_timeout(std::time::Duration::from_secs(120))?;
    /// # let _ = patient;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_request_timeout(&self, timeout: Duration) -> Result<Self, Error> {
        let mut inner = Inner::clone(&self.inner);
        inner.config.request_timeout = timeout;
        inner.config.check()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many requests the key has left in this window, as far as this process knows; `None`
    /// without a limit.
    pub fn budget_left(&self) -> Option<usize> {
        self.inner.shared.limiter.budget().left(clock::now())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.inner.config.base_url)
            .field("key", &self.inner.key)
            .finish_non_exhaustive()
    }
}
