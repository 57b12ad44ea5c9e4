//! A batch that is killed at random moments, over a service with faults, and run again each time.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipevideo::{BatchRequest, Client, Decimal, GenerationRequest, ItemStatus, Polling, RateLimit};
use pipevideo_emulator::{Emulator, Options};
use serde_json::{Value, json};

const REQUESTS: usize = 100;
const FOLDER: &str = "PIPEVIDEO_TEST_BATCH_FOLDER";
const LIMITED: &str = "PIPEVIDEO_TEST_BATCH_LIMITED";

fn client() -> Client {
    let polling = Polling::default()
        .min_interval(Duration::from_millis(10))
        .max_interval(Duration::from_millis(50));
    // Many polls, and one create at a time as with the service's own limit; or all at once.
    let limit = std::env::var_os(LIMITED).map(|_| RateLimit::new(420, Duration::from_secs(60)));
    Client::builder().rate_limit(limit).polling(polling).build().unwrap()
}

fn client_of(emulator: &Emulator) -> Client {
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    builder.rate_limit(None).build().unwrap()
}

/// The process that is killed: one run of the batch. It prints its summary if it comes to its end.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let request = |n| GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
    let requests =
        (0..REQUESTS).map(move |n| BatchRequest::new(request(n)).key(format!("cat-{n}")));
    let batch = client().batch(requests).journal(folder.join("run.jsonl"));
    let spent = std::sync::Arc::new(std::sync::Mutex::new(Decimal::ZERO));
    let shown = spent.clone();
    let mut run = batch
        .download_to(folder.join("videos"))
        .max_in_flight(8)
        .on_event(move |event| *shown.lock().unwrap() = event.spend.spent)
        .run();
    let mut items = Vec::new();
    while let Some(item) = run.next().await {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                eprintln!("{error}");
                return;
            }
        };
        items.push(json!({
            "key": item.key, "status": item.status.as_str(), "id": item.generation_id,
            "path": item.path, "error": item.error.map(|error| error.to_string()),
        }));
    }
    let spent = *spent.lock().unwrap();
    let summary = run.summary();
    let end =
        json!({"items": items, "cost": summary.cost_usd.to_string(), "spent": spent.to_string()});
    println!("\nEND {end}");
}

/// Starts the child, on a disk that is full after this many kilobytes of a file, if any.
fn start(emulator: &Emulator, folder: &Path, limited: bool, kilobytes: Option<u32>) -> Child {
    let limit = kilobytes.map_or(String::new(), |kilobytes| format!("ulimit -f {kilobytes};"));
    let limited = limited.then_some((LIMITED, "1"));
    Command::new("bash")
        .envs(limited)
        .args(["-c", &format!("trap '' XFSZ; {limit} exec \"$0\" --exact child --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder)
        .env("PIPEVIDEO_BASE_URL", emulator.base_url())
        .env("PIPEVIDEO_API_KEY", emulator.api_key())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the child has printed, if it came to its end.
fn end_of(child: &mut Child) -> Option<Value> {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("END "))?;
    Some(serde_json::from_str(line).unwrap())
}

fn add_fault(emulator: &Emulator, fault: Value) {
    emulator.fault(serde_json::from_value(fault).unwrap());
}

/// Adds a fault at random. Returns whether it makes the outcome of a create unknown.
fn add_random_fault(emulator: &Emulator, random: &mut fastrand::Rng) -> bool {
    let create = json!({"method": "POST", "path": "/v1/responses"});
    let poll = json!({"method": "GET", "path": "/v1/responses/*"});
    let video = json!({"origin": "video"});
    let (matching, what, is_lost) = match random.u32(..9) {
        0 => (create, json!({"drop": "after_reading"}), true),
        1 => (create, json!({"status": 500}), true),
        2 => (create, json!({"drop": "mid_body"}), true),
        3 => (create, json!({"status": 429, "headers": {"retry-after": "0"}}), false),
        4 => (poll, json!({"status": 503, "times": 3}), false),
        5 => (poll, json!({"drop": "after_reading", "times": 3}), false),
        6 => (poll, json!({"body": "<html>"}), false),
        7 => (video, json!({"drop": "mid_body"}), false),
        _ => (video, json!({"status": 503}), false),
    };
    let mut fault = json!({"match": matching});
    fault.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    add_fault(emulator, fault);
    is_lost
}

/// The creates that were recorded as sent and have no outcome in the journal.
fn open_sends(folder: &Path) -> usize {
    let Ok(journal) = std::fs::read_to_string(folder.join("run.jsonl")) else { return 0 };
    let facts = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut last = BTreeMap::new();
    for fact in facts.filter(|fact| fact["fact"].is_string()) {
        last.insert(fact["key"].to_string(), fact["fact"].clone());
    }
    last.values().filter(|fact| **fact == "sending").count()
}

async fn killed(kills: u32, limited: bool) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let options = json!({"rate_limit": null, "median_seconds": 0.06 * f64::from(kills) / 8.0, "balance_cents": 1_000_000});
    let emulator =
        Emulator::start(serde_json::from_value::<Options>(options).unwrap()).await.unwrap();
    let (mut lost, mut killed_sends, mut early) = (0, 0, 0);
    for kill in 0..kills {
        lost += usize::from(random.u32(..3) == 0 && add_random_fault(&emulator, &mut random));
        let is_full = kill == kills / 3;
        let before = open_sends(folder);
        let mut child = start(&emulator, folder, limited, is_full.then_some(24));
        std::thread::sleep(Duration::from_millis(random.u64(10..250)));
        early += u32::from(child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        killed_sends += open_sends(folder).saturating_sub(before);
    }
    emulator.clear_faults();
    // A download that failed is completed by the next run.
    let mut end = Value::Null;
    for _ in 0..3 {
        let mut child = start(&emulator, folder, limited, None);
        end = end_of(&mut child).expect("the run comes to its end");
        child.wait().unwrap();
    }
    check(&emulator, &end, lost + killed_sends).await;
    println!(
        "{kills} kills, {early} of them after the end; {killed_sends} creates killed, {lost} faults"
    );
}

async fn check(emulator: &Emulator, end: &Value, lost: usize) {
    let items = end["items"].as_array().unwrap();
    let of = |status: ItemStatus| {
        items.iter().filter(move |item| item["status"] == status.as_str()).collect::<Vec<_>>()
    };
    let (completed, uncertain) = (of(ItemStatus::Completed), of(ItemStatus::Uncertain));
    let failed: Vec<_> = of(ItemStatus::Failed);
    assert_eq!(completed.len() + uncertain.len() + failed.len(), REQUESTS, "{items:#?}");
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(uncertain.len() <= lost, "{} uncertain, {lost} lost", uncertain.len());

    let claimed: BTreeSet<_> = completed.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(claimed.len(), completed.len(), "no two requests have one generation");
    let client = client_of(emulator);
    let made = client.usage().retrieve().await.unwrap().totals.total_requests.unwrap() as usize;
    assert!(made - claimed.len() <= uncertain.len(), "{made} made, {} claimed", claimed.len());

    let mut cost = Decimal::ZERO;
    for id in claimed {
        let generation = client.responses().retrieve(id).await.unwrap();
        cost += generation.usage.unwrap().cost_usd.unwrap();
    }
    assert_eq!(end["cost"], cost.normalize().to_string());
    assert_eq!(end["spent"], end["cost"]);
    for item in completed {
        let video = std::fs::read(item["path"].as_str().expect("it is downloaded")).unwrap();
        assert!(video == emulator.video(), "{item}");
    }
    println!("{made} made, {} uncertain", uncertain.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_killed_at_random_moments_pays_once_and_loses_nothing() {
    killed(20, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_if_it_sends_many_creates_at_once() {
    killed(10, false).await;
}

/// `cargo test -p pipevideo --release --test batch_kill -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes"]
async fn two_hundred_kills() {
    let began = Instant::now();
    killed(200, true).await;
    killed(200, false).await;
    println!("{:?}", began.elapsed());
}
