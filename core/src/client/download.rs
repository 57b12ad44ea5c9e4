//! Downloads of videos to files.

mod target;

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::{Instrument, debug, debug_span, info};
use url::Url;

use self::target::{Target, Writer};
use super::transport::{HttpRequest, HttpResponse, TransportError};
use super::{Client, clock, closing};
use crate::error::{Delivery, Error, ErrorKind, printable, printable_status};
use crate::model::{Generation, Status};
use crate::retry;
use crate::wire::{self, RangeOutcome};

/// What to download: a generation or its id.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DownloadSource {
    /// A generation. It is retrieved again unless this snapshot has ended.
    Generation(Box<Generation>),
    /// The id of a generation.
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

/// The progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of bytes that are stored.
    pub downloaded: u64,
    /// The number of bytes of the whole file, if the host reports it.
    pub total: Option<u64>,
}

type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// A download of a generation's video: await it for the path of the file, or set its options first.
///
/// Made by [`download`](crate::Responses::download). The video is written to `PATH.part`, with the
/// information to resume in `PATH.part.json`, and moved to `PATH` when it is complete, so that there
/// is never an incomplete video at `PATH`. If the download fails or the future is dropped, the next
/// download to the same path resumes where it stopped, provided that the host still has the same
/// file. If the URL has expired, the generation is retrieved once for a fresh one. The key is never
/// sent to the video's host.
///
/// # Errors
/// [`ErrorKind::Download`] if the video cannot be received or written; the bytes received so far are
/// kept. [`ErrorKind::InvalidRequest`] if the path cannot be a file,
/// [`ErrorKind::GenerationFailed`] if the generation failed, and the errors of
/// [`retrieve`](crate::Responses::retrieve).
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
        let inner = client.inner.clone();
        let download = async move {
            let target = Target::new(path)?;
            let generation = client.completed(source).await?;
            let span = debug_span!("download", id = generation.id);
            let url = video_url(&generation)?;
            let writer = target.open(&generation.id).await?;
            let transfer = Transfer { client, id: generation.id, url, writer, on_progress };
            transfer.run().instrument(span).await
        };
        async move { inner.until_closed(closing::download_ended, download).await }.boxed()
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Client {
    /// The generation to download from.
    ///
    /// # Errors
    /// [`ErrorKind::GenerationFailed`] or [`ErrorKind::Download`] if it has not completed.
    async fn completed(&self, source: DownloadSource) -> Result<Generation, Error> {
        let generation = match source {
            // A snapshot that has ended has its URL, which spares a request.
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
                    "generation {} has not completed: its status is {}. Wait for it first.",
                    printable(&generation.id),
                    printable_status(&generation)
                ),
            )
            .with_generation_id(&generation.id)),
        }
    }
}

fn video_url(generation: &Generation) -> Result<Url, Error> {
    let invalid = |what: &str| {
        let message =
            format!("generation {} {what}. Retrieve it again.", printable(&generation.id));
        Err(Error::new(ErrorKind::Download, message).with_generation_id(&generation.id))
    };
    let Some(url) = &generation.output_video_url else { return invalid("has no video URL") };
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(parsed),
        _ => invalid("has a video URL that is not http or https"),
    }
}

/// A download in progress.
struct Transfer {
    client: Client,
    id: String,
    url: Url,
    writer: Writer,
    on_progress: Option<OnProgress>,
}

/// The outcome of one request to the video's host.
enum Fetched {
    /// The whole video is stored.
    Complete,
    /// The URL has expired; a fresh one may work.
    Expired(Error),
    /// The transfer failed, and another request may resume it.
    Interrupted(Error),
}

impl Transfer {
    async fn run(mut self) -> Result<PathBuf, Error> {
        let mut refreshed = false;
        let (mut attempts, mut failures) = (0, 0);
        let mut furthest = self.writer.stored();
        while !self.writer.is_complete() {
            attempts += 1;
            match self.fetch().await.map_err(|error| self.identify(error, attempts))? {
                Fetched::Complete => break,
                // Once: a host that calls a fresh URL expired would be requested endlessly.
                Fetched::Expired(_) if !refreshed => {
                    debug!("the video's URL has expired");
                    refreshed = true;
                    let generation = self.client.responses().retrieve(&self.id).await?;
                    self.url = video_url(&generation)?;
                }
                Fetched::Expired(error) => return Err(self.identify(error, attempts)),
                Fetched::Interrupted(error) => {
                    // Only failures without progress count: a long download over a poor connection
                    // is interrupted often. Bytes that are received again after a restart are not
                    // progress, or a host that changes the file each time would be requested endlessly.
                    let stored = self.writer.stored();
                    failures = if stored > furthest { 1 } else { failures + 1 };
                    furthest = furthest.max(stored);
                    let retry_after = error.retry_after().unwrap_or_default();
                    if failures > self.client.inner.config.max_retries
                        || retry_after > retry::MAX_RETRY_AFTER
                    {
                        return Err(self.identify(error, attempts));
                    }
                    info!(stored, "the download was interrupted");
                    clock::sleep(retry_after + retry::backoff(failures, clock::entropy())).await;
                }
            }
        }
        let Self { writer, id, .. } = self;
        writer.finish().await.map_err(|error| error.with_generation_id(&id))
    }

    fn identify(&self, error: Error, attempts: u32) -> Error {
        error.with_generation_id(&self.id).with_attempts(attempts)
    }

    /// Requests what is missing and stores what arrives.
    ///
    /// # Errors
    /// Failures that another request would not change: the disk, or a host that does not serve the
    /// file.
    async fn fetch(&mut self) -> Result<Fetched, Error> {
        let timeout = self.client.inner.config.request_timeout;
        let request = self.request();
        let response = match clock::within(timeout, self.client.inner.transport.send(request)).await
        {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Ok(Fetched::Interrupted(disconnected(error))),
            None => return Ok(Fetched::Interrupted(stalled())),
        };
        let (status, headers) = (response.status, &response.headers);
        let part = self.writer.part();
        match wire::range_outcome(status, headers, part, self.writer.stored()) {
            RangeOutcome::From { start, part, to_end } => {
                self.writer.begin(start, part).await?;
                self.store(response, to_end).await
            }
            RangeOutcome::Complete => Ok(Fetched::Complete),
            RangeOutcome::Restart => {
                self.writer.restart().await?;
                let what = "the video has changed since a part of it was received";
                Ok(Fetched::Interrupted(unusable(what, status)))
            }
            RangeOutcome::Expired => {
                Ok(Fetched::Expired(unusable("the URL of the video has expired", status)))
            }
            RangeOutcome::Transient => {
                let pause = crate::error::retry_after(headers, None, clock::wall());
                let what = if status.is_success() {
                    "the server responded with something other than a video"
                } else {
                    "the server cannot send the video now"
                };
                Ok(Fetched::Interrupted(unusable(what, status).with_retry_after(pause)))
            }
            RangeOutcome::Permanent => Err(unusable("the server does not send the video", status)),
        }
    }

    /// The request for what is missing. It carries neither the key nor the caller's headers, which
    /// are meant for the API and not for the video's host.
    fn request(&self) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(agent) = self.client.inner.headers.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        // Ranges are counted in the bytes of the file, not of a compressed form.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(wire::range_headers(self.writer.part(), self.writer.stored()));
        HttpRequest { method: Method::GET, url: self.url.clone(), headers, body: None }
    }

    /// Stores the body of a response. `to_end` says whether it reaches the end of the file.
    async fn store(&mut self, mut response: HttpResponse, to_end: bool) -> Result<Fetched, Error> {
        let status = response.status;
        let timeout = self.client.inner.config.request_timeout;
        loop {
            // Each chunk has the whole timeout: it bounds silence, not the length of the download.
            match clock::within(timeout, response.body.next()).await {
                Some(Some(Ok(chunk))) => {
                    self.writer.write(&chunk).await?;
                    if let Some(on_progress) = &mut self.on_progress {
                        on_progress(self.writer.progress());
                    }
                }
                Some(Some(Err(error))) => {
                    self.writer.flush().await?;
                    return Ok(Fetched::Interrupted(disconnected(error)));
                }
                Some(None) => break,
                None => {
                    self.writer.flush().await?;
                    return Ok(Fetched::Interrupted(stalled()));
                }
            }
        }
        self.writer.flush().await?;
        let what = match self.writer.part().length {
            Some(length) if length != self.writer.stored() => {
                "the server sent more or less of the video than it announced"
            }
            None if self.writer.stored() == 0 => "the server sent an empty video",
            None if !to_end => "the server sent part of the video without saying how long it is",
            _ => return Ok(Fetched::Complete),
        };
        Ok(Fetched::Interrupted(unusable(what, status)))
    }
}

const KEPT: &str = "The bytes received so far are kept, and the next attempt resumes from them.";

fn disconnected(cause: TransportError) -> Error {
    Error::new(ErrorKind::Download, format!("the download failed: {cause}."))
        .with_advice(KEPT)
        .with_delivery(cause.delivery)
        .with_source(Error::from(cause))
}

fn stalled() -> Error {
    let statement = "the download failed: the server sent nothing for the request timeout.";
    Error::new(ErrorKind::Download, statement).with_advice(KEPT).with_delivery(Delivery::Unknown)
}

fn unusable(what: &str, status: StatusCode) -> Error {
    Error::new(ErrorKind::Download, format!("{what} (HTTP {}).", status.as_u16()))
        .with_advice(
            "The bytes received so far are kept; retrieve the generation for a fresh URL and \
             download it again.",
        )
        .with_status(status.as_u16())
}
