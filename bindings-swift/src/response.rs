//! Responses as they were received.

use std::collections::HashMap;

use pipevideo::{ApiResponse, Generation};

/// A response of the API.
#[derive(uniffi::Record)]
pub(crate) struct Response {
    status: u16,
    headers: HashMap<String, String>,
    request_id: Option<String>,
    body: Vec<u8>,
}

/// A generation, and the response that it was read from.
#[derive(uniffi::Record)]
pub(crate) struct AnsweredGeneration {
    generation: Generation,
    response: Response,
}

impl From<ApiResponse> for Response {
    fn from(response: ApiResponse) -> Self {
        let values = |name| {
            let values = response.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            values.collect::<Vec<_>>().join(", ")
        };
        Self {
            status: response.status,
            headers: response.headers.keys().map(|name| (name.to_string(), values(name))).collect(),
            request_id: response.request_id(),
            body: response.body.to_vec(),
        }
    }
}

impl From<(Generation, ApiResponse)> for AnsweredGeneration {
    fn from((generation, response): (Generation, ApiResponse)) -> Self {
        Self { generation, response: response.into() }
    }
}
