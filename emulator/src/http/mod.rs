//! The two HTTP servers, the requests that they receive and the responses that they send.

mod connection;
mod log;
mod origins;
mod response;
mod server;

use bytes::Bytes;
use hyper::{HeaderMap, Method};

pub use log::ReceivedRequest;
pub use origins::Origin;
pub(crate) use origins::Origins;
pub(crate) use response::{Response, ResponseBody};
pub(crate) use server::serve;

/// A request with its whole body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}
