//! An answer, before it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use crate::connection::FlushWatch;

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
    breaks: Option<BodyBreak>,
}

/// Where a body breaks, and what reports that the bytes before have left the process.
#[derive(Debug)]
struct BodyBreak {
    at: u64,
    flushes: FlushWatch,
}

const PIECE: u64 = 64 << 10;

impl Payload {
    pub(crate) fn stretch(bytes: Bytes, from: u64, end: u64) -> Self {
        let end = if bytes.is_empty() { from } else { end };
        Self { bytes, at: from, end, breaks: None }
    }

    pub(crate) fn len(&self) -> u64 {
        self.end - self.at
    }

    /// All of it, for a change; None if it is a long one that is never held in memory.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        (self.at == 0 && self.end == self.bytes.len() as u64).then(|| self.bytes.clone())
    }

    /// Breaks the connection half-way. At least one byte is promised that does not come.
    pub(crate) fn break_half_way(&mut self, flushes: FlushWatch) {
        self.breaks = Some(BodyBreak { at: self.at + self.len() / 2, flushes });
        self.end = self.end.max(self.at + 1);
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
        if let Some(BodyBreak { at, flushes }) = &this.breaks
            && this.at >= *at
        {
            ready!(flushes.poll_flushed(context));
            return Poll::Ready(Some(Err(io::Error::other("broken on request"))));
        }
        let offset = this.at % this.bytes.len() as u64;
        let stop = this.breaks.as_ref().map_or(this.end, |breaks| breaks.at);
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
