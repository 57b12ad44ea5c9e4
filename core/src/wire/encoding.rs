//! Content codings of responses: gzip on the API, and none on videos.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, header};

/// What requests of the API accept. The bodies of videos are never encoded.
pub(crate) const ACCEPTED: &str = "gzip";

/// The first bytes of gzip. No JSON begins with them, not even in UTF-16.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A server and a proxy behind each other may both compress.
const MAX_LAYERS: usize = 2;

/// Whether the body of a response is in no content coding. `aws-chunked` counts as none: S3 keeps it
/// in the description of a file that was uploaded in chunks, and sends the file as it is.
pub(crate) fn is_identity(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().all(|value| {
        let are_none = |value: &str| value.split(',').all(|coding| is_none(coding.trim()));
        value.to_str().is_ok_and(are_none)
    })
}

fn is_none(coding: &str) -> bool {
    ["", "identity", "aws-chunked"].iter().any(|none| coding.eq_ignore_ascii_case(none))
}

/// A body without its coding.
pub(crate) struct Decoded {
    pub(crate) body: Bytes,
    /// Whether `body` is all of it: the rest may be missing, damaged, or beyond the limit.
    pub(crate) is_whole: bool,
}

/// Decompresses a body, as far as that is possible and up to `limit` bytes.
///
/// The body decides whether it is compressed, not `Content-Encoding`: proxies drop the header, add it
/// twice, or leave it on a body that they have decompressed.
pub(crate) fn decode(body: Bytes, limit: usize) -> Decoded {
    let mut decoded = Decoded { body, is_whole: true };
    for _ in 0..MAX_LAYERS {
        if !decoded.body.starts_with(&MAGIC) {
            break;
        }
        let mut plain = Vec::new();
        // One byte more than the limit shows that it is exceeded. A small body can hold gigabytes.
        let mut decoder =
            MultiGzDecoder::new(&decoded.body[..]).take((limit as u64).saturating_add(1));
        decoded.is_whole &= decoder.read_to_end(&mut plain).is_ok() && plain.len() <= limit;
        decoded.body = plain.into();
    }
    decoded
}

#[cfg(test)]
pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn codings_that_leave_the_body_as_it_is() {
        let is_identity = |values: &[&'static str]| {
            let header =
                |value: &&'static str| (header::CONTENT_ENCODING, HeaderValue::from_static(value));
            is_identity(&values.iter().map(header).collect())
        };
        let none: [&[&str]; 7] = [
            &[],
            &[""],
            &["identity"],
            &["Identity"],
            &["AWS-chunked"],
            &["aws-chunked, identity"],
            &["aws-chunked,", " identity "],
        ];
        for values in none {
            assert!(is_identity(values), "{values:?}");
        }
        let some: [&[&str]; 4] =
            [&["gzip"], &["aws-chunked,gzip"], &["identity", "br"], &["identity;q=1"]];
        for values in some {
            assert!(!is_identity(values), "{values:?}");
        }
    }

    #[test]
    fn bodies_are_decompressed_by_what_they_are() {
        let decode = |body: Vec<u8>| decode(body.into(), 1000);
        let json = br#"{"id":"gen_1"}"#;
        for body in [json.to_vec(), gzip(json), gzip(&gzip(json))] {
            let decoded = decode(body);
            assert_eq!((&decoded.body[..], decoded.is_whole), (&json[..], true));
        }
        assert_eq!(decode(gzip(&gzip(&gzip(json)))).body, gzip(json), "two layers at most");
        let members = [gzip(&json[..5]), gzip(&json[5..])].concat();
        assert_eq!(decode(members).body, &json[..]);
        let with_padding = [&gzip(json)[..], &[0; 20]].concat();
        assert_eq!(decode(with_padding).body, &json[..]);
    }

    #[test]
    fn a_torn_body_is_decompressed_as_far_as_it_goes() {
        let json =
            format!(r#"{{"id":"gen_1","text":"{}"}}"#, "an incompressible text? 8f3a1".repeat(9));
        let whole = gzip(json.as_bytes());
        let torn = decode(Bytes::from(whole[..whole.len() - 12].to_vec()), 1000);
        assert!(!torn.is_whole && torn.body.starts_with(br#"{"id":"gen_1","#));
    }

    #[test]
    fn a_bomb_is_decompressed_up_to_the_limit() {
        let bomb = decode(gzip(&vec![b' '; 1 << 20]).into(), 1000);
        assert_eq!((bomb.body.len(), bomb.is_whole), (1001, false));
        for (bytes, is_whole) in [(1000, true), (1001, false)] {
            let decoded = decode(gzip(&vec![b' '; bytes]).into(), 1000);
            assert_eq!((decoded.body.len(), decoded.is_whole), (bytes, is_whole));
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic_or_exceed_the_limit(
            body in prop::collection::vec(any::<u8>(), 0..200),
            head in prop::sample::select(vec![0, 2, 10]),
        ) {
            let body = [&gzip(b"x")[..head], &body].concat();
            let compressed = body.starts_with(&MAGIC);
            let decoded = decode(body.into(), 100);
            prop_assert!(!compressed || decoded.body.len() <= 101);
        }
    }
}
