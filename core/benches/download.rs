//! The peak resident memory during a download of 2 GB.
//!
//! `cargo bench -p pipevideo --bench download` needs 2 GB on the disk of the temporary folder.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use pipevideo::Client;
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

const BYTES: u64 = 2_000_000_000;

#[tokio::main]
async fn main() {
    // The emulator generates the bytes as it sends them, so that they are not in its memory.
    let options: Options =
        serde_json::from_value(json!({"video_bytes": BYTES, "polls": ["completed"]}))
            .expect("options of the emulator");
    let emulator = Emulator::start(options).await.expect("a loopback server");
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let client = builder.build().expect("a client of the emulator");
    let id = emulator.add_generation(Default::default()).expect("a generation");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let before = peak();
    let began = Instant::now();
    let path = client.responses().download(id, folder.path().join("out.mp4")).await;
    let took = began.elapsed().as_secs_f64();
    let length = std::fs::metadata(path.expect("a file")).expect("a file").len();
    println!(
        "{length} bytes in {took:.1} s; resident memory was {:.1} MB before and {:.1} MB at its peak, \
         the emulator's included",
        before,
        peak()
    );
}

/// The peak resident memory of this process in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells");
    let kilobytes: f64 =
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kilobytes / 1024.0
}
