//! The requests of a download, and what follows from their responses.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::writer::Writer;
use super::{OnProgress, refused, video_url};
use crate::client::events::{Log, Subject};
use crate::client::transport::{HttpRequest, HttpResponse, TransportError};
use crate::client::upload::Upload;
use crate::client::{Client, clock};
use crate::error::{Delivery, Error, ErrorKind, printable};
use crate::retry;
use crate::wire::{self, Content, Format, RangeOutcome, VideoHosts};

/// A download in progress.
pub(super) struct Transfer {
    pub(super) client: Client,
    pub(super) id: String,
    pub(super) url: Url,
    pub(super) format: Format,
    pub(super) writer: Writer,
    pub(super) max_bytes: u64,
    pub(super) on_progress: Option<OnProgress>,
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
    pub(super) async fn run(mut self) -> Result<PathBuf, Error> {
        let began = clock::now();
        self.log().download_begun(&self.id, self.writer.stored());
        let received = self.receive().await;
        let (log, bytes) = (self.log().clone(), self.writer.stored());
        let Self { writer, id, .. } = self;
        let ended = match received {
            Ok(()) => writer.finish().await.map_err(|error| error.with_generation_id(&id)),
            Err(error) => Err(error),
        };
        log.download_ended(&id, &ended, bytes, clock::now().saturating_sub(began));
        ended
    }

    fn log(&self) -> &Log {
        &self.client.inner.log
    }

    /// Requests the video until all of it is stored.
    async fn receive(&mut self) -> Result<(), Error> {
        let mut refreshed = false;
        let (mut attempts, mut failures) = (0, 0);
        let mut furthest = self.writer.stored();
        loop {
            attempts += 1;
            match self.fetch(attempts).await.map_err(|error| self.identify(error, attempts))? {
                Fetched::Complete => return Ok(()),
                // Once: a host that calls a fresh URL expired would be requested endlessly.
                Fetched::Expired(_) if !refreshed => {
                    refreshed = true;
                    let generation = self.client.responses().retrieve(&self.id).await?;
                    self.url = video_url(&generation, self.client.inner.config.video_hosts)?;
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
                    let pause = retry_after + retry::backoff(failures, clock::entropy());
                    self.log().download_interrupted(&self.id, stored, &error, pause);
                    clock::sleep(pause).await;
                }
            }
        }
    }

    fn identify(&self, error: Error, attempts: u32) -> Error {
        error.with_generation_id(&self.id).with_attempts(attempts)
    }

    /// Requests what is missing and stores what arrives. If nothing is missing, the end of the file
    /// is requested, to compare it.
    ///
    /// # Errors
    /// Failures that another request would not change: the disk, or a host that does not serve the
    /// file.
    async fn fetch(&mut self, attempt: u32) -> Result<Fetched, Error> {
        let timeout = self.client.inner.config.request_timeout;
        let from = self.writer.resume_from();
        let request = self.request(from);
        let began = clock::now();
        let sent = clock::within(timeout, self.client.inner.transport.send(request)).await;
        let response = match sent {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) if error.is_private_host() => {
                let id = printable(&self.id);
                let what = format!("the video of generation {id} is {}", VideoHosts::PRIVATE);
                return Err(refused(&what));
            }
            Some(Err(error)) => Err(disconnected(error)),
            None => Err(self.stalled()),
        };
        let status = response.as_ref().ok().map(|response| response.status.as_u16());
        let duration = clock::now().saturating_sub(began);
        let subject = Subject::of_video(&self.id, attempt);
        self.log().request(&subject, status, response.as_ref(), duration, || None);
        let response = match response {
            Ok(response) => response,
            Err(error) => return Ok(Fetched::Interrupted(error)),
        };
        let (status, headers) = (response.status, &response.headers);
        match wire::range_outcome(status, headers, self.writer.part(), from, self.format) {
            RangeOutcome::From { end, part, .. }
                if end.max(part.length).is_some_and(|bytes| bytes > self.max_bytes) =>
            {
                Err(self.too_large())
            }
            RangeOutcome::From { start, .. } if start > 0 && start < self.writer.stored() => {
                self.compare(response, start).await
            }
            RangeOutcome::From { start, end, part, to_end } => {
                self.writer.begin(start, part).await?;
                self.store(response, end, to_end).await
            }
            RangeOutcome::Complete => Ok(Fetched::Complete),
            RangeOutcome::Restart => self.restart(status).await,
            RangeOutcome::Expired => {
                Ok(Fetched::Expired(self.unusable("the URL of the video has expired", status)))
            }
            RangeOutcome::Transient => {
                let pause = crate::error::retry_after(headers, None, clock::wall());
                let what = if status.is_success() {
                    OTHER
                } else {
                    "the server cannot send the video now"
                };
                Ok(Fetched::Interrupted(self.unusable(what, status).with_retry_after(pause)))
            }
            // The transport follows those that are allowed.
            RangeOutcome::Permanent if status.is_redirection() => {
                let what = "the server redirects the video without an address that is allowed";
                Err(refused(&format!("{what} (HTTP {})", status.as_u16()))
                    .with_status(status.as_u16()))
            }
            RangeOutcome::Permanent => {
                Err(self.unusable("the server does not send the video", status))
            }
        }
    }

    /// The request for the file from this byte on. It carries neither the key nor the caller's
    /// headers, which are meant for the API and not for the video's host.
    fn request(&self, from: u64) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(agent) = self.client.inner.headers.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        // Ranges are counted in the bytes of the file, not of a compressed form.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(wire::range_headers(self.writer.part(), from));
        HttpRequest {
            method: Method::GET,
            url: self.url.clone(),
            headers,
            body: Upload::new(Bytes::new()),
            hosts: self.client.inner.config.video_hosts,
        }
    }

    /// Stores the body of a response, which ends before the byte `end`. `to_end` says whether it
    /// reaches the end of the file.
    async fn store(
        &mut self,
        mut response: HttpResponse,
        end: Option<u64>,
        to_end: bool,
    ) -> Result<Fetched, Error> {
        let status = response.status;
        loop {
            let chunk = match self.next_chunk(&mut response).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return self.interrupted(error).await,
            };
            let room = end.unwrap_or(self.max_bytes).saturating_sub(self.writer.stored());
            let fitting =
                usize::try_from(room).map_or(&*chunk, |room| chunk.get(..room).unwrap_or(&chunk));
            self.writer.write(fitting).await?;
            if let Some(on_progress) = &mut self.on_progress {
                on_progress(self.writer.progress());
            }
            if fitting.len() < chunk.len() {
                // What was announced is kept.
                let interrupted = self.interrupted(self.unusable(MORE_OR_LESS, status)).await?;
                return if end.is_some() { Ok(interrupted) } else { Err(self.too_large()) };
            }
        }
        let what = match self.writer.part().length {
            Some(length) if length != self.writer.stored() => MORE_OR_LESS,
            None if self.writer.stored() == 0 => "the server sent an empty video",
            None if !to_end => "the server sent part of the video without saying how long it is",
            length => match self.writer.examine(self.format).await? {
                Content::Whole => return Ok(Fetched::Complete),
                // Where this is all that there is, the response to the next request says so.
                Content::Cut if length.is_none() => "the video was cut off in the middle",
                Content::Cut | Content::Other => {
                    self.writer.restart().await?;
                    OTHER
                }
            },
        };
        self.interrupted(self.unusable(what, status)).await
    }

    /// Compares the end of a part that seems complete with what the host sends.
    async fn compare(&mut self, mut response: HttpResponse, from: u64) -> Result<Fetched, Error> {
        let status = response.status;
        let stored = self.writer.tail(from).await?;
        let mut rest = &*stored;
        loop {
            match self.next_chunk(&mut response).await {
                Ok(Some(chunk)) => match rest.strip_prefix(&*chunk) {
                    Some(after) => rest = after,
                    None => return self.restart(status).await,
                },
                Ok(None) if rest.is_empty() => return Ok(Fetched::Complete),
                Ok(None) => return Ok(Fetched::Interrupted(self.unusable(MORE_OR_LESS, status))),
                Err(error) => return Ok(Fetched::Interrupted(error)),
            }
        }
    }

    /// The next bytes of a response; `None` at its end.
    async fn next_chunk(&mut self, response: &mut HttpResponse) -> Result<Option<Bytes>, Error> {
        // Each chunk has the whole timeout: it bounds silence, not the length of the download.
        let timeout = self.client.inner.config.request_timeout;
        match clock::within(timeout, response.body.next()).await {
            Some(chunk) => chunk.transpose().map_err(disconnected),
            None => Err(self.stalled()),
        }
    }

    /// The error of a host that is silent. The next attempt has another connection, since this one
    /// may be dead.
    fn stalled(&self) -> Error {
        self.client.inner.transport.retire_connections(clock::now());
        let statement = "the download failed: the server sent nothing for the request timeout.";
        let error = Error::new(ErrorKind::Download, statement);
        error.with_advice(KEPT).with_delivery(Delivery::Unknown)
    }

    /// Keeps what is stored for the next attempt.
    async fn interrupted(&mut self, error: Error) -> Result<Fetched, Error> {
        self.writer.save().await?;
        Ok(Fetched::Interrupted(error))
    }

    async fn restart(&mut self, status: StatusCode) -> Result<Fetched, Error> {
        self.writer.restart().await?;
        let what = "the video has changed since a part of it was received";
        Ok(Fetched::Interrupted(self.unusable(what, status)))
    }

    fn unusable(&self, what: &str, status: StatusCode) -> Error {
        let advice = if self.writer.stored() == 0 {
            "Retrieve the generation for a fresh URL and download it again."
        } else {
            "The bytes received so far are kept; retrieve the generation for a fresh URL and download \
             it again."
        };
        Error::new(ErrorKind::Download, format!("{what} (HTTP {}).", status.as_u16()))
            .with_advice(advice)
            .with_status(status.as_u16())
    }

    fn too_large(&self) -> Error {
        let message = format!("the video is larger than max_bytes ({}).", self.max_bytes);
        Error::new(ErrorKind::Download, message)
            .with_advice("If you expect such a video, pass a larger max_bytes.")
            .with_source(io::Error::from(io::ErrorKind::FileTooLarge))
    }
}

const KEPT: &str = "The bytes received so far are kept, and the next attempt resumes from them.";
const OTHER: &str = "the server responded with something other than a video";
const MORE_OR_LESS: &str = "the server sent more or less of the video than it announced";

fn disconnected(cause: TransportError) -> Error {
    Error::new(ErrorKind::Download, format!("the download failed: {cause}."))
        .with_advice(KEPT)
        .with_delivery(cause.delivery)
        .with_source(Error::from(cause))
}
