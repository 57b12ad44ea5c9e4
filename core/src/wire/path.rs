//! Paths of endpoints that this library does not have.

use percent_encoding::percent_decode_str;

use crate::error::{Error, ErrorKind};

/// Checks that a path, perhaps with a query, is one below the base URL: the key must not leave for
/// another origin, nor for another part of a gateway that serves the API below a path of its own.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for an absolute URL, and for a path that a parser of URLs or a server could
/// take for another one.
pub(crate) fn check(path: &str) -> Result<(), Error> {
    let invalid = |what: &str| {
        let message = format!("the path {what}. Pass one on the base URL, such as /v1/usage.");
        Err(Error::new(ErrorKind::InvalidRequest, message))
    };
    if !path.starts_with('/') || path.starts_with("//") {
        return invalid("does not begin with one slash");
    }
    // A parser of URLs takes a backslash for a slash, and removes tabs and line breaks.
    if path.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '#')) {
        return invalid("has a space, a control character, a backslash or a fragment");
    }
    let before_query = path.split('?').next().unwrap_or_default();
    // Servers and gateways decode once or several times before they resolve dots.
    let mut decoded = before_query.to_owned();
    loop {
        if decoded.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
            return invalid("has a segment of dots");
        }
        match percent_decode_str(&decoded).decode_utf8() {
            Ok(next) if next != decoded => decoded = next.into_owned(),
            Ok(_) => return Ok(()),
            Err(_) => return invalid("is not UTF-8 when decoded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BaseUrl;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        for path in [
            "",
            "v1/usage",
            "//evil.example/v1",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/v1/usage",
            "/v1/../admin",
            "/v1/..",
            "/./v1",
            "/v1/%2e%2E/admin",
            "/v1/%252e%252e/admin",
            "/v1/..%2fadmin",
            "/v1/..%5cadmin",
            "/v1/.\t./admin",
            "/v1/a b",
            "/v1/a\r\nhost: evil.example",
            "/v1/a#b",
            "/v1/%ff",
            "@evil.example/v1",
            ":80@evil.example/",
        ] {
            assert_eq!(check(path).unwrap_err().kind(), ErrorKind::InvalidRequest, "{path}");
        }
    }

    #[test]
    fn other_paths_are_below_the_base_url() {
        for path in [
            "/v1/models",
            "/v1/models?limit=2&after=a/../b",
            "/v1/models/",
            "/v2/a%20b/...",
            "/v1/x@y:80/é",
            "/",
        ] {
            check(path).unwrap();
            let url = BaseUrl::parse("https://api.example/prefix/v1", false).unwrap().join(path);
            assert_eq!(url.origin().ascii_serialization(), "https://api.example");
            assert!(url.path().starts_with("/prefix/"), "{path}: {url}");
            assert_eq!(url.query().is_some(), path.contains('?'), "{path}: {url}");
        }
    }

    proptest! {
        #[test]
        fn no_accepted_path_leaves_the_base_url(path in "(/|//|\\\\|https?://|[a-z]{1,3}|\\.\\.?|%2[eEfF]|%5[cC]|[?#@: \t]|\\PC){0,12}") {
            if check(&path).is_ok() {
                let url = BaseUrl::parse("https://api.example/prefix", false).unwrap().join(&path);
                prop_assert_eq!(url.origin().ascii_serialization(), "https://api.example");
                prop_assert!(url.path().starts_with("/prefix/"), "{}", url);
                prop_assert!(url.username().is_empty() && url.password().is_none());
            }
        }
    }
}
