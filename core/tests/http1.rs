//! HTTP/1.1 connections that break, stall or close at a bad moment, and odd responses.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod support;

use std::time::Duration;

use pipevideo::{Delivery, ErrorKind};
use support::{
    Count, GENERATION, client, large_request, read_head, request, respond, response, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

#[tokio::test]
async fn each_create_has_a_connection_of_its_own_and_reads_share_one() {
    let creates = Count::default();
    let count = creates.clone();
    let (address, connections) = serve(move |_, stream| respond(stream, count.clone())).await;
    let client = client(&address).build().unwrap();
    for _ in 0..3 {
        client.responses().retrieve("gen_1").await.unwrap();
        client.responses().create(request()).await.unwrap();
    }
    assert_eq!((creates.get(), connections.get()), (3, 4));
}

/// A server may respond to the headers and close, without reading the body: its response counts, not
/// the broken pipe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_response_to_a_large_upload_is_used() {
    for (status, kind) in
        [("401 Unauthorized", ErrorKind::Authentication), ("413 Too Large", ErrorKind::ApiStatus)]
    {
        let (address, _) = serve(move |_, mut stream| async move {
            read_head(&mut stream).await.unwrap();
            let response = response(status, "connection: close\r\n", "{}");
            stream.write_all(&response).await.unwrap();
        })
        .await;
        let error = client(&address)
            .build()
            .unwrap()
            .responses()
            .create(large_request())
            .await
            .unwrap_err();
        // One that is lost to the broken pipe after all is repeated.
        assert_eq!((error.kind(), error.delivery()), (kind, Delivery::Answered), "{error}");
    }
}

#[tokio::test]
async fn an_early_429_to_a_large_upload_is_sent_again() {
    let creates = Count::default();
    let count = creates.clone();
    let (address, connections) = serve(move |number, mut stream| {
        let creates = count.clone();
        async move {
            if number > 0 {
                return respond(stream, creates).await;
            }
            read_head(&mut stream).await.unwrap();
            let response = response("429 Slow Down", "retry-after: 0\r\n", "{}");
            stream.write_all(&response).await.unwrap();
        }
    })
    .await;
    let client = client(&address).build().unwrap();
    client.responses().create(large_request()).await.unwrap();
    assert_eq!((creates.get(), connections.get()), (1, 2));
}

#[tokio::test]
async fn a_create_that_breaks_during_the_upload_is_sent_again() {
    let creates = Count::default();
    let count = creates.clone();
    let (address, connections) = serve(move |number, mut stream| {
        let creates = count.clone();
        async move {
            match number {
                // Broken in the middle of the body.
                0 => {
                    read_head(&mut stream).await.unwrap();
                    stream.read_exact(&mut vec![0; 1_000_000]).await.unwrap();
                }
                // Stalled: it reads no further.
                1 => {
                    read_head(&mut stream).await.unwrap();
                    std::future::pending().await
                }
                _ => respond(stream, creates).await,
            }
        }
    })
    .await;
    let client = client(&address).request_timeout(Duration::from_millis(500)).build().unwrap();
    client.responses().create(large_request()).await.unwrap();
    assert_eq!((creates.get(), connections.get()), (1, 3));
}

#[tokio::test]
async fn a_create_that_breaks_after_the_upload_is_uncertain() {
    let creates = Count::default();
    let count = creates.clone();
    let (address, connections) = serve(move |_, mut stream| {
        let creates = count.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            let mut body = vec![0; 20];
            stream.read_exact(&mut body).await.unwrap();
            creates.add();
        }
    })
    .await;
    let client = client(&address).build().unwrap();
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::SubmissionUncertain, Delivery::Unknown)
    );
    assert_eq!((creates.get(), connections.get()), (1, 1));
}

/// The upload takes longer than the request timeout, and no pause in it does.
#[tokio::test]
async fn a_slow_upload_does_not_time_out() {
    let creates = Count::default();
    let count = creates.clone();
    let (address, _) = serve(move |_, mut stream| {
        let creates = count.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(250)).await;
                stream.read_exact(&mut vec![0; 2_000_000]).await.unwrap();
            }
            let mut byte = 0;
            while byte != b'}' {
                let mut chunk = vec![0; 1 << 16];
                let length = stream.read(&mut chunk).await.unwrap();
                byte = chunk[length - 1];
            }
            creates.add();
            stream.write_all(&response("200 OK", "", GENERATION)).await.unwrap();
        }
    })
    .await;
    let client = client(&address).request_timeout(Duration::from_millis(1500)).build().unwrap();
    client.responses().create(large_request()).await.unwrap();
    assert_eq!(creates.get(), 1);
}

#[tokio::test]
async fn a_create_on_a_connection_that_is_never_ready_is_sent_again() {
    let tls = support::Tls::new("http/1.1");
    let acceptor = tls.acceptor();
    let creates = Count::default();
    let count = creates.clone();
    let (address, connections) = serve(move |number, stream| {
        let (acceptor, creates) = (acceptor.clone(), count.clone());
        async move {
            if number == 0 {
                // No TLS handshake, ever.
                let _open = stream;
                return std::future::pending().await;
            }
            respond(acceptor.accept(stream).await.unwrap(), creates).await;
        }
    })
    .await;
    // Shorter than the connect timeout.
    let client = tls.client(&address).request_timeout(Duration::from_secs(1)).build().unwrap();
    client.responses().create(request()).await.unwrap();
    assert_eq!((creates.get(), connections.get()), (1, 2));
}

#[test]
fn a_connection_of_an_idle_runtime_is_not_used_by_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (address, connections) =
        server.block_on(serve(|_, stream| respond(stream, Count::default())));
    let client = client(&address).max_retries(0).build().unwrap();
    let (first, second) = (runtime(), runtime());
    first.block_on(client.responses().retrieve("gen_1")).unwrap();
    second.block_on(client.responses().retrieve("gen_1")).unwrap();
    first.block_on(client.responses().retrieve("gen_1")).unwrap();
    assert_eq!(connections.get(), 2);
}

/// A process that was frozen or blocked past its timeout takes the response that has arrived.
#[test]
fn a_response_that_arrived_while_the_runtime_was_blocked_is_used() {
    let timeout = Duration::from_millis(100);
    let server = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let local = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for create in [false, true] {
        let (responded, response_sent) = std::sync::mpsc::channel();
        let (received, request_received) = oneshot::channel();
        let received = std::sync::Mutex::new(Some(received));
        let (address, connections) = server.block_on(serve(move |_, mut stream| {
            let received = received.lock().unwrap().take().unwrap();
            let responded = responded.clone();
            async move {
                read_head(&mut stream).await.unwrap();
                received.send(()).unwrap();
                stream.write_all(&response("200 OK", "", GENERATION)).await.unwrap();
                responded.send(()).unwrap();
                std::future::pending().await
            }
        }));
        let builder = client(&address).request_timeout(timeout).max_retries(0);
        let client = builder.build().unwrap();
        let block = async {
            request_received.await.unwrap();
            response_sent.recv().unwrap();
            std::thread::sleep(timeout * 2);
        };
        let call = async {
            let responses = client.responses();
            if create {
                responses.create(request()).await.map(|generation| generation.id)
            } else {
                responses.retrieve("gen_1").await.map(|generation| generation.id)
            }
        };
        let (id, ()) = local.block_on(async { tokio::join!(call, block) });
        assert_eq!((id.unwrap().as_str(), connections.get()), ("gen_1", 1));
    }
}

#[tokio::test]
async fn many_headers_and_odd_ones_are_accepted() {
    let many: String = (0..500).map(|n| format!("x-header-{n}: {n}\r\n")).collect();
    let odd = "x-folded: first\r\n  second\r\nx-space : 1\r\nno header at all\r\n";
    for headers in [many, odd.to_owned()] {
        let (address, connections) = serve(move |_, mut stream| {
            let headers = headers.clone();
            async move {
                read_head(&mut stream).await.unwrap();
                stream.write_all(&response("200 OK", &headers, GENERATION)).await.unwrap();
                std::future::pending().await
            }
        })
        .await;
        let client = client(&address).build().unwrap();
        assert_eq!(client.responses().create(request()).await.unwrap().id, "gen_1");
        assert_eq!(connections.get(), 1);
    }
}
