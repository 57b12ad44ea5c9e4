//! Keeps web pages away from the control interface. It needs no key, so without this any page that a
//! developer visits could add faults, send webhooks, and read the logged prompts.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

const HOST_MESSAGE: &str = "The control interface takes requests to loopback hosts only. Send them to \
                            127.0.0.1 or localhost.";
const ORIGIN_MESSAGE: &str = "The control interface takes no requests of web pages that are on another \
                              host.";

/// Checks that no page of another site has made a request.
///
/// The host in the URL has to be loopback: a page under a name that was made to resolve to 127.0.0.1 (DNS
/// rebinding) has its own name there. Every request of another origin that could change something has
/// an `Origin`; for one without, `Sec-Fetch-Site` says it.
pub(super) fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if !text(HOST.as_str()).is_some_and(is_loopback) {
        return Err(HOST_MESSAGE);
    }
    let same_site = match text(ORIGIN.as_str()) {
        Some(origin) => origin.split_once("://").is_some_and(|(_, host)| is_loopback(host)),
        None => text("sec-fetch-site") != Some("cross-site"),
    };
    if same_site { Ok(()) } else { Err(ORIGIN_MESSAGE) }
}

/// Whether a host, with or without a port, is this machine's loopback interface.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (hyper::header::HeaderName::from_static(name), value.parse().unwrap())
        });
        check(&HeaderMap::from_iter(headers)).is_ok()
    }

    #[test]
    fn only_loopback_hosts_are_allowed() {
        for host in ["127.0.0.1:4010", "127.0.0.1", "localhost:4010", "LocalHost", "[::1]:4010"] {
            assert!(allowed(&[("host", host)]), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example:4010", "127.0.0.1.evil.example", "0.0.0.0", ""]
        {
            assert!(!allowed(&[("host", host)]), "{host}");
        }
        assert!(!allowed(&[]));
    }

    #[test]
    fn pages_of_other_hosts_are_not_allowed() {
        let from = |name, value| allowed(&[("host", "127.0.0.1:4010"), (name, value)]);
        for origin in ["http://localhost:3000", "http://127.0.0.1:4010", "https://[::1]"] {
            assert!(from("origin", origin), "{origin}");
        }
        for origin in ["https://evil.example", "null", "", "http://localhost.evil.example"] {
            assert!(!from("origin", origin), "{origin}");
        }
        assert!(!from("sec-fetch-site", "cross-site"));
        assert!(from("sec-fetch-site", "none"));
    }
}
