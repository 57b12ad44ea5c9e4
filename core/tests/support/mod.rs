//! Raw servers on loopback, for what a well-behaved server never does.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pipevideo::{Client, ClientBuilder, GenerationRequest};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// The body of a response to a create and to a read.
pub(crate) const GENERATION: &str = r#"{"id":"gen_1","status":"queued"}"#;

/// A count that a server and a test share.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    /// Adds one, and returns the count before.
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Serves each connection by a function, which receives its number from 0 on. Returns the address
/// and the number of connections.
pub(crate) async fn serve<F>(
    serve: impl Fn(usize, TcpStream) -> F + Send + 'static,
) -> (String, Count)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = Count::default();
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(count.add(), stream));
        }
    });
    (address, connections)
}

/// The options of a client of this address, without TLS and without a limit on requests.
pub(crate) fn client(address: &str) -> ClientBuilder {
    let key = format!("pv_test_{}", fastrand::u64(..));
    Client::builder().base_url(format!("http://{address}")).api_key(key).rate_limit(None)
}

pub(crate) fn request() -> GenerationRequest {
    GenerationRequest::new("m", "A cat")
}

/// A request with a body that no socket buffers as a whole.
pub(crate) fn large_request() -> GenerationRequest {
    GenerationRequest::new("m", "a".repeat(20_000_000))
}

/// The TLS side of a server with a self-signed certificate, which speaks only this protocol.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    folder: tempfile::TempDir,
}

impl Tls {
    pub(crate) fn new(protocol: &str) -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certified.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), folder }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    pub(crate) fn ca_file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The options of a client that trusts the certificate.
    pub(crate) fn client(&self, address: &str) -> ClientBuilder {
        let builder = client(address).base_url(format!("https://{address}"));
        builder.ca_file(self.ca_file())
    }
}

/// Reads the headers of an HTTP/1.1 request and returns its first line; `None` at the end of the
/// connection.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    head.lines().next().map(str::to_owned)
}

/// An HTTP/1.1 response.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Responds to each HTTP/1.1 request with a small body, and counts the creates.
pub(crate) async fn respond(stream: impl AsyncRead + AsyncWrite + Unpin, creates: Count) {
    let mut stream = BufStream::new(stream);
    while let Some(line) = read_head(&mut stream).await {
        if line.starts_with("POST") {
            creates.add();
            // The prompts of these tests have no brace in them.
            stream.read_until(b'}', &mut Vec::new()).await.unwrap();
        }
        stream.write_all(&response("200 OK", "", GENERATION)).await.unwrap();
        stream.flush().await.unwrap();
    }
}

/// Reads raw HTTP/2 frames up to the headers of a request, and returns its stream.
pub(crate) async fn read_http2_request(stream: &mut TlsStream<TcpStream>) -> u32 {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == HEADERS {
            return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        }
    }
}

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;

/// An HTTP/2 frame without flags.
pub(crate) fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, 0]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
