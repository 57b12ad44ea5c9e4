//! One call: through the limiter, over the transport, to a value or an error; repeated if the error
//! allows it.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;

use super::events::{self, Subject};
use super::limiter::Permit;
use super::spans::OpenSpan;
use super::submission::Submission;
use super::transport::{HttpRequest, HttpResponse, TransportError};
use super::upload::Upload;
use super::{ClientInner, clock, closing};
use crate::error::{Delivery, Error, ErrorKind, Redactor};
use crate::lock::lock;
use crate::model::{ApiResponse, Generation, GenerationId, GenerationRequest};
use crate::polling::wait_state::Snapshot;
use crate::retry::{self, Consequence, Failures, Operation};
use crate::wire::{self, Request, Response, VideoHosts};

impl ClientInner {
    /// Makes a call that changes nothing.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        self.read_by(request, Response::parse).await
    }

    /// As [`read`](Self::read), with the response.
    pub(super) async fn read_with_response<T: DeserializeOwned>(
        &self,
        request: &Request,
    ) -> Result<Answered<T>, Error> {
        let body = |response: &Response, redactor: &Redactor<'_>, now| {
            Ok((response.parse(redactor, now)?, response.raw(redactor, now)?))
        };
        self.read_by(request, body).await
    }

    /// Makes a call that changes nothing, and reads its response by this function.
    pub(super) async fn read_by<T>(
        &self,
        request: &Request,
        parse: impl Parse<T>,
    ) -> Result<T, Error> {
        let call = async {
            let call = events::next_call();
            let called = self.call(call, Operation::Read, request, None, parse).await;
            called.map_err(|failure| failure.error)
        };
        self.until_closed(closing::read_ended, call).await
    }

    /// Retrieves a generation.
    pub(crate) async fn retrieve(&self, id: &GenerationId) -> Result<Answered<Generation>, Error> {
        let read = with_response(generation(Some(id)), |(_, json)| json.clone());
        let read = self.read_by(&wire::retrieve(id), read).await;
        let ((generation, _), response) =
            read.map_err(|error| error.with_generation_id(id.as_str()))?;
        self.on_snapshot(&generation);
        Ok((generation, response))
    }

    /// Creates a generation, if its cost fits the spend limit. The request is sent again only if the
    /// service certainly did not process it.
    pub(crate) async fn create(
        self: &Arc<Self>,
        request: &GenerationRequest,
        submission: &Submission,
    ) -> Result<Answered<Snapshot>, Error> {
        let create = wire::create(request)?;
        let call = submission.call();
        submission.on_begin(&request.model);
        let reservation = self.reserve(request, submission).await?;
        let read = with_response(generation(None), |(_, json)| json.clone());
        let kind = Operation::Create;
        let began = clock::now();
        match self.call(call, kind, &create, Some(submission), read).await {
            Ok(((generation, json), response)) => {
                submission.on_created(&generation.id);
                self.state.on_created(&generation.id);
                let took = clock::now().saturating_sub(began);
                self.log.created(call, &generation, &request.model, took);
                reservation.on_created(&generation);
                self.flush(submission).await;
                Ok((Snapshot::new(generation, json), response))
            }
            Err(Failure { error, consequence: Consequence::Uncertain, sent_at }) => {
                reservation.on_uncertain(&error);
                self.log.uncertain(Some(call), Some(&request.model), &error);
                self.flush(submission).await;
                Err(error.into_uncertain(&request.model, sent_at))
            }
            Err(failure) => Err(failure.error),
        }
    }

    /// Waits until the other processes can know what a create has made: this one may end right after it.
    async fn flush(&self, submission: &Submission) {
        if let Some(link) = &self.state.link {
            let timeout = self.state.limiter.redis_timeout();
            link.flush(timeout.saturating_sub(submission.waited())).await;
        }
    }

    /// Polls a generation once, with the permit that was acquired for it.
    pub(crate) async fn poll(&self, id: &GenerationId, permit: Permit) -> Result<Snapshot, Error> {
        let request = wire::retrieve(id);
        let subject = Subject::of(&request);
        let read = generation(Some(id));
        let polled = self.attempt(&subject, &request, Some(permit), None, read).await;
        let (generation, json) = polled.map_err(|error| error.with_generation_id(id.as_str()))?;
        self.on_snapshot(&generation);
        Ok(Snapshot::new(generation, json))
    }

    /// The service has described a generation.
    fn on_snapshot(&self, generation: &Generation) {
        lock(&self.state.seen).insert_first(&generation.id, clock::now());
        self.state.ledger.on_snapshot(generation);
    }

    /// Sends until there is a response, or until the error says that it must not be sent again.
    pub(super) async fn call<T>(
        &self,
        call: u64,
        operation: Operation,
        request: &Request,
        submission: Option<&Submission>,
        parse: impl Parse<T>,
    ) -> Result<T, Failure> {
        let mut subject = Subject { call: Some(call), ..Subject::of(request) };
        let mut attempts = 0;
        let mut failures = Failures::default();
        let mut was_refused = false;
        loop {
            // A permit for each attempt: the service counts every request against the limit.
            let permit = self.until_closed(closing::not_sent, async {
                Ok(self.permit(&subject, request, submission, was_refused).await)
            });
            let permit = permit.await.map_err(|error| Failure {
                error: error.with_attempts(attempts),
                consequence: Consequence::Fail,
                sent_at: clock::wall(),
            })?;
            attempts += 1;
            subject.attempt = Some(attempts);
            let sent_at = clock::wall();
            let attempt = self.attempt(&subject, request, permit, submission, parse);
            let error = match attempt.await {
                Ok(value) => return Ok(value),
                // Without a token there was no request that could count as an attempt.
                Err(error) if is_of_token(&error) => error.with_attempts(attempts - 1),
                Err(error) => error.with_attempts(attempts),
            };
            if let Some(submission) = submission {
                submission.on_failed();
            }
            was_refused |= error.kind() == ErrorKind::RateLimited;
            let entropy = clock::entropy();
            match failures.add(operation, &error, entropy) {
                Consequence::RepeatAfter(pause) if attempts <= self.config.max_retries => {
                    self.log.retry(&subject, &error, pause);
                    if let Some(submission) = submission {
                        submission.on_not_processed();
                    }
                    // A closed client sends nothing: the next permit is denied.
                    self.closed.run_until_cancelled(clock::sleep(pause)).await;
                }
                consequence => return Err(Failure { error, consequence, sent_at }),
            }
        }
    }

    /// Acquires the permit of a call, of which an earlier attempt may have got a 429. A request without
    /// a key counts against no limit.
    async fn permit(
        &self,
        subject: &Subject<'_>,
        request: &Request,
        submission: Option<&Submission>,
        was_refused: bool,
    ) -> Option<Permit> {
        if !request.authorized {
            return None;
        }
        // A create does not wait for Redis twice.
        let waited = submission.map_or(Duration::ZERO, Submission::waited);
        let on_hold = |hold| self.log.hold(subject, hold);
        let permit = self.state.limiter.acquire_after(waited, on_hold).await;
        Some(permit.of_call(was_refused))
    }

    /// Sends a request once, and reports to the budget and the log how it went.
    async fn attempt<T>(
        &self,
        subject: &Subject<'_>,
        request: &Request,
        mut permit: Option<Permit>,
        submission: Option<&Submission>,
        parse: impl Parse<T>,
    ) -> Result<T, Error> {
        let began = clock::now();
        let span = OpenSpan::of_request(subject, &self.config.base_url);
        let left = || self.state.limiter.left();
        let exchanged = self.exchange(request, permit.as_mut(), submission, &span).await;
        let log = |status, result: Result<&T, &Error>| {
            let duration = clock::now().saturating_sub(began);
            span.span().in_scope(|| self.log.request(subject, status, result, duration, left));
            span.end_request(subject, status, result.err(), left);
        };
        let (response, key) = match exchanged {
            Ok(exchanged) => exchanged,
            Err(error) => {
                // The service cannot have counted a request that it did not receive.
                if let Some(permit) = permit.filter(|_| error.delivery() == Delivery::NotSent) {
                    permit.not_sent();
                }
                log(None, Err(&error));
                return Err(error);
            }
        };
        let redactor = Redactor { key: &key };
        let result = parse(&response, &redactor, clock::wall());
        log(Some(response.status.as_u16()), result.as_ref());
        if let (Err(error), Some(permit)) = (&result, permit)
            && error.kind() == ErrorKind::RateLimited
        {
            permit.on_rate_limited(retry::capped(error.asked_pause()));
        }
        let has_token = request.authorized && self.key.is_function();
        result.map_err(|error| error.with_renewable_token(has_token))
    }

    /// Makes one exchange within the request timeout. Returns the response and the key that was sent.
    /// Without a request, for instance for want of a token, the permit is not used.
    async fn exchange(
        &self,
        request: &Request,
        permit: Option<&mut Permit>,
        submission: Option<&Submission>,
        span: &OpenSpan,
    ) -> Result<(Response, Cow<'_, str>), Error> {
        let timeout = self.config.request_timeout;
        let late = |what: &str, sent| {
            let message = format!("{what} within the request timeout of {timeout:?}.");
            Error::new(ErrorKind::Timeout, message)
                .with_advice("Try again, or raise the request timeout.")
                .with_delivery(sent)
        };
        let mut headers = self.headers.clone();
        if let Some(on_request) = &self.on_request {
            span.span().in_scope(|| on_request.add_to(&mut headers));
        }
        let mut key = Cow::Borrowed("");
        if request.authorized {
            // The token function is the caller's and may hang. Nothing has been sent at this point.
            let authorize = async {
                match submission {
                    Some(_) => self.until_closed(closing::not_sent, self.key.authorize()).await,
                    // Closing has ended a read by itself, and a poll may be of another client's wait.
                    None => self.key.authorize().await,
                }
            };
            let authorized = clock::within(timeout, authorize).await;
            let (header, token) = authorized
                .ok_or_else(|| late("the token function returned no token", Delivery::NotSent))??;
            headers.insert(header::AUTHORIZATION, header);
            key = token;
        }
        if request.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let upload = Upload::new(request.body.clone().unwrap_or_default());
        let request = HttpRequest {
            method: request.method.clone(),
            url: self.config.base_url.join(&request.path),
            headers,
            body: upload.clone(),
            hosts: VideoHosts::ANY,
        };
        if let Some(submission) = submission {
            submission.record_send().await?;
            submission.on_send()?;
        }
        if let Some(permit) = permit {
            permit.start();
        }
        let began = clock::now();
        let grace = if request.method.is_idempotent() { READ_GRACE } else { CREATE_GRACE };
        let (mut response, mut body) = (None, BytesMut::new());
        // One timeout for all of it: a response that stops half way is as good as none.
        let exchange = async {
            let response = response.insert(self.transport.send(request).await?);
            read_to_end(response, &mut body).await
        };
        let ended = unless_silent(exchange, &upload, timeout, grace).await;
        if ended.is_none() {
            self.transport.retire_connections(began);
        }
        match (response, ended) {
            // What has arrived is kept in any case. It may have the id of a generation.
            (Some(HttpResponse { status, headers, .. }), ended) => {
                let what = "the service sent only a part of its response";
                let cut = match ended {
                    Some(read) => read.err().map(Error::from),
                    None => Some(late(what, Delivery::Unknown)),
                };
                Ok((Response { status, headers, body: body.freeze(), cut }, key))
            }
            (None, Some(Err(error))) => Err(error.into()),
            (None, _) if upload.is_complete() => {
                Err(late("the service sent no response", Delivery::Unknown))
            }
            (None, _) => Err(late("the request was not sent completely", Delivery::NotSent)),
        }
    }
}

/// How long after the timeout of a create its response is still accepted. A process that was frozen
/// past the timeout finds it among the first things that it reads, and it has the id of a generation
/// that is paid for.
const CREATE_GRACE: Duration = Duration::from_secs(2);
/// The same for reads, which are simply repeated: enough to read what has arrived.
const READ_GRACE: Duration = Duration::from_millis(50);

/// The output of an exchange, or `None` if the service is silent for the timeout: while the request
/// is sent no piece of it is taken, or after that no response arrives.
async fn unless_silent<F: Future>(
    exchange: F,
    upload: &Upload,
    timeout: Duration,
    grace: Duration,
) -> Option<F::Output> {
    let mut exchange = pin!(exchange);
    let unchanged = |end| upload.times_out_at(timeout) == end;
    loop {
        let end = upload.times_out_at(timeout);
        if let Some(output) = clock::by(end, exchange.as_mut()).await {
            return Some(output);
        }
        if unchanged(end) {
            if let Some(output) = clock::within(grace, exchange.as_mut()).await {
                return Some(output);
            }
            // A process that was frozen during its upload goes on with it.
            if unchanged(end) {
                return None;
            }
        }
    }
}

/// A call that failed, and what follows from that.
pub(super) struct Failure {
    pub(super) error: Error,
    consequence: Consequence,
    sent_at: SystemTime,
}

impl Failure {
    /// The error of a request that changes something other than to create a generation.
    pub(super) fn into_write_error(self) -> Error {
        match self.consequence {
            Consequence::Uncertain => self.error.with_no_retry().with_advice(
                "The service may have processed the request, so it was not sent again. Check before you \
                 repeat it.",
            ),
            _ => self.error,
        }
    }
}

/// How a response is read.
pub(super) trait Parse<T>:
    Fn(&Response, &Redactor<'_>, SystemTime) -> Result<T, Error> + Copy
{
}

impl<T, F> Parse<T> for F where
    F: Fn(&Response, &Redactor<'_>, SystemTime) -> Result<T, Error> + Copy
{
}

/// Reads a generation: this one, if it was asked for by its id.
fn generation(asked: Option<&GenerationId>) -> impl Parse<(Generation, Bytes)> {
    move |response: &Response, redactor: &Redactor<'_>, now| {
        response.generation(asked, redactor, now)
    }
}

/// A value, and the response that it was read from.
pub(super) type Answered<T> = (T, ApiResponse);

/// Reads a response by this function, and keeps it with the body that the other one returns.
fn with_response<T>(
    parse: impl Parse<T>,
    body: impl Fn(&T) -> Bytes + Copy,
) -> impl Parse<Answered<T>> {
    move |response: &Response, redactor: &Redactor<'_>, now| {
        let value = parse(response, redactor, now)?;
        let response = response.api_response(body(&value));
        Ok((value, response))
    }
}

/// Whether the token function failed, or returned what cannot be a token.
fn is_of_token(error: &Error) -> bool {
    error.status().is_none()
        && matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Configuration)
}

/// Reads a body to its end, or until it is longer than any of the API.
async fn read_to_end(
    response: &mut HttpResponse,
    body: &mut BytesMut,
) -> Result<(), TransportError> {
    while let Some(chunk) = response.body.next().await {
        body.extend_from_slice(&chunk?);
        // Checked while reading, since Content-Length may be missing or wrong.
        if body.len() > wire::MAX_RESPONSE {
            break;
        }
    }
    Ok(())
}

/// The headers of every request.
pub(crate) fn standing_headers(config: &super::Config) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let agent = concat!("pipevideo-rust/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    config.app.write(&mut headers)?;
    // The caller's headers come last, so that they replace ours, the user agent for instance.
    headers.extend(config.headers.clone());
    // Not this one: a response in another coding could not be read.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(wire::ACCEPTED_ENCODING));
    Ok(headers)
}
