//! The transport over reqwest. No other file uses reqwest.

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

/// The options of connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectOptions<'a> {
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<&'a str>,
    pub(crate) ca_files: &'a [PathBuf],
    /// Whether the API is on this machine, where the environment's proxies do not apply.
    pub(crate) loopback: bool,
}

pub(crate) struct Reqwest {
    client: reqwest::Client,
}

/// A moved API redirects once, or twice with an upgrade to https. Five leave room for a gateway and
/// end a circle quickly.
const MAX_REDIRECTS: usize = 5;

/// The headers that are sent on to another origin. All others, such as the key and those that the
/// caller has set, may be secrets of the first one.
const SAFE_HEADERS: [HeaderName; 5] =
    [header::ACCEPT, header::ACCEPT_ENCODING, header::USER_AGENT, header::RANGE, header::IF_RANGE];

impl Reqwest {
    /// # Errors
    /// [`ErrorKind::Configuration`] for a proxy that is not a URL, or a CA file without certificates.
    pub(crate) fn new(options: &ConnectOptions<'_>) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            // Redirects are followed here, where it is known what may be sent to which origin.
            .redirect(reqwest::redirect::Policy::none())
            // A create must not be repeated by a layer that does not know that it costs money.
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
        // A proxy from the environment cannot reach an emulator on this machine.
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
        send_and_redirect(self.client.clone(), request).boxed()
    }
}

/// Sends a request and follows redirects: those of a read to any origin; those of a create only
/// within its origin, and only a 307 or 308, which ask for the same request again. Another origin
/// receives [`SAFE_HEADERS`] only.
async fn send_and_redirect(
    client: reqwest::Client,
    mut request: HttpRequest,
) -> Result<HttpResponse, TransportError> {
    let mut redirected = false;
    for _ in 0..=MAX_REDIRECTS {
        let response = exchange(&client, &request).await.map_err(|error| {
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
    *sent.body_mut() = request.body.clone().map(Into::into);
    client.execute(sent).await.map_err(transport_error)
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
                Err(error) => Some((Err(transport_error(error)), None)),
            }
        })
        .boxed(),
    }
}

/// Converts reqwest's error, deciding whether the request may have been sent. A create is repeated if
/// it was not, so the answer must be certain: no connection was made, or no request built.
fn transport_error(error: reqwest::Error) -> TransportError {
    let (what, delivery) = if error.is_builder() {
        ("the request could not be built", Delivery::NotSent)
    } else if error.is_connect() {
        ("no connection could be made", Delivery::NotSent)
    } else if error.is_body() || error.is_decode() {
        ("the connection broke in the middle of the response", Delivery::Unknown)
    } else {
        ("the connection broke before the response", Delivery::Unknown)
    };
    // Without the URL: a video's is signed.
    TransportError { what, delivery, source: Some(Box::new(error.without_url())) }
}

/// The TLS configuration. Clients without CA files share one, built at the first use: reading the
/// machine's certificates takes milliseconds.
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

/// The certificate verifier of the platform; where there is none, as in slim container images,
/// Mozilla's roots.
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
    let invalid = |what: String| {
        Error::new(
            ErrorKind::Configuration,
            format!("the CA file {} {what}. Pass a PEM file of certificates.", path.display()),
        )
    };
    let pem =
        std::fs::read(path).map_err(|e| invalid(format!("cannot be read: {e}")).with_source(e))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|_| invalid("has an invalid certificate in it".to_owned()))?;
        roots
            .add(certificate)
            .map_err(|e| invalid("has an invalid certificate in it".to_owned()).with_source(e))?;
    }
    if roots.len() == before {
        return Err(invalid("has no certificate in it".to_owned()));
    }
    Ok(())
}

fn with_roots(roots: RootCertStore) -> ClientConfig {
    with_alpn(versions().with_root_certificates(roots).with_no_client_auth())
}

/// Offers HTTP/2. reqwest does so only in TLS configurations that it builds itself.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::VideoHosts;

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
                body: None,
                hosts,
            };
            let headers = [(header::LOCATION, location.parse().unwrap())].into_iter().collect();
            let next = redirect(&request, StatusCode::FOUND, &headers);
            assert_eq!(next.is_some(), follows, "{hosts:?} {location}");
        }
    }
}
