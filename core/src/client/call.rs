//! One call: through the budget, over the transport, to a value or an error; again if it may be.

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;
use tracing::{Instrument, Span, debug_span, field, info};

use super::Inner;
use super::client_state::lock;
use super::clock;
use super::limiter::Permit;
use super::transport::{HttpRequest, HttpResponse, TransportError};
use crate::error::{Delivery, Error, ErrorKind, Redactor};
use crate::model::{Generation, GenerationId, GenerationRequest};
use crate::polling::wait_state::Snapshot;
use crate::retry::{self, Safety};
use crate::wire::{self, Request, Response};

/// An answer of the API is never near this; a larger one is not read to its end.
const LARGEST_ANSWER: usize = 64 << 20;

impl Inner {
    /// A call that changes nothing.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        let called = self.call(request, Safety::Read).await;
        called.map(|(value, _)| value).map_err(|(error, _)| error)
    }

    /// The create. Unless it is certain that the service did not take it, it is sent once.
    pub(crate) async fn create(&self, request: &GenerationRequest) -> Result<Snapshot, Error> {
        let call = wire::create(request)?;
        match self.call::<Generation>(&call, Safety::Create).await {
            Ok((generation, text)) => {
                lock(&self.shared.created).insert(&generation.id, clock::now());
                Ok(Snapshot::new(generation, text))
            }
            Err((error, sent_at)) if is_uncertain(&error) => {
                Err(error.into_uncertain(&request.model, sent_at))
            }
            Err((error, _)) => Err(error),
        }
    }

    /// One look at a generation, with the permit that the planner has taken for it.
    pub(crate) async fn poll(&self, id: &str, permit: Permit) -> Result<Snapshot, Error> {
        let request = wire::retrieve(&GenerationId::parse(id)?);
        let looked = self.attempt(&request, Some(permit)).await;
        looked
            .and_then(|(generation, text)| Ok(Snapshot::new(check_id(id, generation)?, text)))
            .map_err(|error| error.with_generation_id(id))
    }

    /// Sends until there is an answer, or no more patience: the value and its text, or the error and
    /// when it was last sent.
    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request,
        safety: Safety,
    ) -> Result<(T, Bytes), (Error, SystemTime)> {
        let span = debug_span!(
            "call",
            method = %request.method, path = request.path,
            attempt = field::Empty, status = field::Empty, budget_left = field::Empty,
        );
        async {
            let mut attempt = 0;
            loop {
                attempt += 1;
                let permit = match request.authorized {
                    true => {
                        let entered = self.shared.limiter.acquire().await;
                        Some(entered.map_err(|e| (e.with_attempts(attempt - 1), clock::wall()))?)
                    }
                    false => None,
                };
                let sent_at = clock::wall();
                Span::current().record("attempt", attempt);
                let error = match self.attempt(request, permit).await {
                    Ok(value) => return Ok(value),
                    // What the token function lacks keeps a request from being made.
                    Err(error) if error.status().is_none() && is_of_key(&error) => {
                        error.with_attempts(attempt - 1)
                    }
                    Err(error) => error.with_attempts(attempt),
                };
                let entropy = clock::entropy();
                match retry::pause(safety, &error, attempt, self.config.max_retries, entropy) {
                    Some(pause) => {
                        info!(kind = %error.kind(), ?pause, "the call is sent again");
                        clock::sleep(pause).await;
                    }
                    None => return Err((error, sent_at)),
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Sends once, and tells the budget how it went.
    async fn attempt<T: DeserializeOwned>(
        &self,
        request: &Request,
        permit: Option<Permit>,
    ) -> Result<(T, Bytes), Error> {
        let span = Span::current();
        if !span.is_disabled() {
            span.record("budget_left", self.shared.limiter.budget().left(clock::now()));
        }
        let (answer, key) = match self.exchange(request).await {
            Ok(exchanged) => exchanged,
            Err(error) => {
                if let Some(permit) = permit.filter(|_| error.delivery() == Delivery::NotSent) {
                    permit.not_sent();
                }
                return Err(error);
            }
        };
        span.record("status", answer.status.as_u16());
        let redactor = Redactor { key: &key };
        let result = answer.parse(&redactor, clock::wall());
        if let (Err(error), Some(permit)) = (&result, permit)
            && error.kind() == ErrorKind::RateLimited
        {
            permit.limited(error.retry_after());
        }
        result.map(|value| (value, answer.body))
    }

    /// One exchange within the request timeout: the answer, and the key that went with it.
    async fn exchange(&self, request: &Request) -> Result<(Response, Cow<'_, str>), Error> {
        let timeout = self.config.request_timeout;
        let late = |what: &str, sent| {
            let message = format!("{what} within the request timeout of {timeout:?}.");
            Error::new(ErrorKind::Timeout, message)
                .with_advice("Try again, or raise the request timeout.")
                .with_delivery(sent)
        };
        let mut headers = self.headers.clone();
        let mut key = Cow::Borrowed("");
        if request.authorized {
            let authorized = clock::within(timeout, self.key.authorize()).await;
            let (header, token) = authorized
                .ok_or_else(|| late("the token function gave no token", Delivery::NotSent))??;
            headers.insert(header::AUTHORIZATION, header);
            key = token;
        }
        if request.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = HttpRequest {
            method: request.method.clone(),
            url: self.config.base_url.join(&request.path),
            headers,
            body: request.body.clone(),
        };
        let exchange = async { read_to_end(self.transport.send(request).await?).await };
        match clock::within(timeout, exchange).await {
            Some(answer) => Ok((answer?, key)),
            None => Err(late("no response arrived", Delivery::Unknown)),
        }
    }
}

/// The generation that is waited for, or none: a wait does not end with another one's video.
fn check_id(id: &str, generation: Generation) -> Result<Generation, Error> {
    if generation.id == id {
        return Ok(generation);
    }
    let error = Error::new(ErrorKind::Decode, "the response is about another generation.");
    Err(error.with_advice(
        "Check the base URL, and whether a proxy or a cache responds in the service's place.",
    ))
}

fn is_of_key(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Configuration)
}

/// Whether a create that ended so may have made a generation.
fn is_uncertain(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Timeout => error.delivery() != Delivery::NotSent,
        ErrorKind::Server | ErrorKind::Decode => true,
        _ => false,
    }
}

async fn read_to_end(mut response: HttpResponse) -> Result<Response, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.body.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > LARGEST_ANSWER {
            let what = "the answer is far larger than any of the API";
            return Err(TransportError { what, delivery: Delivery::Unknown, source: None });
        }
        body.extend_from_slice(&chunk);
    }
    let body = body.freeze();
    Ok(Response { status: response.status, headers: response.headers, body })
}

/// The headers that every request carries.
pub(crate) fn standing_headers(config: &super::Config) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let agent = concat!("pipevideo-rust/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    config.app.write(&mut headers)?;
    headers.extend(config.headers.clone());
    Ok(headers)
}
