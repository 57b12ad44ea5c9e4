//! HTTP/2 connections that go silent, refuse streams or go away.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use h2::server::{Connection, SendResponse};
use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use pipevideo::{ClientBuilder, Delivery, ErrorKind};
use support::{
    Count, GENERATION, GOAWAY, RST_STREAM, SETTINGS, Tls, frame, large_request, request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

struct Server {
    tls: Tls,
    address: String,
    connections: Count,
}

impl Server {
    fn client(&self) -> ClientBuilder {
        self.tls.client(&self.address)
    }
}

/// Serves each TLS connection that negotiated HTTP/2 by a function.
async fn serve<F>(
    handle: impl Fn(usize, TlsStream<TcpStream>) -> F + Send + Sync + 'static,
) -> Server
where
    F: Future<Output = ()> + Send + 'static,
{
    let tls = Tls::new("h2");
    let acceptor = tls.acceptor();
    let handle = Arc::new(handle);
    let (address, connections) = support::serve(move |number, stream| {
        let (acceptor, handle) = (acceptor.clone(), handle.clone());
        async move { handle(number, acceptor.accept(stream).await.unwrap()).await }
    })
    .await;
    Server { tls, address, connections }
}

fn answer(mut respond: SendResponse<Bytes>) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::from_static(GENERATION.as_bytes()), true).unwrap();
}

/// Responds to each request, and counts the creates.
async fn respond(stream: TlsStream<TcpStream>, creates: Count) {
    let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        if request.method() == Method::POST {
            creates.add();
        }
        answer(respond);
    }
}

/// Responds to the first request, and then answers nothing, not even PINGs.
async fn go_silent(stream: TlsStream<TcpStream>) {
    let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
    let (_, respond) = connection.accept().await.unwrap().unwrap();
    answer(respond);
    // The response is flushed by reading on, up to the next request.
    let _second = connection.accept().await;
    std::future::pending().await
}

/// The connection is noticed by PINGs: the request timeout is far away.
#[tokio::test]
async fn a_connection_that_does_not_answer_pings_is_abandoned() {
    let server = serve(|number, stream| async move {
        if number == 0 { go_silent(stream).await } else { respond(stream, Count::default()).await }
    })
    .await;
    let client = server.client().request_timeout(Duration::from_secs(3600)).build().unwrap();
    for _ in 0..2 {
        client.responses().retrieve("gen_1").await.unwrap();
    }
    assert_eq!(server.connections.get(), 2);
}

/// The connection answers PINGs and no requests. After the first timeout no request uses it; the one
/// that is in flight on it still gets its response.
#[tokio::test]
async fn after_a_timeout_a_connection_is_not_used_again() {
    let (slow_arrived, recovered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrived, recover) = (slow_arrived.clone(), recovered.clone());
    let streams = Count::default();
    let count = streams.clone();
    let server = serve(move |number, stream| {
        let (arrived, recover, streams) = (arrived.clone(), recover.clone(), count.clone());
        async move {
            if number > 0 {
                recover.notify_one();
                return respond(stream, Count::default()).await;
            }
            let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
            let mut held = Vec::new();
            loop {
                tokio::select! {
                    Some(accepted) = connection.accept() => {
                        held.push(accepted.unwrap().1);
                        streams.add();
                        arrived.notify_one();
                    }
                    () = recover.notified() => answer(held.remove(0)),
                }
            }
        }
    })
    .await;
    let patient = server.client().request_timeout(Duration::from_secs(60)).build().unwrap();
    let hasty = patient.with_request_timeout(Duration::from_millis(300)).unwrap();
    let slow = tokio::spawn(async move { patient.responses().retrieve("gen_1").await });
    slow_arrived.notified().await;
    for _ in 0..3 {
        hasty.responses().retrieve("gen_1").await.unwrap();
    }
    assert_eq!(slow.await.unwrap().unwrap().id, "gen_1");
    assert_eq!((streams.get(), server.connections.get()), (2, 2));
}

/// Creates on a server that sends this raw frame on its first connection. Returns the outcome with
/// the number of connections and of creates that were processed.
async fn create_with(
    frame: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) -> (Result<(), (ErrorKind, Delivery)>, usize, usize) {
    let processed = Count::default();
    let count = processed.clone();
    let frame = Arc::new(frame);
    let server = serve(move |number, mut stream| {
        let (frame, processed) = (frame.clone(), count.clone());
        async move {
            if number > 0 {
                return respond(stream, processed).await;
            }
            stream.write_all(&support::frame(SETTINGS, 0, &[])).await.unwrap();
            let id = support::read_http2_request(&mut stream).await;
            stream.write_all(&frame(id)).await.unwrap();
            // Up to the end of the connection.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let outcome = server.client().build().unwrap().responses().create(request()).await;
    let outcome = outcome.map(drop).map_err(|error| (error.kind(), error.delivery()));
    (outcome, server.connections.get(), processed.get())
}

fn goaway(last_stream: u32, code: u32) -> Vec<u8> {
    let payload = [last_stream.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, &[&payload[..], b"key=pv_secret"].concat())
}

#[tokio::test]
async fn a_create_that_the_service_refuses_is_sent_again() {
    const NO_ERROR: u32 = 0;
    const ENHANCE_YOUR_CALM: u32 = 11;
    const REFUSED_STREAM: u32 = 7;
    let refuse = |id| frame(RST_STREAM, id, &REFUSED_STREAM.to_be_bytes());
    assert_eq!(create_with(refuse).await, (Ok(()), 2, 1));
    for code in [NO_ERROR, ENHANCE_YOUR_CALM] {
        assert_eq!(create_with(move |id| goaway(id - 1, code)).await, (Ok(()), 2, 1));
    }
}

#[tokio::test]
async fn a_create_that_the_service_may_have_processed_is_not_sent_again() {
    const INTERNAL_ERROR: u32 = 2;
    let uncertain = (Err((ErrorKind::SubmissionUncertain, Delivery::Unknown)), 1, 0);
    let reset = |id| frame(RST_STREAM, id, &INTERNAL_ERROR.to_be_bytes());
    assert_eq!(create_with(reset).await, uncertain);
    // The stream is among those that the service may have processed, and the connection ends.
    let last = |id| {
        let invalid = frame(SETTINGS, 1, &[]);
        [goaway(id, INTERNAL_ERROR), invalid].concat()
    };
    assert_eq!(create_with(last).await, uncertain);
}

#[tokio::test]
async fn the_debug_data_of_a_goaway_is_in_no_error_text() {
    let server = serve(|_, mut stream| async move {
        stream.write_all(&support::frame(SETTINGS, 0, &[])).await.unwrap();
        let id = support::read_http2_request(&mut stream).await;
        stream.write_all(&goaway(id - 1, 2)).await.unwrap();
    })
    .await;
    let client = server.client().max_retries(0).build().unwrap();
    let error = client.responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!format!("{error} {error:?}").contains("pv_secret"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_response_to_a_large_upload_is_used() {
    for (status, kind) in [(401, ErrorKind::Authentication), (413, ErrorKind::ApiStatus)] {
        let server = serve(move |_, stream| async move {
            let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                let status = StatusCode::from_u16(status).unwrap();
                let response = Response::builder().status(status).body(()).unwrap();
                // The stream is reset without an error, since its body is dropped unread.
                respond.send_response(response, true).unwrap();
                connection.graceful_shutdown();
            }
        })
        .await;
        let client = server.client().build().unwrap();
        let error = client.responses().create(large_request()).await.unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (kind, Delivery::Answered), "{error}");
        assert_eq!(server.connections.get(), 1);
    }
}

#[tokio::test]
async fn many_headers_are_accepted() {
    let server = serve(|_, stream| async move {
        let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut response = Response::builder();
            for n in 0..500 {
                response = response.header(format!("x-header-{n}"), "0123456789");
            }
            let mut body = respond.send_response(response.body(()).unwrap(), false).unwrap();
            body.send_data(Bytes::from_static(GENERATION.as_bytes()), true).unwrap();
        }
    })
    .await;
    let client = server.client().build().unwrap();
    assert_eq!(client.responses().create(request()).await.unwrap().id, "gen_1");
    assert_eq!(server.connections.get(), 1);
}
