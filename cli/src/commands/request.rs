//! From arguments to the request of a create.

use std::io;

use pipevideo::{GenerationRequest, Input, InputPart, Media};

use crate::arguments::{Model, Request};
use crate::failure::{Failure, usage};

/// Reads the request, with its files, and the prompt from standard input if it is `-`.
pub(super) fn read(arguments: Request) -> Result<GenerationRequest, Failure> {
    let Request {
        prompt,
        model: named,
        instructions,
        width,
        height,
        aspect_ratio,
        provider,
        engine,
        expand_prompt,
        image,
        video,
        max_cost_usd,
        spend_limit: _,
    } = arguments;
    let model = model(named)?;
    let prompt = if prompt == "-" { io::read_to_string(io::stdin().lock())? } else { prompt };
    let images = image.iter().map(|image| Ok(InputPart::image(media(image)?)));
    let videos = video.iter().map(|video| Ok(InputPart::video(media(video)?)));
    let media = images.chain(videos).collect::<Result<Vec<_>, Failure>>()?;
    let input: Input = if media.is_empty() {
        prompt.into()
    } else {
        let mut parts = vec![InputPart::text(prompt)];
        parts.extend(media);
        parts.into()
    };
    let mut request = GenerationRequest::new(model, input);
    request.instructions = instructions;
    request.width = width;
    request.height = height;
    request.aspect_ratio = aspect_ratio;
    request.provider = (!provider.is_empty()).then(|| provider.into());
    request.engine = engine;
    request.expand_prompt = expand_prompt;
    request.max_cost_usd = max_cost_usd;
    Ok(request)
}

/// A request of which only the model and the engine count.
pub(super) fn of_route(named: Model, engine: Option<String>) -> Result<GenerationRequest, Failure> {
    let mut request = GenerationRequest::new(model(named)?, "");
    request.engine = engine;
    Ok(request)
}

pub(super) fn model(model: Model) -> Result<String, Failure> {
    match model.model {
        Some(model) => Ok(model),
        None => usage(
            "no model is given. Pass --model, or set PIPEVIDEO_MODEL; `pipevideo engines` lists the \
             models.",
        ),
    }
}

/// A URL as it is, anything else as the path of a file.
fn media(source: &str) -> Result<Media, Failure> {
    let is_url = ["https://", "http://", "data:"].iter().any(|scheme| source.starts_with(scheme));
    if is_url { Ok(source.into()) } else { Ok(Media::file(source)?) }
}
