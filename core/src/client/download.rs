//! From a finished generation to a file.

mod target;

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use tracing::{Instrument, debug, debug_span, info};
use url::Url;

use self::target::{Target, Writer};
use super::transport::{HttpRequest, HttpResponse};
use super::{Client, clock};
use crate::error::{Delivery, Error, ErrorKind, printable, printable_status};
use crate::model::{Generation, Status};
use crate::retry;
use crate::wire::{self, RangeOutcome};

/// What to download: a generation, or its id.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DownloadSource {
    /// A generation; it is fetched again if it had not completed when it was last seen.
    Generation(Box<Generation>),
    /// An id.
    Id(String),
}

impl From<Generation> for DownloadSource {
    fn from(generation: Generation) -> Self {
        Self::Generation(Box::new(generation))
    }
}

impl From<&Generation> for DownloadSource {
    fn from(generation: &Generation) -> Self {
        generation.clone().into()
    }
}

impl From<String> for DownloadSource {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl From<&String> for DownloadSource {
    fn from(id: &String) -> Self {
        Self::Id(id.clone())
    }
}

impl From<&str> for DownloadSource {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes on the disk.
    pub downloaded: u64,
    /// Bytes of the whole file, if the host has told.
    pub total: Option<u64>,
}

type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// A download of a generation's video: await it for the file's path, or set its options first.
///
/// Made by [`download`](crate::Responses::download). The video goes to `PATH.part`, with what is
/// needed to go on in `PATH.part.json`, and is moved into place when it is whole: under its own
/// name there is never half a video. A download that broke off, or was dropped, goes on where it
/// stopped the next time, if the host still has the same file. A URL that has expired is fetched
/// anew once. The key never goes to the video's host.
///
/// # Errors
/// [`ErrorKind::Download`] if the file could not be had or written; what has arrived stays.
/// [`ErrorKind::InvalidRequest`] for a path that is a directory, [`ErrorKind::GenerationFailed`]
/// if there is no video, and those of [`retrieve`](crate::Responses::retrieve).
#[must_use = "a download does nothing unless it is awaited"]
pub struct Download {
    client: Client,
    source: DownloadSource,
    path: PathBuf,
    on_progress: Option<OnProgress>,
}

impl Download {
    pub(super) fn new(client: Client, source: DownloadSource, path: PathBuf) -> Self {
        Self { client, source, path, on_progress: None }
    }

    /// Calls a function each time that bytes have arrived.
    pub fn on_progress(mut self, function: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(function));
        self
    }
}

impl IntoFuture for Download {
    type Output = Result<PathBuf, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, source, path, on_progress } = self;
        async move {
            let target = Target::new(path)?;
            let generation = client.completed(source).await?;
            let span = debug_span!("download", id = generation.id);
            let url = video_url(&generation)?;
            let writer = target.open(&generation.id).await?;
            let transfer = Transfer { client, id: generation.id, url, writer, on_progress };
            transfer.run().instrument(span).await
        }
        .boxed()
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Client {
    /// The generation, which has completed.
    async fn completed(&self, source: DownloadSource) -> Result<Generation, Error> {
        let generation = match source {
            DownloadSource::Generation(generation) if generation.is_final() => *generation,
            DownloadSource::Generation(generation) => {
                self.responses().retrieve(&generation.id).await?
            }
            DownloadSource::Id(id) => self.responses().retrieve(&id).await?,
        };
        match generation.status {
            Status::Completed => Ok(generation),
            Status::Failed => Err(Error::failed(generation.into())),
            _ => Err(Error::new(
                ErrorKind::Download,
                format!(
                    "generation {} has not completed; it is {}. Wait for it first.",
                    printable(&generation.id),
                    printable_status(&generation)
                ),
            )
            .with_generation_id(&generation.id)),
        }
    }
}

fn video_url(generation: &Generation) -> Result<Url, Error> {
    let refuse = |what: &str| {
        let message =
            format!("generation {} {what}. Retrieve it again.", printable(&generation.id));
        Err(Error::new(ErrorKind::Download, message).with_generation_id(&generation.id))
    };
    let Some(url) = &generation.output_video_url else { return refuse("has no video URL") };
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(parsed),
        _ => refuse("has a video URL that is not http or https"),
    }
}

/// A download under way.
struct Transfer {
    client: Client,
    id: String,
    url: Url,
    writer: Writer,
    on_progress: Option<OnProgress>,
}

/// How one request to the video's host ended.
enum Fetched {
    Whole,
    /// The URL has expired.
    Expired(Error),
    /// It broke, and may go on.
    Broken(Error),
}

impl Transfer {
    async fn run(mut self) -> Result<PathBuf, Error> {
        let mut refreshed = false;
        let (mut attempts, mut failures) = (0, 0);
        let mut furthest = self.writer.stored();
        while !self.writer.is_whole() {
            attempts += 1;
            match self.fetch().await.map_err(|error| self.named(error, attempts))? {
                Fetched::Whole => break,
                Fetched::Expired(_) if !refreshed => {
                    debug!("the video's URL has expired");
                    refreshed = true;
                    let generation = self.client.responses().retrieve(&self.id).await?;
                    self.url = video_url(&generation)?;
                }
                Fetched::Expired(error) => return Err(self.named(error, attempts)),
                Fetched::Broken(error) => {
                    // Progress earns new patience: a long download may break often. What was stored
                    // before and begun anew is no progress.
                    let stored = self.writer.stored();
                    failures = if stored > furthest { 1 } else { failures + 1 };
                    furthest = furthest.max(stored);
                    let asked = error.retry_after().unwrap_or_default();
                    if failures > self.client.inner.config.max_retries
                        || asked > retry::MAX_RETRY_AFTER
                    {
                        return Err(self.named(error, attempts));
                    }
                    info!(stored, "the download broke off");
                    clock::sleep(asked + retry::backoff(failures, clock::entropy())).await;
                }
            }
        }
        let Self { writer, id, .. } = self;
        writer.finish().await.map_err(|error| error.with_generation_id(&id))
    }

    fn named(&self, error: Error, attempts: u32) -> Error {
        error.with_generation_id(&self.id).with_attempts(attempts)
    }

    /// Asks the host for what is missing, and stores what comes.
    ///
    /// # Errors
    /// What another try would not mend: the disk, or a host that refuses.
    async fn fetch(&mut self) -> Result<Fetched, Error> {
        let timeout = self.client.inner.config.request_timeout;
        let request = self.request();
        let response = match clock::within(timeout, self.client.inner.transport.send(request)).await
        {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                return Ok(Fetched::Broken(could_not("could not be had", error.into())));
            }
            None => return Ok(Fetched::Broken(stalled())),
        };
        let (status, headers) = (response.status, &response.headers);
        let part = self.writer.part();
        match wire::range_outcome(status, headers, part, self.writer.stored()) {
            RangeOutcome::From { start, part, to_end } => {
                self.writer.begin(start, part).await?;
                self.store(response, to_end).await
            }
            RangeOutcome::Complete => Ok(Fetched::Whole),
            RangeOutcome::Restart => {
                self.writer.restart().await?;
                Ok(Fetched::Broken(refused("does not fit what was stored before", status.as_u16())))
            }
            RangeOutcome::Expired => {
                Ok(Fetched::Expired(refused("is not served any more", status.as_u16())))
            }
            RangeOutcome::Transient => {
                let pause = crate::error::retry_after(headers, None, clock::wall());
                let what = match status.is_success() {
                    true => "came as something that is no video",
                    false => "is not served just now",
                };
                let error = refused(what, status.as_u16());
                Ok(Fetched::Broken(error.with_retry_after(pause)))
            }
            RangeOutcome::Permanent => Err(refused("is not served", status.as_u16())),
        }
    }

    /// The key, and the headers that are meant for the API, never go to the video's host.
    fn request(&self) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(agent) = self.client.inner.headers.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(wire::range_headers(self.writer.part(), self.writer.stored()));
        HttpRequest { method: Method::GET, url: self.url.clone(), headers, body: None }
    }

    async fn store(&mut self, mut response: HttpResponse, to_end: bool) -> Result<Fetched, Error> {
        let status = response.status.as_u16();
        let timeout = self.client.inner.config.request_timeout;
        loop {
            match clock::within(timeout, response.body.next()).await {
                Some(Some(Ok(chunk))) => {
                    self.writer.write(&chunk).await?;
                    if let Some(on_progress) = &mut self.on_progress {
                        on_progress(self.writer.progress());
                    }
                }
                Some(Some(Err(error))) => {
                    self.writer.flush().await?;
                    return Ok(Fetched::Broken(could_not("broke off", error.into())));
                }
                Some(None) => break,
                None => {
                    self.writer.flush().await?;
                    return Ok(Fetched::Broken(stalled()));
                }
            }
        }
        self.writer.flush().await?;
        match self.writer.part().length {
            Some(length) if length != self.writer.stored() => {
                Ok(Fetched::Broken(refused("came shorter or longer than announced", status)))
            }
            None if self.writer.stored() == 0 => Ok(Fetched::Broken(refused("came empty", status))),
            None if !to_end => {
                Ok(Fetched::Broken(refused("came in a piece, of a length untold", status)))
            }
            _ => Ok(Fetched::Whole),
        }
    }
}

fn could_not(what: &str, cause: Error) -> Error {
    let message = format!("the video {what}: {cause} What has arrived stays for the next try.");
    Error::new(ErrorKind::Download, message).with_delivery(cause.delivery()).with_source(cause)
}

fn stalled() -> Error {
    let message = "the video's host was silent for the request timeout. What has arrived stays for \
                   the next try.";
    Error::new(ErrorKind::Download, message).with_delivery(Delivery::Unknown)
}

fn refused(what: &str, status: u16) -> Error {
    let message = format!(
        "the video {what} (HTTP {status}). What has arrived stays for the next try; retrieve the \
         generation for a fresh URL."
    );
    Error::new(ErrorKind::Download, message).with_status(status)
}
