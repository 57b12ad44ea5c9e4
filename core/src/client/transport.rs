//! The interface between the client and the HTTP library.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::upload::Upload;
use crate::error::{Delivery, Error, ErrorKind};
use crate::wire::VideoHosts;

/// Sends requests over HTTP: the transport connects, encrypts and follows redirects.
pub(crate) trait Transport: Send + Sync {
    /// Sends a request and returns the response as soon as its headers have arrived.
    fn send(
        &self,
        request: HttpRequest,
    ) -> BoxFuture<'static, Result<HttpResponse, TransportError>>;

    /// Sends no further request on the connections that have been open since `began`, the start of a
    /// request that has timed out: the connection may be dead. Requests in flight on them go on.
    fn retire_connections(&self, began: Duration);
}

/// A request with its full URL, and with the key in its headers if it needs one.
pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Upload,
    /// Where a redirect may lead.
    pub(crate) hosts: VideoHosts,
}

/// A response with a body that has not been read yet.
pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BoxStream<'static, Result<Bytes, TransportError>>,
}

/// A failure to send a request or to read the response.
pub(crate) struct TransportError {
    pub(crate) what: &'static str,
    pub(crate) delivery: Delivery,
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The host of a video has no public address, so there was no connection to it.
#[derive(Debug)]
pub(crate) struct PrivateHost;

impl fmt::Display for PrivateHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no public address")
    }
}

impl std::error::Error for PrivateHost {}

impl TransportError {
    /// Whether the host is one that a request may not be sent to.
    pub(crate) fn is_private_host(&self) -> bool {
        self.source.as_deref().is_some_and(|source| source.is::<PrivateHost>())
    }
}

impl fmt::Display for TransportError {
    /// A fixed text: causes quote what a server has sent, such as the debug data of a GOAWAY.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for TransportError {
    /// Of the causes only an error of the system, which is a number. The texts of the others may quote
    /// a URL, or what a server has sent.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let mut next =
            self.source.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static));
        while let Some(cause) = next {
            let io = cause.downcast_ref::<std::io::Error>();
            if io.is_some_and(|error| error.raw_os_error().is_some()) {
                return Some(cause);
            }
            // The source of an I/O error is not the error in it, but the source of that.
            next = match io.and_then(std::io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => cause.source(),
            };
        }
        None
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("what", &self.what)
            .field("delivery", &self.delivery)
            .field("source", &std::error::Error::source(self))
            .finish()
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        let delivery = error.delivery;
        // Without a connection the configuration may be wrong; after one it is the network.
        let advice = match delivery {
            Delivery::NotSent => {
                "The request was not processed. Check the network, the base URL and any proxy."
            }
            _ => "Check the network and try again.",
        };
        Self::new(ErrorKind::Connection, format!("{error}."))
            .with_advice(advice)
            .with_delivery(delivery)
            .with_source(error)
    }
}
