//! Waiting until a generation ends, and watching its changes.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tracing::Span;

use super::call_options::call_options;
use super::spans::OpenSpan;
use super::subscription::{Event, Subscription, WaitOptions};
use super::{CallOptions, Client, clock};
use crate::error::Error;
use crate::model::{Generation, GenerationId, Status, Update};
use crate::polling::forecast::Shape;
use crate::polling::wait_state::Snapshot;

/// A function that is called with each update.
pub(crate) type OnUpdate = Box<dyn FnMut(&Update) + Send>;

/// A wait for the end of a generation. Await it, or set its options first.
///
/// Made by [`wait`](crate::Responses::wait). Dropping it ends the wait, never the generation.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait {
    client: Client,
    id: String,
    deadline: Option<Duration>,
    on_update: Option<OnUpdate>,
    options: CallOptions,
}

impl Wait {
    pub(super) fn new(client: Client, id: String) -> Self {
        let options = CallOptions::new();
        Self { client, id, deadline: None, on_update: None, options }
    }

    /// Sets the deadline of this wait, from when it begins. The default is the client's deadline. At
    /// the deadline there is one final poll, and the wait accepts its response for two seconds.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls a function with each change of the generation, and in between with the estimated progress, so
    /// that a bar moves.
    ///
    /// In between it receives the last change again, with the present `elapsed` and `progress`: every
    /// [`min_interval`](crate::Polling::min_interval), at least a second, without a request.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.on_update = Some(Box::new(function));
        self
    }

    call_options!();
}

impl IntoFuture for Wait {
    type Output = Result<Generation, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, id, deadline, on_update, options } = self;
        let call = OpenSpan::about("wait", &client.inner.config.base_url, &id);
        let span = call.span();
        let wait = async move {
            let id = GenerationId::parse(id)?;
            let client = client.with_options(&options)?;
            drop(options);
            until_the_end(client, id, None, deadline, on_update, span).await
        };
        call.around(wait).boxed()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("id", &self.id).field("deadline", &self.deadline).finish()
    }
}

/// Waits until a generation ends, starting from what its create has returned if that is known. The span
/// is that of the call.
pub(crate) async fn until_the_end(
    client: Client,
    id: GenerationId,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    on_update: Option<OnUpdate>,
    span: Span,
) -> Result<Generation, Error> {
    let mut subscription = subscribe(&client, id, created, deadline, on_update.is_some(), span)?;
    let mut reports = on_update.map(|on_update| {
        Box::new(Reports::new(on_update, client.inner.config.polling.min_interval))
    });
    // Thousands of waits keep one future each: what they don't need is dropped before the first
    // await.
    drop(client);
    loop {
        let event = poll_fn(|cx| subscription.poll_next(cx));
        let event = match reports.as_ref().and_then(|reports| reports.next_at) {
            Some(next) => clock::by(next, event).await,
            None => Some(event.await),
        };
        match (event, &mut reports) {
            (Some(Event::End(end, _)), _) => return completed(end?),
            (Some(Event::Update(update, shape)), Some(reports)) => {
                reports.on_change(*update, shape);
            }
            (None, Some(reports)) => reports.on_interval(),
            (_, None) => {}
        }
    }
}

/// Calls a function with each change of a generation, and in between with the progress by the forecast,
/// so that a bar moves. That takes no request.
struct Reports {
    on_update: OnUpdate,
    interval: Duration,
    /// The last change as it was shown last, and how its progress goes on.
    last: Option<(Update, Shape)>,
    /// When the last change came, and the age of its generation then.
    changed_at: Duration,
    elapsed: Duration,
    next_at: Option<Duration>,
}

/// The shortest time between two reports without a change, however small the poll interval is: a bar
/// does not need more, and a program that polls every few milliseconds has changes enough.
const MIN_REPORT_INTERVAL: Duration = Duration::from_secs(1);

impl Reports {
    fn new(on_update: OnUpdate, min_interval: Duration) -> Self {
        let interval = min_interval.max(MIN_REPORT_INTERVAL);
        let (changed_at, elapsed) = (Duration::ZERO, Duration::ZERO);
        Self { on_update, interval, last: None, changed_at, elapsed, next_at: None }
    }

    fn on_change(&mut self, mut update: Update, shape: Shape) {
        // What was shown in between may be further, by what was learned since.
        let shown = self.last.as_ref().map_or(0.0, |(last, _)| last.progress);
        update.progress = update.progress.max(shown);
        (self.on_update)(&update);
        (self.changed_at, self.elapsed) = (clock::now(), update.elapsed);
        let goes_on = !update.generation.is_final();
        self.last = goes_on.then_some((update, shape));
        self.schedule();
    }

    fn on_interval(&mut self) {
        let since = clock::now().saturating_sub(self.changed_at);
        if let Some((update, shape)) = &mut self.last {
            update.elapsed = self.elapsed.saturating_add(since);
            update.progress = shape.progress(update.elapsed, update.progress);
            (self.on_update)(update);
        }
        self.schedule();
    }

    fn schedule(&mut self) {
        let next = clock::now().saturating_add(self.interval);
        self.next_at = self.last.is_some().then_some(next);
    }
}

fn subscribe(
    client: &Client,
    id: GenerationId,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    updates: bool,
    span: Span,
) -> Result<Subscription, Error> {
    let deadline = deadline.unwrap_or(client.inner.config.deadline);
    let options = WaitOptions { deadline, created, updates, span };
    client.inner.state.drivers.subscribe(&client.inner, id, options)
}

fn completed(generation: Arc<Generation>) -> Result<Generation, Error> {
    match generation.status {
        // The end of a wait is a video. Every other end is an error, so that no caller has to check.
        Status::Failed => Err(Error::failed(generation)),
        _ => Ok(Arc::unwrap_or_clone(generation)),
    }
}

/// The changes of a generation: a stream of updates that ends when the generation ends.
///
/// Made by [`watch`](crate::Responses::watch). Each change is yielded once, the final one last. A
/// generation that fails ends the stream with an update of status [`Failed`](Status::Failed), not
/// with an error. Dropping the stream ends the watch, never the generation.
///
/// # Errors
/// An error is the last item of the stream: `wait_timeout` at the deadline,
/// `authentication` or `permission_denied` if the key is refused, `not_found` if two polls in a row
/// found no such generation, `connection` if the client is [closed](Client::close), and
/// `invalid_request` for a text that is not a generation id.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Watch {
    deadline: Option<Duration>,
    options: CallOptions,
    state: State,
}

enum State {
    New(Client, Arc<str>),
    Open(Subscription, OpenSpan),
    Ended,
}

impl Watch {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { deadline: None, options: CallOptions::new(), state: State::New(client, id.into()) }
    }

    /// Sets the deadline of this watch, from when the stream is first polled. The default is the
    /// client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    call_options!();

    /// Returns the next update, or `None` after the end.
    ///
    /// Cancel safe: no update is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Update, Error>> {
        StreamExt::next(self).await
    }
}

impl Stream for Watch {
    type Item = Result<Update, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A stream does nothing before it is polled, so its deadline counts from here.
        if let State::New(client, id) = &self.state {
            let call = OpenSpan::about("watch", &client.inner.config.base_url, id);
            let opened = GenerationId::parse(id.clone()).and_then(|id| {
                let client = client.with_options(&self.options)?;
                subscribe(&client, id, None, self.deadline, true, call.span())
            });
            match opened {
                Ok(subscription) => self.state = State::Open(subscription, call),
                Err(error) => {
                    self.state = State::Ended;
                    call.end(Some(&error));
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        let State::Open(subscription, _) = &mut self.state else { return Poll::Ready(None) };
        let end = match ready!(subscription.poll_next(cx)) {
            Event::Update(update, _) => return Poll::Ready(Some(Ok(*update))),
            Event::End(end, _) => end.err(),
        };
        if let State::Open(_, call) = std::mem::replace(&mut self.state, State::Ended) {
            call.end(end.as_ref());
        }
        Poll::Ready(end.map(Err))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
