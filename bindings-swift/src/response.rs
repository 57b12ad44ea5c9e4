//! Responses as they were received.

use std::collections::HashMap;
use std::sync::Arc;

use bindings_macros::barrier;
use bytes::Bytes;
use http::HeaderMap;
use pipevideo::{ApiResponse, Generation};

/// A response of the API. Its headers and body cross the border only when they are asked for, which
/// few programs do.
#[derive(Default, uniffi::Object)]
pub(crate) struct Response {
    status: u16,
    headers: HeaderMap,
    request_id: Option<String>,
    body: Bytes,
}

#[barrier(default)]
#[uniffi::export]
impl Response {
    /// A response for tests of an app. Headers that are not valid are left out.
    #[uniffi::constructor]
    pub(crate) fn new(
        status: u16,
        headers: HashMap<String, String>,
        request_id: Option<String>,
        body: Vec<u8>,
    ) -> Self {
        let valid =
            |(name, value): (String, String)| Some((name.parse().ok()?, value.parse().ok()?));
        let headers = headers.into_iter().filter_map(valid).collect();
        Self { status, headers, request_id, body: body.into() }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn headers(&self) -> HashMap<String, String> {
        let values = |name| {
            let values = self.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            values.collect::<Vec<_>>().join(", ")
        };
        self.headers.keys().map(|name| (name.to_string(), values(name))).collect()
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        self.request_id.clone()
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.body.to_vec()
    }
}

/// A generation, and the response that it was read from.
#[derive(uniffi::Record)]
pub(crate) struct AnsweredGeneration {
    generation: Generation,
    response: Arc<Response>,
}

impl From<ApiResponse> for Response {
    fn from(response: ApiResponse) -> Self {
        let request_id = response.request_id();
        let ApiResponse { status, headers, body, .. } = response;
        Self { status, headers, request_id, body }
    }
}

impl From<(Generation, ApiResponse)> for AnsweredGeneration {
    fn from((generation, response): (Generation, ApiResponse)) -> Self {
        Self { generation, response: Arc::new(response.into()) }
    }
}
