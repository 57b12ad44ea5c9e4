//! The two servers: they accept connections, read and log requests, apply faults and respond.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::connection::{FlushWatch, WatchedStream};
use super::{Origin, Request, Response};
use crate::control;
use crate::faults::{Break, Fault};
use crate::page::{self, PageResponse};
use crate::state::EmulatorState;

/// The largest request body that is accepted. Media may be sent as data URIs of several megabytes; 32
/// MiB leaves room for that and bounds what one request can make the emulator hold in memory.
const MAX_BODY: usize = 32 << 20;

/// How long to wait after a failed accept. It most likely failed because the process has no free file
/// descriptor, and connections that end meanwhile free some.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Serves until the future is dropped, which also closes its connections.
pub(crate) async fn serve(listener: TcpListener, state: Arc<EmulatorState>, origin: Origin) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, Arc::clone(&state), origin));
            }
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, state: Arc<EmulatorState>, origin: Origin) {
    // With Nagle's algorithm, a response of two writes would wait for the client's delayed ACK.
    let _ = stream.set_nodelay(true);
    let (stream, flushes) = WatchedStream::new(stream);
    let exchange = Exchange { state, origin, flushes };
    let service = service_fn(|request| exchange.clone().handle(request));
    // An error means that the client went away or that a fault closed the connection.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What handling a request needs from its connection.
#[derive(Clone)]
struct Exchange {
    state: Arc<EmulatorState>,
    origin: Origin,
    flushes: FlushWatch,
}

impl Exchange {
    /// Responds to a request. An error closes the connection.
    async fn handle(self, request: hyper::Request<Incoming>) -> io::Result<PageResponse> {
        let (head, body) = request.into_parts();
        if self.origin == Origin::Api && head.uri.path().starts_with(control::PREFIX) {
            return self.handle_control(head, body).await;
        }
        let mut shown = page::Exchange::new(&head, self.origin, self.state.uptime());
        let responded = self.respond(head, body, &mut shown).await;
        if let Ok(response) = &responded {
            shown.set_response(response);
        }
        shown.set_end(self.state.uptime());
        self.state.log_exchange(&shown);
        Ok(responded?.into_hyper().map(Either::Left))
    }

    async fn handle_control(&self, head: Parts, body: Incoming) -> io::Result<PageResponse> {
        let Some(body) = read(body).await? else {
            return Ok(too_large().into_hyper().map(Either::Left));
        };
        let request = into_request(head, body);
        Ok(page::respond(&self.state, &request).unwrap_or_else(|| {
            control::respond(&self.state, &request).into_hyper().map(Either::Left)
        }))
    }

    async fn respond(
        &self,
        head: Parts,
        body: Incoming,
        shown: &mut page::Exchange,
    ) -> io::Result<Response> {
        let received = self.state.receive(&head, self.origin);
        let fault = self.state.take_fault(&head, self.origin);
        if let Some(fault) = &fault
            && fault.drop == Some(Break::BeforeReading)
        {
            self.state.log_request(received);
            self.delay(fault).await;
            return Err(broken());
        }
        let Some(body) = read(body).await? else {
            self.state.log_request(received);
            return Ok(too_large());
        };
        shown.set_body(&body);
        self.state.log_request(received.with_body(&body));
        let request = into_request(head, body);
        let Some(fault) = fault else {
            return Ok(self.state.respond(self.origin, &request));
        };
        let regular = fault.is_taken().then(|| self.state.respond(self.origin, &request));
        if let (Some(status), Some(response)) = (&fault.claim, &regular) {
            self.state.claim(response, status);
        }
        self.delay(&fault).await;
        if fault.drop == Some(Break::AfterReading) {
            return Err(broken());
        }
        let mut response = fault.response(regular, self.state.origins(), self.origin);
        if fault.drop == Some(Break::MidBody) {
            response.break_half_way(self.flushes.clone());
        }
        Ok(response)
    }

    async fn delay(&self, fault: &Fault) {
        if let Some(count) = fault.after_deliveries {
            self.state.deliveries.wait_for_deliveries(count).await;
        }
        if fault.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        }
    }
}

fn into_request(head: Parts, body: Bytes) -> Request {
    Request {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        method: head.method,
        headers: head.headers,
        body,
    }
}

/// Reads the whole body. Returns None if it is larger than [`MAX_BODY`].
async fn read(body: Incoming) -> io::Result<Option<Bytes>> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn too_large() -> Response {
    Response::message(StatusCode::PAYLOAD_TOO_LARGE, "The request body is larger than 32 MiB")
}

fn broken() -> io::Error {
    io::Error::other("broken on request")
}
