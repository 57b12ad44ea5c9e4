//! A batch of ten thousand requests: items a second through the journal, and resident memory.
//!
//! `cargo bench -p pipevideo --bench batch`
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::{Duration, Instant};

use pipevideo::{Client, GenerationRequest, Polling};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

const ITEMS: usize = 10_000;

fn main() {
    // The server is another process (this program once more), so that its memory does not count.
    if std::env::args().any(|argument| argument == "--serve") {
        return serve();
    }
    let mut server = std::process::Command::new(std::env::current_exe().expect("this program"))
        .arg("--serve")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("this program runs once more");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(server.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("the server tells where it is");
    let place: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let text = |name: &str| place[name].as_str().expect("a string").to_owned();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure(&text("base_url"), &text("api_key")));
    drop(server.stdin.take());
    let _ = server.wait();
}

fn serve() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options: Options = serde_json::from_value(json!({
            "rate_limit": null, "balance_cents": 1_000_000_000, "polls": ["completed"],
        }))
        .expect("options of the emulator");
        let emulator = Emulator::start(options).await.expect("a loopback server");
        println!("{}", json!({"base_url": emulator.base_url(), "api_key": emulator.api_key()}));
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let _ = end.await;
    });
}

async fn measure(base_url: &str, api_key: &str) {
    let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let builder = Client::builder().base_url(base_url).api_key(api_key);
    let client = builder.rate_limit(None).polling(polling).build().expect("a client");
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk");
    let journal = folder.path().join("run.jsonl");
    // The first items allocate connections and threads.
    run(&client, 200, &folder.path().join("first.jsonl")).await;
    for name in ["from the service", "from the journal"] {
        let before = resident();
        let (took, peak) = run(&client, ITEMS, &journal).await;
        println!(
            "{ITEMS} items {name}: {:.0} a second, {:.1} MB more at the peak",
            ITEMS as f64 / took.as_secs_f64(),
            (peak - before) / 1e6
        );
    }
}

async fn run(client: &Client, items: usize, journal: &std::path::Path) -> (Duration, f64) {
    let request = |n| GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
    let began = Instant::now();
    let mut peak = resident();
    let batch = client.batch((0..items).map(request)).journal(journal).max_in_flight(100);
    let mut run = batch.run();
    let mut taken = 0;
    while let Some(item) = run.next().await {
        assert!(item.expect("no error ends the run").generation.is_some());
        taken += 1;
        if taken % 100 == 0 {
            peak = peak.max(resident());
        }
    }
    assert_eq!(taken, items);
    (began.elapsed(), peak)
}

/// The resident memory of this process in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
    let kilobytes: f64 =
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kilobytes * 1024.0
}
