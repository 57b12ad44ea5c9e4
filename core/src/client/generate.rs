//! A create and the wait for its end, in one call.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::call_options::call_options;
use super::spans::{self, OpenSpan};
use super::submission::Submission;
use super::wait::{OnUpdate, until_the_end};
use super::{CallOptions, Client};
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
    submission: Submission,
    options: CallOptions,
}

impl Generate {
    pub(super) fn new(client: Client, request: GenerationRequest) -> Self {
        let (submission, options) = (Submission::new(), CallOptions::new());
        Self { client, request, deadline: None, on_update: None, submission, options }
    }

    /// Sets the deadline of the wait, from when the service has accepted the request. The default is
    /// the client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Calls a function with each change of the generation, and with the progress in between; see
    /// [`Wait::on_update`](crate::Wait::on_update). The first call has what the create
    /// returned, so that the id is known from the start.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.on_update = Some(Box::new(function));
        self
    }

    /// Shows in the submission what is known about the create, also after the future was dropped.
    pub fn submission(mut self, submission: &Submission) -> Self {
        self.submission = submission.clone();
        self
    }

    call_options!();
}

impl IntoFuture for Generate {
    type Output = Result<Generation, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, request, deadline, on_update, submission, options } = self;
        let base_url = &client.inner.config.base_url;
        let call = OpenSpan::creating("generate_content", base_url, &request.model);
        let span = call.span();
        let generate = async move {
            let guard = submission.guard(&client.inner.log);
            let client = client.with_options(&options)?;
            drop(options);
            // The request is dropped before the wait begins: it may hold a video of 20 MB.
            let (created, _) = {
                let request = request;
                Box::pin(client.inner.create(&request, &submission)).await?
            };
            spans::record_id(&span, Some(&created.generation.id));
            let id = GenerationId::parse(created.generation.id.as_str())
                .map_err(Error::after_a_create)?;
            let end = until_the_end(client, id, Some(created), deadline, on_update, span).await;
            guard.end();
            end.map_err(Error::after_a_create)
        };
        call.around(generate).boxed()
    }
}

impl fmt::Debug for Generate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generate").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
