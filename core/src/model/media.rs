//! Images and videos that are sent within a request.

use std::fmt;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, ErrorKind};

/// An image or video for a request: a URL, or a file's content as a data URI.
///
/// The service has no upload endpoint, so the content of a file becomes part of the request. Base64
/// makes it a third larger.
///
/// ```
/// use pipevideo::Media;
///
/// let png = b"\x89PNG\r\n\x1a\n";
/// let media = Media::bytes(png)?;
/// assert!(Media::bytes(b"plain text").is_err());
/// # let _ = media;
/// # Ok::<(), pipevideo::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    url: String,
}

impl Media {
    /// The size in bytes up to which [`file`](Self::file) and [`bytes`](Self::bytes) accept content.
    ///
    /// The service documents no limit. This one keeps a file that was chosen by mistake out of a
    /// request; [`file_up_to`](Self::file_up_to) has none of its own.
    pub const MAX_BYTES: u64 = 20_000_000;

    /// Reads a file of at most [`MAX_BYTES`](Self::MAX_BYTES) bytes. This blocks the thread until
    /// the file is read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if it cannot be read, is too large, or its first bytes are
    /// those of neither an image nor a video.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::file_up_to(path, Self::MAX_BYTES)
    }

    /// Reads a file of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// Those of [`file`](Self::file).
    pub fn file_up_to(path: impl AsRef<Path>, max_bytes: u64) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |error: std::io::Error| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!("cannot read {}: {error}. Check the path.", path.display()),
            )
            .with_source(error)
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        // Reading one byte more than allowed shows that the file is too large, even for a pipe.
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::encode(&bytes, max_bytes, &path.display().to_string())
    }

    /// Encodes content of at most [`MAX_BYTES`](Self::MAX_BYTES) bytes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if it is too large, or its first bytes are those of neither
    /// an image nor a video.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::bytes_up_to(bytes, Self::MAX_BYTES)
    }

    /// Encodes content of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes).
    pub fn bytes_up_to(bytes: impl AsRef<[u8]>, max_bytes: u64) -> Result<Self, Error> {
        Self::encode(bytes.as_ref(), max_bytes, "the content")
    }

    fn encode(bytes: &[u8], max_bytes: u64, what: &str) -> Result<Self, Error> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidRequest, format!("{what} {why}"));
        if bytes.len() as u64 > max_bytes {
            return Err(invalid(format!(
                "is larger than {max_bytes} bytes. Shrink it, or pass an HTTPS URL."
            )));
        }
        let media_type = infer::get(bytes)
            .map(|kind| kind.mime_type())
            .filter(|kind| kind.starts_with("image/") || kind.starts_with("video/"))
            .ok_or_else(|| {
                let why = "is neither an image nor a video, judging by its first bytes. Pass a file \
                           such as PNG, JPEG, WebP or MP4.";
                invalid(why.to_owned())
            })?;
        let mut url = format!("data:{media_type};base64,");
        BASE64_STANDARD.encode_string(bytes, &mut url);
        Ok(Self { url })
    }

    pub(crate) fn into_url(self) -> String {
        self.url
    }
}

impl From<&str> for Media {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned() }
    }
}

impl From<String> for Media {
    fn from(url: String) -> Self {
        Self { url }
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Media({} bytes)", self.url.len())
    }
}

/// Checks that the service accepts the URL of a part: HTTPS, or a data URI of this kind (`image` or
/// `video`) with content that can be decoded.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] otherwise. The message does not quote the URL, which may be signed.
pub(crate) fn check_url(url: &str, kind: &str) -> Result<(), Error> {
    let invalid = |what: &str| {
        Err(Error::new(
            ErrorKind::InvalidRequest,
            format!(
                "the URL of an input {kind} {what}. Pass an HTTPS URL, or a file or its bytes."
            ),
        ))
    };
    let Some((scheme, rest)) = url.split_once(':') else {
        return invalid("is neither HTTPS nor a data URI");
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" => match url::Url::parse(url) {
            Ok(parsed) if parsed.has_host() => Ok(()),
            _ => invalid("is not a valid HTTPS URL"),
        },
        "data" => {
            let Some((media_type, content)) = rest.split_once(',') else {
                return invalid("is a data URI without content");
            };
            let media_type = media_type.to_ascii_lowercase();
            if !media_type.starts_with(&format!("{kind}/")) {
                return invalid(&format!("is a data URI, but not of an {kind}/… type"));
            }
            let is_decodable = if media_type.ends_with(";base64") {
                BASE64_STANDARD.decode(content).is_ok_and(|bytes| !bytes.is_empty())
            } else {
                !content.is_empty()
            };
            if is_decodable {
                Ok(())
            } else {
                invalid("is a data URI with content that cannot be decoded")
            }
        }
        _ => invalid("is neither HTTPS nor a data URI"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_that_the_service_accepts() {
        for (url, kind, accepted) in [
            ("https://example.com/a.png", "image", true),
            ("HTTPS://example.com/a.png", "image", true),
            ("data:image/png;base64,iVBORw0KGgo=", "image", true),
            ("data:image/svg+xml,%3Csvg/%3E", "image", true),
            ("data:video/mp4;base64,AAAA", "video", true),
            ("data:video/mp4;base64,AAAA", "image", false),
            ("data:image/png;base64,not base64", "image", false),
            ("data:image/png;base64,", "image", false),
            ("data:image/png", "image", false),
            ("data:", "image", false),
            ("data", "image", false),
            ("DATA", "video", false),
            ("https", "image", false),
            ("DATA:image/png;BASE64,iVBORw0KGgo=", "image", true),
            ("http://example.com/a.png", "image", false),
            ("https://", "image", false),
            ("file:///etc/passwd", "image", false),
            ("", "image", false),
            ("é", "image", false),
        ] {
            assert_eq!(check_url(url, kind).is_ok(), accepted, "{url}");
        }
    }

    #[test]
    fn the_type_is_read_from_the_first_bytes() {
        let jpeg = Media::bytes([0xff, 0xd8, 0xff, 0xe0, 0, 0]).unwrap();
        assert_eq!(jpeg.into_url(), "data:image/jpeg;base64,/9j/4AAA");
        let mp4 = Media::bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom").unwrap();
        assert!(mp4.into_url().starts_with("data:video/mp4;base64,"));
        for rejected in [&b"%PDF-1.7"[..], b"", b"text"] {
            assert_eq!(Media::bytes(rejected).unwrap_err().kind(), ErrorKind::InvalidRequest);
        }
    }

    #[test]
    fn content_beyond_the_limit_is_rejected() {
        let gif = b"GIF89a..";
        assert!(Media::bytes_up_to(gif, 8).is_ok());
        assert!(Media::bytes_up_to(gif, 7).is_err());
        assert!(Media::file("/nowhere/cat.png").is_err());
        assert!(Media::file_up_to("/dev/zero", 1000).is_err(), "endless, and not an image");
    }

    proptest! {
        #[test]
        fn no_bytes_and_no_url_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            magic in prop::sample::select(vec![
                &b""[..], b"\x89PNG", b"GIF8", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftyp", b"\x1aE\xdf\xa3",
                b"II*\0", b"BM", b"\0\0\x01\0", b"FLV\x01", b"\xff\xd8\xff", b"8BPS",
            ]),
            url in "(data|https|HTTPS|http)?:?/{0,2}(image/png|video/mp4)?(;base64)?,?\\PC{0,12}",
        ) {
            let content = [magic, &bytes].concat();
            if let Ok(media) = Media::bytes(&content) {
                let url = media.into_url();
                let kind = if url.starts_with("data:image/") { "image" } else { "video" };
                prop_assert!(check_url(&url, kind).is_ok(), "{url}");
            }
            for kind in ["image", "video"] {
                if let Err(error) = check_url(&url, kind) {
                    prop_assert!(url.len() < 12 || !error.message().contains(&url));
                }
            }
        }
    }
}
