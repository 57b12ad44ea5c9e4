//! What a downloaded file is, and whether all of it is there.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The form of a generation's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// An MP4.
    Video,
    /// A Lottie animation, which is JSON.
    Animation,
    /// An engine that this library does not know, or that the service chooses.
    Any,
}

impl Format {
    /// The form of what an engine renders. `hyperframes` is the service's default.
    pub(crate) fn of(engine: Option<&str>) -> Self {
        match engine {
            None | Some("hyperframes") => Self::Video,
            Some("lottie") => Self::Animation,
            Some(_) => Self::Any,
        }
    }

    /// The extension of a file of this form, without a dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Animation => "json",
            Self::Video | Self::Any => "mp4",
        }
    }

    /// Whether a body of this type is a page or a message, not the result.
    pub(crate) fn excludes(self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        let is = |format: &str| essence.ends_with(format);
        is("html") || is("xml") || (is("json") && self == Self::Video)
    }
}

/// How much of a result a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// All of it, as far as its format shows.
    Whole,
    /// The file ends in the middle.
    Cut,
    /// The file is something else, such as an error message.
    Other,
}

/// Examines a file. If the host has announced its length, an MP4 that has this length is whole.
///
/// # Errors
/// Those of reading.
pub(crate) fn examine(
    file: &mut (impl Read + Seek),
    format: Format,
    is_length_known: bool,
) -> io::Result<Content> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut start = [0; 8];
    let read = read_at(file, 0, &mut start)?;
    let text = start[..read].strip_prefix(BOM).unwrap_or(&start[..read]);
    if start[4..] == *b"ftyp" {
        let is_whole = is_length_known || has_whole_boxes(file, length)?;
        return Ok(if is_whole { Content::Whole } else { Content::Cut });
    }
    if format != Format::Video
        && length <= MAX_JSON
        && text.trim_ascii_start().first().is_some_and(|byte| *byte == b'{')
    {
        file.seek(SeekFrom::Start(read.saturating_sub(text.len()) as u64))?;
        return examine_json(file, format);
    }
    Ok(Content::Whole)
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A longer text is not examined. Animations have a few megabytes at most.
const MAX_JSON: u64 = 64 * 1024 * 1024;

/// The member that distinguishes an animation from an error message: each Lottie file has layers.
#[derive(Deserialize)]
struct Animation {
    #[serde(rename = "layers")]
    _layers: Vec<IgnoredAny>,
}

fn examine_json(file: &mut impl Read, format: Format) -> io::Result<Content> {
    let file = BufReader::new(file);
    let parsed = match format {
        Format::Animation => serde_json::from_reader(file).map(|Animation { .. }| ()),
        _ => serde_json::from_reader(file).map(|IgnoredAny| ()),
    };
    match parsed {
        Ok(()) => Ok(Content::Whole),
        Err(error) if error.is_io() => Err(error.into()),
        Err(error) if error.is_eof() => Ok(Content::Cut),
        Err(_) => Ok(Content::Other),
    }
}

/// An MP4 of more boxes is taken for whole. Fragmented files have two for each few seconds.
const MAX_BOXES: u32 = 65_536;

/// Whether the boxes at the top level of an MP4 (ISO/IEC 14496-12, section 4.2) are complete, and the
/// movie's description and data are among them. Only their headers are read.
fn has_whole_boxes(file: &mut (impl Read + Seek), length: u64) -> io::Result<bool> {
    let (mut movie, mut data, mut at) = (false, false, 0);
    for _ in 0..MAX_BOXES {
        let left = length.saturating_sub(at);
        if left == 0 {
            return Ok(movie && data);
        }
        let mut header = [0; 16];
        let read = read_at(file, at, &mut header)?;
        let Some(size) = box_size(&header[..read], left) else { return Ok(false) };
        movie |= header[4..8] == *b"moov";
        data |= header[4..8] == *b"mdat";
        match size {
            // This is not a box, but nothing was cut off either.
            0..8 => return Ok(movie && data),
            _ if size > left => return Ok(false),
            _ => at = at.saturating_add(size),
        }
    }
    Ok(true)
}

/// The size of a box with this header, of which `left` bytes are there, unless the header is cut.
fn box_size(header: &[u8], left: u64) -> Option<u64> {
    let (size, rest) = header.split_first_chunk()?;
    let (_, rest) = rest.split_first_chunk::<4>()?;
    Some(match u32::from_be_bytes(*size) {
        // It extends to the end of the file.
        0 => left,
        1 => u64::from_be_bytes(*rest.first_chunk()?),
        size => size.into(),
    })
}

/// Reads from an offset until the buffer is full or the file ends.
fn read_at(file: &mut (impl Read + Seek), at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut start = file.take(buffer.len() as u64);
    Ok(io::copy(&mut start, &mut &mut *buffer)? as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn content(bytes: &[u8], format: Format) -> Content {
        examine(&mut Cursor::new(bytes), format, false).unwrap()
    }

    fn mp4_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes(), &kind[..], body].concat()
    }

    fn large_box(kind: &[u8; 4], size: u64, body: &[u8]) -> Vec<u8> {
        [&1u32.to_be_bytes(), &kind[..], &size.to_be_bytes(), body].concat()
    }

    const VIDEO: &[u8] = include_bytes!("../../../emulator/assets/video.mp4");
    const ANIMATION: &[u8] = include_bytes!("../../../emulator/assets/animation.json");

    #[test]
    fn a_video_that_is_cut_anywhere_is_not_whole() {
        assert_eq!(content(VIDEO, Format::Video), Content::Whole);
        for end in 8..VIDEO.len() {
            assert_eq!(content(&VIDEO[..end], Format::Video), Content::Cut, "{end}");
        }
        let half = &VIDEO[..VIDEO.len() / 2];
        assert_eq!(examine(&mut Cursor::new(half), Format::Video, true).unwrap(), Content::Whole);
    }

    #[test]
    fn all_sizes_of_boxes_are_understood() {
        let start = [mp4_box(b"ftyp", b"isom"), mp4_box(b"moov", b"")].concat();
        let with = |last: Vec<u8>| content(&[start.clone(), last].concat(), Format::Video);
        let to_end = [&0u32.to_be_bytes(), &b"mdat"[..], b"data"].concat();
        for (last, expected) in [
            (mp4_box(b"mdat", b"data"), Content::Whole),
            (to_end, Content::Whole),
            (large_box(b"mdat", 20, b"data"), Content::Whole),
            (large_box(b"mdat", 21, b"data"), Content::Cut),
            (large_box(b"mdat", u64::MAX, b"data"), Content::Cut),
            (large_box(b"mdat", 0, b"data"), Content::Whole),
            (large_box(b"mdat", 20, b"")[..12].to_vec(), Content::Cut),
            (vec![], Content::Cut),
            (mp4_box(b"free", b"data"), Content::Cut),
            ([mp4_box(b"mdat", b"data"), vec![0; 8]].concat(), Content::Whole),
            ([mp4_box(b"mdat", b"data"), vec![0, 0, 1]].concat(), Content::Cut),
            ([mp4_box(b"mdat", b"data"), b"\0\0\0\x03free".to_vec()].concat(), Content::Whole),
        ] {
            assert_eq!(with(last.clone()), expected, "{last:?}");
        }
        let no_movie = [mp4_box(b"ftyp", b"isom"), mp4_box(b"mdat", b"data")].concat();
        for rest in [vec![], vec![0; 8], b"\0\0\0\x03free".to_vec()] {
            assert_eq!(content(&[&no_movie[..], &rest].concat(), Format::Video), Content::Cut);
        }
        let no_data = b"\0\0\0\x03free".to_vec();
        assert_eq!(with(no_data), Content::Cut, "what follows is not a box, and there is no data");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_not_a_message() {
        /// A file with a disk that fails behind the first bytes.
        struct Broken(io::Cursor<Vec<u8>>);

        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(io::Error::other("the disk fails")),
                    read => Ok(read),
                }
            }
        }

        impl Seek for Broken {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }

        let mut file = Broken(io::Cursor::new(ANIMATION[..ANIMATION.len() / 2].to_vec()));
        let error = examine(&mut file, Format::Animation, false).unwrap_err();
        assert_eq!(error.to_string(), "the disk fails");
    }

    #[test]
    fn an_endless_row_of_boxes_is_not_walked_to_its_end() {
        let boxes = mp4_box(b"free", b"").repeat(MAX_BOXES as usize + 10);
        let file = [mp4_box(b"ftyp", b"isom"), boxes].concat();
        assert_eq!(content(&file, Format::Video), Content::Whole);
    }

    #[test]
    fn an_animation_is_json_with_layers() {
        assert_eq!(content(ANIMATION, Format::Animation), Content::Whole);
        assert_eq!(content(&ANIMATION[..ANIMATION.len() / 2], Format::Animation), Content::Cut);
        let message = br#"{"error": "AccessDenied"}"#;
        assert_eq!(content(message, Format::Animation), Content::Other);
        assert_eq!(content(message, Format::Any), Content::Whole);
        assert_eq!(content(br#"{"error": "#, Format::Any), Content::Cut);
        assert_eq!(content(br#"{"error": "#, Format::Video), Content::Whole, "not examined");
        assert_eq!(content(br#"{"layers": []} and more"#, Format::Animation), Content::Other);
        let marked = [b"\xEF\xBB\xBF\n ", ANIMATION].concat();
        assert_eq!(content(&marked, Format::Animation), Content::Whole);
        let deep = format!(r#"{{"layers": [{}"#, "[".repeat(100_000));
        assert_eq!(content(deep.as_bytes(), Format::Animation), Content::Cut);
        assert_eq!(content(b"PK\x03\x04 a zipped animation", Format::Animation), Content::Whole);
    }

    #[test]
    fn a_content_type_is_judged_by_the_engine() {
        for (engine, excludes_json) in
            [(None, true), (Some("hyperframes"), true), (Some("lottie"), false), (Some("x"), false)]
        {
            let format = Format::of(engine);
            assert_eq!(format.excludes("application/problem+json; charset=x"), excludes_json);
            assert!(format.excludes("Text/HTML;a=b") && format.excludes("application/xml"));
            assert!(!format.excludes("video/mp4") && !format.excludes(""));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_examined(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            sizes in proptest::collection::vec(0u32..40, 0..8),
        ) {
            let boxes = sizes.iter().flat_map(|size| mp4_box(b"moov", &vec![1; *size as usize]));
            let file: Vec<u8> = mp4_box(b"ftyp", b"").into_iter().chain(boxes).chain(bytes).collect();
            for format in [Format::Video, Format::Animation, Format::Any] {
                content(&file, format);
                content(&file[8..], format);
            }
        }
    }
}
