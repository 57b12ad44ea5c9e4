//! The transport over reqwest. No other module uses reqwest.

mod failure;
mod resolver;

use std::future::ready;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use tokio::runtime;
use url::Url;

use self::resolver::{Lookup, PublicOnly};
use super::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use super::{clock, tls};
use crate::error::{Delivery, Error, ErrorKind};
use crate::lock::lock;

/// The options of connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions<'a> {
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<&'a str>,
    pub(crate) ca_files: &'a [PathBuf],
    /// The host of the API.
    pub(crate) host: Option<&'a str>,
    /// Whether the API is on this machine, where the environment's proxies do not apply.
    pub(crate) loopback: bool,
}

pub(crate) struct Reqwest {
    connector: Connector,
    /// Opens a connection for each request.
    unpooled: reqwest::Client,
    pools: Mutex<Vec<Pool>>,
}

/// What reqwest's clients are built from.
struct Connector {
    connect_timeout: Duration,
    proxy: Option<reqwest::Proxy>,
    /// The proxies of the system, which apply without a proxy of the caller's.
    system_proxies: Arc<Matcher>,
    tls: ClientConfig,
    host: Option<String>,
    loopback: bool,
    lookup: Lookup,
}

/// Connections that are kept for further requests. A runtime that is idle does not read from its
/// connections, so no request of another runtime uses them.
struct Pool {
    runtime: Option<runtime::Id>,
    /// Whether it connects to public addresses only.
    public_only: bool,
    opened: Duration,
    client: reqwest::Client,
}

/// The maximum number of pools. A program has a runtime or two; one that makes a runtime for each
/// call leaves pools behind, which are dropped in the order in which they were opened.
const MAX_POOLS: usize = 8;

/// An HTTP/2 connection on which nothing has arrived for this time is sent a PING, also while it is
/// idle, so that the next request does not find it dead. With [`PING_TIMEOUT`] a dead connection is
/// noticed long before the request timeout. An idle one is sent 18 PINGs until the pool drops it.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Some round trips over the slowest mobile network. If a PING's response is later, reads in flight
/// are repeated; creates have a connection without PINGs.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum number of response headers. CDNs and gateways add dozens to those of a service, and
/// hyper's default of 100 would lose the response to a create.
const MAX_HEADERS: usize = 1000;
/// The maximum size of the response headers over HTTP/2, where hyper's default is 16 KB. About what
/// it reads over HTTP/1.1.
const MAX_HEADER_BYTES: u32 = 400 << 10;

/// A moved API redirects once, or twice with an upgrade to https. Five leave room for a gateway and
/// end a circle quickly.
const MAX_REDIRECTS: usize = 5;

/// The headers that are sent on to another origin. All others, such as the key and those that the
/// caller has set, may be secrets of the first one.
const SAFE_HEADERS: [HeaderName; 5] =
    [header::ACCEPT, header::ACCEPT_ENCODING, header::USER_AGENT, header::RANGE, header::IF_RANGE];

impl Reqwest {
    /// # Errors
    /// [`ErrorKind::Configuration`] for a proxy that is not a URL of a known scheme, or a CA file
    /// without certificates.
    pub(crate) fn new(options: &ConnectOptions<'_>) -> Result<Self, Error> {
        let connector = Connector {
            connect_timeout: options.connect_timeout,
            proxy: options.proxy.map(proxy).transpose()?,
            system_proxies: Arc::new(Matcher::from_system()),
            tls: tls::client_config(options.ca_files)?,
            host: options.host.map(str::to_owned),
            lookup: resolver::lookup,
            loopback: options.loopback,
        };
        // A create must not go out on an idle connection that the service may have closed: if the
        // process was frozen, or the runtime idle, that is noticed only after sending.
        let unpooled = connector.builder().pool_max_idle_per_host(0).build().map_err(|error| {
            Error::new(ErrorKind::Configuration, "the HTTP client could not be set up.")
                .with_source(error.without_url())
        })?;
        Ok(Self { connector, unpooled, pools: Mutex::default() })
    }

    /// The clients for a request.
    fn clients(&self, request: &HttpRequest) -> Result<Clients, reqwest::Error> {
        let any = self.client(&request.method, false)?;
        // A proxy resolves the names of hosts, and its own address may be private.
        let public_only = if request.hosts.public_only() && self.connector.proxy.is_none() {
            let client = self.client(&request.method, true)?;
            Some((client, self.connector.system_proxies.clone()))
        } else {
            None
        };
        Ok(Clients { any, public_only })
    }

    /// A client: without a pool if sending a request twice could do harm, else the pool of this
    /// runtime.
    fn client(
        &self,
        method: &Method,
        public_only: bool,
    ) -> Result<reqwest::Client, reqwest::Error> {
        if !method.is_idempotent() {
            return Ok(self.unpooled.clone());
        }
        let runtime = current_runtime();
        let mut pools = lock(&self.pools);
        if let Some(pool) =
            pools.iter().find(|p| (p.runtime, p.public_only) == (runtime, public_only))
        {
            return Ok(pool.client.clone());
        }
        let builder = self.connector.builder();
        let builder = if public_only {
            let Connector { host, lookup, .. } = &self.connector;
            let resolver = PublicOnly { lookup: *lookup, service: host.clone() };
            builder.no_proxy().dns_resolver(Arc::new(resolver))
        } else {
            builder
        };
        let client = builder
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .build()?;
        if pools.len() == MAX_POOLS {
            pools.remove(0);
        }
        pools.push(Pool { runtime, public_only, opened: clock::now(), client: client.clone() });
        Ok(client)
    }
}

fn current_runtime() -> Option<runtime::Id> {
    runtime::Handle::try_current().ok().map(|runtime| runtime.id())
}

impl Connector {
    fn builder(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            // Redirects are followed here, where it is known what may be sent to which origin.
            .redirect(reqwest::redirect::Policy::none())
            // A create must not be repeated by a layer that does not know that it costs money.
            .retry(reqwest::retry::never())
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            // RFC 9112 lets a client accept these. An odd header of a gateway is no reason to lose
            // the id of a generation.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            // Its clones share the store of TLS sessions: connections of one resume those of another.
            .tls_backend_preconfigured(self.tls.clone());
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            // A proxy from the environment cannot reach an emulator on this machine.
            None if self.loopback => builder.no_proxy(),
            None => builder,
        }
    }
}

/// The proxy with this URL.
fn proxy(url: &str) -> Result<reqwest::Proxy, Error> {
    let scheme = url.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    // reqwest ignores proxies of other schemes silently, and requests would go past them.
    if scheme.is_some_and(|scheme| !scheme.is_empty() && !PROXY_SCHEMES.contains(&scheme.as_str()))
    {
        return Err(Error::new(
            ErrorKind::Configuration,
            "the scheme of the proxy is not http, https, socks5, socks5h, socks4 or socks4a. Pass a \
             URL such as http://proxy.example:3128.",
        ));
    }
    reqwest::Proxy::all(url).map_err(|error| {
        Error::new(
            ErrorKind::Configuration,
            "the proxy is not a URL. Pass one such as http://proxy.example:3128.",
        )
        .with_source(error.without_url())
    })
}

const PROXY_SCHEMES: [&str; 6] = ["http", "https", "socks5", "socks5h", "socks4", "socks4a"];

/// The clients of one request, which redirects may lead from one to the other.
struct Clients {
    any: reqwest::Client,
    /// The client that connects to public addresses only, and the proxies past which it goes.
    public_only: Option<(reqwest::Client, Arc<Matcher>)>,
}

impl Clients {
    /// The client for a URL.
    fn of(&self, url: &Url) -> &reqwest::Client {
        let is_proxied = |proxies: &Matcher| {
            url.as_str().parse().is_ok_and(|uri| proxies.intercept(&uri).is_some())
        };
        match &self.public_only {
            Some((client, proxies)) if !is_proxied(proxies) => client,
            _ => &self.any,
        }
    }
}

impl Transport for Reqwest {
    fn send(
        &self,
        request: HttpRequest,
    ) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        match self.clients(&request) {
            Ok(clients) => send_and_redirect(clients, request).boxed(),
            Err(error) => ready(Err(failure::not_answered(error, false))).boxed(),
        }
    }

    fn retire_connections(&self, began: Duration) {
        let runtime = current_runtime();
        // A pool that was opened later holds none of the connections.
        lock(&self.pools).retain(|pool| pool.runtime != runtime || pool.opened > began);
    }
}

/// Sends a request and follows redirects: those of a read to any origin; those of a create only
/// within its origin, and only a 307 or 308, which ask for the same request again. Another origin
/// receives [`SAFE_HEADERS`] only.
async fn send_and_redirect(
    clients: Clients,
    mut request: HttpRequest,
) -> Result<HttpResponse, TransportError> {
    let mut redirected = false;
    for _ in 0..=MAX_REDIRECTS {
        let response = exchange(clients.of(&request.url), &request).await.map_err(|error| {
            // The first server has received the request, whether or not the next one can be reached.
            if redirected {
                TransportError { delivery: Delivery::Answered, ..error }
            } else {
                error
            }
        })?;
        redirected = true;
        match redirect(&request, response.status(), response.headers()) {
            None => return Ok(into_response(response)),
            Some(next) => {
                // The key belongs to the first origin.
                if next.origin() != request.url.origin() {
                    let kept = |name| request.headers.get(&name).map(|value| (name, value.clone()));
                    request.headers = SAFE_HEADERS.into_iter().filter_map(kept).collect();
                }
                request.url = next;
            }
        }
    }
    Err(TransportError {
        what: "the service redirects too often",
        delivery: Delivery::Answered,
        source: None,
    })
}

async fn exchange(
    client: &reqwest::Client,
    request: &HttpRequest,
) -> Result<reqwest::Response, TransportError> {
    let mut sent = reqwest::Request::new(request.method.clone(), request.url.clone());
    *sent.headers_mut() = request.headers.clone();
    if !request.body.is_empty() {
        *sent.body_mut() = Some(reqwest::Body::wrap(request.body.pieces()));
    }
    match client.execute(sent).await {
        Ok(response) => {
            request.body.on_response();
            Ok(response)
        }
        Err(error) => Err(failure::not_answered(error, request.body.is_complete())),
    }
}

/// The URL that a response redirects the request to, if it may be sent there.
fn redirect(request: &HttpRequest, status: StatusCode, headers: &HeaderMap) -> Option<Url> {
    let follows = match status.as_u16() {
        307 | 308 => true,
        // Browsers turn a POST into a GET here, which would not create anything.
        301..=303 => request.method == Method::GET,
        _ => false,
    };
    let location = headers.get(header::LOCATION).filter(|_| follows)?;
    let from = &request.url;
    let to = from.join(std::str::from_utf8(location.as_bytes()).ok()?).ok()?;
    // A downgrade from https would expose the request.
    let is_safe = matches!((from.scheme(), to.scheme()), (_, "https") | ("http", "http"));
    let may_leave = request.method == Method::GET || from.origin() == to.origin();
    (is_safe && may_leave && request.hosts.refuse(&to).is_none()).then_some(to)
}

fn into_response(mut response: reqwest::Response) -> HttpResponse {
    HttpResponse {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        body: stream::unfold(Some(response), |response| async {
            let mut response = response?;
            match response.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(response))),
                Ok(None) => None,
                Err(error) => Some((Err(failure::broken_response(error)), None)),
            }
        })
        .boxed(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::client::upload::Upload;
    use crate::wire::VideoHosts;

    /// The service and its videos are on one host; another one resolves to this machine.
    fn lookup(name: String) -> BoxFuture<'static, std::io::Result<Vec<std::net::SocketAddr>>> {
        let ip = if name == "private.example" { [127, 0, 0, 1] } else { [8, 8, 8, 8] };
        ready(Ok(vec![(ip, 0).into()])).boxed()
    }

    /// Requests a video of this host, directly or through a proxy. Returns the first line that this
    /// machine received.
    async fn request_video(service: &str, proxied: bool) -> Result<String, TransportError> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy_url = format!("http://{address}");
        let mut transport = Reqwest::new(&ConnectOptions {
            connect_timeout: Duration::from_secs(5),
            proxy: proxied.then_some(&proxy_url),
            ca_files: &[],
            host: Some(service),
            loopback: false,
        })
        .unwrap();
        transport.connector.lookup = lookup;
        transport.connector.system_proxies = Arc::new(Matcher::builder().build());
        let video = format!("http://private.example:{}/video.mp4", address.port());
        let sent = transport.send(HttpRequest {
            method: Method::GET,
            url: Url::parse(&video).unwrap(),
            headers: HeaderMap::new(),
            body: Upload::new(Bytes::new()),
            hosts: VideoHosts::of(&Url::parse("https://api.example").unwrap()),
        });
        let served = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            tokio::io::AsyncBufReadExt::read_line(
                &mut tokio::io::BufReader::new(&mut connection),
                &mut line,
            )
            .await
            .unwrap();
            line
        };
        tokio::select! {
            line = served => Ok(line),
            sent = sent => Err(sent.err().expect("the server sends no response")),
        }
    }

    #[tokio::test]
    async fn a_public_name_of_a_private_address_is_not_connected_to() {
        let error = request_video("api.example", false).await.unwrap_err();
        assert!(error.is_private_host(), "{error:?}");
        assert_eq!(error.delivery, Delivery::NotSent);
    }

    #[tokio::test]
    async fn a_private_address_is_connected_to_if_the_service_has_one() {
        let line = request_video("private.example", false).await.unwrap();
        assert!(line.starts_with("GET /video.mp4"), "{line}");
    }

    #[tokio::test]
    async fn a_proxy_resolves_the_names_of_videos() {
        let line = request_video("api.example", true).await.unwrap();
        assert!(line.starts_with("GET http://private.example:"), "{line}");
    }

    #[test]
    fn a_redirect_leads_only_where_the_request_may_go() {
        let service = Url::parse("https://api.example.com").unwrap();
        for (hosts, location, follows) in [
            (VideoHosts::of(&service), "https://videos.example.com/a", true),
            (VideoHosts::of(&service), "/b", true),
            (VideoHosts::of(&service), "https://169.254.169.254/a", false),
            (VideoHosts::of(&service), "http://videos.example.com/a", false),
            (VideoHosts::ANY, "https://169.254.169.254/a", true),
            (VideoHosts::ANY, "http://videos.example.com/a", false),
        ] {
            let request = HttpRequest {
                method: Method::GET,
                url: Url::parse("https://videos.example.com/").unwrap(),
                headers: HeaderMap::new(),
                body: Upload::new(Bytes::new()),
                hosts,
            };
            let headers = [(header::LOCATION, location.parse().unwrap())].into_iter().collect();
            let next = redirect(&request, StatusCode::FOUND, &headers);
            assert_eq!(next.is_some(), follows, "{hosts:?} {location}");
        }
    }
}
