//! Every change of a generation, as a stream.
//!
//! ```sh
//! cargo run --example watch_progress -- "A cat walking on a beach at sunset"
//! ```

mod service;

use std::error::Error;
use std::process::ExitCode;

use futures_util::TryStreamExt;
use pipevideo::GenerationRequest;

use service::Service;

#[tokio::main]
async fn main() -> ExitCode {
    let prompt = std::env::args().nth(1).unwrap_or("A cat walking on a beach".to_owned());
    match run(prompt).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(prompt: String) -> Result<(), Box<dyn Error>> {
    let Service { client, emulator: _emulator } = Service::connect().await?;
    let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
    let created = client.responses().create(request).await?;
    println!("{}: {}", created.id, created.status);

    let mut updates = client.responses().watch(&created.id);
    while let Some(update) = updates.try_next().await? {
        println!(
            "{}: {}, {:.0} % after {:.1} s (by {}, {} requests left)",
            update.generation.id,
            update.generation.status,
            100.0 * update.progress,
            update.elapsed.as_secs_f64(),
            update.via,
            client.budget_left().map_or("any number of".to_owned(), |left| left.to_string()),
        );
        // A failed generation is not an error of the watch but its last update.
        if let Some(failure) = &update.generation.error {
            println!(
                "{}: {}",
                failure.category().as_str(),
                failure.message.as_deref().unwrap_or("?")
            );
        }
    }
    Ok(())
}
