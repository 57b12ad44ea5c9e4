//! A process that is killed. It is this test binary with the emulator's address in its environment.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::SystemTime;

use super::*;

const BASE_URL: &str = "PIPEVIDEO_TEST_BASE_URL";
const REDIS_URL: &str = "PIPEVIDEO_TEST_CHILD_REDIS_URL";
const ENDS_AT_ONCE: &str = "PIPEVIDEO_TEST_ENDS_AT_ONCE";
const MODEL: &str = "moonshotai/kimi-k2.5";

/// The child: creates a generation, prints its id, and stays or ends at once.
#[test]
fn child() {
    let (Ok(base_url), Ok(redis)) = (std::env::var(BASE_URL), std::env::var(REDIS_URL)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        let client = Client::builder().base_url(base_url).redis(redis);
        let client = client.build().unwrap();
        let created = client.responses().create(request("A cat")).await.unwrap();
        println!("\n> {}", created.id);
        if std::env::var(ENDS_AT_ONCE).is_ok() {
            std::process::exit(0);
        }
        std::io::stdin().read_line(&mut String::new()).unwrap();
        created.id
    });
    assert!(id.starts_with("gen_"));
    // The client says that it ends, which takes a moment. The process of the test is still there, and
    // what belongs to both.
    let redis = redis::Client::open(std::env::var(REDIS_URL).unwrap()).unwrap();
    let mut connection = redis.get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:processes").query(&mut connection).unwrap();
    let mut count = redis::cmd("HLEN");
    count.arg(&keys[0]);
    while count.query::<usize>(&mut connection).unwrap() > 2 {}
}

/// A child with its output, and the id of its generation.
fn start(
    world: &World,
    change: impl FnOnce(&mut Command),
) -> (Child, BufReader<ChildStdout>, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::child", "--nocapture"]);
    command.env(BASE_URL, world.emulator.base_url()).env(REDIS_URL, world.redis.url());
    command.env("PIPEVIDEO_API_KEY", world.emulator.api_key());
    change(&mut command);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("> ") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "it has ended");
    }
    let id = line.trim_start_matches("> ").trim_end().to_owned();
    (child, output, id)
}

/// It has no time to publish anything after its create.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_creates_that_ends_at_once_is_known() {
    let Some(world) = World::start(json!({})).await else { return };
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (mut child, _output, id) = start(&world, |command| {
            command.env(ENDS_AT_ONCE, "1");
        });
        child.wait().unwrap();
        ids.push(id);
    }
    let feed = world.key("feed").await;
    let messages: Vec<String> = world.redis.run(&format!("ZRANGE {feed} 0 -1"));
    let ledger = world.key("ledger").await;
    let ledger: String = world.redis.run(&format!("GET {ledger}"));
    for id in ids {
        assert!(messages.iter().any(|message| message.ends_with(&id)), "{messages:?}");
        assert!(ledger.contains(&id), "{ledger}");
    }
}

/// It may have been killed before it has stored what it has created: this is not left out of what
/// its lost create may have made.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_has_created_is_a_candidate_again() {
    let Some(world) = World::start(json!({})).await else { return };
    for is_killed in [false, true] {
        let client = world.client(0);
        let sent_at = SystemTime::now();
        let (mut child, _output, id) = start(&world, |_| {});
        let is_candidate = async || {
            let found = client.responses().reconcile_since(MODEL, sent_at).await.unwrap();
            found.iter().any(|candidate| candidate.id == id)
        };
        let eventually = async |expected: bool| {
            let began = std::time::Instant::now();
            while is_candidate().await != expected {
                assert!(
                    began.elapsed() < S * 20,
                    "killed: {is_killed}, a candidate: {}",
                    !expected
                );
            }
        };
        eventually(false).await;
        if is_killed {
            child.kill().unwrap();
        } else {
            drop(child.stdin.take());
        }
        child.wait().unwrap();
        if is_killed {
            eventually(true).await;
        }
        assert_eq!(is_candidate().await, is_killed);
        assert_eq!(is_candidate().await, is_killed);
    }
}
