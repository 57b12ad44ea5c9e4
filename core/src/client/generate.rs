//! A create and the wait for its end, in one call.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Client;
use super::wait::{OnUpdate, until_the_end};
use crate::error::Error;
use crate::model::{Generation, GenerationId, GenerationRequest, Update};

/// A create and the wait for its end. Await it, or set its options first.
///
/// Made by [`generate`](Client::generate).
#[must_use = "nothing is created unless it is awaited"]
pub struct Generate {
    client: Client,
    request: GenerationRequest,
    deadline: Option<Duration>,
    on_update: Option<OnUpdate>,
}

impl Generate {
    pub(super) fn new(client: Client, request: GenerationRequest) -> Self {
        Self { client, request, deadline: None, on_update: None }
    }

    /// Sets the deadline of the wait, from when the service has accepted the request. The default is
    /// the client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls a function with each change of the generation. The first call has what the create
    /// returned, so that the id is known from the start.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.on_update = Some(Box::new(function));
        self
    }
}

impl IntoFuture for Generate {
    type Output = Result<Generation, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, request, deadline, on_update } = self;
        async move {
            // The request is dropped before the wait begins: it may hold a video of 20 MB.
            let created = {
                let request = request;
                Box::pin(client.inner.create(&request)).await?
            };
            let id = GenerationId::parse(created.generation.id.as_str())
                .map_err(Error::after_a_create)?;
            let end = until_the_end(client, id, Some(created), deadline, on_update).await;
            end.map_err(Error::after_a_create)
        }
        .boxed()
    }
}

impl fmt::Debug for Generate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generate").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
