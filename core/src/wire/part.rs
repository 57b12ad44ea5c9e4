//! The description of a partial file, from which a later download resumes it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

/// The file of which a part is stored: enough to request the rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The id of the generation that the video belongs to.
    pub(crate) generation_id: String,
    /// What identifies this version of the file, if the host says so.
    pub(crate) validator: Option<Validator>,
    /// The length of the whole file, in bytes.
    pub(crate) length: Option<u64>,
}

/// What identifies one version of a file, and is the same only if all its bytes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Validator {
    /// A strong `ETag`, as the host sent it. RFC 9110 demands quotes; a host that leaves them out
    /// compares without them, and one that does not understand `If-Range` sends the whole file.
    Etag(String),
    /// A `Last-Modified` that the file cannot share with an earlier version.
    LastModified(String),
}

/// The content of `PATH.part.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(crate) part: Part,
    /// How many bytes of the file were on the disk when this was written.
    pub(crate) stored: u64,
}

impl Description {
    /// A longer description was not written by this library.
    pub(crate) const MAX_BYTES: u64 = 64 * 1024;

    /// The description of a partial file that can be resumed: it is of the same generation, and the
    /// file, which has `on_disk` bytes, has all bytes that the description claims.
    pub(crate) fn parse(json: &[u8], generation_id: &str, on_disk: u64) -> Option<Self> {
        let this: Self = serde_json::from_slice(json).ok()?;
        let is_of_file =
            this.stored <= on_disk && this.part.length.is_none_or(|length| this.stored <= length);
        let is_resumable =
            this.part.generation_id == generation_id && this.part.validator.is_some();
        (is_of_file && is_resumable).then_some(this)
    }
}

impl Validator {
    /// The strong validator of a response, if it has one. A weak `ETag` does not guarantee that the
    /// bytes are the same (RFC 9110, section 8.8.1).
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let etag = text(headers, header::ETAG).filter(|e| !e.is_empty() && !e.starts_with("W/"));
        etag.map(|etag| Self::Etag(etag.to_owned())).or_else(|| {
            let modified = text(headers, header::LAST_MODIFIED)?;
            is_strong(modified, text(headers, header::DATE)?)
                .then(|| Self::LastModified(modified.to_owned()))
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        let (Self::Etag(text) | Self::LastModified(text)) = self;
        text
    }

    /// Whether a response has a validator of this sort that identifies another version.
    pub(crate) fn differs(&self, headers: &HeaderMap) -> bool {
        let name = match self {
            Self::Etag(_) => header::ETAG,
            Self::LastModified(_) => header::LAST_MODIFIED,
        };
        text(headers, name).is_some_and(|sent| sent != self.as_str())
    }
}

/// Whether a file that was last modified at this time cannot have changed again within the same
/// second (RFC 9110, section 8.8.2.2). Both times are cut to seconds, so that a difference of one
/// may be a few milliseconds.
fn is_strong(last_modified: &str, date: &str) -> bool {
    let (Ok(modified), Ok(date)) =
        (httpdate::parse_http_date(last_modified), httpdate::parse_http_date(date))
    else {
        return false;
    };
    date.duration_since(modified).is_ok_and(|age| age > Duration::from_secs(1))
}

pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_date_within_a_second_of_the_response_is_a_weak_validator() {
        const MODIFIED: &str = "Sun, 01 Nov 2026 12:00:00 GMT";
        for (date, strong) in [
            ("Sun, 01 Nov 2026 12:00:00 GMT", false),
            ("Sun, 01 Nov 2026 12:00:01 GMT", false),
            ("Sun, 01 Nov 2026 12:00:02 GMT", true),
            ("Mon, 02 Nov 2026 12:00:00 GMT", true),
            ("Sun, 01 Nov 2026 11:59:59 GMT", false),
            ("yesterday", false),
        ] {
            let found = Validator::of(&headers(&[("last-modified", MODIFIED), ("date", date)]));
            let expected = strong.then(|| Validator::LastModified(MODIFIED.to_owned()));
            assert_eq!(found, expected, "{date}");
        }
        assert_eq!(Validator::of(&headers(&[("last-modified", MODIFIED)])), None);
    }

    #[test]
    fn an_etag_is_kept_as_it_was_sent() {
        for etag in ["\"a\"", "a", "\"a", "d41d8cd9"] {
            let found = Validator::of(&headers(&[("etag", etag)])).unwrap();
            assert_eq!(found, Validator::Etag(etag.to_owned()));
            assert!(!found.differs(&headers(&[("etag", etag), ("last-modified", "now")])));
            assert!(found.differs(&headers(&[("etag", "\"b\"")])));
        }
        assert_eq!(Validator::of(&headers(&[("etag", "W/\"a\"")])), None);
        assert_eq!(Validator::of(&headers(&[("etag", "")])), None);
    }

    #[test]
    fn only_the_bytes_that_a_description_claims_are_resumed() {
        let json = |stored: u64| {
            json!({"generation_id": "gen_1", "validator": {"etag": "\"a\""}, "length": 200,
                "stored": stored})
            .to_string()
        };
        let resumed =
            |stored, on_disk| Description::parse(json(stored).as_bytes(), "gen_1", on_disk);
        assert_eq!(resumed(100, 100).unwrap().stored, 100);
        assert_eq!(resumed(100, 150).unwrap().stored, 100, "the rest was not on the disk yet");
        assert_eq!(resumed(200, 200).unwrap().stored, 200, "all of it");
        assert_eq!(resumed(100, 99), None, "bytes are missing");
        assert_eq!(resumed(201, 300), None, "more than the file has");
        assert_eq!(Description::parse(json(100).as_bytes(), "gen_2", 100), None);
        let unidentified = json!({"generation_id": "gen_1", "stored": 100}).to_string();
        assert_eq!(Description::parse(unidentified.as_bytes(), "gen_1", 100), None);
    }

    proptest! {
        #[test]
        fn any_description_is_read_or_ignored(json in ".{0,60}", on_disk in any::<u64>()) {
            prop_assert_eq!(Description::parse(json.as_bytes(), "gen_1", on_disk), None);
        }
    }
}
