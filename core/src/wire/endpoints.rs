//! The four endpoints, and paths that are the caller's.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Request, path};
use crate::error::{Error, ErrorKind};
use crate::model::{GenerationId, GenerationRequest};

/// The characters to encode in a path segment: all but the unreserved ones of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `POST /v1/responses`.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for a request that the service would reject.
pub(crate) fn create(request: &GenerationRequest) -> Result<Request, Error> {
    request.check()?;
    let body = serde_json::to_vec(request).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, "the request cannot be written as JSON.")
            .with_source(error)
    })?;
    Ok(Request {
        method: Method::POST,
        route: "POST /v1/responses",
        id: None,
        path: "/v1/responses".to_owned(),
        body: Some(Bytes::from(body)),
        authorized: true,
    })
}

/// The route of a retrieve, and of a poll.
pub(crate) const RETRIEVE: &str = "GET /v1/responses/{id}";

/// `GET /v1/responses/{id}`.
pub(crate) fn retrieve(id: &GenerationId) -> Request {
    let path = format!("/v1/responses/{}", utf8_percent_encode(id.as_str(), SEGMENT));
    Request { id: Some(id.clone()), ..get(RETRIEVE, path, true) }
}

/// `GET /v1/engines`, which is public.
pub(crate) fn engines() -> Request {
    get("GET /v1/engines", "/v1/engines".to_owned(), false)
}

/// `GET /v1/usage`.
pub(crate) fn usage() -> Request {
    get("GET /v1/usage", "/v1/usage".to_owned(), true)
}

/// `GET` of a path that the caller names.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for a path that is not one below the base URL.
pub(crate) fn get_path(path: String) -> Result<Request, Error> {
    path::check(&path)?;
    Ok(get("GET other", path, true))
}

/// `POST` to a path that the caller names.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for a path that is not one below the base URL.
pub(crate) fn post_path(path: String, body: Bytes) -> Result<Request, Error> {
    path::check(&path)?;
    let (method, body) = (Method::POST, Some(body));
    Ok(Request { method, body, ..get("POST other", path, true) })
}

fn get(route: &'static str, path: String, authorized: bool) -> Request {
    Request { method: Method::GET, route, id: None, path, body: None, authorized }
}

#[cfg(test)]
mod tests {
    use super::super::BaseUrl;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_percent_encoded() {
        for (id, path) in [
            ("gen_abc-1.~", "/v1/responses/gen_abc-1.~"),
            ("gen/../../v1/usage", "/v1/responses/gen%2F..%2F..%2Fv1%2Fusage"),
            ("a b?c#d%2F", "/v1/responses/a%20b%3Fc%23d%252F"),
            ("é\n", "/v1/responses/%C3%A9%0A"),
        ] {
            assert_eq!(retrieve(&GenerationId::parse(id).unwrap()).path, path);
        }
    }

    proptest! {
        /// Any id is one segment of the path, and no other part of the URL.
        #[test]
        fn an_id_stays_one_segment(id in "[ -~é\\PC./%?#\\\\]{1,40}") {
            if let Ok(checked) = GenerationId::parse(id.as_str()) {
                let request = retrieve(&checked);
                let base = BaseUrl::parse("https://api.example/prefix/v1", false).unwrap();
                let url = base.join(&request.path);
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                prop_assert_eq!(&segments[..3], &["prefix", "v1", "responses"]);
                prop_assert_eq!(segments.len(), 4);
                let decoded = percent_encoding::percent_decode_str(segments[3]).decode_utf8().unwrap();
                prop_assert_eq!(decoded, id);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }

        #[test]
        fn no_base_url_makes_it_panic(text in "(https?://)?\\PC{0,30}") {
            let _ = BaseUrl::parse(&text, true);
        }
    }
}
