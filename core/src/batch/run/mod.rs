//! A run of a batch: it takes requests and works on them until they are used up.
//!
//! `work` is what is done with one request, with `create` and `store` for its create and its video, and
//! `context` what all of them share. `lost` finds out what
//! creates with an unknown outcome have made, and `earlier` counts what earlier runs have done.

pub(super) mod context;
mod create;
mod earlier;
mod lost;
mod recorder;
mod store;
mod work;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use futures_util::{FutureExt, Stream, StreamExt};
use rust_decimal::Decimal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::context::{Context, Options, cancelled};
use self::work::Work;
use super::builder::{Batch, OnEvent};
use crate::barrier;
use crate::batch::item::BatchItem;
use crate::batch::journal::{Entry, Journal, Replay};
use crate::batch::progress::{BatchEvent, BatchSummary, Progress, StopReason};
use crate::batch::request::{BatchRequest, KeyedRequest, Keys};
use crate::client::{Client, clock, closing};
use crate::error::{Error, ErrorKind};
use crate::lock::{Mutex, lock};

/// What a run passes to its caller.
pub(super) enum Output {
    Event(Box<BatchEvent>),
    /// An item, or the error that has ended the run, with its place among those that the caller has
    /// not taken.
    Item(
        Box<Result<BatchItem, Error>>,
        #[expect(dead_code, reason = "it is dropped when the item is taken")]
        Option<OwnedSemaphorePermit>,
    ),
}

/// An event or an item of a run. For bindings, which call functions of their language for events.
#[doc(hidden)]
#[derive(Debug)]
pub enum BatchOutput {
    Event(Box<BatchEvent>),
    Item(Box<BatchItem>),
}

/// How many items may await a caller that is slow to take them. A run does not take further
/// requests then; what is under way goes on.
const MAX_UNTAKEN: usize = 1000;

/// A run of a batch: a stream of its items, as they end.
///
/// Made by [`Batch::run`]. It works in the background, whether it is polled or not. Dropping it stops
/// it: waits and downloads end at once, and creates that are being sent still get their response and
/// its place in the journal. To wait for that, call [`stop`](Self::stop).
///
/// # Errors
/// The last item of the stream is an error if the journal cannot be used or written, or if the
/// requests are not valid as a batch, such as two with one key. The failure of a request is not an
/// error of the stream: see [`BatchItem::error`].
#[must_use = "a run that is dropped stops"]
pub struct BatchRun {
    outputs: mpsc::UnboundedReceiver<Output>,
    on_event: Option<OnEvent>,
    handle: BatchHandle,
}

/// A handle of a run, by which another task can stop it or read its summary.
///
/// Made by [`BatchRun::handle`]. It does not keep the run going.
#[derive(Clone)]
pub struct BatchHandle {
    progress: Arc<Mutex<Progress>>,
    began: Duration,
    cancel: CancellationToken,
}

impl BatchHandle {
    /// Stops the run, as [`BatchRun::stop`] does, without waiting until it has ended.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Returns what the run has done so far.
    pub fn summary(&self) -> BatchSummary {
        lock(&self.progress).summary(clock::now().saturating_sub(self.began))
    }

    /// Returns whether the run takes no more requests, although there may be some. For bindings, which
    /// would otherwise wait for a source that has none at the moment.
    #[doc(hidden)]
    pub fn has_stopped(&self) -> bool {
        lock(&self.progress).stopped_by.is_some()
    }
}

impl fmt::Debug for BatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHandle").field("summary", &self.summary()).finish_non_exhaustive()
    }
}

impl BatchRun {
    pub(super) fn start(batch: Batch) -> Self {
        let Batch { client, requests, total, options, on_event } = batch;
        let (outputs, received) = mpsc::unbounded_channel();
        let (progress, cancel) = (Arc::<Mutex<Progress>>::default(), CancellationToken::new());
        let slots = options.max_in_flight.saturating_add(MAX_UNTAKEN).min(Semaphore::MAX_PERMITS);
        let runner = Runner {
            client,
            options,
            total,
            requests: Some(requests),
            keys: Keys::default(),
            works: FuturesUnordered::new(),
            slots: Arc::new(Semaphore::new(slots)),
            outputs: outputs.clone(),
            progress: progress.clone(),
            cancel: cancel.clone(),
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "a run goes on while its caller does not poll it"
        )]
        tokio::spawn(
            async move {
                let ended = barrier::catch_async(runner.run()).await;
                if let Err(error) = ended.flatten() {
                    let _ = outputs.send(Output::Item(Box::new(Err(error)), None));
                }
            }
            .in_current_span(),
        );
        let handle = BatchHandle { progress, began: clock::now(), cancel };
        Self { outputs: received, on_event, handle }
    }

    /// Returns the next item, or `None` after the last one.
    ///
    /// Cancel safe: no item is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<BatchItem, Error>> {
        StreamExt::next(self).await
    }

    /// Returns what the run has done so far.
    pub fn summary(&self) -> BatchSummary {
        self.handle.summary()
    }

    /// Returns a handle, by which another task can stop the run or read its summary.
    pub fn handle(&self) -> BatchHandle {
        self.handle.clone()
    }

    /// Stops the run, and returns once it has ended: when the creates that were being sent have their
    /// response, and everything is in the journal. Items that were not taken are dropped; the next run
    /// yields them again.
    pub async fn stop(&mut self) -> BatchSummary {
        self.handle.stop();
        while self.outputs.recv().await.is_some() {}
        self.summary()
    }

    /// Returns the next event or item, or `None` after the last one. Cancel safe.
    #[doc(hidden)]
    pub async fn next_output(&mut self) -> Option<Result<BatchOutput, Error>> {
        Some(match self.outputs.recv().await? {
            Output::Event(event) => Ok(BatchOutput::Event(event)),
            Output::Item(item, _) => item.map(|item| BatchOutput::Item(Box::new(item))),
        })
    }
}

impl Stream for BatchRun {
    type Item = Result<BatchItem, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.outputs.poll_recv(cx)) {
                Some(Output::Event(event)) => {
                    if let Some(on_event) = &mut self.on_event {
                        on_event(&event);
                    }
                }
                Some(Output::Item(item, _)) => return Poll::Ready(Some(*item)),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Drop for BatchRun {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

impl fmt::Debug for BatchRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun").field("summary", &self.summary()).finish_non_exhaustive()
    }
}

/// The task of a run.
struct Runner {
    client: Client,
    options: Options,
    total: Option<u64>,
    /// `None` once no more are taken.
    requests: Option<BoxStream<'static, Result<BatchRequest, Error>>>,
    keys: Keys,
    works: FuturesUnordered<BoxFuture<'static, Ended>>,
    slots: Arc<Semaphore>,
    outputs: mpsc::UnboundedSender<Output>,
    progress: Arc<Mutex<Progress>>,
    cancel: CancellationToken,
}

/// A request that has ended: its item, or the error of a panic.
type Ended = (Result<Option<BatchItem>, Error>, OwnedSemaphorePermit);

impl Runner {
    /// # Errors
    /// What ends the whole run.
    async fn run(mut self) -> Result<(), Error> {
        if self.options.spend_limit.is_some_and(|limit| limit < Decimal::ZERO) {
            let message = "the spend limit of the batch is negative. Set an amount of US dollars.";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let Some((first, permit)) = self.first_request().await? else { return Ok(()) };
        let opened = open(&self.client, &self.options, &first.key).await?;
        let run = (self.progress.clone(), self.cancel.clone(), self.outputs.clone());
        let (client, options) = (self.client.clone(), self.options.clone());
        let context = Arc::new(Context::new(client, options, self.total, opened, run));
        if earlier::count(&context) {
            lost::resolve(&context).await;
        }
        let begun = self.begin(&context, first, permit);
        let result = self.work_on(&context, begun).await;
        // The works have ended, and with them all other references.
        match Arc::into_inner(context).and_then(|context| context.journal) {
            Some(journal) => journal.close().await.and(result),
            None => result,
        }
    }

    async fn first_request(
        &mut self,
    ) -> Result<Option<(KeyedRequest, OwnedSemaphorePermit)>, Error> {
        let next = next(&mut self.requests, &self.slots);
        let next = self.client.inner.closed.run_until_cancelled(next);
        match self.cancel.run_until_cancelled(next).await.flatten().flatten() {
            Some((request, permit)) => Ok(Some((self.keys.assign(request?)?, permit))),
            None => Ok(None),
        }
    }

    /// Works on all requests, and on what the journal has beside them.
    async fn work_on(
        &mut self,
        context: &Arc<Context>,
        mut result: Result<(), Error>,
    ) -> Result<(), Error> {
        let mut resolver = Box::pin(async {
            loop {
                context.lost.added().await;
                lost::resolve(context).await;
            }
        });
        let mut earlier: Option<Vec<Entry>> = None;
        let closed = self.client.inner.closed.clone();
        loop {
            if let Err(error) = &result {
                context.stop(StopReason::Error, error);
            }
            if self.cancel.is_cancelled() {
                context.stop(StopReason::Cancelled, &cancelled());
            }
            if closed.is_cancelled() {
                context.stop(StopReason::Cancelled, &closing::not_sent());
            }
            if context.stopped().is_some() {
                self.requests = None;
            }
            if self.cancel.is_cancelled() || closed.is_cancelled() {
                earlier = Some(Vec::new());
            } else if self.requests.is_none() && earlier.is_none() {
                // Generations that exist are paid for, also if their requests do not come again.
                earlier = Some(lock(&context.replay).take_created());
            }
            if self.works.is_empty() && earlier.as_ref().is_some_and(Vec::is_empty) {
                return result;
            }
            let has_room = self.works.len() < self.options.max_in_flight;
            tokio::select! {
                Some((ended, permit)) = self.works.next() => {
                    context.on_ended(ended.as_ref().ok().and_then(Option::as_ref));
                    match ended {
                        Ok(Some(item)) => {
                            let item = Box::new(Ok(item));
                            let _ = self.outputs.send(Output::Item(item, Some(permit)));
                        }
                        Ok(None) => {}
                        Err(error) => result = result.and(Err(error)),
                    }
                }
                request = next(&mut self.requests, &self.slots), if has_room => match request {
                    Some((request, permit)) => {
                        let keyed = request.and_then(|request| self.keys.assign(request));
                        let begun =
                            keyed.and_then(|keyed| self.begin(context, keyed, permit));
                        result = result.and(begun);
                    }
                    None => self.requests = None,
                },
                permit = permit_for(&earlier, &self.slots), if has_room => {
                    if let (Some(entry), Some(permit)) = (earlier.as_mut().and_then(Vec::pop), permit) {
                        self.push(context, Work::resume(context.clone(), entry), permit);
                    }
                }
                () = &mut resolver => {}
                () = self.cancel.cancelled(), if context.stopped().is_none() => {}
                () = closed.cancelled(), if context.stopped().is_none() => {}
            }
        }
    }

    /// Begins to work on a request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the journal has another
    /// request under its key.
    fn begin(
        &mut self,
        context: &Arc<Context>,
        keyed: KeyedRequest,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), Error> {
        let entry = lock(&context.replay).take(&keyed.key);
        if let Some(entry) = &entry {
            entry.check_request(&keyed.key, keyed.hash)?;
        }
        self.push(context, Work::new(context.clone(), keyed, entry), permit);
        Ok(())
    }

    fn push(&self, context: &Context, work: Work, permit: OwnedSemaphorePermit) {
        lock(&context.progress).counts.in_flight += 1;
        self.works.push(async move { (barrier::catch_async(work.run()).await, permit) }.boxed());
    }
}

async fn open(
    client: &Client,
    options: &Options,
    first_key: &str,
) -> Result<(Option<Journal>, Replay), Error> {
    if let Some(folder) = &options.download_to {
        tokio::fs::create_dir_all(folder).await.map_err(|error| {
            let message = format!(
                "the folder {} of the videos cannot be created: {error}.",
                folder.display()
            );
            Error::new(ErrorKind::Configuration, message)
                .with_advice("Choose another one.")
                .with_source(error)
        })?;
    }
    let Some(path) = &options.journal else { return Ok((None, Replay::default())) };
    let base_url = client.inner.config.base_url.to_string();
    let (journal, replay) = Journal::open(path, &base_url, first_key, &client.inner.log).await?;
    Ok((Some(journal), replay))
}

/// The next request, once the caller has taken enough items; `None` after the last one. Pending once
/// no more are taken.
async fn next(
    requests: &mut Option<BoxStream<'static, Result<BatchRequest, Error>>>,
    slots: &Arc<Semaphore>,
) -> Option<(Result<BatchRequest, Error>, OwnedSemaphorePermit)> {
    let Some(requests) = requests else { return std::future::pending().await };
    // The semaphore is never closed.
    let permit = slots.clone().acquire_owned().await.ok()?;
    // A panic of the caller's source must not end what is under way.
    let request =
        barrier::catch_async(requests.next()).await.unwrap_or_else(|_| Some(Err(panicked())));
    Some((request?, permit))
}

fn panicked() -> Error {
    let message = "the source of the batch's requests panicked.";
    Error::new(ErrorKind::InvalidRequest, message).with_advice("Make it return an error instead.")
}

/// A permit for a generation of an earlier run. Pending if there is none.
async fn permit_for(
    earlier: &Option<Vec<Entry>>,
    slots: &Arc<Semaphore>,
) -> Option<OwnedSemaphorePermit> {
    if earlier.as_ref().is_none_or(Vec::is_empty) {
        return std::future::pending().await;
    }
    slots.clone().acquire_owned().await.ok()
}
