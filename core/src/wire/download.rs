//! Fetching a video in parts: what to ask for, and what the answer means.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

/// What is known of a file of which a part has been stored: enough to ask for the rest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The generation whose video it is.
    pub(crate) generation_id: String,
    /// A strong `ETag`, or a `Last-Modified`: what tells that the file is still the same.
    pub(crate) validator: Option<String>,
    /// The length of the whole file, in bytes.
    pub(crate) length: Option<u64>,
}

/// What an answer of the video's host means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RangeAnswer {
    /// The content from this byte on, of the file so described; if not to its end, that is a piece,
    /// and more of it must be asked for.
    From { start: u64, part: Part, to_end: bool },
    /// All bytes were there already.
    Complete,
    /// What is stored does not fit the file any more: begin again.
    Restart,
    /// The URL does not serve any more: a fresh one may.
    Expired,
    /// The host may serve later.
    Passing,
    /// The host will not serve.
    Refused,
}

/// The headers that ask for what is missing after `stored` bytes.
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

/// What the answer to a request with [`range_headers`] means.
pub(crate) fn range_answer(
    status: StatusCode,
    headers: &HeaderMap,
    part: &Part,
    stored: u64,
) -> RangeAnswer {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // `bytes */200`: nothing is left of a file so long.
    let whole = || text(header::CONTENT_RANGE)?.trim().strip_prefix("bytes */")?.parse().ok();
    match status.as_u16() {
        // Nothing but the plain bytes was asked for.
        200..=299 if text(header::CONTENT_ENCODING).is_some_and(|c| c != "identity") => {
            RangeAnswer::Refused
        }
        206 => match text(header::CONTENT_RANGE).and_then(content_range) {
            // A host that does not know `If-Range` sends a part of whatever it has now.
            _ if is_other(text(header::ETAG), text(header::LAST_MODIFIED), part) => {
                RangeAnswer::Restart
            }
            Some((start, length))
                if start == stored && (part.length.is_none() || length == part.length) =>
            {
                let known = part.validator.clone();
                let told = || validator(text(header::ETAG), text(header::LAST_MODIFIED));
                // A host that begins with a piece that nobody asked for tells here what vouches for it.
                let validator = known.or_else(|| told().filter(|_| start == 0));
                let length = length.or(part.length);
                let generation_id = part.generation_id.clone();
                // Where the file ends stands nowhere else.
                let to_end = length.is_some();
                let part = Part { generation_id, validator, length };
                RangeAnswer::From { start, part, to_end }
            }
            _ => RangeAnswer::Restart,
        },
        // No video is empty, a web page or a message: somebody answers in the host's place.
        200 if text(header::CONTENT_LENGTH) == Some("0") => RangeAnswer::Passing,
        200 | 203 if text(header::CONTENT_TYPE).is_some_and(is_page) => RangeAnswer::Passing,
        200 | 203 => RangeAnswer::From {
            start: 0,
            part: Part {
                generation_id: part.generation_id.clone(),
                validator: validator(text(header::ETAG), text(header::LAST_MODIFIED)),
                length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            },
            to_end: true,
        },
        416 if stored > 0 && part.length.or_else(whole) == Some(stored) => RangeAnswer::Complete,
        416 => RangeAnswer::Restart,
        401 | 403 | 404 | 410 => RangeAnswer::Expired,
        408 | 425 | 429 | 500..=599 => RangeAnswer::Passing,
        _ => RangeAnswer::Refused,
    }
}

fn is_page(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    ["html", "json", "xml"].iter().any(|format| essence.ends_with(format))
}

/// A weak `ETag` cannot vouch for single bytes.
fn validator(etag: Option<&str>, last_modified: Option<&str>) -> Option<String> {
    etag.filter(|etag| !etag.starts_with("W/")).or(last_modified).map(str::to_owned)
}

/// Whether the validators say that the file is another one than that of which a part is stored.
fn is_other(etag: Option<&str>, last_modified: Option<&str>, part: &Part) -> bool {
    let Some(known) = part.validator.as_deref() else { return false };
    let told = if known.starts_with('"') { etag } else { last_modified };
    told.is_some_and(|told| told != known)
}

/// `bytes 100-199/200` as the first byte and the whole length, if the three make sense together.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, length) = rest.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let length = match length.trim() {
        "*" => None,
        length => Some(length.parse().ok()?),
    };
    let sound = start <= end && length.is_none_or(|length| end < length);
    (unit.eq_ignore_ascii_case("bytes") && sound).then_some((start, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(
        status: u16,
        headers: &[(HeaderName, &str)],
        part: &Part,
        stored: u64,
    ) -> RangeAnswer {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        range_answer(StatusCode::from_u16(status).unwrap(), &headers, part, stored)
    }

    #[test]
    fn the_first_answer_describes_the_file() {
        let headers = [(header::ETAG, "\"a\""), (header::CONTENT_LENGTH, "200")];
        let RangeAnswer::From { start: 0, part, to_end: true } =
            answer(200, &headers, &Part::default(), 0)
        else {
            panic!()
        };
        assert_eq!((part.validator.as_deref(), part.length), (Some("\"a\""), Some(200)));
        let asked = range_headers(&part, 100);
        assert_eq!(asked[0], (header::RANGE, HeaderValue::from_static("bytes=100-")));
        assert_eq!(asked[1], (header::IF_RANGE, HeaderValue::from_static("\"a\"")));
        assert_eq!(range_headers(&part, 0), []);
    }

    #[test]
    fn neither_nothing_nor_a_web_page_is_a_video() {
        let part = Part::default();
        for header in [
            (header::CONTENT_LENGTH, "0"),
            (header::CONTENT_TYPE, "Text/HTML; charset=x"),
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CONTENT_TYPE, "application/xml;charset=utf-8"),
        ] {
            assert_eq!(answer(200, &[header], &part, 0), RangeAnswer::Passing);
        }
        let packed = answer(200, &[(header::CONTENT_ENCODING, "gzip")], &part, 0);
        assert_eq!(packed, RangeAnswer::Refused);
        let video = answer(200, &[(header::CONTENT_TYPE, "video/mp4")], &part, 0);
        assert!(matches!(video, RangeAnswer::From { .. }));
    }

    #[test]
    fn without_a_strong_validator_nothing_is_resumed() {
        let weak = [(header::ETAG, "W/\"a\"")];
        let RangeAnswer::From { part, .. } = answer(200, &weak, &Part::default(), 0) else {
            panic!()
        };
        assert_eq!(range_headers(&part, 100), []);
    }

    #[test]
    fn a_part_goes_on_only_where_it_stopped() {
        let part = Part { validator: Some("\"a\"".into()), length: Some(200), ..Part::default() };
        let range = |text| answer(206, &[(header::CONTENT_RANGE, text)], &part, 100);
        assert_eq!(
            range("bytes 100-199/200"),
            RangeAnswer::From { start: 100, part: part.clone(), to_end: true }
        );
        assert_eq!(range("bytes 100-199/*"), RangeAnswer::Restart);
        assert_eq!(range("bytes 0-199/200"), RangeAnswer::Restart);
        assert_eq!(range("bytes 100-299/300"), RangeAnswer::Restart);
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
            assert_eq!(range(nonsense), RangeAnswer::Restart, "{nonsense}");
        }
        let other = [(header::CONTENT_RANGE, "bytes 100-199/200"), (header::ETAG, "\"b\"")];
        assert_eq!(answer(206, &other, &part, 100), RangeAnswer::Restart, "another file");
        let dated = Part { validator: Some("Sun, 01 Nov 2026".into()), ..part.clone() };
        let newer =
            [(header::CONTENT_RANGE, "bytes 100-199/200"), (header::LAST_MODIFIED, "Mon, 02 Nov")];
        assert_eq!(answer(206, &newer, &dated, 100), RangeAnswer::Restart, "a newer file");
        assert_eq!(answer(206, &[], &part, 100), RangeAnswer::Restart);
        assert_eq!(answer(416, &[], &part, 200), RangeAnswer::Complete);
        assert_eq!(answer(416, &[], &part, 100), RangeAnswer::Restart);
        assert_eq!(answer(403, &[], &part, 100), RangeAnswer::Expired);
        assert_eq!(answer(503, &[], &part, 100), RangeAnswer::Passing);
        assert_eq!(answer(301, &[], &part, 100), RangeAnswer::Refused);
        assert_eq!(answer(204, &[], &part, 100), RangeAnswer::Refused);
        let empty = [(header::CONTENT_LENGTH, "0")];
        assert_eq!(answer(200, &empty, &part, 100), RangeAnswer::Passing, "no video is empty");
    }

    #[test]
    fn a_piece_of_who_knows_how_much_is_no_whole() {
        let part = Part { validator: Some("\"a\"".into()), ..Part::default() };
        let piece = answer(206, &[(header::CONTENT_RANGE, "bytes 100-149/*")], &part, 100);
        assert_eq!(piece, RangeAnswer::From { start: 100, part: part.clone(), to_end: false });
        let end = |length| answer(416, &[(header::CONTENT_RANGE, length)], &part, 150);
        assert_eq!(end("bytes */150"), RangeAnswer::Complete);
        assert_eq!(end("bytes */151"), RangeAnswer::Restart);
        assert_eq!(end("bytes */*"), RangeAnswer::Restart);
    }

    proptest! {
        /// Whatever the host answers, a download goes on only where it stopped, or begins anew.
        #[test]
        fn any_answer_is_understood(
            status in 100u16..1000,
            range in "(bytes )?[0-9*-]{0,21}(-[0-9]{1,3})?(/[0-9*]{1,21})?",
            length in "[0-9]{0,21}",
            stored in 0u64..300,
        ) {
            let part = Part { validator: Some("\"a\"".into()), ..Part::default() };
            let headers = [(header::CONTENT_RANGE, &*range), (header::CONTENT_LENGTH, &*length)];
            if let RangeAnswer::From { start, part, .. } = answer(status, &headers, &part, stored) {
                prop_assert!(start == 0 || start == stored);
                prop_assert!(status != 206 || part.length.is_none_or(|length| length > stored));
            }
            prop_assert!(range_headers(&part, stored).len() <= 2);
        }
    }
}
