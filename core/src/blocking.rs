//! The same operations for programs without async.
//!
//! Each call blocks its thread until it is done. What goes on meanwhile is done by one thread of
//! this library, started with the first client. Inside an async runtime use [`crate::Client`]:
//! blocking there panics.
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

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind};
use crate::model::{
    AccountUsage, EngineCatalog, Generation, GenerationRequest, RecentRequest, Update,
};
use crate::{ClientBuilder, Download, DownloadSource, Generate, Progress, Wait, Watch};

/// A client whose calls block.
///
/// ```no_run
/// use pipevideo::blocking::Client;
///
/// let client = Client::new(pipevideo::Client::builder().max_retries(2))?;
/// println!("{:?}", client.usage()?.credit_balance);
/// # Ok::<(), pipevideo::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    runtime: &'static Runtime,
}

impl Client {
    /// A client by these options. It receives no webhooks, so its waits do not rest on them,
    /// whatever secrets there are.
    ///
    /// # Errors
    /// Those of [`build`](ClientBuilder::build); [`ErrorKind::Configuration`] also if no thread can
    /// be started.
    pub fn new(options: ClientBuilder) -> Result<Self, Error> {
        let client = options.webhook_secrets::<String>([]).build()?;
        Ok(Self { client, runtime: runtime()? })
    }

    /// A client by the environment: `PIPEVIDEO_API_KEY`, and `PIPEVIDEO_BASE_URL` if set.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Client::builder())
    }

    /// Generations: create, retrieve, wait, watch, download, reconcile.
    pub fn responses(&self) -> Responses<'_> {
        Responses { client: self }
    }

    /// Creates a generation and waits for its end; see [`crate::Client::generate`].
    pub fn generate(&self, request: GenerationRequest) -> Call<Generate> {
        self.call(self.client.generate(request))
    }

    /// Lists the engines; see [`crate::Engines::list`].
    ///
    /// # Errors
    /// As there.
    pub fn engines(&self) -> Result<EngineCatalog, Error> {
        self.runtime.block_on(self.client.engines().list())
    }

    /// Retrieves the account's usage; see [`crate::Usage::retrieve`].
    ///
    /// # Errors
    /// As there.
    pub fn usage(&self) -> Result<AccountUsage, Error> {
        self.runtime.block_on(self.client.usage().retrieve())
    }

    fn call<C>(&self, call: C) -> Call<C> {
        Call { call, runtime: self.runtime }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

/// Generations, by calls that block.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    client: &'a Client,
}

impl Responses<'_> {
    /// Creates a generation and returns at once; see [`crate::Responses::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, request: GenerationRequest) -> Result<Generation, Error> {
        self.client.runtime.block_on(self.client.client.responses().create(request))
    }

    /// Retrieves a generation as it is now; see [`crate::Responses::retrieve`].
    ///
    /// # Errors
    /// As there.
    pub fn retrieve(&self, id: impl AsRef<str>) -> Result<Generation, Error> {
        self.client.runtime.block_on(self.client.client.responses().retrieve(id))
    }

    /// Waits until a generation has completed; see [`crate::Responses::wait`].
    pub fn wait(&self, id: impl Into<String>) -> Call<Wait> {
        self.client.call(self.client.client.responses().wait(id))
    }

    /// Watches a generation: an iterator over every change; see [`crate::Watch`].
    pub fn watch(&self, id: impl Into<String>) -> Updates {
        let watch = self.client.client.responses().watch(id);
        Updates { watch, runtime: self.client.runtime }
    }

    /// Downloads a generation's video to a file; see [`crate::Download`].
    pub fn download(
        &self,
        generation: impl Into<DownloadSource>,
        path: impl Into<PathBuf>,
    ) -> Call<Download> {
        self.client.call(self.client.client.responses().download(generation, path))
    }

    /// Finds what an uncertain create may have made; see [`crate::Responses::reconcile`].
    ///
    /// # Errors
    /// As there.
    pub fn reconcile(&self, uncertain: &Error) -> Result<Vec<RecentRequest>, Error> {
        self.client.runtime.block_on(self.client.client.responses().reconcile(uncertain))
    }
}

/// A call with options of its own: [`run`](Self::run) makes it.
#[must_use = "nothing happens until it is run"]
pub struct Call<C> {
    call: C,
    runtime: &'static Runtime,
}

impl<C: IntoFuture> Call<C> {
    /// Makes the call and blocks until it is done.
    ///
    /// # Errors
    /// Those of the call.
    pub fn run(self) -> C::Output {
        self.runtime.block_on(self.call.into_future())
    }
}

impl<C> Call<C> {
    fn with(self, option: impl FnOnce(C) -> C) -> Self {
        Self { call: option(self.call), runtime: self.runtime }
    }
}

impl Call<Wait> {
    /// Bounds this wait; by default the client's deadline.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.with(|wait| wait.deadline(deadline))
    }

    /// Calls a function with each change.
    pub fn on_update(self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.with(|wait| wait.on_update(function))
    }
}

impl Call<Generate> {
    /// Bounds the wait, from when the service has taken the request.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.with(|generate| generate.deadline(deadline))
    }

    /// Calls a function with each change; first with what the create answered.
    pub fn on_update(self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.with(|generate| generate.on_update(function))
    }
}

impl Call<Download> {
    /// Calls a function each time that bytes have arrived.
    pub fn on_progress(self, function: impl FnMut(Progress) + Send + 'static) -> Self {
        self.with(|download| download.on_progress(function))
    }
}

impl<C: fmt::Debug> fmt::Debug for Call<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}

/// A generation's updates; each step blocks until there is one.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct Updates {
    watch: Watch,
    runtime: &'static Runtime,
}

impl Updates {
    /// Bounds this watch, from its first step; by default the client's deadline.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { watch: self.watch.deadline(deadline), ..self }
    }
}

impl Iterator for Updates {
    type Item = Result<Update, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.watch.next())
    }
}

/// The runtime of all blocking clients, started once.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if RUNTIME.get().is_none() {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("pipevideo").enable_all();
        let runtime = builder.build().map_err(|error| {
            let message =
                format!("no thread could be started: {error}. Check the process's limits.");
            Error::new(ErrorKind::Configuration, message).with_source(error)
        })?;
        // Whoever came first has set one already, and this one ends here.
        let _ = RUNTIME.set(runtime);
    }
    Ok(RUNTIME.get().expect("it has just been set"))
}
