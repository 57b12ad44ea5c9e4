//! A response before it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::connection::FlushWatch;

/// A response that faults can still change.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ResponseBody,
}

impl Response {
    pub(crate) fn new(status: StatusCode, body: ResponseBody) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Bytes::new().into())
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, Bytes::from(body.to_string()).into())
            .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// An error in the format of the service.
    pub(crate) fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Breaks the connection after half of the body has been sent.
    pub(crate) fn break_half_way(&mut self, flushes: FlushWatch) {
        // A fault may have set a length of its own; the promised length must be that of the body.
        self.headers.remove(CONTENT_LENGTH);
        self.body.break_half_way(flushes);
    }

    pub(crate) fn into_hyper(mut self) -> hyper::Response<ResponseBody> {
        let length = HeaderValue::from(self.body.len());
        self.headers.entry(CONTENT_LENGTH).or_insert(length);
        let mut response = hyper::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A section of an endless repetition of some bytes, which is sent in chunks without copying them.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    bytes: Bytes,
    position: u64,
    end: u64,
    breaks: Option<BodyBreak>,
}

/// Where a body breaks, and the watch that reports when the bytes before that have been sent.
#[derive(Debug)]
struct BodyBreak {
    position: u64,
    flushes: FlushWatch,
}

/// 64 KiB. hyper buffers up to about 400 KiB before it writes, so larger chunks save nothing.
const CHUNK: u64 = 64 << 10;

impl ResponseBody {
    /// The bytes from `start` to `end` of a file that repeats `bytes` for ever.
    pub(crate) fn repeating(bytes: Bytes, start: u64, end: u64) -> Self {
        let end = if bytes.is_empty() { start } else { end };
        Self { bytes, position: start, end, breaks: None }
    }

    pub(crate) fn len(&self) -> u64 {
        self.end - self.position
    }

    /// All bytes of the body, or None if the body is a section of a long file that is never in memory.
    pub(crate) fn buffered(&self) -> Option<Bytes> {
        (self.position == 0 && self.end == self.bytes.len() as u64).then(|| self.bytes.clone())
    }

    /// Fails after half of the body. `Content-Length` always promises at least one
    /// byte that is not sent, so that the client notices even in an empty body.
    fn break_half_way(&mut self, flushes: FlushWatch) {
        self.breaks = Some(BodyBreak { position: self.position + self.len() / 2, flushes });
        self.end = self.end.max(self.position + 1);
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        let end = bytes.len() as u64;
        Self::repeating(bytes, 0, end)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.position >= this.end {
            return Poll::Ready(None);
        }
        if let Some(BodyBreak { position, flushes }) = &this.breaks
            && this.position >= *position
        {
            ready!(flushes.poll_flushed(context));
            return Poll::Ready(Some(Err(io::Error::other("broken on request"))));
        }
        let offset = this.position % this.bytes.len() as u64;
        let stop = this.breaks.as_ref().map_or(this.end, |breaks| breaks.position);
        let count = CHUNK.min(this.bytes.len() as u64 - offset).min(stop - this.position);
        this.position += count;
        let chunk = this.bytes.slice(offset as usize..(offset + count) as usize);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.position >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
