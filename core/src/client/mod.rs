//! The I/O half: the client, its calls, and the poll driver.

mod app;
mod builder;
mod call;
mod call_options;
mod client_state;
pub(crate) mod clock;
pub(crate) mod closing;
mod download;
mod driver;
mod endpoint;
mod engines;
pub(crate) mod events;
pub(crate) mod files;
mod generate;
mod inbox;
mod key;
mod limiter;
mod on_request;
pub(crate) mod reconcile;
#[cfg_attr(not(feature = "redis"), path = "no_redis.rs")]
mod redis;
mod reqwest;
mod responses;
pub(crate) mod spans;
mod spend;
pub(crate) mod submission;
mod subscription;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod upload;
mod usage;
pub(crate) mod wait;
mod webhooks;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio_util::sync::CancellationToken;

pub use app::App;
pub use builder::ClientBuilder;
pub(crate) use builder::Config;
pub use call_options::{Call, CallOptions};
use client_state::ClientState;
pub use client_state::reset_shared_state;
pub use closing::end_waits;
pub use download::{Download, DownloadSource, Progress, VideoStream};
pub use engines::Engines;
use events::Log;
pub use events::warn_uncertain;
pub use generate::Generate;
use key::Key;
pub use key::TokenError;
use on_request::OnRequest;
pub use reconcile::reconcile_stored;
pub use responses::Responses;
pub use spend::Estimate;
pub use submission::Submission;
use transport::Transport;
pub use usage::Usage;
pub use wait::{Wait, Watch};
pub use webhooks::Webhooks;

use crate::error::Error;
use crate::model::GenerationRequest;
use crate::webhook::Webhook;

/// A client of Pipevideo's API.
///
/// Cloning is cheap: clones share connections and options. All clients of a process with the same
/// key, base URL and rate limit share one request budget. Calls need a tokio runtime with time and
/// I/O enabled.
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
    pub(crate) inner: Arc<ClientInner>,
}

#[derive(Clone)]
pub(crate) struct ClientInner {
    pub(crate) config: Config,
    pub(crate) headers: HeaderMap,
    pub(crate) key: Key,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) state: Arc<ClientState>,
    pub(crate) route: RequestRoute,
    pub(crate) webhook: Option<Webhook>,
    pub(crate) on_request: Option<OnRequest>,
    pub(crate) log: Log,
    /// Cancelled when the client is closed. Its clones share it.
    pub(crate) closed: CancellationToken,
}

/// What makes the requests of two clients of the same key and base URL interchangeable: they take
/// the same way to the service within the same time, and have the same headers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestRoute {
    pub(crate) request_timeout: Duration,
    pub(crate) proxy: Option<String>,
    pub(crate) ca_files: Vec<PathBuf>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Client {
    /// Returns a builder with the default of each option.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Builds a client from the environment: `PIPEVIDEO_API_KEY`, and the variables of other options
    /// that are set, such as `PIPEVIDEO_BASE_URL`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if there is no key, or if a
    /// variable has a value that is not valid.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Operations on generations: create, retrieve, wait, watch, download, reconcile.
    pub fn responses(&self) -> Responses<'_> {
        Responses { client: self }
    }

    /// The catalogue of engines, models and rates.
    pub fn engines(&self) -> Engines<'_> {
        Engines { client: self }
    }

    /// The usage of the account: balance, totals, recent requests.
    pub fn usage(&self) -> Usage<'_> {
        Usage { client: self }
    }

    /// Webhooks: verify a delivery, and wake the waits for its generation.
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks { client: self }
    }

    /// Creates a generation and waits until it ends.
    ///
    /// The deadline begins when the service has accepted the request. Dropping the future ends the
    /// wait, not the generation, and logs a warning with the id. To have the id even then, take it from
    /// the first update or from a [`Submission`].
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

    /// The base URL, for the bindings.
    #[doc(hidden)]
    pub fn base_url(&self) -> String {
        self.inner.config.base_url.to_string()
    }

    /// Returns the number of requests that the key has left in this window; `None` without a rate
    /// limit. It is what this process has counted, or with Redis all processes of the key.
    pub fn budget_left(&self) -> Option<usize> {
        self.inner.state.wait_until_linked();
        self.inner.state.limiter.left()
    }

    /// Returns how many processes share the key's budget over Redis, this one included; 1 without
    /// Redis.
    pub fn peers(&self) -> usize {
        self.inner.state.wait_until_linked();
        self.inner.state.limiter.processes()
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
