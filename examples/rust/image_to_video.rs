//! A video from an image and a prompt.
//!
//! ```sh
//! cargo run --example image_to_video -- cat.png "Let the cat walk along the beach"
//! ```

mod service;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pipevideo::{Detail, GenerationRequest, InputItem, InputPart, Media, Role};

use service::Service;

/// Makes a video from an image and a prompt, and saves it.
#[derive(Parser)]
struct Arguments {
    /// The image: a PNG, JPEG, WebP …
    image: PathBuf,
    /// What should happen in the video
    prompt: String,
    /// The path of the video
    #[arg(long, value_name = "PATH", default_value = "generation.mp4")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    // The file is sent within the request. Its type is read from its first bytes, not from its name.
    let image = Media::file(&arguments.image)?;
    let input = vec![
        InputItem::new(Role::System, vec![InputPart::text("Keep the image's style and colours.")]),
        InputItem::new(
            Role::User,
            vec![
                InputPart::text(arguments.prompt),
                InputPart::image_with_detail(image, Detail::High),
            ],
        ),
    ];
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", input).width(1080).height(1080);

    let Service { client, emulator: _emulator } = Service::connect().await?;
    let generation = client
        .generate(request)
        .on_update(|update| println!("{} {}", update.generation.id, update.generation.status))
        .await?;
    let path = client.responses().download(&generation, arguments.out).await?;
    println!("{}", path.display());
    Ok(())
}
