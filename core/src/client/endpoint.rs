//! Calls of endpoints that this library does not have.

use serde::Serialize;

use super::call_options::Call;
use super::{Client, events};
use crate::error::{Error, ErrorKind};
use crate::model::ApiResponse;
use crate::retry::Operation;
use crate::wire::{self, Request};

impl Client {
    /// Gets a path of the API for which this library has no call, with the client's key, rate limit,
    /// retries and errors.
    ///
    /// The path begins with `/` and may have a query. It is one on the base URL: the key is not sent
    /// anywhere else. The response has at most 4 MiB.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for an absolute URL, or a path that could lead elsewhere, such as one
    /// with `..`; otherwise the errors of any call.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let response = client.get("/v1/models?limit=10").await?;
    /// let models: serde_json::Value = response.json()?;
    /// println!("{models}, request {:?}", response.request_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn get(&self, path: impl Into<String>) -> Call<ApiResponse> {
        let request = wire::get_path(path.into());
        Call::new(self, async |client| {
            client
                .inner
                .read_by(&request?, |response, redactor, now| response.raw(redactor, now))
                .await
        })
    }

    /// Posts JSON to a path of the API for which this library has no call; see [`get`](Self::get).
    ///
    /// It is sent again only if the service certainly did not process it. It does not count towards the
    /// spend limit: generations are created by [`create`](crate::Responses::create).
    ///
    /// # Errors
    /// Those of [`get`](Self::get). An error after which the service may have processed the request is not
    /// [retryable](Error::is_retryable).
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let body = serde_json::json!({"name": "holiday"});
    /// let response = client.post("/v1/collections", &body).await?;
    /// println!("HTTP {}", response.status);
    /// # Ok(())
    /// # }
    /// ```
    pub fn post(&self, path: impl Into<String>, body: &impl Serialize) -> Call<ApiResponse> {
        let body = serde_json::to_vec(body).map_err(|error| {
            let message = "the body cannot be written as JSON. Pass one that can.";
            Error::new(ErrorKind::InvalidRequest, message).with_source(error)
        });
        let request = body.and_then(|body| wire::post_path(path.into(), body.into()));
        Call::new(self, async |client| client.inner.write(&request?).await)
    }
}

impl super::ClientInner {
    /// Makes a call that may change something.
    async fn write(&self, request: &Request) -> Result<ApiResponse, Error> {
        let call = events::next_call();
        // As a create: what may have been processed is not sent again.
        let called =
            self.call(call, Operation::Create, request, None, |response, redactor, now| {
                response.raw(redactor, now)
            });
        called.await.map_err(|failure| failure.into_write_error())
    }
}
