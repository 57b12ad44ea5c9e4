//! Commands for webhooks: verify one delivery, or listen for them.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pipevideo::{Webhook, WebhookEvent};
use tokio::net::TcpListener;

use crate::arguments::Webhooks;
use crate::exit;
use crate::failure::{Failure, usage};
use crate::interrupts::Interrupts;
use crate::json;
use crate::output::{Output, note, printable};

/// The size up to which bodies are received: that up to which they are verified. Events have less
/// than 10 KB.
const MAX_BODY: usize = 1 << 20;

pub(super) async fn run(command: Webhooks, output: Output) -> Result<u8, Failure> {
    let secrets = std::env::var("PIPEVIDEO_WEBHOOK_SECRET").unwrap_or_default();
    let webhook = Webhook::new(secrets.split(',').filter(|secret| !secret.trim().is_empty()))?;
    match command {
        Webhooks::Verify { body, headers, headers_file, at } => {
            let headers = read_headers(headers, headers_file.as_deref())?;
            let body = read_body(&body)?;
            let event = webhook.unwrap_at(body, headers, at.unwrap_or_else(SystemTime::now))?;
            print(output, &event)?;
            Ok(0)
        }
        Webhooks::Listen { port, host } => listen(webhook, host, port, output).await,
    }
}

fn read_body(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut body)?;
        return Ok(body);
    }
    fs::read(path).or_else(|error| usage(format!("cannot read {}: {error}", path.display())))
}

/// The headers of the arguments, and of the file if there is one.
fn read_headers(
    mut headers: Vec<String>,
    file: Option<&Path>,
) -> Result<Vec<(String, String)>, Failure> {
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .or_else(|error| usage(format!("cannot read {}: {error}", path.display())))?;
        // A request as it was recorded may begin with its own line, and end with an empty one.
        headers.extend(text.lines().filter(|line| line.contains(": ")).map(str::to_owned));
    }
    let split = |header: &String| match header.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => usage("a header has no colon. Write it as in 'svix-id: msg_1'."),
    };
    headers.iter().map(split).collect()
}

fn print(output: Output, event: &WebhookEvent) -> io::Result<()> {
    output.result(&json::event(event), || {
        let status = event.status.as_ref().map_or("", |status| status.as_str());
        let id = event.generation_id.as_deref().unwrap_or_default();
        let again = if event.duplicate { " (again)" } else { "" };
        printable(&format!("{} {id} {status} {}{again}", event.event_type, event.id))
    })
}

async fn listen(webhook: Webhook, host: IpAddr, port: u16, output: Output) -> Result<u8, Failure> {
    let mut interrupts = Interrupts::new()?;
    let address = SocketAddr::from((host, port));
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => return usage(format!("cannot listen on {address}: {error}")),
    };
    note(&format!("Listening on http://{}/ until Ctrl-C.", listener.local_addr()?));
    let webhook = Arc::new(webhook);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // The connection has broken already, or there are too many.
                Err(_) => continue,
            },
            () = interrupts.next() => return Ok(exit::INTERRUPTED),
        };
        let webhook = webhook.clone();
        let service = service_fn(move |request| {
            let webhook = webhook.clone();
            async move { Ok::<_, Infallible>(receive(&webhook, request, output).await) }
        });
        let mut server = http1::Builder::new();
        // The timer bounds how long a header may take.
        server.timer(TokioTimer::new());
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

async fn receive(
    webhook: &Webhook,
    request: Request<Incoming>,
    output: Output,
) -> Response<Empty<Bytes>> {
    let status = if request.method() == Method::POST {
        let (head, body) = request.into_parts();
        match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => accept(webhook, &body.to_bytes(), &head.headers, output),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    } else {
        StatusCode::METHOD_NOT_ALLOWED
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

/// Prints a delivery, and returns how it is answered: what was not printed is delivered again.
fn accept(webhook: &Webhook, body: &[u8], headers: &HeaderMap, output: Output) -> StatusCode {
    match webhook.unwrap(body, headers) {
        Ok(event) => match print(output, &event) {
            Ok(()) => {
                event.acknowledge();
                StatusCode::NO_CONTENT
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Err(error) => {
            note(&format!("rejected: {error}"));
            StatusCode::BAD_REQUEST
        }
    }
}
