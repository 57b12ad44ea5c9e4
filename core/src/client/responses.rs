//! Operations on generations.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Client;
use super::download::{Download, DownloadSource};
use super::lock::lock;
use super::submission::Submission;
use super::wait::{Wait, Watch};
use crate::error::{Error, ErrorKind};
use crate::model::{AccountUsage, Generation, GenerationId, GenerationRequest, RecentRequest};
use crate::wire;

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
    pub async fn create(self, request: GenerationRequest) -> Result<Generation, Error> {
        self.create_with(request, &Submission::new()).await
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
    pub async fn create_with(
        self,
        request: GenerationRequest,
        submission: &Submission,
    ) -> Result<Generation, Error> {
        let guard = submission.guard();
        let created = self.client.inner.create(&request, submission).await?;
        guard.end();
        Ok(Arc::unwrap_or_clone(created.generation))
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
    pub async fn retrieve(self, id: impl AsRef<str>) -> Result<Generation, Error> {
        let id = GenerationId::parse(id.as_ref())?;
        self.client.inner.retrieve(&id).await
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

    /// Lists the generations that an uncertain create may have made, nearest in time first.
    ///
    /// These are the account's recent requests that have the same model, were created since the
    /// create was sent, and were not created by another call of this process. The caller decides
    /// which of them is the lost one. If there is none, wait a little and call it again before you
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
    pub async fn reconcile(self, uncertain: &Error) -> Result<Vec<RecentRequest>, Error> {
        let (Some(model), Some(sent_at)) = (uncertain.model(), uncertain.sent_at()) else {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "reconcile takes the error of an uncertain create (submission_uncertain). Pass the \
                 error that create returned.",
            ));
        };
        self.reconcile_since(model, sent_at).await
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
    pub async fn reconcile_since(
        self,
        model: &str,
        sent_at: SystemTime,
    ) -> Result<Vec<RecentRequest>, Error> {
        let usage: AccountUsage = self.client.inner.read(&wire::usage()).await?;
        // A response of another shape parses as an empty list, which would mean that nothing was made.
        let listed = usage.raw["recent_requests"].as_array().map(Vec::len);
        if listed != Some(usage.recent_requests.len()) {
            return Err(Error::new(
                ErrorKind::Decode,
                "the usage of the account does not list its recent requests as the API documents, so \
                 what the create has made is unknown. Check the dashboard before you create again.",
            ));
        }
        let created = lock(&self.client.inner.state.created);
        let known = |id: &str| created.get(id).is_some();
        Ok(candidates(usage, model, sent_at, known))
    }
}

/// The clocks of the service and of this machine may differ by this much, and the service may round
/// its times down to seconds.
const SKEW: Duration = Duration::from_secs(2);

fn candidates(
    usage: AccountUsage,
    model: &str,
    sent_at: SystemTime,
    known: impl Fn(&str) -> bool,
) -> Vec<RecentRequest> {
    let mut found = usage.recent_requests;
    found.retain(|request| {
        let same_model = request.model_name.as_deref().is_none_or(|name| name == model);
        // What is unknown about a request must not rule it out.
        let since = request.created_at.is_none_or(|at| at + SKEW >= sent_at);
        same_model && since && !known(&request.id)
    });
    found.sort_by_key(|request| {
        request.created_at.map(|at| match at.duration_since(sent_at) {
            Ok(after) => after,
            Err(before) => before.duration(),
        })
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn candidates_are_the_requests_that_could_be_the_lost_one() {
        let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let request = |id: &str, model: &str, ms: i64| json!({"id": id, "model_name": model, "created_at": 1_000_000_000 + ms});
        let usage = AccountUsage::from(json!({"recent_requests": [
            request("later", "m", 60_000),
            request("lost", "m", 40),
            request("known", "m", 30),
            request("other_model", "x", 40),
            request("earlier", "m", -30_000),
            request("rounded_down", "m", -999),
        ]}));
        let found = candidates(usage, "m", sent_at, |id| id == "known");
        let ids: Vec<_> = found.iter().map(|request| request.id.as_str()).collect();
        assert_eq!(ids, ["lost", "rounded_down", "later"]);
    }
}
