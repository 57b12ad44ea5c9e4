//! Operations on generations.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::download::{Download, DownloadSource, VideoStream};
use super::reconcile::reconcile_stored;
use super::spans::{self, OpenSpan};
use super::submission::Submission;
use super::wait::{Wait, Watch};
use super::{Call, Client};
use crate::error::{Error, ErrorKind};
use crate::model::{Candidates, Generation, GenerationId, GenerationRequest};

/// Operations on generations: create, retrieve, wait, watch, download, reconcile.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    pub(super) client: &'a Client,
}

impl Responses<'_> {
    /// Creates a generation and returns at once, while it is queued.
    ///
    /// The request is sent again only if the service certainly did not process it: no connection was
    /// made, or the response was 429.
    ///
    /// Not cancel safe: dropping the future after the request was sent may leave a generation
    /// behind that is billed. A warning is logged then;
    /// [`create_with`](Self::create_with) shows the program what is known.
    ///
    /// # Errors
    /// [`ErrorKind::SubmissionUncertain`] if the service may have processed the request and the
    /// response is lost: call [`reconcile`](Self::reconcile) before you create another.
    /// [`ErrorKind::InvalidRequest`] before anything is sent. Otherwise the kind that the response
    /// has: `bad_request`, `insufficient_credits`, `authentication`, `rate_limited` and so on.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use pipevideo::GenerationRequest;
    ///
    /// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    /// let generation = client.responses().create(request).await?;
    /// println!("{} is {}", generation.id, generation.status);
    /// # Ok(())
    /// # }
    /// ```
    pub fn create(self, request: GenerationRequest) -> Call<Generation> {
        self.create_with(request, &Submission::new())
    }

    /// Creates a generation as [`create`](Self::create) does, and shows in the submission what is
    /// known about it, also after the future was dropped. See [`Submission`].
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use pipevideo::{GenerationRequest, Submission};
    /// use std::time::Duration;
    ///
    /// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    /// let submission = Submission::new();
    /// let create = client.responses().create_with(request, &submission);
    /// match tokio::time::timeout(Duration::from_secs(3), create).await {
    ///     Ok(generation) => println!("{}", generation?.id),
    ///     // Perhaps it was sent: this is the error that says so, for `reconcile`.
    ///     Err(_) => println!("{:?}", submission.uncertain()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_with(
        self,
        request: GenerationRequest,
        submission: &Submission,
    ) -> Call<Generation> {
        let submission = submission.clone();
        Call::answered(self.client, move |client| {
            let call = OpenSpan::creating("create", &client.inner.config.base_url, &request.model);
            let span = call.span();
            call.around(async move {
                let guard = submission.guard(&client.inner.log);
                let (created, response) = client.inner.create(&request, &submission).await?;
                guard.end();
                spans::record_id(&span, Some(&created.generation.id));
                spans::record_generation(&span, &created.generation);
                Ok((Arc::unwrap_or_clone(created.generation), response))
            })
        })
    }

    /// Retrieves the current state of a generation.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the key's organization has no such generation; otherwise the
    /// errors of any call.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let generation = client.responses().retrieve("gen_abc123xyz").await?;
    /// println!("{}", generation.status);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retrieve(self, id: impl AsRef<str>) -> Call<Generation> {
        let id = GenerationId::parse(id.as_ref());
        Call::answered(self.client, async |client| client.inner.retrieve(&id?).await)
    }

    /// Waits until a generation has completed.
    ///
    /// Waits for the same id share their polls, and all waits share the rate limit of their key. A
    /// transient failure (no connection, a timeout, 429, 5xx, an unreadable response, a token function
    /// that fails) never ends a wait. Dropping the future ends the wait, never the generation.
    ///
    /// # Errors
    /// [`ErrorKind::GenerationFailed`] if the generation failed, [`ErrorKind::WaitTimeout`] at the
    /// deadline, [`ErrorKind::Connection`] if the client is [closed](Client::close),
    /// `authentication` or `permission_denied` if the key is refused, and `not_found` if two polls in a
    /// row found no such generation.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use std::time::Duration;
    ///
    /// let wait = client.responses().wait("gen_abc123xyz").deadline(Duration::from_secs(600));
    /// let generation = wait.await?;
    /// println!("{:?}", generation.output_video_url);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait(&self, id: impl Into<String>) -> Wait {
        Wait::new(self.client.clone(), id.into())
    }

    /// Watches the changes of a generation until it ends. See [`Watch`].
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use futures_util::TryStreamExt;
    ///
    /// let mut updates = client.responses().watch("gen_abc123xyz");
    /// while let Some(update) = updates.try_next().await? {
    ///     println!("{} after {:?}", update.generation.status, update.elapsed);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self, id: impl Into<String>) -> Watch {
        Watch::new(self.client.clone(), id.into())
    }

    /// Downloads the video of a generation to a file. See [`Download`].
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let path = client.responses().download("gen_abc123xyz", "cat.mp4").await?;
    /// println!("{}", path.display());
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(
        &self,
        generation: impl Into<DownloadSource>,
        path: impl Into<PathBuf>,
    ) -> Download {
        Download::new(self.client.clone(), generation.into(), path.into())
    }

    /// Streams the bytes of a generation's video as they arrive. See [`VideoStream`].
    pub fn stream(&self, generation: impl Into<DownloadSource>) -> VideoStream {
        VideoStream::new(self.client.clone(), generation.into())
    }

    /// Lists the generations that an uncertain create may have made, the most likely one first.
    ///
    /// These are the account's recent requests, less those that are certainly others: what another
    /// create of this process has returned, and what was created clearly before, by the service's
    /// clock. Another name of the model or an unknown time moves a candidate back and is listed with
    /// it. An id in the error's [`generation_id`](Error::generation_id) comes first. The caller
    /// decides which of them is the lost one. If there is none, and the list
    /// [covers](Candidates::covers_create) the create, wait a little and call it again before you
    /// create another.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the error is not of kind
    /// [`SubmissionUncertain`](ErrorKind::SubmissionUncertain); otherwise the errors of any call.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client, request: pipevideo::GenerationRequest)
    /// # -> pipevideo::Result<()> {
    /// use pipevideo::ErrorKind;
    ///
    /// match client.responses().create(request).await {
    ///     Err(error) if error.kind() == ErrorKind::SubmissionUncertain => {
    ///         for candidate in client.responses().reconcile(&error).await? {
    ///             println!("perhaps {}", candidate.id);
    ///         }
    ///     }
    ///     other => drop(other?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconcile(self, uncertain: &Error) -> Call<Candidates> {
        let uncertain = uncertain.clone();
        Call::new(self.client, async move |client| {
            let (Some(model), Some(sent_at)) = (uncertain.model(), uncertain.sent_at()) else {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "reconcile takes the error of an uncertain create (submission_uncertain). Pass the \
                     error that create returned.",
                ));
            };
            reconcile_stored(&client, model, sent_at, uncertain.generation_id()).await
        })
    }

    /// Lists what an uncertain create may have made, from the [`model`](Error::model) and the
    /// [`sent_at`](Error::sent_at) of its error. For programs that store these two and continue in
    /// another process; otherwise as [`reconcile`](Self::reconcile).
    ///
    /// # Errors
    /// The errors of any call.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client, sent_at: std::time::SystemTime)
    /// # -> pipevideo::Result<()> {
    /// let found = client.responses().reconcile_since("moonshotai/kimi-k2.5", sent_at).await?;
    /// println!("{} candidates", found.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconcile_since(self, model: &str, sent_at: SystemTime) -> Call<Candidates> {
        let model = model.to_owned();
        Call::new(self.client, async move |client| {
            reconcile_stored(&client, &model, sent_at, None).await
        })
    }
}
