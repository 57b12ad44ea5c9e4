//! The two servers: they accept, read, log, apply faults and answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::answer::{Answer, Payload};
use crate::api::Call;
use crate::apply::apply;
use crate::control;
use crate::faults::{Break, Fault, Origin};
use crate::log::ReceivedRequest;
use crate::shared::Shared;

/// The largest body that is read; media may be sent as data URIs.
const LONGEST_BODY: usize = 32 << 20;

/// Serves until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, origin: Origin) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&shared), origin));
            }
            // Out of file descriptors, most likely: some may be free again soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, origin: Origin) {
    // Without it answers in two writes wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| handle(Arc::clone(&shared), origin, request));
    // An error is a client that went away, or a connection that a fault has closed.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Answers a request; an error closes its connection.
async fn handle(
    shared: Arc<Shared>,
    origin: Origin,
    request: Request<Incoming>,
) -> io::Result<Response<Payload>> {
    let (head, body) = request.into_parts();
    if origin == Origin::Api && head.uri.path().starts_with(control::PREFIX) {
        let answer = match read(body).await? {
            Some(body) => control::answer(&shared, &call(head, body)),
            None => too_large(),
        };
        return Ok(answer.into_response());
    }
    let received = shared.receive(&head, origin);
    let fault = shared.take_fault(&head, origin);
    match fault {
        Some(fault) if fault.drop == Some(Break::BeforeReading) => {
            shared.log(received);
            delay(&shared, &fault).await;
            Err(broken())
        }
        fault => answer(&shared, origin, head, body, received, fault).await,
    }
}

async fn answer(
    shared: &Shared,
    origin: Origin,
    head: Parts,
    body: Incoming,
    received: ReceivedRequest,
    fault: Option<Fault>,
) -> io::Result<Response<Payload>> {
    let Some(body) = read(body).await? else {
        shared.log(received);
        return Ok(too_large().into_response());
    };
    shared.log(received.with_body(&body));
    let call = call(head, body);
    let Some(fault) = fault else {
        return Ok(shared.answer(origin, &call).into_response());
    };
    let ordinary = fault.is_taken().then(|| shared.answer(origin, &call));
    if let (Some(status), Some(answer)) = (&fault.claim, &ordinary) {
        shared.claim(answer, status);
    }
    delay(shared, &fault).await;
    if fault.drop == Some(Break::AfterReading) {
        return Err(broken());
    }
    Ok(apply(&fault, ordinary, shared.places(), origin).into_response())
}

fn call(head: Parts, body: Bytes) -> Call {
    Call {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        method: head.method,
        headers: head.headers,
        body,
    }
}

/// The whole body; None if it is too large.
async fn read(body: Incoming) -> io::Result<Option<Bytes>> {
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn too_large() -> Answer {
    Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large")
}

async fn delay(shared: &Shared, fault: &Fault) {
    if let Some(count) = fault.after_deliveries {
        shared.deliveries.come_to(count).await;
    }
    if fault.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    }
}

fn broken() -> io::Error {
    io::Error::other("broken on request")
}
