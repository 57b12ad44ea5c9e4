//! The bytes of a video as they arrive, without a file.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, try_unfold};
use futures_util::{Stream, StreamExt};
use http::StatusCode;

use super::host::{Destination, Host, MORE_OR_LESS, OTHER, Reply};
use super::{Download, DownloadSource, Progress};
use crate::client::call_options::call_options;
use crate::client::spans::OpenSpan;
use crate::client::transport::HttpResponse;
use crate::client::{CallOptions, Client, clock, closing};
use crate::error::Error;
use crate::wire::Part;

/// The bytes of a generation's video: a stream of chunks, as they arrive.
///
/// Made by [`stream`](crate::Responses::stream). Nothing is requested before it is polled, and nothing is
/// received while it is not, so that a slow reader takes no memory. Dropping it closes the connection.
///
/// A connection that breaks is continued where it stopped, provided that the host identifies the
/// version of the file, by an `ETag` or a `Last-Modified`. A video that has changed in between is an
/// error and never a mix of the two. If the URL has expired, the generation is retrieved once for a fresh
/// one. The request timeout bounds the time that a poll waits for bytes; a reader may take any time. What [`Download`](crate::Download) says about hosts and the key holds here too.
///
/// # Errors
/// An error is the last item: [`Download`](crate::ErrorKind::Download) if the video cannot be received, has changed, or is
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
///
/// Three lines copy it into a `tokio::io::AsyncWrite`, which sets the pace:
///
/// ```
/// # fn emulator() -> pipevideo_emulator::Options {
/// #     let options = r#"{"polls": ["completed"], "video_bytes": 100000}"#;
/// #     serde_json::from_str(options).unwrap()
/// # }
/// use tokio::io::{AsyncWrite, AsyncWriteExt};
///
/// async fn copy(
///     mut video: pipevideo::VideoStream,
///     to: &mut (impl AsyncWrite + Unpin),
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     while let Some(chunk) = video.next().await {
///         to.write_all(&chunk?).await?;
///     }
///     Ok(to.flush().await?)
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let emulator = pipevideo_emulator::Emulator::start(emulator()).await?;
/// # let builder = pipevideo::Client::builder().base_url(emulator.base_url());
/// # let client = builder.api_key(emulator.api_key()).build()?;
/// # let id = emulator.add_generation(Default::default())?;
/// # let mut copied = Vec::new();
/// # copy(client.responses().stream(id), &mut copied).await?;
/// # assert_eq!(copied.len(), 100_000);
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct VideoStream {
    options: CallOptions,
    max_bytes: Option<u64>,
    progress: Progress,
    state: State,
}

enum State {
    New(Client, DownloadSource),
    Open(BoxStream<'static, Result<(Bytes, Progress), Error>>, OpenSpan),
    Ended,
}

impl VideoStream {
    /// The default of [`max_bytes`](Self::max_bytes) for [`bytes`](Self::bytes): 256 MiB. A video of several
    /// minutes has less, and the memory of the process must not be the limit.
    pub const MAX_BYTES_IN_MEMORY: u64 = 256 * 1024 * 1024;

    pub(crate) fn new(client: Client, source: DownloadSource) -> Self {
        let state = State::New(client, source);
        let progress = Progress { downloaded: 0, total: None };
        Self { options: CallOptions::new(), max_bytes: None, progress, state }
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

    /// How much the stream has yielded, and the size of the video, which is known from the first chunk on
    /// if the host reports it.
    pub fn progress(&self) -> Progress {
        self.progress
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
            let max_bytes = self.max_bytes.unwrap_or(Download::MAX_BYTES);
            let call = OpenSpan::about("download", &client.inner.config.base_url, source.id());
            let begin = (client.clone(), self.options.clone(), source.clone());
            self.state = State::Open(chunks(begin, max_bytes), call);
        }
        let State::Open(stream, call) = &mut self.state else { return Poll::Ready(None) };
        let next = ready!(call.span().in_scope(|| stream.poll_next_unpin(cx)));
        if !matches!(next, Some(Ok(_)))
            && let State::Open(_, call) = std::mem::replace(&mut self.state, State::Ended)
        {
            call.end(next.as_ref().and_then(|next| next.as_ref().err()));
        }
        Poll::Ready(next.map(|next| {
            next.map(|(chunk, progress)| {
                self.progress = progress;
                chunk
            })
        }))
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

/// The chunks of a video, each with the progress after it.
fn chunks(
    begin: (Client, CallOptions, DownloadSource),
    max_bytes: u64,
) -> BoxStream<'static, Result<(Bytes, Progress), Error>> {
    let closing = begin.0.inner.clone();
    try_unfold(Step::Begin(begin), move |step| {
        let closing = closing.clone();
        async move {
            if let Step::Begin(_) = step {
                closing.check_open()?;
            }
            let work = async {
                let mut video = match step {
                    Step::Begin((client, options, source)) => {
                        Video::open(client.with_options(&options)?, source, max_bytes).await?
                    }
                    Step::Continue(video) => video,
                };
                let next = video.next().await?;
                Ok(next.map(|chunk| ((chunk, video.progress()), Step::Continue(video))))
            };
            closing.unless_closed(closing::stream_ended, work).await
        }
    })
    .boxed()
}

/// A video that is being received.
struct Video {
    host: Host,
    /// The version of the file that is received.
    part: Part,
    position: u64,
    body: Option<Body>,
    began: Duration,
}

/// The body of a response.
struct Body {
    response: Box<HttpResponse>,
    /// The byte before which it ends, if the host says so.
    end: Option<u64>,
    /// Whether it reaches the end of the file.
    to_end: bool,
}

/// What a step has led to.
enum Received {
    Chunk(Bytes),
    End,
    /// A response has begun.
    Begun,
    /// The URL has expired; a fresh one may work.
    Expired,
    /// The connection broke, and another request may resume it.
    Interrupted(Error),
}

impl Video {
    async fn open(
        client: Client,
        source: DownloadSource,
        max_bytes: u64,
    ) -> Result<Box<Self>, Error> {
        let host = Host::of(client, source, max_bytes, Destination::Caller).await?;
        host.log().download_begun(&host.id, 0);
        let part = Part::default();
        Ok(Box::new(Self { host, part, position: 0, body: None, began: clock::now() }))
    }

    fn progress(&self) -> Progress {
        Progress { downloaded: self.position, total: self.part.length }
    }

    /// The next chunk, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let next = self.receive().await;
        if !matches!(next, Ok(Some(_))) {
            let duration = clock::now().saturating_sub(self.began);
            self.host.log().download_ended(&self.host.id, &next, self.position, duration);
        }
        next
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.step().await.map_err(|error| self.host.identify(error))? {
                Received::Chunk(chunk) => return Ok(Some(chunk)),
                Received::End => return Ok(None),
                Received::Begun => {}
                Received::Expired => self.host.renew().await?,
                Received::Interrupted(error) => {
                    self.body = None;
                    let error = self.host.identify(error);
                    if self.position > 0 && self.part.validator.is_none() {
                        return Err(error.with_advice(UNVERSIONED));
                    }
                    self.host.pause_after(error, self.position).await?;
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Received, Error> {
        let Some(body) = &mut self.body else { return self.request().await };
        let status = body.response.status;
        let unusable = |what| Err(self.host.unusable(what, status, self.position));
        match self.host.next_chunk(&mut body.response).await {
            Ok(Some(chunk)) => {
                let position = self.position.saturating_add(chunk.len() as u64);
                if body.end.is_some_and(|end| position > end) {
                    return unusable(MORE_OR_LESS);
                }
                if position > self.host.max_bytes {
                    return Err(self.host.too_large());
                }
                self.position = position;
                Ok(Received::Chunk(chunk))
            }
            Ok(None) => {
                let is_whole = match self.part.length {
                    Some(length) => length == self.position,
                    None => body.to_end && self.position > 0,
                };
                self.body = None;
                if is_whole {
                    return Ok(Received::End);
                }
                let error = self.host.unusable(MORE_OR_LESS, status, self.position);
                Ok(Received::Interrupted(error))
            }
            Err(error) => Ok(Received::Interrupted(error)),
        }
    }

    /// Requests what is missing.
    async fn request(&mut self) -> Result<Received, Error> {
        match self.host.request(&self.part, self.position).await? {
            Reply::Body { response, start, end, part, to_end } if start == self.position => {
                self.part = part;
                self.body = Some(Body { response, end, to_end });
                Ok(Received::Begun)
            }
            // What the caller has cannot be taken back.
            Reply::Body { response, .. } => self.changed(response.status),
            Reply::Changed(status) if self.position > 0 => self.changed(status),
            Reply::Changed(status) => {
                let error = self.host.unusable(OTHER, status, 0);
                Ok(Received::Interrupted(error))
            }
            Reply::Complete => Ok(Received::End),
            Reply::Expired => Ok(Received::Expired),
            Reply::Interrupted(error) => Ok(Received::Interrupted(error)),
        }
    }

    fn changed(&self, status: StatusCode) -> Result<Received, Error> {
        let what = "the video has changed, or the host sent all of it in place of the rest";
        Err(self.host.unusable(what, status, self.position))
    }
}

const UNVERSIONED: &str =
    "The host does not identify the version of the file, so the rest cannot be requested.";
