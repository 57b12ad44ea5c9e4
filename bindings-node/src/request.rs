//! The arguments of a create, from JavaScript's to the core's.

use bindings_common::{catch, lost};
use napi::bindgen_prelude::{Either, Uint8Array};
use pipevideo::{Error, GenerationRequest, Input, InputPart, KnownPart, Media};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::errors::{self, Failure};
use crate::options;

/// Where an image or a video comes from.
pub(crate) enum Source {
    Path(String),
    Bytes(Vec<u8>),
}

/// Takes over the sources from JavaScript. Bytes are copied, so that another thread can read them.
pub(crate) fn sources(media: Vec<Either<String, Uint8Array>>) -> Vec<Source> {
    let source = |media: Either<String, Uint8Array>| match media {
        Either::A(path) => Source::Path(path),
        Either::B(bytes) => Source::Bytes(bytes.as_ref().to_vec()),
    };
    media.into_iter().map(source).collect()
}

/// The size from which a request is parsed on a thread that may block, so that other calls do not
/// wait. Prompts are smaller; requests with data URLs are larger.
const LARGE: usize = 64 << 10;

/// What `lib/input.js` writes in place of a source's URL, followed by the source's number.
const PLACEHOLDER: &str = "pipevideo-source:";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    request: GenerationRequest,
    /// The text of a decimal number.
    max_cost_usd: Option<String>,
    /// Separate from the request, so that the core can reject a field that is also in the request.
    extra: Map<String, Json>,
}

/// Reads the request and its sources.
pub(crate) async fn read(text: String, sources: Vec<Source>) -> Result<GenerationRequest, Failure> {
    if text.len() <= LARGE && sources.is_empty() {
        return read_blocking(&text, sources);
    }
    let reading = tokio::task::spawn_blocking(move || catch(|| read_blocking(&text, sources)));
    reading.await.unwrap_or_else(|_| Err(lost()))?
}

fn read_blocking(text: &str, sources: Vec<Source>) -> Result<GenerationRequest, Failure> {
    let Arguments { mut request, max_cost_usd, extra } = serde_json::from_str(text)
        .map_err(|error| errors::invalid(&format!("the request is malformed: {error}.")))?;
    request.extra_body = extra;
    request.max_cost_usd = options::amount("max_cost_usd", max_cost_usd)?;
    let mut sources: Vec<_> = sources.into_iter().map(Some).collect();
    if let Input::Items(items) = &mut request.input {
        for part in items.iter_mut().flat_map(|item| &mut item.content) {
            insert_source(part, &mut sources)?;
        }
    }
    Ok(request)
}

/// Replaces a part's placeholder by the content of its source.
fn insert_source(part: &mut InputPart, sources: &mut [Option<Source>]) -> Result<(), Error> {
    let url = match part {
        InputPart::Known(KnownPart::InputImage { image_url }) => &image_url.url,
        InputPart::Known(KnownPart::InputVideo { video_url }) => &video_url.url,
        _ => return Ok(()),
    };
    let number = url.strip_prefix(PLACEHOLDER).and_then(|number| number.parse::<usize>().ok());
    // A URL of the caller's own that has the form of a placeholder is rejected by the core, as any URL
    // that is not https.
    let Some(source) = number.and_then(|number| sources.get_mut(number)?.take()) else {
        return Ok(());
    };
    let media = match source {
        Source::Path(path) => Media::file(path)?,
        Source::Bytes(bytes) => Media::bytes(bytes)?,
    };
    let read = match part {
        InputPart::Known(KnownPart::InputVideo { .. }) => InputPart::video(media),
        InputPart::Known(KnownPart::InputImage { image_url }) => match image_url.detail {
            Some(detail) => InputPart::image_with_detail(media, detail),
            None => InputPart::image(media),
        },
        _ => return Ok(()),
    };
    *part = read;
    Ok(())
}
