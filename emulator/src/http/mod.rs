//! The two HTTP servers, the requests that they receive and the responses that they send.

mod connection;
mod log;
mod origins;
mod response;
mod server;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub use log::ReceivedRequest;
pub use origins::Origin;
pub(crate) use origins::Origins;
pub(crate) use response::{Response, ResponseBody};
pub(crate) use server::serve;

/// What is escaped in a segment of a path: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a segment of a path. The ids of added generations may have any characters.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text of a segment of a path.
pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// A request with its whole body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}
