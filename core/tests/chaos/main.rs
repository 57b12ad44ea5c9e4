//! Many waits and creates at once against a service of all faults: what the library promises holds
//! for each of them.
//!
//! The whole run: `cargo test -p pipevideo --release --test chaos -- --ignored --nocapture`
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod server;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use pipevideo::{Client, ErrorKind, GenerationRequest, Polling, RateLimit};
use server::Server;

/// How much a run does. Creates and waits are divided between HTTP/1.1 and HTTP/2.
#[derive(Clone, Copy)]
struct Size {
    creates: usize,
    waits: usize,
    deadline: Duration,
    rounds: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_promised_holds_under_all_faults() {
    run(Size { creates: 40, waits: 60, deadline: Duration::from_secs(10), rounds: 1 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes; the command is above"]
async fn what_is_promised_holds_under_all_faults_at_length() {
    run(Size { creates: 400, waits: 600, deadline: Duration::from_secs(60), rounds: 3 }).await;
}

async fn run(size: Size) {
    let ticker = tokio::spawn(measure_lateness());
    let mut memory = Vec::new();
    for round in 0..size.rounds {
        let seed = fastrand::u64(..);
        println!("round {round}, seed {seed}");
        let half = Size { creates: size.creates / 2, waits: size.waits / 2, ..size };
        join(attack("http/1.1", half, seed), attack("h2", half, seed)).await;
        memory.push(resident_kilobytes());
    }
    ticker.abort();
    println!("resident memory after each round, in kB: {memory:?}");
    // The first round allocates what is kept: threads, connections, buffers of the allocator.
    if let [_, second, .., last] = memory[..] {
        assert!(last <= second + second / 4, "memory grows: {memory:?} kB");
    }
}

async fn attack(protocol: &'static str, size: Size, seed: u64) {
    let server = Server::start(protocol, seed).await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &server.pem).unwrap();
    let polling = Polling::default()
        .min_interval(Duration::from_millis(200))
        .max_interval(Duration::from_millis(500))
        .typical(Duration::from_secs(3));
    let client = Client::builder()
        .base_url(&server.base_url)
        .api_key("pv_x")
        .ca_file(&ca_file)
        .polling(polling)
        .rate_limit(RateLimit::new(500, Duration::from_secs(1)))
        .request_timeout(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let creates = join_all((0..size.creates).map(|number| create(&client, &server, number)));
    let waits = join_all((0..size.waits).map(|number| wait(&client, size, number)));
    let (creates, waits) = join(creates, waits).await;
    for (what, outcomes) in [("creates", creates), ("waits", waits)] {
        let mut counts = BTreeMap::new();
        outcomes.into_iter().for_each(|outcome| *counts.entry(outcome).or_insert(0) += 1);
        println!("{protocol} {what}: {counts:?}");
    }
}

/// A create is processed once at most, and its caller learns whether it may have been.
async fn create(client: &Client, server: &Server, number: usize) -> String {
    let prompt = format!("cat {number}");
    let created = client.responses().create(GenerationRequest::new("m", prompt.as_str())).await;
    let processed = server.processed(&prompt);
    assert_eq!(processed.repeats, 0, "a create was sent again after it may have been processed");
    match created {
        Ok(generation) => {
            assert_eq!(processed.id, Some(generation.id));
            "created".to_owned()
        }
        Err(error) if error.kind() == ErrorKind::SubmissionUncertain => {
            let id = error.generation_id();
            assert!(id.is_none() || id == processed.id.as_deref(), "{id:?} is not {processed:?}");
            format!("uncertain, id {}", if id.is_some() { "known" } else { "unknown" })
        }
        Err(error) => {
            assert_eq!(processed.id, None, "it was processed, and the error denies it: {error}");
            error.kind().to_string()
        }
    }
}

/// A wait ends with its generation, or at its deadline, and by nothing else.
async fn wait(client: &Client, size: Size, number: usize) -> String {
    // One in five does not end within the deadline.
    let ends = size.deadline.as_millis() as usize * (number % 10) / 8 + number;
    let id = format!("gen_{number}_{ends}");
    let began = Instant::now();
    let ended = client.responses().wait(&id).deadline(size.deadline).await;
    let took = began.elapsed();
    let bound =
        size.deadline + Duration::from_secs(2) + Duration::from_millis(LATENESS.load(Relaxed));
    assert!(took <= bound, "a wait with a deadline of {:?} took {took:?}", size.deadline);
    match ended {
        Ok(generation) => {
            assert_eq!(generation.id, id);
            "completed".to_owned()
        }
        Err(error) => {
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::GenerationFailed | ErrorKind::WaitTimeout),
                "{kind} ended a wait: {error}"
            );
            assert_eq!(error.generation_id(), Some(id.as_str()));
            // Most polls succeed, so an end half a minute before the deadline is seen.
            let seen = Duration::from_millis(ends as u64) + Duration::from_secs(30) < size.deadline;
            assert!(kind == ErrorKind::GenerationFailed || !seen, "{id} was missed: {error}");
            kind.to_string()
        }
    }
}

/// By how many milliseconds timers were late at most: on a busy machine all of them are.
static LATENESS: AtomicU64 = AtomicU64::new(0);

async fn measure_lateness() {
    const TICK: Duration = Duration::from_millis(10);
    loop {
        let began = Instant::now();
        tokio::time::sleep(TICK).await;
        let late = began.elapsed().saturating_sub(TICK).as_millis() as u64;
        LATENESS.fetch_max(late, Relaxed);
    }
}

/// The resident memory of this process, in kB; 0 where it is not known.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
