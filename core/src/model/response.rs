//! A response of the API as it was received.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Error, Redactor, request_id, undecodable};

/// A response of the API: the status, the headers and the body.
///
/// ```no_run
/// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
/// let (generation, response) = client.responses().retrieve("gen_abc123xyz").with_response().await?;
/// println!("{}: HTTP {}, {:?}", generation.id, response.status, response.request_id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiResponse {
    /// The HTTP status, from 200 to 299: any other is an error.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without a content coding. It may have a signed URL, or quote the prompt.
    pub body: Bytes,
}

impl ApiResponse {
    /// The service's id of the HTTP request, for its support.
    pub fn request_id(&self) -> Option<String> {
        request_id(&self.headers, &Redactor { key: "" })
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the body is not such JSON.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let models: serde_json::Value = client.get("/v1/models").await?.json()?;
    /// println!("{models}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        crate::json::read(&self.body).map_err(|error| {
            let reason = match error.classify() {
                serde_json::error::Category::Data => "JSON of another shape",
                _ => "not JSON",
            };
            undecodable(status, &self.headers, &self.body, reason, &Redactor { key: "" })
        })
    }
}

impl fmt::Debug for ApiResponse {
    /// Without headers and body, which may have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
