//! An answer, before it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, sleep};

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, payload: Payload) -> Self {
        Self { status, headers: HeaderMap::new(), payload }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Bytes::new().into())
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, Bytes::from(body.to_string()).into())
            .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// The service's shape of an error.
    pub(crate) fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn into_response(mut self) -> Response<Payload> {
        let length = HeaderValue::from(self.payload.len());
        self.headers.entry(CONTENT_LENGTH).or_insert(length);
        let mut response = Response::new(self.payload);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The bytes of an answer: a stretch of some bytes that repeat for ever, in pieces, none of them
/// copied. It may break on the way.
#[derive(Debug)]
pub(crate) struct Payload {
    bytes: Bytes,
    at: u64,
    end: u64,
    breaks_at: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
}

const PIECE: u64 = 64 << 10;
/// When the connection has been quiet for so long, what was written before a break has got out;
/// nothing else tells.
const QUIET: Duration = Duration::from_millis(30);

impl Payload {
    pub(crate) fn stretch(bytes: Bytes, from: u64, end: u64) -> Self {
        let end = if bytes.is_empty() { from } else { end };
        Self { bytes, at: from, end, breaks_at: None, pause: None }
    }

    pub(crate) fn len(&self) -> u64 {
        self.end - self.at
    }

    /// All of it, for a change; None if it is a long one that is never held in memory.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        (self.at == 0 && self.end == self.bytes.len() as u64).then(|| self.bytes.clone())
    }

    /// Breaks the connection half-way. At least one byte is promised that does not come.
    pub(crate) fn break_half_way(&mut self) {
        self.breaks_at = Some(self.at + self.len() / 2);
        self.end = self.end.max(self.at + 1);
    }

    /// Whoever writes asks again whenever it could write some more: that is no quiet.
    fn poll_quiet(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(QUIET)));
        if !pause.is_elapsed() {
            pause.as_mut().reset(Instant::now() + QUIET);
        }
        pause.as_mut().poll(context)
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        let end = bytes.len() as u64;
        Self::stretch(bytes, 0, end)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.at >= this.end {
            return Poll::Ready(None);
        }
        if this.breaks_at.is_some_and(|breaks_at| this.at >= breaks_at) {
            ready!(this.poll_quiet(context));
            return Poll::Ready(Some(Err(io::Error::other("broken on request"))));
        }
        let offset = this.at % this.bytes.len() as u64;
        let stop = this.breaks_at.unwrap_or(this.end);
        let count = PIECE.min(this.bytes.len() as u64 - offset).min(stop - this.at);
        this.at += count;
        let piece = this.bytes.slice(offset as usize..(offset + count) as usize);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
