//! TLS: HTTP/2 is negotiated, and a certificate is trusted only with its CA file.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pipevideo::{Client, Delivery, ErrorKind};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Serves one generation over TLS, and rejects clients that do not negotiate HTTP/2. The certificate
/// is self-signed.
async fn serve() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    });
    (format!("https://localhost:{port}"), pem)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response =
        Response::new(Full::new(Bytes::from(r#"{"id":"gen_1","status":"completed"}"#)));
    if request.version() != Version::HTTP_2 {
        *response.status_mut() = hyper::StatusCode::HTTP_VERSION_NOT_SUPPORTED;
    }
    Ok(response)
}

#[tokio::test]
async fn a_ca_file_is_trusted_and_http_2_is_spoken() {
    let (base_url, pem) = serve().await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let builder = Client::builder().base_url(&base_url).api_key("pv_x").max_retries(0);
    let client = builder.clone().ca_file(&ca_file).build().unwrap();
    assert!(client.responses().retrieve("gen_1").await.unwrap().is_final());

    let stranger = builder.build().unwrap();
    let error = stranger.responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Connection, Delivery::NotSent),
        "{error}"
    );
    assert!(error.message().contains("certificate"), "{error}");
}

#[test]
fn a_ca_file_without_certificates_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let build = || Client::builder().api_key("pv_x").ca_file(&path).build();
    let assert_refused = || assert_eq!(build().unwrap_err().kind(), ErrorKind::Configuration);
    assert_refused();
    std::fs::write(&path, "no PEM").unwrap();
    assert_refused();
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert_refused();
}
