//! Keeps web pages away from the control interface. It needs no key, so without this any page that a
//! developer visits could add faults, send webhooks, and read the logged prompts.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

const HOST_MESSAGE: &str = "The control interface takes requests to loopback hosts only. Send them to \
                            127.0.0.1 or localhost.";
const ORIGIN_MESSAGE: &str = "The control interface takes no requests of web pages other than the \
                              emulator's own, which is at /_emulator/.";

/// Checks that no web page but the emulator's own has made a request.
///
/// A page on another port of this machine is another page too: what is there may be a dependency's, or show
/// content from anywhere. Every request of another origin that could change something has an `Origin`;
/// for one without, `Sec-Fetch-Site` says it. Programs have neither.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), &'static str> {
    check_host(headers)?;
    let host = text(headers, HOST.as_str());
    let same_origin = match text(headers, ORIGIN.as_str()) {
        Some(origin) => origin.split_once("://").map(|(_, host)| host) == host,
        None => {
            matches!(text(headers, "sec-fetch-site"), None | Some("same-origin" | "none"))
        }
    };
    if same_origin { Ok(()) } else { Err(ORIGIN_MESSAGE) }
}

/// Checks that the host in the URL is loopback: a page under a name that was made to resolve to 127.0.0.1
/// (DNS rebinding) has its own name there.
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), &'static str> {
    if text(headers, HOST.as_str()).is_some_and(is_loopback) { Ok(()) } else { Err(HOST_MESSAGE) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
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
    fn other_pages_are_not_allowed() {
        let from = |name, value| allowed(&[("host", "127.0.0.1:4010"), (name, value)]);
        assert!(from("origin", "http://127.0.0.1:4010"));
        for origin in [
            "http://127.0.0.1:3000",
            "http://localhost:4010",
            "https://evil.example",
            "null",
            "",
            "http://127.0.0.1:4010.evil.example",
        ] {
            assert!(!from("origin", origin), "{origin}");
        }
        for (site, is_own) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)]
        {
            assert_eq!(from("sec-fetch-site", site), is_own, "{site}");
        }
    }
}
