//! Forty generations at once under a limit of 100 requests a minute, polls included.
//!
//! ```sh
//! cargo run --example many
//! ```
//!
//! It takes about a minute, since the rate limit delays the requests.

mod service;

use std::error::Error;
use std::future::IntoFuture;
use std::process::ExitCode;
use std::time::Instant;

use pipevideo::GenerationRequest;
use tokio::task::JoinSet;

use service::Service;

const COUNT: usize = 40;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Service { client, emulator: _emulator } = Service::connect().await?;
    let started = Instant::now();

    // This needs no queue, semaphore or pause: all generations share the key's budget, which delays
    // each request until there is room, and polls those first that have most likely ended.
    let mut generations = JoinSet::new();
    for n in 1..=COUNT {
        let prompt = format!("Cat number {n} walking on a beach");
        let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
        generations.spawn(client.generate(request).into_future());
    }

    let (mut completed, mut costs) = (0, Vec::new());
    while let Some(outcome) = generations.join_next().await {
        match outcome? {
            Ok(generation) => {
                completed += 1;
                costs.extend(generation.usage.and_then(|usage| usage.cost_usd));
                let after = started.elapsed().as_secs_f64();
                println!("{completed:2} {} after {after:.1} s", generation.id);
            }
            Err(error) => eprintln!("{}: {error}", error.kind()),
        }
    }
    let cost = costs.into_iter().reduce(|sum, cost| sum + cost).unwrap_or_default();
    let seconds = started.elapsed().as_secs_f64();
    println!("{completed} of {COUNT} completed in {seconds:.0} s, for ${cost}");
    Ok(())
}
