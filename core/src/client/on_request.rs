//! Headers that a function adds to each request.

use std::sync::Arc;

use http::{HeaderMap, header};

use super::builder::RESERVED_HEADERS;

/// The caller's function that adds headers to each request to the API.
#[derive(Clone)]
pub(crate) struct OnRequest(Arc<dyn Fn(&mut HeaderMap) + Send + Sync>);

impl OnRequest {
    pub(crate) fn new(function: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// Adds what the function adds. It sees none of the request's own headers, which have the key.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let mut added = HeaderMap::new();
        (self.0)(&mut added);
        // As among the client's headers: a response in another coding could not be read.
        for name in RESERVED_HEADERS.iter().chain([&header::ACCEPT_ENCODING]) {
            added.remove(name);
        }
        headers.extend(added);
    }
}
