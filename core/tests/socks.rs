//! Requests go through a SOCKS proxy, and never past one that is not understood.
#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod support;

use pipevideo::{Client, ErrorKind};
use support::{Count, request, respond, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn requests_go_through_a_socks_proxy() {
    for scheme in ["socks5", "socks5h"] {
        let creates = Count::default();
        let count = creates.clone();
        // A proxy (RFC 1928) that is the service as well.
        let (address, connections) = serve(move |_, mut stream| {
            let creates = count.clone();
            async move {
                stream.read_exact(&mut [0; 3]).await.unwrap();
                stream.write_all(&[5, 0]).await.unwrap();
                // A request to connect to an IPv4 address.
                let mut connect = [0; 10];
                stream.read_exact(&mut connect).await.unwrap();
                assert_eq!(connect, [5, 1, 0, 1, 127, 0, 0, 1, 0, 9]);
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                respond(stream, creates).await;
            }
        })
        .await;
        let client = support::client("127.0.0.1:9").proxy(format!("{scheme}://{address}"));
        client.build().unwrap().responses().create(request()).await.unwrap();
        assert_eq!((creates.get(), connections.get()), (1, 1), "{scheme}");
    }
}

#[test]
fn a_proxy_of_an_unknown_scheme_is_refused() {
    for proxy in ["socks://127.0.0.1:1080", "SOCKS://127.0.0.1", " ftp://127.0.0.1", "file:///x"] {
        let error = Client::builder().api_key("pv_x").proxy(proxy).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{proxy}");
    }
    for proxy in ["http://127.0.0.1:1", "127.0.0.1:3128", "localhost:3128", "Socks5://127.0.0.1"] {
        assert!(Client::builder().api_key("pv_x").proxy(proxy).build().is_ok(), "{proxy}");
    }
}
