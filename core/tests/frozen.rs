//! A process that was frozen while the server closed its idle connections: its creates still succeed.
//!
//! The client runs in a child, which is this test binary with the server's address in its
//! environment.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use h2::server::Connection;
use hyper::body::Bytes;
use hyper::{Method, Response};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use support::{Count, GENERATION, Tls, request};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_rustls::server::TlsStream;

const ROUNDS: usize = 60;
const ADDRESS: &str = "PIPEVIDEO_TEST_ADDRESS";
const CA_FILE: &str = "PIPEVIDEO_TEST_CA_FILE";

/// The child: for each line of input a read, so that there is an idle connection, and after the next
/// line, which arrives while the process is frozen, a create.
#[test]
fn child() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let base_url = format!("https://{address}");
    let builder = support::client(&address).base_url(base_url).max_retries(0);
    let client = builder.ca_file(std::env::var(CA_FILE).unwrap()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (number, line) in std::io::stdin().lines().enumerate() {
        line.unwrap();
        let result = runtime.block_on(async {
            if number % 2 == 0 {
                // A read may fail on a connection that was closed, and is repeated.
                while client.responses().retrieve("gen_1").await.is_err() {}
                return "read".to_owned();
            }
            match client.responses().create(request()).await {
                Ok(generation) => generation.id.clone(),
                Err(error) => error.kind().to_string(),
            }
        });
        println!("\n> {result}");
    }
}

/// Freezes the child before each create, and closes its connections. Returns the outcomes.
fn freeze(server: &Server) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ADDRESS, &server.address)
        .env(CA_FILE, server.tls.ca_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || loop {
        let line = output.next().expect("the child goes on").unwrap();
        if let Some(result) = line.strip_prefix("> ") {
            return result.to_owned();
        }
    };
    let mut outcomes = Vec::new();
    for _ in 0..ROUNDS {
        writeln!(input, "read").unwrap();
        assert_eq!(next(), "read");
        kill_process(pid, Signal::STOP).unwrap();
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped());
        writeln!(input, "create").unwrap();
        server.close_connections();
        kill_process(pid, Signal::CONT).unwrap();
        outcomes.push(next());
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    outcomes
}

struct Server {
    tls: Tls,
    address: String,
    creates: Count,
    close: broadcast::Sender<()>,
    open: Count,
    closed: Count,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Speaks HTTP/1.1 or HTTP/2, until it has to close its connections.
    fn start(protocol: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let tls = Tls::new(protocol);
        let acceptor = tls.acceptor();
        let close = broadcast::Sender::new(1);
        let (creates, open, closed) = (Count::default(), Count::default(), Count::default());
        let counts = (creates.clone(), open.clone(), closed.clone());
        let sender = close.clone();
        let serve = support::serve(move |_, stream| {
            let acceptor = acceptor.clone();
            let (creates, open, closed) = counts.clone();
            let mut close = sender.subscribe();
            open.add();
            async move {
                let _closed = OnDrop(closed);
                let serve = async {
                    let stream = acceptor.accept(stream).await.unwrap();
                    match protocol {
                        "h2" => respond_http2(stream, creates).await,
                        _ => support::respond(stream, creates).await,
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = close.recv() => {}
                }
            }
        });
        let (address, _) = runtime.block_on(serve);
        Self { tls, address, creates, close, open, closed, _runtime: runtime }
    }

    fn close_connections(&self) {
        let _ = self.close.send(());
        while self.closed.get() < self.open.get() {
            std::thread::yield_now();
        }
    }
}

/// Counts the end of a connection, also if its task panics.
struct OnDrop(Count);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

async fn respond_http2(stream: TlsStream<TcpStream>, creates: Count) {
    let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if request.method() == Method::POST {
            creates.add();
        }
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from_static(GENERATION.as_bytes()), true).unwrap();
    }
}

#[test]
fn no_create_after_a_freeze_is_uncertain() {
    for protocol in ["http/1.1", "h2"] {
        let server = Server::start(protocol);
        assert_eq!(freeze(&server), vec!["gen_1"; ROUNDS], "{protocol}");
        assert_eq!(server.creates.get(), ROUNDS, "{protocol}");
    }
}
