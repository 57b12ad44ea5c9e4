//! Resumable downloads: the headers to request, and what the response means.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// The description of a file of which a part is stored: enough to request the rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The id of the generation that the video belongs to.
    pub(crate) generation_id: String,
    /// A strong `ETag`, or a `Last-Modified`, which identifies this version of the file.
    pub(crate) validator: Option<String>,
    /// The length of the whole file, in bytes.
    pub(crate) length: Option<u64>,
}

/// What a response of the video's host means for the download.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RangeOutcome {
    /// The body is the content from this byte on, of the file that `part` describes. Unless it
    /// reaches `to_end`, the rest has to be requested.
    From { start: u64, part: Part, to_end: bool },
    /// The whole file is stored already.
    Complete,
    /// The stored bytes do not belong to the file any more: start again at its beginning.
    Restart,
    /// The URL has expired; a fresh one may work.
    Expired,
    /// The host cannot serve the file now, but may do so later.
    Transient,
    /// The host does not serve the file.
    Permanent,
}

/// The headers that request what is missing after `stored` bytes.
pub(crate) fn range_headers(part: &Part, stored: u64) -> Vec<(HeaderName, HeaderValue)> {
    let validator = part.validator.as_deref().and_then(|v| HeaderValue::from_str(v).ok());
    match validator {
        Some(validator) if stored > 0 => vec![
            (
                header::RANGE,
                HeaderValue::from_str(&format!("bytes={stored}-"))
                    .expect("digits are a header value"),
            ),
            (header::IF_RANGE, validator),
        ],
        _ => Vec::new(),
    }
}

/// What the response to a request with [`range_headers`] means.
pub(crate) fn range_outcome(
    status: StatusCode,
    headers: &HeaderMap,
    part: &Part,
    stored: u64,
) -> RangeOutcome {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // `bytes */200`, with a 416: the file has 200 bytes.
    let file_length = || text(header::CONTENT_RANGE)?.trim().strip_prefix("bytes */")?.parse().ok();
    match status.as_u16() {
        // The request asks for `identity`: encoded bytes would be stored as if they were the video.
        200..=299 if text(header::CONTENT_ENCODING).is_some_and(|c| c != "identity") => {
            RangeOutcome::Permanent
        }
        206 => match text(header::CONTENT_RANGE).and_then(content_range) {
            // A host that does not support `If-Range` sends a part of its current version.
            _ if is_other_version(text(header::ETAG), text(header::LAST_MODIFIED), part) => {
                RangeOutcome::Restart
            }
            Some((start, length))
                if start == stored && (part.length.is_none() || length == part.length) =>
            {
                let sent = || validator(text(header::ETAG), text(header::LAST_MODIFIED));
                // A host may send a 206 from the first byte on although no range was requested. Only
                // then is its validator taken: later it may belong to another version.
                let validator = part.validator.clone().or_else(|| sent().filter(|_| start == 0));
                let length = length.or(part.length);
                let generation_id = part.generation_id.clone();
                // Without a length only the next response shows whether the file ends here.
                let to_end = length.is_some();
                let part = Part { generation_id, validator, length };
                RangeOutcome::From { start, part, to_end }
            }
            _ => RangeOutcome::Restart,
        },
        // A video is neither empty nor a page or message: a proxy or captive portal responds in the
        // host's place.
        200 if text(header::CONTENT_LENGTH) == Some("0") => RangeOutcome::Transient,
        200 | 203 if text(header::CONTENT_TYPE).is_some_and(is_page) => RangeOutcome::Transient,
        200 | 203 => RangeOutcome::From {
            start: 0,
            part: Part {
                generation_id: part.generation_id.clone(),
                validator: validator(text(header::ETAG), text(header::LAST_MODIFIED)),
                length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            },
            to_end: true,
        },
        416 if stored > 0 && part.length.or_else(file_length) == Some(stored) => {
            RangeOutcome::Complete
        }
        416 => RangeOutcome::Restart,
        401 | 403 | 404 | 410 => RangeOutcome::Expired,
        408 | 425 | 429 | 500..=599 => RangeOutcome::Transient,
        _ => RangeOutcome::Permanent,
    }
}

fn is_page(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    ["html", "json", "xml"].iter().any(|format| essence.ends_with(format))
}

/// The validator of a response. A weak `ETag` does not guarantee that the bytes are the same
/// (RFC 9110, section 8.8.1).
fn validator(etag: Option<&str>, last_modified: Option<&str>) -> Option<String> {
    etag.filter(|etag| !etag.starts_with("W/")).or(last_modified).map(str::to_owned)
}

/// Whether the validators identify another version than the one of which a part is stored.
fn is_other_version(etag: Option<&str>, last_modified: Option<&str>, part: &Part) -> bool {
    let Some(stored) = part.validator.as_deref() else { return false };
    let sent = if stored.starts_with('"') { etag } else { last_modified };
    sent.is_some_and(|sent| sent != stored)
}

/// Parses `bytes 100-199/200` into the first byte and the length of the file, if the numbers are
/// consistent.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, length) = rest.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let length = match length.trim() {
        "*" => None,
        length => Some(length.parse().ok()?),
    };
    let is_consistent = start <= end && length.is_none_or(|length| end < length);
    (unit.eq_ignore_ascii_case("bytes") && is_consistent).then_some((start, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome(
        status: u16,
        headers: &[(HeaderName, &str)],
        part: &Part,
        stored: u64,
    ) -> RangeOutcome {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        range_outcome(StatusCode::from_u16(status).unwrap(), &headers, part, stored)
    }

    #[test]
    fn the_first_response_describes_the_file() {
        let headers = [(header::ETAG, "\"a\""), (header::CONTENT_LENGTH, "200")];
        let RangeOutcome::From { start: 0, part, to_end: true } =
            outcome(200, &headers, &Part::default(), 0)
        else {
            panic!()
        };
        assert_eq!((part.validator.as_deref(), part.length), (Some("\"a\""), Some(200)));
        let headers = range_headers(&part, 100);
        assert_eq!(headers[0], (header::RANGE, HeaderValue::from_static("bytes=100-")));
        assert_eq!(headers[1], (header::IF_RANGE, HeaderValue::from_static("\"a\"")));
        assert_eq!(range_headers(&part, 0), []);
    }

    #[test]
    fn an_empty_body_or_a_page_is_not_a_video() {
        let part = Part::default();
        for header in [
            (header::CONTENT_LENGTH, "0"),
            (header::CONTENT_TYPE, "Text/HTML; charset=x"),
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CONTENT_TYPE, "application/xml;charset=utf-8"),
        ] {
            assert_eq!(outcome(200, &[header], &part, 0), RangeOutcome::Transient);
        }
        let packed = outcome(200, &[(header::CONTENT_ENCODING, "gzip")], &part, 0);
        assert_eq!(packed, RangeOutcome::Permanent);
        let video = outcome(200, &[(header::CONTENT_TYPE, "video/mp4")], &part, 0);
        assert!(matches!(video, RangeOutcome::From { .. }));
    }

    #[test]
    fn a_download_without_a_strong_validator_is_not_resumed() {
        let weak = [(header::ETAG, "W/\"a\"")];
        let RangeOutcome::From { part, .. } = outcome(200, &weak, &Part::default(), 0) else {
            panic!()
        };
        assert_eq!(range_headers(&part, 100), []);
    }

    #[test]
    fn a_download_resumes_only_where_it_stopped() {
        let part = Part { validator: Some("\"a\"".into()), length: Some(200), ..Part::default() };
        let range = |text| outcome(206, &[(header::CONTENT_RANGE, text)], &part, 100);
        assert_eq!(
            range("bytes 100-199/200"),
            RangeOutcome::From { start: 100, part: part.clone(), to_end: true }
        );
        assert_eq!(range("bytes 100-199/*"), RangeOutcome::Restart);
        assert_eq!(range("bytes 0-199/200"), RangeOutcome::Restart);
        assert_eq!(range("bytes 100-299/300"), RangeOutcome::Restart);
        for nonsense in [
            "nonsense",
            "bytes 100-99/200",
            "bytes 100-200/200",
            "bytes 100-199/50",
            "bytes 100-/200",
            "bytes -100/200",
            "bytes */200",
            "items 100-199/200",
            "bytes 100-199/99999999999999999999999",
            "bytes +100-199/200/",
        ] {
            assert_eq!(range(nonsense), RangeOutcome::Restart, "{nonsense}");
        }
        let other = [(header::CONTENT_RANGE, "bytes 100-199/200"), (header::ETAG, "\"b\"")];
        assert_eq!(outcome(206, &other, &part, 100), RangeOutcome::Restart, "another file");
        let dated = Part { validator: Some("Sun, 01 Nov 2026".into()), ..part.clone() };
        let newer =
            [(header::CONTENT_RANGE, "bytes 100-199/200"), (header::LAST_MODIFIED, "Mon, 02 Nov")];
        assert_eq!(outcome(206, &newer, &dated, 100), RangeOutcome::Restart, "a newer file");
        assert_eq!(outcome(206, &[], &part, 100), RangeOutcome::Restart);
        assert_eq!(outcome(416, &[], &part, 200), RangeOutcome::Complete);
        assert_eq!(outcome(416, &[], &part, 100), RangeOutcome::Restart);
        assert_eq!(outcome(403, &[], &part, 100), RangeOutcome::Expired);
        assert_eq!(outcome(503, &[], &part, 100), RangeOutcome::Transient);
        assert_eq!(outcome(301, &[], &part, 100), RangeOutcome::Permanent);
        assert_eq!(outcome(204, &[], &part, 100), RangeOutcome::Permanent);
        let empty = [(header::CONTENT_LENGTH, "0")];
        assert_eq!(
            outcome(200, &empty, &part, 100),
            RangeOutcome::Transient,
            "a video is not empty"
        );
    }

    #[test]
    fn a_part_of_unknown_length_is_not_the_whole_file() {
        let part = Part { validator: Some("\"a\"".into()), ..Part::default() };
        let piece = outcome(206, &[(header::CONTENT_RANGE, "bytes 100-149/*")], &part, 100);
        assert_eq!(piece, RangeOutcome::From { start: 100, part: part.clone(), to_end: false });
        let end = |length| outcome(416, &[(header::CONTENT_RANGE, length)], &part, 150);
        assert_eq!(end("bytes */150"), RangeOutcome::Complete);
        assert_eq!(end("bytes */151"), RangeOutcome::Restart);
        assert_eq!(end("bytes */*"), RangeOutcome::Restart);
    }

    proptest! {
        /// After any response, a download resumes exactly where it stopped or starts again.
        #[test]
        fn any_response_has_a_sound_outcome(
            status in 100u16..1000,
            range in "(bytes )?[0-9*-]{0,21}(-[0-9]{1,3})?(/[0-9*]{1,21})?",
            length in "[0-9]{0,21}",
            stored in 0u64..300,
        ) {
            let part = Part { validator: Some("\"a\"".into()), ..Part::default() };
            let headers = [(header::CONTENT_RANGE, &*range), (header::CONTENT_LENGTH, &*length)];
            if let RangeOutcome::From { start, part, .. } = outcome(status, &headers, &part, stored) {
                prop_assert!(start == 0 || start == stored);
                prop_assert!(status != 206 || part.length.is_none_or(|length| length > stored));
            }
            prop_assert!(range_headers(&part, stored).len() <= 2);
        }
    }
}
