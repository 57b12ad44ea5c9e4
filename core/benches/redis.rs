//! Four processes with one key over Redis, beside one process that does the same alone.
//!
//! `cargo bench -p pipevideo --features redis --bench redis`. It needs `redis-server`. Time runs ten
//! times faster than at the service, also for the limit: 100 requests in 6 s, and half of the
//! generations take 9 s. The arguments are the seeds, such as `-- 1 2 3`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark measures time")]

#[path = "../tests/support/redis.rs"]
mod server;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use pipevideo::{Client, ClientBuilder, GenerationRequest, Polling, RateLimit, Webhook};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;
use server::RedisServer;

const AT_ONCE: usize = 60;
const PROCESSES: usize = 4;
const REQUESTS: u32 = 100;
const WINDOW: Duration = Duration::from_secs(6);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What a child does: a number of generations.
const CHILD: &str = "PIPEVIDEO_BENCH_GENERATIONS";

#[tokio::main]
async fn main() {
    if let Ok(count) = std::env::var(CHILD) {
        return generate(count.parse().unwrap()).await;
    }
    let seeds: Vec<u64> = std::env::args().filter_map(|seed| seed.parse().ok()).collect();
    let seeds = if seeds.is_empty() { (0..8).collect() } else { seeds };
    let mut ratios = Vec::new();
    for seed in &seeds {
        let alone = run(*seed, 1, false).await;
        let together = run(*seed, PROCESSES, false).await;
        ratios.push(together / alone);
    }
    let (mean, error) = mean_and_error(&ratios);
    println!("lag of {PROCESSES} processes over that of one: {mean:.3} ± {error:.3}");
    for seed in seeds.iter().take(2) {
        run(*seed, PROCESSES, true).await;
    }
    way_through_the_budget().await;
    from_delivery_to_return().await;
}

fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance =
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance / n).sqrt())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn emulator(seed: u64) -> Emulator {
    let options: Options = serde_json::from_value(json!({
        "speed": 10, "seed": seed, "balance_cents": 1_000_000,
        "rate_limit": {"requests": REQUESTS, "window_seconds": WINDOW.as_secs()},
    }))
    .unwrap();
    Emulator::start(options).await.unwrap()
}

/// Has processes generate, one of which is killed after 3 s. Returns the mean lag in seconds.
async fn run(seed: u64, processes: usize, kill: bool) -> f64 {
    let redis = RedisServer::start();
    let emulator = emulator(seed).await;
    let url = if processes > 1 { redis.url() } else { String::new() };
    let mut children: Vec<_> =
        (0..processes).map(|_| child(&emulator, &url, AT_ONCE / processes)).collect();
    // They begin at the same time, once each is linked.
    children.iter_mut().for_each(|child| assert_eq!(line(child), "ready"));
    for child in &mut children {
        child.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
    if kill {
        tokio::time::sleep(WINDOW / 2).await;
        children[0].0.kill().unwrap();
        children.remove(0).0.wait().unwrap();
    }
    let lags: Vec<_> = children
        .into_iter()
        .map(|mut child| {
            tokio::task::spawn_blocking(move || {
                let lags = (0..AT_ONCE / processes).map(|_| line(&mut child).parse::<f64>());
                let lags = lags.collect::<Result<Vec<_>, _>>().expect("none is lost");
                child.0.wait().unwrap();
                lags
            })
        })
        .collect();
    let lags: Vec<f64> = join_all(lags).await.into_iter().flat_map(Result::unwrap).collect();
    // The emulator responds with 429 from the 101st request in a window on.
    let at: Vec<f64> = emulator.requests().iter().map(|request| request.at).collect();
    let within =
        |from: f64| at.iter().filter(move |at| (0.0..WINDOW.as_secs_f64()).contains(&(*at - from)));
    let fullest = at.iter().map(|from| within(*from).count()).max().unwrap();
    let (mean, _) = mean_and_error(&lags);
    let killed = if kill { ", one of them killed" } else { "" };
    println!(
        "seed {seed}, {processes} processes{killed}: {} generations noticed {mean:.2} s after \
         their end, with {} requests, at most {fullest} in any {WINDOW:?}",
        lags.len(),
        at.len(),
    );
    mean
}

type Process = (Child, BufReader<std::process::ChildStdout>);

fn child(emulator: &Emulator, redis: &str, count: usize) -> Process {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(CHILD, count.to_string())
        .env("PIPEVIDEO_BASE_URL", emulator.base_url())
        .env("PIPEVIDEO_API_KEY", emulator.api_key())
        .env("PIPEVIDEO_REDIS_URL", redis)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn line(child: &mut Process) -> String {
    let mut line = String::new();
    child.1.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

fn builder() -> ClientBuilder {
    let polling = Polling::default()
        .min_interval(Duration::from_millis(200))
        .max_interval(Duration::from_millis(500))
        .typical(Duration::from_secs(9));
    Client::builder().rate_limit(RateLimit::new(REQUESTS, WINDOW)).polling(polling)
}

/// The child: generates, and prints how long after its end each was noticed.
async fn generate(count: usize) {
    let client = builder().build().unwrap();
    client.peers();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let one = async |n: usize| {
        let request = GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
        let created = client.responses().create(request).await?;
        let at = Instant::now();
        let ended = client.responses().wait(&created.id).await?;
        let latency = ended.latency_ms.map_or(0.0, |ms| ms as f64 / 1e3);
        println!("{}", at.elapsed().as_secs_f64() - latency);
        Ok::<_, pipevideo::Error>(())
    };
    for outcome in join_all((0..count).map(one)).await {
        if let Err(error) = outcome {
            println!("lost: {error}");
        }
    }
}

/// How much longer a request takes over Redis than in one process.
async fn way_through_the_budget() {
    const CALLS: usize = 2000;
    let redis = RedisServer::start();
    let options = json!({"rate_limit": null});
    let emulator = Emulator::start(serde_json::from_value(options).unwrap()).await.unwrap();
    let client = |redis: String| {
        let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
        builder.rate_limit(RateLimit::new(1_000_000, WINDOW)).redis(redis).build().unwrap()
    };
    let clients = [client(String::new()), client(redis.url())];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..CALLS {
        for (client, times) in clients.iter().zip(&mut times) {
            let began = Instant::now();
            client.usage().retrieve().await.unwrap();
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [alone, shared] = times.map(median);
    println!("a read: {alone:.3} ms alone, {shared:.3} ms over Redis");
}

/// How long a wait in one process goes on after another process has received the delivery.
async fn from_delivery_to_return() {
    const DELIVERIES: usize = 200;
    let redis = RedisServer::start();
    let options = json!({"rate_limit": null, "polls": ["queued", "completed"]});
    let emulator = Emulator::start(serde_json::from_value(options).unwrap()).await.unwrap();
    // Spellings of the URL are processes of their own.
    let client = |n: usize| {
        let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
        let url = format!("{}/0?process={n}", redis.url());
        builder.rate_limit(None).webhook_secrets([SECRET]).redis(url).build().unwrap()
    };
    let (a, b) = (client(0), client(1));
    let mut times = Vec::new();
    for n in 0..DELIVERIES {
        // No process has created it, so that it is polled once when the wait begins.
        let id = emulator.add_generation(Default::default()).unwrap();
        let mut updates = b.responses().watch(&id);
        updates.next().await.unwrap().unwrap();
        let body = json!({"eventType": "video.generation.completed", "generationId": id, "status": "completed"});
        let body = body.to_string();
        let webhook = Webhook::new([SECRET]).unwrap();
        let headers = webhook.sign(&body, &format!("msg_{n}"), SystemTime::now());
        let began = Instant::now();
        a.webhooks().unwrap(&body, headers).unwrap();
        while updates.next().await.is_some() {}
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    println!("from the delivery in A to the return in B: {:.2} ms at the median", median(times));
}
