//! A process that is killed. It is this test binary with the emulator's address in its environment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::*;

const BASE_URL: &str = "PIPEVIDEO_TEST_BASE_URL";
const REDIS_URL: &str = "PIPEVIDEO_TEST_CHILD_REDIS_URL";
const MODEL: &str = "moonshotai/kimi-k2.5";

/// The child: creates a generation, prints its id, and stays.
#[test]
fn child() {
    let (Ok(base_url), Ok(redis)) = (std::env::var(BASE_URL), std::env::var(REDIS_URL)) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        let client = Client::builder().base_url(base_url).redis(redis);
        let client = client.api_key("pv_emulator_0123456789abcdef").build().unwrap();
        let created = client.responses().create(request("A cat")).await.unwrap();
        println!("\n> {}", created.id);
        std::io::stdin().read_line(&mut String::new()).unwrap();
        created.id
    });
    assert!(id.starts_with("gen_"));
    // The client says that it ends, which takes a moment. The process of the test is still there.
    let redis = redis::Client::open(std::env::var(REDIS_URL).unwrap()).unwrap();
    let mut connection = redis.get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:processes").query(&mut connection).unwrap();
    let mut count = redis::cmd("HLEN");
    count.arg(&keys[0]);
    while count.query::<usize>(&mut connection).unwrap() > 1 {}
}

/// It may have been killed before it has stored what it has created: this is not left out of what
/// its lost create may have made.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_has_created_is_a_candidate_again() {
    if !server::is_there() {
        return;
    }
    let redis = RedisServer::start();
    let emulator = emulator(json!({})).await;
    for is_killed in [false, true] {
        let client = process(&emulator, &redis.url(), 0).build().unwrap();
        let sent_at = SystemTime::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture"])
            .env(BASE_URL, emulator.base_url())
            .env(REDIS_URL, redis.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut ids =
            output.lines().filter_map(|line| Some(line.unwrap().strip_prefix("> ")?.to_owned()));
        let id = ids.next().unwrap();
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
