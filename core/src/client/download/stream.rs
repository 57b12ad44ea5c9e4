//! The bytes of a video as they arrive, without a file.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, try_unfold};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::{DownloadSource, refused, video_url};
use crate::client::call_options::call_options;
use crate::client::events::Subject;
use crate::client::spans::OpenSpan;
use crate::client::transport::{HttpRequest, HttpResponse, TransportError};
use crate::client::upload::Upload;
use crate::client::{CallOptions, Client, clock, closing};
use crate::error::{Delivery, Error, ErrorKind, printable};
use crate::retry;
use crate::wire::{self, Format, Part, RangeOutcome, VideoHosts};

/// The bytes of a generation's video: a stream of chunks, as they arrive.
///
/// Made by [`stream`](crate::Responses::stream). Nothing is requested before it is polled, and nothing is
/// received while it is not, so that a slow reader takes no memory. Dropping it closes the connection.
///
/// A connection that breaks is continued where it stopped, provided that the host identifies the
/// version of the file, by an `ETag` or a `Last-Modified`. A video that has changed in between is an
/// error and never a mix of the two. If the URL has expired, the generation is retrieved once for a fresh
/// one. What [`Download`](crate::Download) says about hosts and the key holds here too.
///
/// # Errors
/// An error is the last item: [`ErrorKind::Download`] if the video cannot be received, has changed, or is
/// larger than [`max_bytes`](Self::max_bytes), and the errors of [`retrieve`](crate::Responses::retrieve).
///
/// ```no_run
/// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
/// use futures_util::TryStreamExt;
///
/// let mut video = client.responses().stream("gen_abc123xyz");
/// while let Some(chunk) = video.try_next().await? {
///     println!("{} bytes", chunk.len());
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct VideoStream {
    options: CallOptions,
    max_bytes: Option<u64>,
    state: State,
}

enum State {
    New(Client, DownloadSource),
    Open(BoxStream<'static, Result<Bytes, Error>>, OpenSpan),
    Ended,
}

impl VideoStream {
    /// The default of [`max_bytes`](Self::max_bytes) for [`bytes`](Self::bytes): 256 MiB. A video of several
    /// minutes has less, and the memory of the process must not be the limit.
    pub const MAX_BYTES_IN_MEMORY: u64 = 256 * 1024 * 1024;

    pub(crate) fn new(client: Client, source: DownloadSource) -> Self {
        let state = State::New(client, source);
        Self { options: CallOptions::new(), max_bytes: None, state }
    }

    /// Sets the maximum size of the video, in bytes. The default is 10 GiB, and 256 MiB for
    /// [`bytes`](Self::bytes). A larger one ends with an error, before anything is received if the host
    /// reports the size.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    call_options!();

    /// Returns the next chunk, or `None` after the end.
    ///
    /// Cancel safe: no byte is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        StreamExt::next(self).await
    }

    /// Receives the whole video into memory, at most [`max_bytes`](Self::max_bytes) of it: 256 MiB by
    /// default.
    ///
    /// # Errors
    /// Those of the stream.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let video = client.responses().stream("gen_abc123xyz").bytes().await?;
    /// println!("{} bytes", video.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        self.max_bytes.get_or_insert(Self::MAX_BYTES_IN_MEMORY);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.freeze())
    }
}

impl Stream for VideoStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let State::New(client, source) = &self.state {
            let max_bytes = self.max_bytes.unwrap_or(super::Download::MAX_BYTES);
            let call = OpenSpan::about("stream", &client.inner.config.base_url, source.id());
            let begin = (client.clone(), self.options.clone(), source.clone());
            let stream = try_unfold(Step::Begin(begin), move |step| async move {
                let mut video = match step {
                    Step::Begin((client, options, source)) => {
                        let client = client.with_options(&options)?;
                        Video::open(client, source, max_bytes).await?
                    }
                    Step::Continue(video) => video,
                };
                let closed = video.client.clone();
                let next = closed.inner.until_closed(closing::download_ended, video.next()).await?;
                Ok(next.map(|chunk| (chunk, Step::Continue(video))))
            });
            self.state = State::Open(stream.boxed(), call);
        }
        let State::Open(stream, call) = &mut self.state else { return Poll::Ready(None) };
        let next = ready!(call.span().in_scope(|| stream.poll_next_unpin(cx)));
        if !matches!(next, Some(Ok(_)))
            && let State::Open(_, call) = std::mem::replace(&mut self.state, State::Ended)
        {
            call.end(next.as_ref().and_then(|next| next.as_ref().err()));
        }
        Poll::Ready(next)
    }
}

impl fmt::Debug for VideoStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoStream").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

enum Step {
    Begin((Client, CallOptions, DownloadSource)),
    Continue(Box<Video>),
}

/// A video that is being received.
struct Video {
    client: Client,
    id: String,
    url: Url,
    format: Format,
    max_bytes: u64,
    /// The version of the file that is received.
    part: Part,
    position: u64,
    response: Option<HttpResponse>,
    /// Whether the body that is received reaches the end of the file.
    to_end: bool,
    refreshed: bool,
    attempts: u32,
    /// The failures since the last byte.
    failures: u32,
}

impl Video {
    async fn open(
        client: Client,
        source: DownloadSource,
        max_bytes: u64,
    ) -> Result<Box<Self>, Error> {
        let generation = client.completed(source).await?;
        let url = video_url(&generation, client.inner.config.video_hosts)?;
        let format = Format::of(generation.engine.as_deref());
        Ok(Box::new(Self {
            client,
            id: generation.id,
            url,
            format,
            max_bytes,
            part: Part::default(),
            position: 0,
            response: None,
            to_end: false,
            refreshed: false,
            attempts: 0,
            failures: 0,
        }))
    }

    /// The next chunk, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let next = self.step().await;
            let identify =
                |error: Error| error.with_generation_id(&self.id).with_attempts(self.attempts);
            match next.map_err(identify)? {
                Received::Chunk(chunk) => {
                    self.failures = 0;
                    return Ok(Some(chunk));
                }
                Received::End => return Ok(None),
                Received::Opened => {}
                Received::Interrupted(error) => self.pause_after(error).await?,
            }
        }
    }

    async fn step(&mut self) -> Result<Received, Error> {
        let timeout = self.client.inner.config.request_timeout;
        let Some(response) = &mut self.response else { return self.request().await };
        // The timeout bounds silence while the caller waits for bytes.
        match clock::within(timeout, response.body.next()).await {
            Some(Some(Ok(chunk))) => {
                self.position += chunk.len() as u64;
                match self.part.length {
                    Some(length) if self.position > length => Err(failed(MORE_OR_LESS)),
                    _ if self.position > self.max_bytes => Err(self.too_large()),
                    _ => Ok(Received::Chunk(chunk)),
                }
            }
            Some(None) => {
                self.response = None;
                match self.part.length {
                    Some(length) if length == self.position => Ok(Received::End),
                    None if self.to_end && self.position > 0 => Ok(Received::End),
                    _ => Ok(Received::Interrupted(failed(MORE_OR_LESS))),
                }
            }
            Some(Some(Err(error))) => Ok(self.interrupted(error.into())),
            None => {
                self.client.inner.transport.retire_connections(clock::now());
                Ok(self.interrupted(failed("the server sent nothing for the request timeout")))
            }
        }
    }

    fn interrupted(&mut self, error: Error) -> Received {
        self.response = None;
        Received::Interrupted(error)
    }

    /// Requests what is missing.
    async fn request(&mut self) -> Result<Received, Error> {
        self.attempts += 1;
        let began = clock::now();
        let timeout = self.client.inner.config.request_timeout;
        let sent = self.client.inner.transport.send(self.http_request());
        let response = match clock::within(timeout, sent).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) if error.is_private_host() => {
                let id = printable(&self.id);
                return Err(refused(&format!(
                    "the video of generation {id} is {}",
                    VideoHosts::PRIVATE
                )));
            }
            Some(Err(error)) => Err(broken(error)),
            None => Err(failed("the server sent nothing for the request timeout")),
        };
        let status = response.as_ref().ok().map(|response| response.status.as_u16());
        let subject = Subject::of_video(&self.id, self.attempts);
        let duration = clock::now().saturating_sub(began);
        self.client.inner.log.request(&subject, status, response.as_ref(), duration, || None);
        match response {
            Ok(response) => self.receive(response).await,
            Err(error) => Ok(Received::Interrupted(error)),
        }
    }

    /// The request for the file from the position on. It carries neither the key nor the caller's headers.
    fn http_request(&self) -> HttpRequest {
        let mut headers = HeaderMap::new();
        if let Some(agent) = self.client.inner.headers.get(header::USER_AGENT) {
            headers.insert(header::USER_AGENT, agent.clone());
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.extend(wire::range_headers(&self.part, self.position));
        HttpRequest {
            method: Method::GET,
            url: self.url.clone(),
            headers,
            body: Upload::new(Bytes::new()),
            hosts: self.client.inner.config.video_hosts,
        }
    }

    async fn receive(&mut self, response: HttpResponse) -> Result<Received, Error> {
        let (status, headers) = (response.status, &response.headers);
        let with_status = |error: Error| error.with_status(status.as_u16());
        match wire::range_outcome(status, headers, &self.part, self.position, self.format) {
            RangeOutcome::From { end, part, .. }
                if end.max(part.length).is_some_and(|bytes| bytes > self.max_bytes) =>
            {
                Err(self.too_large())
            }
            RangeOutcome::From { start, part, to_end, .. } if start == self.position => {
                (self.part, self.to_end) = (part, to_end);
                self.response = Some(response);
                Ok(Received::Opened)
            }
            RangeOutcome::Complete => Ok(Received::End),
            RangeOutcome::From { .. } | RangeOutcome::Restart if self.position > 0 => Err(
                with_status(failed("the video has changed since its first bytes were received")),
            ),
            RangeOutcome::Expired if !self.refreshed => {
                self.refreshed = true;
                let generation = self.client.responses().retrieve(&self.id).await?;
                self.url = video_url(&generation, self.client.inner.config.video_hosts)?;
                Ok(Received::Opened)
            }
            RangeOutcome::Expired => Err(with_status(failed("the URL of the video has expired"))),
            RangeOutcome::Permanent => {
                Err(with_status(failed("the server does not send the video")))
            }
            _ => {
                let pause = crate::error::retry_after(headers, None, clock::wall());
                let error = failed("the server cannot send the video now").with_retry_after(pause);
                Ok(Received::Interrupted(with_status(error)))
            }
        }
    }

    /// Pauses before the next request, unless there were too many.
    async fn pause_after(&mut self, error: Error) -> Result<(), Error> {
        self.failures += 1;
        let retry_after = error.retry_after().unwrap_or_default();
        let is_lost = self.position > 0 && self.part.validator.is_none();
        let error = error.with_generation_id(&self.id).with_attempts(self.attempts);
        if is_lost {
            return Err(error.with_advice(
                "The host does not identify the version of the file, so the rest cannot be requested.",
            ));
        }
        if self.failures > self.client.inner.config.max_retries
            || retry_after > retry::MAX_RETRY_AFTER
        {
            return Err(error);
        }
        let pause = retry_after + retry::backoff(self.failures, clock::entropy());
        self.client.inner.log.download_interrupted(&self.id, self.position, &error, pause);
        clock::sleep(pause).await;
        Ok(())
    }

    fn too_large(&self) -> Error {
        Error::new(
            ErrorKind::Download,
            format!("the video is larger than max_bytes ({}).", self.max_bytes),
        )
        .with_advice(
            "If you expect such a video, pass a larger max_bytes, or download it to a file.",
        )
        .with_source(std::io::Error::from(std::io::ErrorKind::FileTooLarge))
    }
}

/// What a step has led to.
enum Received {
    Chunk(Bytes),
    End,
    /// A response has begun, or there is a fresh URL.
    Opened,
    Interrupted(Error),
}

const MORE_OR_LESS: &str = "the server sent more or less of the video than it announced";

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::Download, format!("the download failed: {what}."))
        .with_advice(
            "Start again from the beginning, or download it to a file, which can be resumed.",
        )
        .with_delivery(Delivery::Unknown)
}

fn broken(error: TransportError) -> Error {
    let delivery = error.delivery;
    failed(&error.to_string()).with_delivery(delivery).with_source(Error::from(error))
}
