//! What a failure of reqwest means: whether the service may have processed the request, and why it
//! failed, in fixed words.

use std::error::Error as StdError;
use std::io;
use std::iter;

use rustls::CertificateError;

use crate::client::transport::{PrivateHost, TransportError};
use crate::error::Delivery;

/// The error of a request without a response. `complete` says whether its body was taken completely.
///
/// A create is repeated if it was not processed, so that must be certain: no connection was made, part
/// of the body is missing, or the service has said so over HTTP/2.
pub(super) fn not_answered(error: reqwest::Error, complete: bool) -> TransportError {
    if causes(&error).any(|cause| cause.is::<PrivateHost>()) {
        let what = "no connection was made: the host has no public address";
        let source: Box<dyn StdError + Send + Sync> = Box::new(PrivateHost);
        return TransportError { what, delivery: Delivery::NotSent, source: Some(source) };
    }
    let (what, delivery) = if error.is_builder() {
        ("the request could not be built", Delivery::NotSent)
    } else if error.is_connect() {
        (connect_failure(&error), Delivery::NotSent)
    } else if is_refused(&error) {
        ("the service refused the request before processing it", Delivery::NotSent)
    } else if !complete {
        ("the connection broke before the request was sent completely", Delivery::NotSent)
    } else {
        ("the connection broke before the response", Delivery::Unknown)
    };
    transport_error(error, what, delivery)
}

pub(super) fn broken_response(error: reqwest::Error) -> TransportError {
    let what = "the connection broke in the middle of the response";
    transport_error(error, what, Delivery::Unknown)
}

fn transport_error(
    error: reqwest::Error,
    what: &'static str,
    delivery: Delivery,
) -> TransportError {
    // Without the URL: a video's is signed.
    TransportError { what, delivery, source: Some(Box::new(error.without_url())) }
}

/// Whether the service says over HTTP/2 that it has not processed the request (RFC 9113, 8.7):
/// REFUSED_STREAM, or a GOAWAY with a lower stream. h2 reports a remote GOAWAY for no other stream.
fn is_refused(error: &reqwest::Error) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<h2::Error>()).any(|error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// Why there is no connection, in fixed words.
fn connect_failure(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        return "no connection could be made: the host name could not be resolved";
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return tls_failure(error);
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                return "no connection could be made: it was refused";
            }
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                return "no connection could be made: the network does not reach the host";
            }
            _ => {}
        }
    }
    if error.is_timeout() {
        return "no connection could be made within the connect timeout";
    }
    "no connection could be made"
}

fn tls_failure(error: &rustls::Error) -> &'static str {
    let rustls::Error::InvalidCertificate(error) = error else {
        return "no connection could be made: TLS failed";
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "no connection could be made: the certificate of the host has expired"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "no connection could be made: the certificate of the host is for another name"
        }
        _ => "no connection could be made: the certificate of the host is not trusted",
    }
}

/// An error and its causes.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| {
        // The source of an I/O error is not the error in it, but the source of that.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}
