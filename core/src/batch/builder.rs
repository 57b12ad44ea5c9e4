//! The options of a batch.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use rust_decimal::Decimal;

use super::progress::BatchEvent;
use super::request::BatchRequest;
use super::run::BatchRun;
use super::run::context::Options;
use crate::client::Client;
use crate::error::Error;
use crate::model::FailureCategory;

/// A function that is called with each event.
pub(super) type OnEvent = Box<dyn FnMut(&BatchEvent) + Send>;

/// A batch of requests. Set its options, then [`run`](Self::run) it.
///
/// Made by [`batch`](Client::batch). With a [`journal`](Self::journal), its process may be killed at
/// any moment: the next run with the same journal takes finished requests from it, waits for those that
/// were created, completes downloads, and creates the others. No request is created twice.
///
/// ```no_run
/// # async fn example(client: pipevideo::Client, prompts: Vec<String>) -> pipevideo::Result<()> {
/// use pipevideo::GenerationRequest;
///
/// let requests = prompts
///     .into_iter()
///     .map(|prompt| GenerationRequest::new("moonshotai/kimi-k2.5", prompt));
/// let mut run = client.batch(requests).journal("run.jsonl").download_to("videos").run();
/// while let Some(item) = run.next().await {
///     let item = item?;
///     println!("{} {} {:?}", item.key, item.status, item.path);
/// }
/// println!("{} USD", run.summary().cost_usd);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is created unless the batch is run"]
pub struct Batch {
    pub(super) client: Client,
    pub(super) requests: BoxStream<'static, Result<BatchRequest, Error>>,
    pub(super) total: Option<u64>,
    pub(super) options: Options,
    pub(super) on_event: Option<OnEvent>,
}

impl Client {
    /// Makes a batch of requests, which are taken one after another as there is room for them.
    ///
    /// A request is a [`BatchRequest`] with a key, or a [`GenerationRequest`](crate::GenerationRequest)
    /// that has the default key. The iterator is called on a thread of the runtime, so it must not block
    /// for long: requests that come slowly are passed by [`batch_stream`](Self::batch_stream). See
    /// [`Batch`].
    pub fn batch<I>(&self, requests: I) -> Batch
    where
        I: IntoIterator<Item: Into<BatchRequest>, IntoIter: Send + 'static>,
    {
        let requests = requests.into_iter();
        let total = match requests.size_hint() {
            (least, Some(most)) if least == most => u64::try_from(most).ok(),
            _ => None,
        };
        let requests = stream::iter(requests.map(|request| Ok(request.into())));
        Batch { total, ..self.batch_stream(requests) }
    }

    /// Makes a batch of the requests that a stream yields. If it yields an error, the run creates
    /// nothing more, and ends with that error. See [`Batch`].
    pub fn batch_stream(
        &self,
        requests: impl Stream<Item = Result<BatchRequest, Error>> + Send + 'static,
    ) -> Batch {
        Batch {
            client: self.clone(),
            requests: requests.boxed(),
            total: None,
            options: Options {
                journal: None,
                download_to: None,
                // With 100 requests a minute, 20 generations of 90 s can be polled every 15 s or so,
                // which the planner makes much of.
                max_in_flight: 20,
                spend_limit: None,
                deadline: None,
                retries: 0,
                // The others would fail again.
                retry_categories: vec![FailureCategory::Provider, FailureCategory::Other],
                retry_uncertain: false,
                stop_after_failures: None,
                keep_prompts: false,
                events: false,
            },
            on_event: None,
        }
    }
}

impl Batch {
    /// Sets the file that the run records everything in, one line of JSON for each fact, before it is
    /// acted on. It is created if it does not exist; otherwise the run continues what it has.
    ///
    /// It has no prompts unless [`keep_prompts`](Self::keep_prompts) is set. The URLs of videos in it
    /// are signed, so only its owner may read it.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.journal = Some(path.into());
        self
    }

    /// Downloads each video to a file in this folder, which is created. The file is named by the key of
    /// its request.
    pub fn download_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.download_to = Some(folder.into());
        self
    }

    /// Sets how many requests are under way at once; 20 by default.
    pub fn max_in_flight(mut self, maximum: usize) -> Self {
        self.options.max_in_flight = maximum.max(1);
        self
    }

    /// Sets the maximum that the batch may spend in US dollars, all runs with its journal together.
    ///
    /// When the next create would exceed it, the run waits for what is in flight, since that may cost
    /// less than its estimate. If it still does not fit, the run creates nothing more; what is under
    /// way continues. The client's own limit holds as well.
    pub fn spend_limit(mut self, usd: impl Into<Option<Decimal>>) -> Self {
        self.options.spend_limit = usd.into();
        self
    }

    /// Bounds the wait for each generation; by default the client's deadline. A generation that has
    /// not ended by then is [`Pending`](crate::ItemStatus::Pending), and the next run waits for it again.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Sets how often a failed generation is created again, which is **paid again**; 0 by default.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// Sets which failures are created again; `provider` and `other` by default.
    pub fn retry_categories(
        mut self,
        categories: impl IntoIterator<Item = FailureCategory>,
    ) -> Self {
        self.options.retry_categories = categories.into_iter().collect();
        self
    }

    /// Sets whether a create of an earlier run with an unknown outcome is sent again. **It may be paid
    /// twice.** By default such requests are [`Uncertain`](crate::ItemStatus::Uncertain), with the generations
    /// that they may have made.
    pub fn retry_uncertain(mut self, retry: bool) -> Self {
        self.options.retry_uncertain = retry;
        self
    }

    /// Stops creating after this many requests have failed in this run. By default no failure stops a
    /// batch.
    pub fn stop_after_failures(mut self, failures: u64) -> Self {
        self.options.stop_after_failures = Some(failures);
        self
    }

    /// Sets whether the journal has the requests, and what may quote them in the responses.
    pub fn keep_prompts(mut self, keep: bool) -> Self {
        self.options.keep_prompts = keep;
        self
    }

    /// Calls a function with each event. It is called when the run is polled, before the items that
    /// come after the event.
    pub fn on_event(mut self, function: impl FnMut(&BatchEvent) + Send + 'static) -> Self {
        self.options.events = true;
        self.on_event = Some(Box::new(function));
        self
    }

    /// Sets the number of requests, for the forecast of the end, if it is known beside the stream.
    #[doc(hidden)]
    pub fn with_total(mut self, total: Option<u64>) -> Self {
        self.total = total;
        self
    }

    /// Has the run yield events, for bindings, which take them with
    /// [`next_output`](BatchRun::next_output).
    #[doc(hidden)]
    pub fn with_events(mut self, events: bool) -> Self {
        self.options.events = events;
        self
    }

    /// Starts the run, on the current tokio runtime.
    pub fn run(self) -> BatchRun {
        BatchRun::start(self)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("options", &self.options).finish_non_exhaustive()
    }
}
