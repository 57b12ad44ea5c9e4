//! HTTP by reqwest: the only file that knows it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::error::{Delivery, Error, ErrorKind};

/// How the connections are made.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions<'a> {
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<&'a str>,
    pub(crate) ca_files: &'a [PathBuf],
    /// The environment's proxies are for the way out, not for a service on this machine.
    pub(crate) loopback: bool,
}

pub(crate) struct Reqwest {
    client: reqwest::Client,
}

const MOST_REDIRECTS: usize = 5;

/// The headers that go along to another origin.
const KEPT: [HeaderName; 5] =
    [header::ACCEPT, header::ACCEPT_ENCODING, header::USER_AGENT, header::RANGE, header::IF_RANGE];

impl Reqwest {
    /// # Errors
    /// [`ErrorKind::Configuration`] for a proxy that is no URL or a CA file without certificates.
    pub(crate) fn new(options: &ConnectOptions<'_>) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(tls(options.ca_files)?);
        if let Some(proxy) = options.proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|error| {
                Error::new(
                    ErrorKind::Configuration,
                    "the proxy is not a URL. Pass one such as http://proxy.example:3128.",
                )
                .with_source(error.without_url())
            })?;
            builder = builder.proxy(proxy);
        } else if options.loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            Error::new(ErrorKind::Configuration, "the HTTP client could not be set up.")
                .with_source(error.without_url())
        })?;
        Ok(Self { client })
    }
}

impl Transport for Reqwest {
    fn send(
        &self,
        request: HttpRequest,
    ) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        follow(self.client.clone(), request).boxed()
    }
}

/// Sends a request and follows redirects: a read anywhere, a create only within its origin and only
/// where the service says to send the same again (307, 308). What is meant for one origin, the key
/// and the caller's own headers, stays there.
async fn follow(
    client: reqwest::Client,
    mut request: HttpRequest,
) -> Result<HttpResponse, TransportError> {
    let mut answered = false;
    for _ in 0..=MOST_REDIRECTS {
        let response = exchange(&client, &request).await.map_err(|error| match answered {
            // The first hop has had the request, wherever it has sent it on to.
            true => TransportError { delivery: Delivery::Answered, ..error },
            false => error,
        })?;
        answered = true;
        match redirect(&request, response.status(), response.headers()) {
            None => return Ok(into_response(response)),
            Some(next) => {
                if next.origin() != request.url.origin() {
                    let kept = |name| request.headers.get(&name).map(|value| (name, value.clone()));
                    request.headers = KEPT.into_iter().filter_map(kept).collect();
                }
                request.url = next;
            }
        }
    }
    Err(TransportError {
        what: "the service redirects in a circle",
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
    *sent.body_mut() = request.body.clone().map(Into::into);
    client.execute(sent).await.map_err(transport_error)
}

/// Where the answer sends the request on to, if it may go there.
fn redirect(request: &HttpRequest, status: StatusCode, headers: &HeaderMap) -> Option<Url> {
    let follows = match status.as_u16() {
        307 | 308 => true,
        301..=303 => request.method == Method::GET,
        _ => false,
    };
    let location = headers.get(header::LOCATION).filter(|_| follows)?;
    let from = &request.url;
    let to = from.join(std::str::from_utf8(location.as_bytes()).ok()?).ok()?;
    let safe = matches!((from.scheme(), to.scheme()), (_, "https") | ("http", "http"));
    let may_leave = request.method == Method::GET || from.origin() == to.origin();
    (safe && may_leave).then_some(to)
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
                Err(error) => Some((Err(transport_error(error)), None)),
            }
        })
        .boxed(),
    }
}

/// Whether anything may have been sent is the one thing that must be right here: only a connection
/// that was never made, or a request that could not be built, is certain.
fn transport_error(error: reqwest::Error) -> TransportError {
    let (what, delivery) = if error.is_builder() {
        ("the request could not be built", Delivery::NotSent)
    } else if error.is_connect() {
        ("no connection could be made", Delivery::NotSent)
    } else if error.is_body() || error.is_decode() {
        ("the connection broke in the middle of the answer", Delivery::Unknown)
    } else {
        ("the connection broke before the answer", Delivery::Unknown)
    };
    TransportError { what, delivery, source: Some(Box::new(error.without_url())) }
}

/// The TLS of this process, made once and at first use: reading the machine's certificates takes
/// milliseconds. With CA files of its own, a client has TLS of its own.
fn tls(ca_files: &[PathBuf]) -> Result<ClientConfig, Error> {
    static SHARED: OnceLock<ClientConfig> = OnceLock::new();
    if ca_files.is_empty() {
        return Ok(SHARED.get_or_init(platform_or_built_in).clone());
    }
    let mut roots = built_in_roots();
    ca_files.iter().try_for_each(|path| add_roots(&mut roots, path))?;
    Ok(with_roots(roots))
}

fn built_in_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// The machine's own idea of whom to trust; where it has none, as in slim images, Mozilla's roots.
fn platform_or_built_in() -> ClientConfig {
    match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => {
            let builder =
                versions().dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            with_alpn(builder.with_no_client_auth())
        }
        Err(_) => with_roots(built_in_roots()),
    }
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let refuse = |what: String| {
        Error::new(
            ErrorKind::Configuration,
            format!("the CA file {} {what}. Pass a PEM file of certificates.", path.display()),
        )
    };
    let pem =
        std::fs::read(path).map_err(|e| refuse(format!("cannot be read: {e}")).with_source(e))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|_| refuse("holds a broken certificate".to_owned()))?;
        roots
            .add(certificate)
            .map_err(|e| refuse("holds a broken certificate".to_owned()).with_source(e))?;
    }
    if roots.len() == before {
        return Err(refuse("holds no certificate".to_owned()));
    }
    Ok(())
}

fn with_roots(roots: RootCertStore) -> ClientConfig {
    with_alpn(versions().with_root_certificates(roots).with_no_client_auth())
}

/// reqwest leaves a TLS configuration that is given to it as it is: HTTP/2 has to be offered here.
fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn versions() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
