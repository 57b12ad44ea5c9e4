//! Resumable downloads: the headers to request, and what the response means.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::content::Format;
use super::part::{Part, Validator, text};

/// What a response of the video's host means for the download.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RangeOutcome {
    /// The body is the content from this byte on, of the file that `part` describes.
    From {
        start: u64,
        /// The byte before which the body ends, if the host says so.
        end: Option<u64>,
        part: Part,
        /// Whether the body reaches the end of the file. If not, the rest has to be requested.
        to_end: bool,
    },
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

/// The headers that request the file from this byte on, in the version that `part` describes.
pub(crate) fn range_headers(part: &Part, from: u64) -> Vec<(HeaderName, HeaderValue)> {
    let validator = part.validator.as_ref().and_then(|v| HeaderValue::from_str(v.as_str()).ok());
    match validator {
        Some(validator) if from > 0 => vec![
            (
                header::RANGE,
                HeaderValue::from_str(&format!("bytes={from}-"))
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
    from: u64,
    format: Format,
) -> RangeOutcome {
    let text = |name: HeaderName| text(headers, name);
    // `bytes */200`, with a 416: the file has 200 bytes.
    let file_length = || text(header::CONTENT_RANGE)?.strip_prefix("bytes */")?.parse().ok();
    match status.as_u16() {
        // The request asks for `identity`: encoded bytes would be stored as if they were the video.
        200..=299 if !super::is_identity(headers) => RangeOutcome::Permanent,
        206 => match text(header::CONTENT_RANGE).and_then(content_range) {
            // A host that does not support `If-Range` sends a part of its current version.
            _ if part.validator.as_ref().is_some_and(|stored| stored.differs(headers)) => {
                RangeOutcome::Restart
            }
            Some(range)
                if range.start == from
                    && (part.length.is_none() || range.length == part.length) =>
            {
                // A host may send a 206 from the first byte on although no range was requested. Only
                // then is its validator taken: later it may belong to another version.
                let sent = || Validator::of(headers).filter(|_| from == 0);
                let validator = part.validator.clone().or_else(sent);
                let length = range.length.or(part.length);
                let generation_id = part.generation_id.clone();
                RangeOutcome::From {
                    start: from,
                    end: Some(range.end),
                    // Without a length only the next response shows whether the file ends here.
                    to_end: length.is_some(),
                    part: Part { generation_id, validator, length },
                }
            }
            _ => RangeOutcome::Restart,
        },
        // A video is neither empty nor a page or message: a proxy or captive portal responds in the
        // host's place.
        200 if text(header::CONTENT_LENGTH) == Some("0") => RangeOutcome::Transient,
        200 | 203 if text(header::CONTENT_TYPE).is_some_and(|t| format.excludes(t)) => {
            RangeOutcome::Transient
        }
        200 | 203 => {
            let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
            let generation_id = part.generation_id.clone();
            let validator = Validator::of(headers);
            let part = Part { generation_id, validator, length };
            RangeOutcome::From { start: 0, end: length, part, to_end: true }
        }
        416 if from > 0 && part.length.or_else(file_length) == Some(from) => RangeOutcome::Complete,
        416 => RangeOutcome::Restart,
        401 | 403 | 404 | 410 => RangeOutcome::Expired,
        408 | 425 | 429 | 500..=599 => RangeOutcome::Transient,
        _ => RangeOutcome::Permanent,
    }
}

/// A part of a file: from `start`, before `end`.
struct ContentRange {
    start: u64,
    end: u64,
    /// The length of the whole file.
    length: Option<u64>,
}

/// Parses `bytes 100-199/200`, if the numbers are consistent.
fn content_range(text: &str) -> Option<ContentRange> {
    let (unit, rest) = text.split_once(' ')?;
    let (range, length) = rest.split_once('/')?;
    let (start, last) = range.split_once('-')?;
    let (start, last): (u64, u64) = (start.trim().parse().ok()?, last.trim().parse().ok()?);
    let end = last.checked_add(1)?;
    let length = match length.trim() {
        "*" => None,
        length => Some(length.parse().ok()?),
    };
    let is_consistent = start < end && length.is_none_or(|length| end <= length);
    (unit.eq_ignore_ascii_case("bytes") && is_consistent).then_some(ContentRange {
        start,
        end,
        length,
    })
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
        range_outcome(StatusCode::from_u16(status).unwrap(), &headers, part, stored, Format::Video)
    }

    fn etag() -> Option<Validator> {
        Some(Validator::Etag("\"a\"".to_owned()))
    }

    #[test]
    fn the_first_response_describes_the_file() {
        let headers = [(header::ETAG, "\"a\""), (header::CONTENT_LENGTH, "200")];
        let RangeOutcome::From { start: 0, end: Some(200), part, to_end: true } =
            outcome(200, &headers, &Part::default(), 0)
        else {
            panic!()
        };
        assert_eq!((&part.validator, part.length), (&etag(), Some(200)));
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
        let plain = outcome(200, &[(header::CONTENT_ENCODING, "AWS-Chunked")], &part, 0);
        assert!(matches!(plain, RangeOutcome::From { .. }));
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
        let part = Part { validator: etag(), length: Some(200), ..Part::default() };
        let range = |text| outcome(206, &[(header::CONTENT_RANGE, text)], &part, 100);
        assert_eq!(
            range("bytes 100-199/200"),
            RangeOutcome::From { start: 100, end: Some(200), part: part.clone(), to_end: true }
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
            "bytes 100-18446744073709551615/*",
        ] {
            assert_eq!(range(nonsense), RangeOutcome::Restart, "{nonsense}");
        }
        let other = [(header::CONTENT_RANGE, "bytes 100-199/200"), (header::ETAG, "\"b\"")];
        assert_eq!(outcome(206, &other, &part, 100), RangeOutcome::Restart, "another file");
        let dated = Validator::LastModified("Sun, 01 Nov 2026".into());
        let dated = Part { validator: Some(dated), ..part.clone() };
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
        let part = Part { validator: etag(), ..Part::default() };
        let piece = outcome(206, &[(header::CONTENT_RANGE, "bytes 100-149/*")], &part, 100);
        assert_eq!(
            piece,
            RangeOutcome::From { start: 100, end: Some(150), part: part.clone(), to_end: false }
        );
        let end = |length| outcome(416, &[(header::CONTENT_RANGE, length)], &part, 150);
        assert_eq!(end("bytes */150"), RangeOutcome::Complete);
        assert_eq!(end("bytes */151"), RangeOutcome::Restart);
        assert_eq!(end("bytes */*"), RangeOutcome::Restart);
    }

    #[test]
    fn a_part_that_begins_the_file_describes_it_and_a_later_one_does_not() {
        let headers = |range| [(header::CONTENT_RANGE, range), (header::ETAG, "\"a\"")];
        let first = outcome(206, &headers("bytes 0-99/200"), &Part::default(), 0);
        let part = Part { validator: etag(), length: Some(200), ..Part::default() };
        assert_eq!(first, RangeOutcome::From { start: 0, end: Some(100), part, to_end: true });
        let later = outcome(206, &headers("bytes 100-199/200"), &Part::default(), 100);
        let part = Part { length: Some(200), ..Part::default() };
        assert_eq!(later, RangeOutcome::From { start: 100, end: Some(200), part, to_end: true });
    }

    #[test]
    fn an_empty_file_is_never_complete() {
        let empty = [(header::CONTENT_RANGE, "bytes */0")];
        assert_eq!(outcome(416, &empty, &Part::default(), 0), RangeOutcome::Restart);
        let described = Part { validator: etag(), length: Some(0), ..Part::default() };
        assert_eq!(outcome(416, &[], &described, 0), RangeOutcome::Restart);
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
            let part = Part { validator: etag(), ..Part::default() };
            let headers = [(header::CONTENT_RANGE, &*range), (header::CONTENT_LENGTH, &*length)];
            let outcome = outcome(status, &headers, &part, stored);
            if let RangeOutcome::From { start, end, part, .. } = outcome {
                prop_assert!(start == 0 || start == stored);
                prop_assert!(status != 206 || end.is_some_and(|end| end > start));
                prop_assert!(status != 206 || part.length.is_none_or(|length| length > stored));
            }
            prop_assert!(range_headers(&part, stored).len() <= 2);
        }
    }
}
