//! A batch of prompts with a journal: stop it at any moment, run it again, and it continues.
//!
//! ```sh
//! cargo run --example batch                     # twelve prompts
//! cargo run --example batch -- prompts.jsonl    # lines such as {"key": "cat", "input": "A cat …"}
//! ```
//!
//! To see it continue, run the emulator in a second terminal, as the README of the examples says: the
//! emulator inside this program forgets its generations with it.

mod service;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use pipevideo::{BatchEvent, BatchRequest, Decimal, GenerationRequest};
use serde_json::Value;

use service::Service;

const MODEL: &str = "moonshotai/kimi-k2.5";
const JOURNAL: &str = "run.jsonl";

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
    let Service { client, emulator } = Service::connect().await?;
    if emulator.is_some() && std::fs::exists(JOURNAL)? {
        std::fs::remove_file(JOURNAL)?;
    }
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} [{elapsed}]")?);
    let shown = bar.clone();
    let mut run = client
        .batch(requests(std::env::args().nth(1))?)
        .journal(JOURNAL)
        .download_to("videos")
        .max_in_flight(10)
        .spend_limit(Decimal::from(25))
        .on_event(move |event| show(&shown, event))
        .run();

    // Ctrl-C stops the run; the creates that are being sent still get into the journal.
    let handle = run.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    while let Some(item) = run.next().await {
        let item = item?;
        let what = match (&item.path, &item.error) {
            (_, Some(error)) => error.to_string(),
            (Some(path), None) => path.display().to_string(),
            (None, None) => item.status.to_string(),
        };
        bar.suspend(|| println!("{:10} {what}", item.key));
    }
    bar.finish_and_clear();

    let summary = run.stop().await;
    println!("{} completed for ${}", summary.counts.completed, summary.cost_usd);
    if let Some(median) = summary.latency_median {
        println!("median latency {:.1} s", median.as_secs_f64());
    }
    if let Some(reason) = summary.stopped_by {
        println!("stopped: {reason}. Run it again to continue.");
    }
    Ok(())
}

/// The requests in a file, one on each line, which are read as the run takes them; or some prompts.
fn requests(
    path: Option<String>,
) -> Result<Box<dyn Iterator<Item = BatchRequest> + Send>, Box<dyn Error>> {
    let request = |prompt: &str| BatchRequest::new(GenerationRequest::new(MODEL, prompt));
    let Some(path) = path else {
        let prompt =
            move |n| request(&format!("Cat number {n} on a beach")).key(format!("cat-{n}"));
        return Ok(Box::new((1..=12).map(prompt)));
    };
    let lines = BufReader::new(File::open(path)?).lines().map_while(Result::ok);
    let rows = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    Ok(Box::new(
        rows.filter_map(move |row| Some(request(row["input"].as_str()?).key(row["key"].as_str()?))),
    ))
}

fn show(bar: &ProgressBar, event: &BatchEvent) {
    let counts = event.counts;
    bar.set_position(counts.completed + counts.failed + counts.uncertain + counts.pending);
    if let Some(total) = event.total {
        bar.set_length(total);
    }
    let left = event.ends_in.map_or(String::new(), |left| format!(", {} s left", left.as_secs()));
    bar.set_message(format!("{} in flight, ${} spent{left}", counts.in_flight, event.spend.spent));
}
