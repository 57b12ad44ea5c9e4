//! A service of all faults, over HTTP/1.1 or HTTP/2, which records what each create has led to.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What the service does with one request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// It responds after a while.
    Late,
    /// It processes the request, and the connection breaks before the response.
    Broken,
    /// As `Broken`, in the middle of the response's body.
    Torn,
    /// It processes the request and never responds.
    Silent,
    /// It processes the request, and something in between responds in its place.
    Page,
    /// As `Page`, with a status of 500 and up.
    ServerError,
    /// It refuses the request by its rate limit.
    RateLimited,
    /// It says something that is not about the generation: 402, 409, 418, a redirect to nowhere.
    OddStatus,
    /// Its response has a byte order mark before it, bytes after it, or an object around it.
    Wrapped,
    /// Its response has two hundred headers.
    ManyHeaders,
    /// It responds about another generation.
    OtherId,
    /// It says once that it does not know the generation.
    NotFound,
    /// Its response comes from a replica that lags behind, or has an unknown status.
    OtherStatus,
}

const OF_CREATES: [Fault; 10] = [
    Fault::Late,
    Fault::Broken,
    Fault::Torn,
    Fault::Silent,
    Fault::Page,
    Fault::ServerError,
    Fault::RateLimited,
    Fault::OddStatus,
    Fault::Wrapped,
    Fault::ManyHeaders,
];
const OF_POLLS: [Fault; 13] = [
    Fault::Late,
    Fault::Broken,
    Fault::Torn,
    Fault::Silent,
    Fault::Page,
    Fault::ServerError,
    Fault::RateLimited,
    Fault::OddStatus,
    Fault::Wrapped,
    Fault::ManyHeaders,
    Fault::OtherId,
    Fault::NotFound,
    Fault::OtherStatus,
];

/// What one create has led to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Processed {
    /// The id of its generation, if one was made.
    pub(crate) id: Option<String>,
    /// How often it was received after it may have been processed.
    pub(crate) repeats: u32,
    settled: bool,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    pub(crate) pem: String,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

struct State {
    began: Instant,
    rng: Mutex<Rng>,
    creates: Mutex<HashMap<String, Processed>>,
    not_found: Mutex<HashSet<String>>,
}

impl Server {
    pub(crate) async fn start(protocol: &'static str, seed: u64) -> Self {
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
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let state = Arc::new(State {
            began: Instant::now(),
            rng: Mutex::new(Rng::with_seed(seed)),
            creates: Mutex::default(),
            not_found: Mutex::default(),
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepting = tokio::spawn(accept(listener, acceptor, state.clone()));
        Self { base_url, pem, state, accepting }
    }

    /// What the creates with these prompts have led to.
    pub(crate) fn processed(&self, prompt: &str) -> Processed {
        self.state.creates.lock().unwrap().get(prompt).cloned().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, acceptor.clone(), state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves a connection, some of which are closed at once, never answer, or break after a while.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    let (fate, lifetime) = {
        let mut rng = state.rng.lock().unwrap();
        (rng.u32(..100), Duration::from_millis(rng.u64(200..6000)))
    };
    match fate {
        0..3 => return,
        3..5 => return std::future::pending().await,
        _ => {}
    }
    let serve = async {
        let Ok(stream) = acceptor.accept(stream).await else { return };
        let service = service_fn(|request| respond(state.clone(), request));
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    };
    if fate < 40 {
        let _ = tokio::time::timeout(lifetime, serve).await;
    } else {
        serve.await;
    }
}

/// The id comes first, so that most torn responses have it.
fn generation(id: &str, status: &str) -> String {
    format!(r#"{{"id":"{id}","status":"{status}","model":"m","created_at":1709827200}}"#)
}

type Body = Either<Full<Bytes>, TornBody>;
type TornBody = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, std::io::Error>>>;

async fn respond(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = request.into_parts();
    // A request that was not completely received is not processed.
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let is_create = parts.method == Method::POST;
    let (fault, pause) = {
        let mut rng = state.rng.lock().unwrap();
        let faults: &[Fault] = if is_create { &OF_CREATES } else { &OF_POLLS };
        let mut fault = if rng.bool() { Fault::None } else { faults[rng.usize(..faults.len())] };
        // Each one slows the whole key down, as it should.
        if fault == Fault::RateLimited && rng.u8(..10) > 0 {
            fault = Fault::None;
        }
        (fault, Duration::from_millis(rng.u64(..300)))
    };
    let generation = if is_create {
        state.create(&body, fault)
    } else {
        let id = parts.uri.path().rsplit('/').next().unwrap_or_default();
        Some(state.generation(id, fault))
    };
    state.fault(fault, pause, generation).await
}

impl State {
    /// Processes a create, unless this fault refuses it. The prompt tells the creates apart.
    fn create(&self, body: &[u8], fault: Fault) -> Option<String> {
        let request: Value = serde_json::from_slice(body).unwrap();
        let prompt = request["input"].as_str().unwrap().to_owned();
        let mut creates = self.creates.lock().unwrap();
        let processed = creates.entry(prompt.clone()).or_default();
        if processed.settled {
            processed.repeats += 1;
        }
        if fault == Fault::RateLimited {
            return None;
        }
        processed.settled = true;
        if fault == Fault::OddStatus {
            return None;
        }
        let id = format!("gen_of_{}", prompt.replace(' ', "_"));
        processed.id = Some(id.clone());
        Some(generation(&id, "queued"))
    }

    /// A generation in its current state. The number at the end of its id says after how many
    /// milliseconds it ends.
    fn generation(&self, id: &str, fault: Fault) -> String {
        let ends: u64 = id.rsplit('_').next().and_then(|it| it.parse().ok()).unwrap_or(0);
        let has_ended = self.began.elapsed() >= Duration::from_millis(ends);
        let status = match fault {
            Fault::OtherStatus if ends.is_multiple_of(2) => "queued",
            Fault::OtherStatus => "paused",
            _ if has_ended && ends.is_multiple_of(10) => "failed",
            _ if has_ended => "completed",
            _ => "in_progress",
        };
        let id = if fault == Fault::OtherId { "gen_other" } else { id };
        generation(id, status)
    }

    async fn fault(
        &self,
        fault: Fault,
        pause: Duration,
        generation: Option<String>,
    ) -> Result<Response<Body>, std::io::Error> {
        let json = generation.unwrap_or_default();
        let even = pause.as_millis().is_multiple_of(2);
        let broken = || std::io::Error::other("a fault");
        let (status, body) = match fault {
            Fault::Broken => return Err(broken()),
            Fault::Silent => match std::future::pending::<Infallible>().await {},
            Fault::Late => {
                tokio::time::sleep(pause).await;
                (200, json)
            }
            Fault::Page => (200, "<html>Please log in</html>".to_owned()),
            Fault::ServerError => (if even { 500 } else { 503 }, String::new()),
            Fault::RateLimited if even => (429, r#"{"message":"slow down"}"#.to_owned()),
            Fault::RateLimited => (429, r#"{"data":{"retry_after":0.2}}"#.to_owned()),
            Fault::OddStatus => (if even { 402 } else { 409 }, "{}".to_owned()),
            Fault::Wrapped if even => (200, format!("\u{feff}{json}\r\n\0")),
            Fault::Wrapped => (200, format!(r#"{{"data":{json}}}"#)),
            Fault::NotFound => {
                // Twice in a row would mean that there is none.
                let id = json.split(',').next().unwrap_or_default().to_owned();
                let first = self.not_found.lock().unwrap().insert(id);
                if first { (404, "{}".to_owned()) } else { (200, json) }
            }
            _ => (200, json),
        };
        let mut response = Response::new(if fault == Fault::Torn {
            let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
            // The pause lets the first half leave the server.
            let end = async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(broken())
            };
            let frames = stream::iter([Ok(Frame::data(half))]).chain(stream::once(end));
            Either::Right(StreamBody::new(frames.boxed()))
        } else {
            Either::Left(Full::new(Bytes::from(body)))
        });
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if fault == Fault::ServerError && even {
            response.headers_mut().insert("retry-after", "1".parse().unwrap());
        }
        if fault == Fault::ManyHeaders {
            for number in 0..200 {
                let name: hyper::header::HeaderName = format!("x-{number}").parse().unwrap();
                response.headers_mut().insert(name, "x".parse().unwrap());
            }
        }
        Ok(response)
    }
}
