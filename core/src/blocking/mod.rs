//! The same client for programs without async.
//!
//! [`Client`] has the operations of [`crate::Client`] under the same names. Each call blocks its
//! thread until it is done: where the async call ends in `.await`, the blocking one returns directly,
//! or ends in `.run()` if it has options of its own. One background thread, started with the first
//! client, serves all blocking clients of a process.
//!
//! Calls work anywhere, also in callbacks of this client and inside an async runtime, where they block
//! the runtime's thread: use [`crate::Client`] there.
//!
//! ```no_run
//! use pipevideo::GenerationRequest;
//! use pipevideo::blocking::Client;
//!
//! fn main() -> pipevideo::Result<()> {
//!     let client = Client::from_env()?;
//!     let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
//!     let generation = client.generate(request).run()?;
//!     client.responses().download(&generation, "cat.mp4").run()?;
//!     Ok(())
//! }
//! ```

mod batch;
mod calls;

use std::borrow::Borrow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

pub use self::batch::{Batch, BatchRun};
pub use self::calls::{Download, Estimate, Generate, VideoStream, Wait, Watch};
use crate::error::{Error, ErrorKind};
use crate::model::{
    AccountUsage, ApiResponse, Candidates, EngineCatalog, Generation, GenerationRequest, Spend,
};
use crate::{CallOptions, ClientBuilder, DownloadSource};

/// A client of Pipevideo's API with calls that block.
///
/// It has no `webhooks()` and ignores webhook secrets: its waits always poll. A program that
/// receives webhooks runs a server and is async already; one that only verifies them uses
/// [`Webhook`](crate::Webhook), which does not block.
///
/// ```no_run
/// use pipevideo::blocking::Client;
///
/// let client = Client::new(pipevideo::Client::builder().max_retries(2))?;
/// println!("{:?}", client.usage().retrieve()?.credit_balance);
/// # Ok::<(), pipevideo::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    runtime: &'static Runtime,
}

impl Client {
    /// A client with these options, which are those of [`crate::Client::builder`].
    ///
    /// # Errors
    /// Those of [`build`](ClientBuilder::build); [`ErrorKind::Configuration`] also if no thread can
    /// be started.
    pub fn new(options: ClientBuilder) -> Result<Self, Error> {
        let client = options.webhook_secrets::<String>([]).build()?;
        Ok(Self { client, runtime: runtime()? })
    }

    /// A client with the options of the environment; see [`crate::Client::from_env`].
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Client::builder())
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

    /// Creates a generation and waits for its end; see [`crate::Client::generate`].
    pub fn generate(&self, request: GenerationRequest) -> Generate {
        Generate { generate: self.client.generate(request), runtime: self.runtime }
    }

    /// Estimates what generations like this one cost; see [`crate::Client::estimate`].
    pub fn estimate(&self, request: impl Borrow<GenerationRequest>) -> Estimate {
        Estimate { estimate: self.client.estimate(request), runtime: self.runtime }
    }

    /// What the key has spent in this process; see [`crate::Client::spend`].
    pub fn spend(&self) -> Spend {
        self.client.spend()
    }

    /// The same client with other options, for single calls; see [`crate::Client::with_options`]. Calls
    /// that end in `.run()` have the options as methods.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an option that the client itself would not take.
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::blocking::Client) -> pipevideo::Result<()> {
    /// let once = pipevideo::CallOptions::new().max_retries(0);
    /// let generation = client.with_options(&once)?.responses().retrieve("gen_abc123xyz")?;
    /// println!("{}", generation.status);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_options(&self, options: &CallOptions) -> Result<Self, Error> {
        Ok(Self { client: self.client.with_options(options)?, runtime: self.runtime })
    }

    /// The same client with another request timeout; see [`crate::Client::with_request_timeout`].
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the timeout is zero.
    pub fn with_request_timeout(&self, timeout: Duration) -> Result<Self, Error> {
        let client = self.client.with_request_timeout(timeout)?;
        Ok(Self { client, runtime: self.runtime })
    }

    /// Gets a path of the API for which this library has no call; see [`crate::Client::get`].
    ///
    /// # Errors
    /// Those of [`crate::Client::get`].
    pub fn get(&self, path: impl Into<String>) -> Result<ApiResponse, Error> {
        block_on(self.runtime, self.client.get(path))
    }

    /// Posts JSON to a path of the API for which this library has no call; see [`crate::Client::post`].
    ///
    /// # Errors
    /// Those of [`crate::Client::post`].
    pub fn post(
        &self,
        path: impl Into<String>,
        body: &impl Serialize,
    ) -> Result<ApiResponse, Error> {
        block_on(self.runtime, self.client.post(path, body))
    }

    /// How many requests the key has left in this window; see [`crate::Client::budget_left`].
    pub fn budget_left(&self) -> Option<usize> {
        self.client.budget_left()
    }

    /// How many processes share the key's budget; see [`crate::Client::peers`].
    pub fn peers(&self) -> usize {
        self.client.peers()
    }

    /// Closes this client and its clones, and ends what other threads wait for with them; see
    /// [`crate::Client::close`].
    pub fn close(&self) {
        self.client.close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

/// Generations: create, retrieve, wait, watch, download, reconcile.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    client: &'a Client,
}

impl Responses<'_> {
    /// Creates a generation and returns while it is queued; see [`crate::Responses::create`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::create`].
    pub fn create(self, request: GenerationRequest) -> Result<Generation, Error> {
        block_on(self.client.runtime, self.client.client.responses().create(request))
    }

    /// Creates a generation, and returns the response with it; see [`crate::Call::with_response`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::create`].
    pub fn create_with_response(
        self,
        request: GenerationRequest,
    ) -> Result<(Generation, ApiResponse), Error> {
        let create = self.client.client.responses().create(request);
        block_on(self.client.runtime, create.with_response())
    }

    /// Retrieves a generation, and returns the response with it; see
    /// [`crate::Call::with_response`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::retrieve`].
    pub fn retrieve_with_response(
        self,
        id: impl AsRef<str>,
    ) -> Result<(Generation, ApiResponse), Error> {
        let retrieve = self.client.client.responses().retrieve(id);
        block_on(self.client.runtime, retrieve.with_response())
    }

    /// Retrieves a generation in its current state; see [`crate::Responses::retrieve`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::retrieve`].
    pub fn retrieve(self, id: impl AsRef<str>) -> Result<Generation, Error> {
        block_on(self.client.runtime, self.client.client.responses().retrieve(id))
    }

    /// Waits until a generation has completed; see [`crate::Responses::wait`].
    pub fn wait(&self, id: impl Into<String>) -> Wait {
        Wait { wait: self.client.client.responses().wait(id), runtime: self.client.runtime }
    }

    /// Watches a generation: an iterator over its changes; see [`crate::Responses::watch`].
    ///
    /// ```no_run
    /// # fn example(client: pipevideo::blocking::Client) -> pipevideo::Result<()> {
    /// for update in client.responses().watch("gen_abc123xyz") {
    ///     println!("{}", update?.generation.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, id: impl Into<String>) -> Watch {
        Watch { watch: self.client.client.responses().watch(id), runtime: self.client.runtime }
    }

    /// Downloads a generation's video to a file; see [`crate::Responses::download`].
    pub fn download(
        &self,
        generation: impl Into<DownloadSource>,
        path: impl Into<PathBuf>,
    ) -> Download {
        let download = self.client.client.responses().download(generation, path);
        Download { download, runtime: self.client.runtime }
    }

    /// Streams a generation's video: an iterator over its bytes; see [`crate::Responses::stream`].
    pub fn stream(&self, generation: impl Into<DownloadSource>) -> VideoStream {
        let stream = self.client.client.responses().stream(generation);
        VideoStream { stream, runtime: self.client.runtime }
    }

    /// Finds what an uncertain create may have made; see [`crate::Responses::reconcile`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::reconcile`].
    pub fn reconcile(self, uncertain: &Error) -> Result<Candidates, Error> {
        block_on(self.client.runtime, self.client.client.responses().reconcile(uncertain))
    }

    /// Finds what an uncertain create of this model and time may have made; see
    /// [`crate::Responses::reconcile_since`].
    ///
    /// # Errors
    /// Those of [`crate::Responses::reconcile_since`].
    pub fn reconcile_since(self, model: &str, sent_at: SystemTime) -> Result<Candidates, Error> {
        block_on(
            self.client.runtime,
            self.client.client.responses().reconcile_since(model, sent_at),
        )
    }
}

/// The catalogue of engines, models and rates.
#[derive(Clone, Copy, Debug)]
pub struct Engines<'a> {
    client: &'a Client,
}

impl Engines<'_> {
    /// Lists the engines; see [`crate::Engines::list`].
    ///
    /// # Errors
    /// Those of [`crate::Engines::list`].
    pub fn list(self) -> Result<EngineCatalog, Error> {
        block_on(self.client.runtime, self.client.client.engines().list())
    }
}

/// The account's usage.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    client: &'a Client,
}

impl Usage<'_> {
    /// Retrieves the account's usage; see [`crate::Usage::retrieve`].
    ///
    /// # Errors
    /// Those of [`crate::Usage::retrieve`].
    pub fn retrieve(self) -> Result<AccountUsage, Error> {
        block_on(self.client.runtime, self.client.client.usage().retrieve())
    }
}

/// Blocks the thread until the future is done, while the runtime's own thread drives connections and
/// timers.
///
/// `Runtime::block_on` panics in a callback of another call, and inside of any other runtime.
fn block_on<T>(runtime: &Runtime, future: impl Future<Output = T>) -> T {
    let _context = runtime.enter();
    // Inside a task of another runtime that has used up its budget, tokio's futures would never be
    // ready: the budget is renewed only when that task yields, which it does not before this returns.
    pollster::block_on(tokio::task::unconstrained(future))
}

/// The runtime of all blocking clients, started once.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    // A second runtime could not be dropped inside an async runtime.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if RUNTIME.get().is_none() {
        let mut builder = Builder::new_multi_thread();
        // One thread is enough: it only drives connections, and callbacks run on the caller's.
        builder.worker_threads(1).thread_name("pipevideo").enable_all();
        let runtime = builder.build().map_err(|error| {
            let message = format!("the background thread could not be started: {error}.");
            Error::new(ErrorKind::Configuration, message)
                .with_advice("Check the process's limits.")
                .with_source(error)
        })?;
        let _ = RUNTIME.set(runtime);
    }
    Ok(RUNTIME.get().expect("it has just been set"))
}
