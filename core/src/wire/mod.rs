//! Each endpoint as a pure pair: build the request, parse the response. The one place that has
//! the URLs.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod base_url;
mod content;
mod download;
mod encoding;
mod endpoints;
mod generation;
mod part;
mod path;
#[cfg(test)]
mod tests;
mod video_hosts;

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::de::DeserializeOwned;

pub(crate) use base_url::BaseUrl;
pub(crate) use content::{Content, Format, examine};
pub(crate) use download::{RangeOutcome, range_headers, range_outcome};
#[cfg(test)]
pub(crate) use encoding::gzip;
pub(crate) use encoding::{ACCEPTED as ACCEPTED_ENCODING, is_identity};
pub(crate) use endpoints::{RETRIEVE, create, engines, get_path, post_path, retrieve, usage};
pub(crate) use part::{Description, Part};
pub(crate) use video_hosts::VideoHosts;
#[cfg(feature = "client")]
pub(crate) use video_hosts::is_private_address;

use self::encoding::Decoded;
use crate::error::{self, Delivery, Error, ErrorKind, Redactor};
use crate::json;
use crate::model::{ApiResponse, Generation, GenerationId};

/// A call of the API, before it has a host and a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The method and the template of the path, for the log.
    pub(crate) route: &'static str,
    /// The generation that it is about, if the path has its id.
    pub(crate) id: Option<GenerationId>,
    /// The path from `/v1` on, percent-encoded, perhaps with a query.
    pub(crate) path: String,
    /// The JSON body, if there is one.
    pub(crate) body: Option<Bytes>,
    /// Whether the request carries the key.
    pub(crate) authorized: bool,
}

/// A response of the API.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as it was received, perhaps compressed, and longer than [`MAX_RESPONSE`] only if it
    /// exceeds that.
    pub(crate) body: Bytes,
    /// Why the rest of the body was not received, if it was not.
    pub(crate) cut: Option<Error>,
}

/// The largest body that is read, of a response as it was sent and as it is when decompressed. The
/// largest of the API is an account's usage: a year of days with ten routes each has about 1 MB. Reading
/// a usage of 4 MB takes 34 MB of memory, and the worst JSON of this size, a list of digits, 71 MB.
pub(crate) const MAX_RESPONSE: usize = 4 << 20;

impl Response {
    /// The value in the body, or the error that the status or an unreadable body means.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        redactor: &Redactor<'_>,
        now: SystemTime,
    ) -> Result<T, Error> {
        self.read(&self.decoded(), redactor, now, |body| json::read(body))
    }

    /// The generation in the body, with its JSON. If it was asked for by its id, the response must
    /// be about it, so that no call returns or saves the video of another one.
    ///
    /// Any id that was received stands in the error.
    pub(crate) fn generation(
        &self,
        asked: Option<&GenerationId>,
        redactor: &Redactor<'_>,
        now: SystemTime,
    ) -> Result<(Generation, Bytes), Error> {
        let decoded = self.decoded();
        let result = self.read(&decoded, redactor, now, generation::read);
        match asked {
            None => result.map_err(|error| {
                match generation::find_id(&decoded.body, self.status.is_success(), redactor) {
                    Some(id) => error.with_generation_id(id.as_str()),
                    None => error,
                }
            }),
            Some(id) => result
                .and_then(|found| if found.0.id == id.as_str() { Ok(found) } else { Err(other()) })
                .map_err(|error| error.with_generation_id(id.as_str())),
        }
    }

    /// This response as it was received, or the error that its status means.
    pub(crate) fn raw(
        &self,
        redactor: &Redactor<'_>,
        now: SystemTime,
    ) -> Result<ApiResponse, Error> {
        let decoded = self.decoded();
        let body = decoded.body.clone();
        // A status that is an error, or a body that was cut.
        let whole = self.cut.is_none() && decoded.is_whole && body.len() <= MAX_RESPONSE;
        self.read(&decoded, redactor, now, |_| if whole { Ok(()) } else { json::read(b"") })
            .map(|()| self.api_response(body))
            .map_err(|error| match error.kind() {
                // The text of a known call would be about a generation.
                ErrorKind::NotFound => error
                    .with_statement("the API has nothing at this path (HTTP 404). Check the path."),
                _ => error,
            })
    }

    /// This response with a body that was decoded.
    pub(crate) fn api_response(&self, body: Bytes) -> ApiResponse {
        ApiResponse { status: self.status.as_u16(), headers: self.headers.clone(), body }
    }

    fn decoded(&self) -> Decoded {
        encoding::decode(self.body.clone(), MAX_RESPONSE)
    }

    fn read<T>(
        &self,
        decoded: &Decoded,
        redactor: &Redactor<'_>,
        now: SystemTime,
        read: impl FnOnce(&Bytes) -> serde_json::Result<T>,
    ) -> Result<T, Error> {
        let body = &decoded.body;
        if !self.status.is_success() {
            return Err(error::from_status(self.status, &self.headers, body, redactor, now));
        }
        // Also if the body is incomplete: what is missing may be no part of the value.
        read(body).map_err(|reason| match &self.cut {
            Some(cut) => cut.clone(),
            None => {
                let reason = self.reason(decoded, &reason);
                error::undecodable(self.status, &self.headers, body, reason, redactor)
            }
        })
    }

    /// Why a body is unreadable. serde's message quotes values of the body, its category does not.
    fn reason(&self, decoded: &Decoded, error: &serde_json::Error) -> &'static str {
        use serde_json::error::Category;
        match error.classify() {
            _ if decoded.body.len() > MAX_RESPONSE => "far larger than any of the API",
            _ if !decoded.is_whole => "incomplete gzip",
            Category::Data => "JSON of another shape",
            Category::Eof => "incomplete JSON",
            _ if !is_identity(&self.headers) => "in an unknown content coding",
            _ => "not JSON",
        }
    }
}

fn other() -> Error {
    let error = Error::new(ErrorKind::Decode, "the response is about another generation.");
    error.with_delivery(Delivery::Answered).with_advice(
        "Check the base URL, and whether a proxy or a cache responds in the service's place.",
    )
}
