//! The resident memory of each of ten thousand simultaneous waits.
//!
//! `cargo bench -p pipevideo --bench memory`
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::future::IntoFuture;
use std::time::Duration;

use pipevideo::{Client, GenerationRequest};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

const WAITS: usize = 10_000;

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
            "rate_limit": null, "balance_cents": 1_000_000_000, "speed": 0,
        }))
        .expect("options of the emulator");
        let emulator = Emulator::start(options).await.expect("a loopback server");
        println!("{}", json!({"base_url": emulator.base_url(), "api_key": emulator.api_key()}));
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        let _ = end.await;
    });
}

async fn measure(base_url: &str, api_key: &str) {
    let builder = Client::builder().base_url(base_url).api_key(api_key);
    let client = builder.rate_limit(None).build().expect("a client");
    let request = || GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    // The first waits allocate connections and threads, which are not per wait.
    for _ in 0..200 {
        client.responses().create(request()).await.expect("a generation");
    }
    let mut ids = Vec::with_capacity(WAITS);
    for _ in 0..WAITS {
        ids.push(client.responses().create(request()).await.expect("a generation").id);
    }
    let before = resident();
    let waits: Vec<_> = ids
        .into_iter()
        .map(|id| {
            tokio::spawn(
                client.responses().wait(id).deadline(Duration::from_secs(600)).into_future(),
            )
        })
        .collect();
    // Each has been polled and holds its last snapshot.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let each = (resident() - before) / WAITS as f64;
    println!("{WAITS} waits at once: {:.2} KB of resident memory each", each / 1024.0);
    waits.iter().for_each(|wait| wait.abort());
}

/// The resident memory of this process in bytes.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
    let kilobytes: f64 =
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kilobytes * 1024.0
}
