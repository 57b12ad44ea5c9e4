//! Waiting until a generation ends, and watching its changes.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tracing::{Instrument, trace_span};

use super::call_options::call_options;
use super::subscription::{Event, Subscription, WaitOptions};
use super::{CallOptions, Client};
use crate::error::Error;
use crate::model::{Generation, GenerationId, Status, Update};
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

    /// Calls a function with each change of the generation.
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
        async move {
            let id = GenerationId::parse(id)?;
            let client = client.with_options(&options)?;
            drop(options);
            until_the_end(client, id, None, deadline, on_update).await
        }
        .boxed()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("id", &self.id).field("deadline", &self.deadline).finish()
    }
}

/// Waits until a generation ends, starting from what its create has returned if that is known.
pub(crate) async fn until_the_end(
    client: Client,
    id: GenerationId,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    mut on_update: Option<OnUpdate>,
) -> Result<Generation, Error> {
    let span = trace_span!("wait");
    let mut subscription = subscribe(&client, id, created, deadline, on_update.is_some())?;
    // Thousands of waits keep one future each: what they don't need is dropped before the first
    // await.
    drop(client);
    async move {
        loop {
            match poll_fn(|cx| subscription.poll_next(cx)).await {
                Event::Update(update) => {
                    if let Some(on_update) = &mut on_update {
                        on_update(&update);
                    }
                }
                Event::End(end, _) => return completed(end?),
            }
        }
    }
    .instrument(span)
    .await
}

fn subscribe(
    client: &Client,
    id: GenerationId,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    updates: bool,
) -> Result<Subscription, Error> {
    let deadline = deadline.unwrap_or(client.inner.config.deadline);
    let options = WaitOptions { deadline, created, updates };
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
    Open(Subscription),
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
            let opened = GenerationId::parse(id.clone()).and_then(|id| {
                let client = client.with_options(&self.options)?;
                subscribe(&client, id, None, self.deadline, true)
            });
            match opened {
                Ok(subscription) => self.state = State::Open(subscription),
                Err(error) => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        let State::Open(subscription) = &mut self.state else { return Poll::Ready(None) };
        let end = match ready!(subscription.poll_next(cx)) {
            Event::Update(update) => return Poll::Ready(Some(Ok(*update))),
            Event::End(end, _) => end.err(),
        };
        self.state = State::Ended;
        Poll::Ready(end.map(Err))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
