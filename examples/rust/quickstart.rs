//! From a prompt to a video file.
//!
//! ```sh
//! cargo run --example quickstart -- "A cat walking on a beach at sunset"
//! ```

mod service;

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use pipevideo::{Generation, GenerationRequest, InputPart, Media, Status, Update};

use service::Service;

/// Makes a video from a prompt and saves it.
#[derive(Parser)]
struct Arguments {
    /// What the video shows
    prompt: String,
    /// The path of the video
    #[arg(long, value_name = "PATH", default_value = "generation.mp4")]
    out: PathBuf,
    /// An image to start from
    #[arg(long, value_name = "PATH_OR_URL")]
    image: Option<String>,
    /// A video to start from
    #[arg(long, value_name = "PATH_OR_URL")]
    video: Option<String>,
    /// Width in pixels
    #[arg(long)]
    width: Option<u32>,
    /// Height in pixels
    #[arg(long)]
    height: Option<u32>,
    /// The orchestration model
    #[arg(long, default_value = "moonshotai/kimi-k2.5")]
    model: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let request = request(&arguments)?;
    let Service { client, emulator } = Service::connect().await?;

    let created = client.responses().create(request).await?;
    eprintln!("{}", created.id); // all that is needed to go on, whatever happens here
    let bar = progress_bar(&created.status);
    let updates = bar.clone();
    let work = async {
        let wait =
            client.responses().wait(&created.id).on_update(move |update| show(&updates, update));
        let generation = wait.await?;
        bar.set_prefix("downloading");
        let path = client.responses().download(&generation, arguments.out).await?;
        Ok::<_, pipevideo::Error>((generation, path))
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        never = advance(&bar) => match never {},
        Ok(()) = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            stopped(&created.id, emulator.is_some());
            return Ok(ExitCode::from(130));
        }
    };
    bar.finish_and_clear();
    if let Err(error) = &outcome
        && let Some(reason) =
            error.generation().and_then(|failed| failed.error.as_ref()?.message.as_ref())
    {
        eprintln!("The service says: {reason}");
    }
    let (generation, path) = outcome?;
    report(&generation, &path);
    Ok(ExitCode::SUCCESS)
}

fn request(arguments: &Arguments) -> Result<GenerationRequest, pipevideo::Error> {
    let mut parts = vec![InputPart::text(&arguments.prompt)];
    if let Some(image) = &arguments.image {
        parts.push(InputPart::image(media(image)?));
    }
    if let Some(video) = &arguments.video {
        parts.push(InputPart::video(media(video)?));
    }
    let mut request = GenerationRequest::new(&arguments.model, parts);
    request.width = arguments.width.map(i64::from);
    request.height = arguments.height.map(i64::from);
    Ok(request)
}

/// Passes a URL on, and reads a file.
fn media(path_or_url: &str) -> Result<Media, pipevideo::Error> {
    if path_or_url.contains("://") || path_or_url.starts_with("data:") {
        Ok(path_or_url.into())
    } else {
        Media::file(path_or_url)
    }
}

/// A progress bar that fills in the time that generations usually take. It is hidden if stderr is not
/// a terminal.
fn progress_bar(status: &Status) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:11} [{bar:30}] {elapsed}{msg}");
    let style = style.expect("the template is well-formed").progress_chars("=> ");
    let bar = ProgressBar::new(1).with_style(style).with_prefix(status.to_string());
    if bar.is_hidden() {
        eprintln!("{status}");
    }
    bar
}

fn show(bar: &ProgressBar, update: &Update) {
    let status = update.generation.status.as_str();
    let (elapsed, expected) = (update.elapsed.as_secs_f64(), update.expected.as_secs());
    if bar.is_hidden() && bar.prefix() != status {
        eprintln!("{status} after {elapsed:.1} s of about {expected}");
    }
    bar.set_prefix(status.to_owned());
    bar.set_message(format!(" of about {expected}s"));
    bar.set_length(update.expected.as_millis() as u64);
}

/// Moves the bar until it is dropped.
async fn advance(bar: &ProgressBar) -> Infallible {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        // A late generation has not ended: the last twentieth stays empty until it has.
        let limit = bar.length().unwrap_or_default() * 19 / 20;
        bar.set_position(limit.min(bar.elapsed().as_millis() as u64));
    }
}

fn stopped(id: &str, emulated: bool) {
    eprintln!("Stopped waiting for {id}.");
    if emulated {
        eprintln!("It ends with the emulator, which ran in this program.");
    } else {
        eprintln!("The generation is still running: cargo run --example resume -- finish {id}");
    }
}

fn report(generation: &Generation, path: &Path) {
    println!("id       {}", generation.id);
    println!("video    {}", path.display());
    if let Some(usage) = &generation.usage {
        let count = |tokens: Option<u64>| tokens.map_or("?".to_owned(), |count| count.to_string());
        println!("tokens   {} in, {} out", count(usage.input_tokens), count(usage.output_tokens));
        println!("cost     {}", usage.cost_usd.map_or("?".to_owned(), |cost| format!("${cost}")));
    }
    if let Some(latency) = generation.latency_ms {
        println!("latency  {:.1} s", Duration::from_millis(latency).as_secs_f64());
    }
}
