//! Waiting for a generation's end, and watching it on the way.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};
use tracing::{Instrument, Span, debug_span, field};

use super::followers::{Event, Follow, Subscription};
use super::{Client, clock};
use crate::error::{Error, ErrorKind};
use crate::model::{Generation, GenerationId, Status, Update};
use crate::polling::wait_state::Snapshot;

/// A function that is told each update.
pub(super) type OnUpdate = Box<dyn FnMut(&Update) + Send>;

/// A wait for a generation's end: await it, or set its options first.
///
/// Made by [`wait`](crate::Responses::wait). Dropping it stops the wait, never the generation.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait {
    client: Client,
    id: String,
    deadline: Option<Duration>,
    on_update: Option<OnUpdate>,
}

impl Wait {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { client, id, deadline: None, on_update: None }
    }

    /// Bounds this wait, from when it begins; by default the client's deadline. At the deadline
    /// there is one last look, for whose answer the wait stays two seconds at most.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls a function with each change.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.on_update = Some(Box::new(function));
        self
    }
}

impl IntoFuture for Wait {
    type Output = Result<Generation, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, id, deadline, on_update } = self;
        async move {
            let id = GenerationId::parse(id)?;
            to_the_end(client, id.into(), None, deadline, on_update).await
        }
        .boxed()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("id", &self.id).field("deadline", &self.deadline).finish()
    }
}

/// Follows a generation to its end, from what its create has answered if that is known.
pub(super) async fn to_the_end(
    client: Client,
    id: Arc<str>,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    mut on_update: Option<OnUpdate>,
) -> Result<Generation, Error> {
    let span = debug_span!("wait", id = &*id, status = field::Empty);
    let updates = on_update.is_some();
    let mut subscription = subscribe(&client, id, created, deadline, updates);
    drop(client);
    async move {
        loop {
            match subscription.events.next().await {
                Some(Event::Update(update)) => {
                    Span::current().record("status", update.generation.status.as_str());
                    if let Some(on_update) = &mut on_update {
                        on_update(&update);
                    }
                }
                Some(Event::End(end)) => return completed(end?),
                None => return Err(abandoned()),
            }
        }
    }
    .instrument(span)
    .await
}

fn subscribe(
    client: &Client,
    id: Arc<str>,
    created: Option<Snapshot>,
    deadline: Option<Duration>,
    updates: bool,
) -> Subscription {
    let deadline = deadline.unwrap_or(client.inner.config.deadline);
    let deadline = clock::now().saturating_add(deadline);
    let follow = Follow { client: client.inner.clone(), id, deadline, created, updates };
    client.inner.shared.followers.follow(follow)
}

fn completed(generation: Arc<Generation>) -> Result<Generation, Error> {
    match generation.status {
        Status::Failed => Err(Error::failed(generation)),
        _ => Ok(Arc::unwrap_or_clone(generation)),
    }
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Connection,
        "the runtime on which the wait began has been shut down. Wait for the id again.",
    )
}

/// A generation as it changes: a stream of updates that ends with the generation's end.
///
/// Made by [`watch`](crate::Responses::watch). Each change is told once, the final one last: a
/// generation that fails ends the stream with an update whose status is
/// [`Failed`](Status::Failed), not with an error. Dropping the stream stops following, never the
/// generation.
///
/// # Errors
/// An error is the stream's last item: [`ErrorKind::WaitTimeout`] at the deadline,
/// `authentication`, `permission_denied` or `not_found` if the service says so,
/// [`ErrorKind::InvalidRequest`] for an id that is none.
#[must_use = "a stream does nothing unless it is polled"]
pub struct Watch {
    deadline: Option<Duration>,
    state: State,
}

enum State {
    New(Client, Arc<str>),
    Open(Subscription),
    Ended,
}

impl Watch {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { deadline: None, state: State::New(client, id.into()) }
    }

    /// Bounds this watch, from when it is first polled; by default the client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Watch {
    /// The next update, or `None` after the end; the same as the stream's.
    ///
    /// It can be dropped and asked again: no update is lost.
    pub async fn next(&mut self) -> Option<Result<Update, Error>> {
        StreamExt::next(self).await
    }
}

impl Stream for Watch {
    type Item = Result<Update, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let State::New(client, id) = &self.state {
            let id = match GenerationId::parse(id.clone()) {
                Ok(id) => id,
                Err(error) => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Err(error)));
                }
            };
            self.state = State::Open(subscribe(client, id.into(), None, self.deadline, true));
        }
        let State::Open(subscription) = &mut self.state else { return Poll::Ready(None) };
        let end = match ready!(subscription.events.poll_next_unpin(cx)) {
            Some(Event::Update(update)) => return Poll::Ready(Some(Ok(*update))),
            Some(Event::End(end)) => end.err(),
            None => Some(abandoned()),
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
