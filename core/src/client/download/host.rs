//! The requests of a download to the video's host, and when they are repeated.

use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{DownloadSource, refused, video_url};
use crate::client::events::{Log, Subject};
use crate::client::transport::{HttpRequest, HttpResponse, TransportError};
use crate::client::upload::Upload;
use crate::client::{Client, clock};
use crate::error::{Delivery, Error, ErrorKind, printable};
use crate::retry;
use crate::wire::{self, Format, Part, RangeOutcome, VideoHosts};

/// Where what was received is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Destination {
    /// In a file, which the next download resumes.
    File,
    /// In the hands of the caller.
    Caller,
}

/// The host of a video, and how many requests to it have failed.
pub(super) struct Host {
    client: Client,
    pub(super) id: String,
    url: Url,
    pub(super) format: Format,
    pub(super) max_bytes: u64,
    destination: Destination,
    /// Whether the URL has expired once.
    expired: bool,
    attempts: u32,
    /// The failures since there was progress.
    failures: u32,
    /// The most bytes that were received before any failure.
    furthest: u64,
}

/// What the host has responded.
pub(super) enum Reply {
    /// The content from this byte on, of the file that `part` describes; see [`RangeOutcome::From`].
    Body { response: Box<HttpResponse>, start: u64, end: Option<u64>, part: Part, to_end: bool },
    /// There is nothing after the byte that was requested.
    Complete,
    /// What was received is not of the file that the host has now.
    Changed(StatusCode),
    /// The URL has expired, and a fresh one may work.
    Expired,
    /// It failed, and another request may succeed.
    Interrupted(Error),
}

impl Host {
    pub(super) async fn of(
        client: Client,
        source: DownloadSource,
        max_bytes: u64,
        destination: Destination,
    ) -> Result<Self, Error> {
        let generation = client.completed(source).await?;
        let url = video_url(&generation, client.inner.config.video_hosts)?;
        let format = Format::of(generation.engine.as_deref());
        Ok(Self {
            client,
            id: generation.id,
            url,
            format,
            max_bytes,
            destination,
            expired: false,
            attempts: 0,
            failures: 0,
            furthest: 0,
        })
    }

    pub(super) fn log(&self) -> &Log {
        &self.client.inner.log
    }

    /// Requests the file of `part` from this byte on.
    ///
    /// # Errors
    /// Failures that another request would not change.
    pub(super) async fn request(&mut self, part: &Part, from: u64) -> Result<Reply, Error> {
        self.attempts = self.attempts.saturating_add(1);
        let timeout = self.client.inner.config.request_timeout;
        let began = clock::now();
        let sent = self.client.inner.transport.send(self.http_request(part, from));
        let response = match clock::within(timeout, sent).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) if error.is_private_host() => {
                let id = printable(&self.id);
                let what = format!("the video of generation {id} is {}", VideoHosts::PRIVATE);
                return Err(refused(&what));
            }
            Some(Err(error)) => Err(self.disconnected(error)),
            None => Err(self.stalled()),
        };
        let status = response.as_ref().ok().map(|response| response.status.as_u16());
        let duration = clock::now().saturating_sub(began);
        let subject = Subject::of_video(&self.id, self.attempts);
        self.log().request(&subject, status, response.as_ref(), duration, || None);
        match response {
            Ok(response) => self.read(response, part, from),
            Err(error) => Ok(Reply::Interrupted(error)),
        }
    }

    /// The request for the file from this byte on. It carries neither the key nor the caller's
    /// headers, which are meant for the API and not for the video's host.
    fn http_request(&self, part: &Part, from: u64) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(agent) = self.client.inner.headers.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        // Ranges are counted in the bytes of the file, not of a compressed form.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(wire::range_headers(part, from));
        HttpRequest {
            method: Method::GET,
            url: self.url.clone(),
            headers,
            body: Upload::new(Bytes::new()),
            hosts: self.client.inner.config.video_hosts,
        }
    }

    fn read(&mut self, response: HttpResponse, part: &Part, from: u64) -> Result<Reply, Error> {
        let (status, headers) = (response.status, &response.headers);
        match wire::range_outcome(status, headers, part, from, self.format) {
            RangeOutcome::From { end, part, .. }
                if end.max(part.length).is_some_and(|bytes| bytes > self.max_bytes) =>
            {
                Err(self.too_large())
            }
            RangeOutcome::From { start, end, part, to_end } => {
                Ok(Reply::Body { response: Box::new(response), start, end, part, to_end })
            }
            RangeOutcome::Complete => Ok(Reply::Complete),
            RangeOutcome::Restart => Ok(Reply::Changed(status)),
            // Once: a host that calls a fresh URL expired would be requested endlessly.
            RangeOutcome::Expired if !self.expired => {
                self.expired = true;
                Ok(Reply::Expired)
            }
            RangeOutcome::Expired => {
                Err(self.unusable("the URL of the video has expired", status, from))
            }
            RangeOutcome::Transient => {
                let pause = crate::error::retry_after(headers, None, clock::wall());
                let what = if status.is_success() {
                    OTHER
                } else {
                    "the server cannot send the video now"
                };
                let error = self.unusable(what, status, from).with_retry_after(pause);
                Ok(Reply::Interrupted(error))
            }
            // The transport follows those that are allowed.
            RangeOutcome::Permanent if status.is_redirection() => {
                let what = "the server redirects the video without an address that is allowed";
                Err(refused(&format!("{what} (HTTP {})", status.as_u16()))
                    .with_status(status.as_u16()))
            }
            RangeOutcome::Permanent => {
                Err(self.unusable("the server does not send the video", status, from))
            }
        }
    }

    /// Retrieves the generation for a fresh URL.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        let generation = self.client.responses().retrieve(&self.id).await?;
        self.url = video_url(&generation, self.client.inner.config.video_hosts)?;
        Ok(())
    }

    /// The next bytes of a response; `None` at its end.
    pub(super) async fn next_chunk(
        &self,
        response: &mut HttpResponse,
    ) -> Result<Option<Bytes>, Error> {
        // Each chunk has the whole timeout: it bounds silence, not the length of the download.
        let timeout = self.client.inner.config.request_timeout;
        match clock::within(timeout, response.body.next()).await {
            Some(chunk) => chunk.transpose().map_err(|error| self.disconnected(error)),
            None => Err(self.stalled()),
        }
    }

    /// Pauses before the next request, after one that has failed with `received` bytes received.
    ///
    /// # Errors
    /// This one, if too many have failed without progress.
    pub(super) async fn pause_after(&mut self, error: Error, received: u64) -> Result<(), Error> {
        // A long download over a poor connection is interrupted often. Bytes that are received again
        // after a restart are not progress, or a host that changes the file each time would be
        // requested endlessly.
        self.failures = if received > self.furthest { 1 } else { self.failures.saturating_add(1) };
        self.furthest = self.furthest.max(received);
        let retry_after = error.retry_after().unwrap_or_default();
        if self.failures > self.client.inner.config.max_retries
            || retry_after > retry::MAX_RETRY_AFTER
        {
            return Err(error);
        }
        let pause = retry_after.saturating_add(retry::backoff(self.failures, clock::entropy()));
        self.log().download_interrupted(&self.id, received, &error, pause);
        clock::sleep(pause).await;
        Ok(())
    }

    /// Declares that so many bytes were there before the first request.
    pub(super) fn resume(&mut self, stored: u64) {
        self.furthest = stored;
    }

    /// Names the generation and the number of requests in an error.
    pub(super) fn identify(&self, error: Error) -> Error {
        error.with_generation_id(&self.id).with_attempts(self.attempts)
    }

    /// The error of a response that does not help, with this many bytes received.
    pub(super) fn unusable(&self, what: &str, status: StatusCode, received: u64) -> Error {
        let advice = match self.destination {
            _ if received == 0 => "Retrieve the generation for a fresh URL and download it again.",
            Destination::File => {
                "The bytes received so far are kept; retrieve the generation for a fresh URL and \
                 download it again."
            }
            Destination::Caller => AGAIN,
        };
        Error::new(ErrorKind::Download, format!("{what} (HTTP {}).", status.as_u16()))
            .with_advice(advice)
            .with_status(status.as_u16())
    }

    pub(super) fn too_large(&self) -> Error {
        let message = format!("the video is larger than max_bytes ({}).", self.max_bytes);
        Error::new(ErrorKind::Download, message)
            .with_advice("If you expect such a video, pass a larger max_bytes.")
            .with_source(io::Error::from(io::ErrorKind::FileTooLarge))
    }

    fn disconnected(&self, cause: TransportError) -> Error {
        self.failed(&cause.to_string())
            .with_delivery(cause.delivery)
            .with_source(Error::from(cause))
    }

    /// The error of a host that is silent. The next attempt has another connection, since this one
    /// may be dead.
    fn stalled(&self) -> Error {
        self.client.inner.transport.retire_connections(clock::now());
        self.failed("the server sent nothing for the request timeout")
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Download, format!("the download failed: {what}."))
            .with_advice(match self.destination {
                Destination::File => {
                    "The bytes received so far are kept, and the next attempt resumes from them."
                }
                Destination::Caller => AGAIN,
            })
            .with_delivery(Delivery::Unknown)
    }
}

pub(super) const OTHER: &str = "the server responded with something other than a video";
pub(super) const MORE_OR_LESS: &str = "the server sent more or less of the video than it announced";
const AGAIN: &str =
    "Start again from the beginning, or download it to a path, which can be resumed.";
