//! The base URL of the API.

use std::fmt;

use url::{Host, Url};

use super::VideoHosts;
use crate::error::{Error, ErrorKind};

/// The base URL of the API, without `/v1`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    pub(crate) const DEFAULT: &str = "https://api.pipevideo.co";

    /// Parses a URL with or without `/v1`. Plain HTTP is allowed only to loopback, unless
    /// `allow_insecure`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for any other URL.
    pub(crate) fn parse(text: &str, allow_insecure: bool) -> Result<Self, Error> {
        let invalid = |what: &str| {
            Err(Error::new(
                ErrorKind::Configuration,
                format!("the base URL {what}. Pass one such as {}.", Self::DEFAULT),
            ))
        };
        let Ok(mut url) = Url::parse(text.trim()) else { return invalid("is not a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return invalid("is neither https nor http");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return invalid("has a user name or password in it");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return invalid("has a query or a fragment");
        }
        if url.scheme() == "http" && !is_loopback(&url) && !allow_insecure {
            return invalid(
                "is plain http to another machine, which exposes the key to the network",
            );
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/');
        let path = path.to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a path that begins with `/v1` and is percent-encoded, perhaps with a query.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        url.set_path(&[self.0.path().trim_end_matches('/'), path].concat());
        url.set_query(query);
        url
    }

    /// The hosts that the service may refer to.
    pub(crate) fn video_hosts(&self) -> VideoHosts {
        VideoHosts::of(&self.0)
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.0.host_str()
    }

    /// The host as it is written outside of a URL: an IPv6 address has no brackets.
    pub(crate) fn hostname(&self) -> Option<&str> {
        self.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v1_and_a_trailing_slash_are_optional() {
        for (text, joined) in [
            ("https://api.pipevideo.co", "https://api.pipevideo.co/v1/x"),
            ("https://api.pipevideo.co/", "https://api.pipevideo.co/v1/x"),
            ("https://api.pipevideo.co/v1", "https://api.pipevideo.co/v1/x"),
            (" https://API.pipevideo.co/v1/ ", "https://api.pipevideo.co/v1/x"),
            ("https://proxy.example:8443/video/v1", "https://proxy.example:8443/video/v1/x"),
            ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/x"),
            ("http://[::1]:9", "http://[::1]:9/v1/x"),
            ("http://localhost", "http://localhost/v1/x"),
        ] {
            assert_eq!(BaseUrl::parse(text, false).unwrap().join("/v1/x").as_str(), joined);
        }
    }

    #[test]
    fn it_is_shown_as_it_is_meant() {
        for (text, shown, host, is_loopback) in [
            ("https://API.pipevideo.co/v1/", "https://api.pipevideo.co", "api.pipevideo.co", false),
            ("http://127.0.0.1:9/a/", "http://127.0.0.1:9/a", "127.0.0.1", true),
        ] {
            let url = BaseUrl::parse(text, false).unwrap();
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown));
            assert_eq!((url.host(), url.is_loopback()), (Some(host), is_loopback));
        }
    }

    #[test]
    fn unsafe_and_malformed_urls_are_rejected() {
        for text in [
            "",
            "api.pipevideo.co",
            "ftp://api.pipevideo.co",
            "http://api.pipevideo.co",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "https://u:p@x.example",
            "https://u@x.example",
            "https://:p@x.example",
            "https://x.example/?key=1",
            "https://x.example/#v1",
            "https://",
            "data:text/plain,x",
        ] {
            let error = BaseUrl::parse(text, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
        }
        assert!(BaseUrl::parse("http://api.pipevideo.co", true).is_ok());
    }
}
