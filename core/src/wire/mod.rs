//! Each endpoint as a pure pair: build the request, parse the response. The one place that has
//! the URLs.

mod base_url;
mod content;
mod download;
mod endpoints;
mod part;
#[cfg(test)]
mod tests;
mod video_hosts;

use std::time::SystemTime;

use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;

pub(crate) use base_url::BaseUrl;
pub(crate) use content::{Content, Media, examine};
pub(crate) use download::{RangeOutcome, range_headers, range_outcome};
pub(crate) use endpoints::{create, engines, retrieve, usage};
pub(crate) use part::{Description, Part};
pub(crate) use video_hosts::VideoHosts;

use crate::error::{self, Error, Redactor};
use crate::json;

/// A call of the API, before it has a host and a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path from `/v1` on, percent-encoded.
    pub(crate) path: String,
    /// The JSON body, if there is one.
    pub(crate) body: Option<bytes::Bytes>,
    /// Whether the request carries the key.
    pub(crate) authorized: bool,
}

/// A response with its body, read to the end.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

impl Response {
    /// The value in the body, or the error that the status or an unreadable body means.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        redactor: &Redactor<'_>,
        now: SystemTime,
    ) -> Result<T, Error> {
        if !self.status.is_success() {
            return Err(error::from_status(self.status, &self.headers, &self.body, redactor, now));
        }
        json::read(&self.body).map_err(|reason| {
            // serde's message quotes values of the body, its category does not.
            let reason = match reason.classify() {
                serde_json::error::Category::Data => "JSON of another shape",
                serde_json::error::Category::Eof => "incomplete JSON",
                _ => "not JSON",
            };
            error::undecodable(self.status, &self.headers, &self.body, reason, redactor)
        })
    }
}
