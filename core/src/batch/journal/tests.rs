//! The journal as its callers use it, on real files.

mod facts;
mod faults;
mod properties;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::file::JournalFile;
use super::record::{BadLine, Header, Record};
use super::replay::{Scan, scan};
use super::writer::Disk as _;
use super::*;
use crate::client::clock;
use crate::client::events::Log;
use crate::error::{Error, ErrorKind};
use crate::model::{FailureCategory, Generation, GenerationRequest};

const BASE_URL: &str = "https://api.pipevideo.co";

/// A folder for one journal.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("run.jsonl")
    }

    fn with(contents: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        fs::write(folder.path(), contents).unwrap();
        folder
    }

    async fn open(&self) -> Result<(Journal, Replay), Error> {
        Journal::open(&self.path(), BASE_URL, "a", &Log::default()).await
    }

    fn contents(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn sending(attempt: u32) -> Fact {
    Fact::sending(b"{\"model\":\"m\"}", "m", attempt, at(1_764_293_432_125), false)
}

fn created(id: &str) -> Fact {
    Fact::Created { id: id.to_owned() }
}

fn generation(json: Value) -> Generation {
    serde_json::from_value(json).unwrap()
}

fn completed(id: &str) -> Fact {
    let json = format!(r#"{{"id":"{id}","status":"completed","usage":{{"cost_usd":0.0421}}}}"#);
    Fact::finished(serde_json::from_str(&json).unwrap(), false)
}

fn failed(id: &str, cost: &str) -> Fact {
    let json = format!(
        r#"{{"id":"{id}","status":"failed","usage":{{"cost_usd":{cost}}},
            "error":{{"code":"E42","message":"the render stopped"}}}}"#
    );
    Fact::finished(serde_json::from_str(&json).unwrap(), false)
}

fn downloaded() -> Fact {
    let sha256 = Hash::of(b"video");
    Fact::Downloaded(Download { path: "videos/a.mp4".into(), bytes: 5, sha256 })
}

fn header() -> Vec<u8> {
    Header::new(BASE_URL, "a", at(1_764_293_432_000)).encode()
}

/// A journal with these facts.
fn journal(facts: impl IntoIterator<Item = (&'static str, Fact)>) -> Vec<u8> {
    let lines = facts.into_iter().map(|(key, fact)| Record { key: key.into(), fact }.encode());
    [header()].into_iter().chain(lines).flatten().collect()
}

fn replay(facts: impl IntoIterator<Item = (&'static str, Fact)>) -> Replay {
    scan(&journal(facts)[..]).unwrap().replay
}

/// Facts of a few items, with every fact.
fn several() -> Vec<(&'static str, Fact)> {
    let error = Error::new(ErrorKind::RateLimited, "too many requests.").with_status(429);
    vec![
        ("a", sending(1)),
        ("b", sending(1)),
        ("a", created("gen_a")),
        ("c", sending(1)),
        ("b", Fact::given_up(&error)),
        ("a", failed("gen_a", "0.01")),
        ("a", sending(2)),
        ("c", Fact::Uncertain),
        ("a", created("gen_a2")),
        ("a", completed("gen_a2")),
        ("a", downloaded()),
        ("d", sending(1)),
        ("d", Fact::NotCreated { error: None }),
    ]
}

#[tokio::test]
async fn a_run_continues_with_what_the_last_one_recorded() {
    let folder = Folder::new();
    let (journal, replay) = folder.open().await.unwrap();
    assert_eq!(replay, Replay::default());
    for (n, (key, fact)) in several().into_iter().enumerate() {
        if n % 2 == 0 {
            journal.record(key, fact).await.unwrap();
        } else {
            journal.note(key, fact);
        }
    }
    journal.close().await.unwrap();

    let (journal, mut replay) = folder.open().await.unwrap();
    let a = replay.take("a").unwrap();
    assert_eq!((a.attempt, a.id(), &*a.model), (2, Some("gen_a2"), "m"));
    assert_eq!(a.ids, ["gen_a", "gen_a2"]);
    assert_eq!(a.earlier_cost.to_string(), "0.01");
    assert_eq!(a.sent_at, Some(at(1_764_293_432_125)));
    assert_eq!(a.download.as_ref().unwrap().path, "videos/a.mp4");
    let State::Finished { is_failed: false, cost: Some(cost), span } = a.state else {
        panic!("{a:?}")
    };
    assert_eq!(cost.to_string(), "0.0421");
    let finished = journal.load(span).await.unwrap();
    assert_eq!((finished.key.as_str(), finished.generation.id.as_str()), ("a", "gen_a2"));

    let State::NotCreated(Some(error)) = replay.take("b").unwrap().state else { panic!() };
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, Some(429)));
    assert_eq!(replay.take("c").unwrap().state, State::Sending { is_given_up: true });
    assert_eq!(replay.take("d").unwrap().state, State::NotCreated(None));
    assert!(replay.take("e").is_none() && replay.take("a").is_none());
    assert!(replay.claims("gen_a") && replay.claims("gen_a2") && !replay.claims("gen_b"));
}

#[tokio::test]
async fn what_is_left_can_be_waited_for() {
    let facts = [("a", created("gen_a")), ("b", sending(1)), ("c", completed("gen_c"))];
    let folder = Folder::with(super::tests::journal(facts));
    let (_journal, mut replay) = folder.open().await.unwrap();
    replay.take("c");
    let left: Vec<_> = replay.entries().filter(|entry| entry.id().is_some()).collect();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].key.as_deref(), left[0].id()), (Some("a"), Some("gen_a")));
    replay.claim("gen_x");
    assert!(replay.claims("gen_x"));
}

#[tokio::test]
async fn the_results_are_read_in_order_also_during_a_run() {
    let folder = Folder::with([&journal(several())[..], b"{\"fact\":\"cre"].concat());
    let before = folder.contents();
    let items: Vec<_> = read(&folder.path()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(folder.contents(), before, "reading repairs nothing");
    let keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
    assert_eq!(items[0].finished.as_ref().unwrap().generation.id, "gen_a2");
    assert!(items[1..].iter().all(|item| item.finished.is_none()));

    let (_journal, _) = folder.open().await.unwrap();
    assert_eq!(read(&folder.path()).unwrap().count(), 4);
    let missing = read(&folder.0.path().join("missing")).err().unwrap();
    assert_eq!(missing.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn a_changed_request_is_rejected() {
    let mut replay = replay([("a", sending(1)), ("a b", sending(1)), ("c", created("gen_c"))]);
    let (known, other) = (Hash::of(b"{\"model\":\"m\"}"), Hash::of(b"{}"));
    let a = replay.take("a").unwrap();
    a.check_request("a", known).unwrap();
    let error = a.check_request("a", other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains(r#"the key "a" is not"#), "{error}");
    let error = replay.take("a b").unwrap().check_request("a b", other).unwrap_err();
    assert!(!error.message().contains("a b"), "it may be a prompt: {error}");
    replay.take("c").unwrap().check_request("c", other).expect("nothing is known to differ");
}

#[tokio::test]
async fn no_prompt_is_in_the_file_unless_they_are_kept() {
    const MARKER: &str = "MARKER";
    let request = GenerationRequest::new("m", MARKER).instructions(MARKER).extra("x", MARKER);
    let json = serde_json::to_vec(&request).unwrap();
    let last = generation(json!({
        "id": "gen_a", "status": "failed", "model": "m", "engine": "lottie", "latency_ms": 5,
        "output": [MARKER], "more": MARKER, "usage": {"total_tokens": 3, "more": MARKER},
        "error": {"code": "no code but MARKER", "message": "the prompt MARKER is bad", "m": MARKER},
    }));
    for keep in [false, true] {
        let folder = Folder::new();
        let (journal, _) = folder.open().await.unwrap();
        journal.record("a", Fact::sending(&json, "m", 1, at(1), keep)).await.unwrap();
        journal.record("a", Fact::finished(last.clone(), keep)).await.unwrap();
        journal.close().await.unwrap();
        let text = String::from_utf8(folder.contents()).unwrap();
        assert_eq!(text.matches(MARKER).count(), if keep { 9 } else { 0 }, "{text}");
        let item = read(&folder.path()).unwrap().next().unwrap().unwrap();
        let finished = item.finished.unwrap();
        assert_eq!(finished.category, Some(FailureCategory::InvalidPrompt));
        assert_eq!(finished.generation.usage.as_ref().unwrap().total_tokens, Some(3));
        assert_eq!(finished.generation.engine.as_deref(), Some("lottie"));
        assert_eq!(finished.generation == last, keep);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_a_new_journal() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    drop(folder.open().await.unwrap());
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Lines per second on the disk of this machine: `cargo test --release -- --ignored journal_speed`.
#[tokio::test]
#[ignore = "a measurement"]
async fn journal_speed() {
    use futures_util::{StreamExt, stream};
    for in_flight in [1, 20, 200] {
        let folder = Folder(tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap());
        let (journal, _) = folder.open().await.unwrap();
        let started = clock::now();
        let lines = 200 * in_flight;
        stream::iter(0..lines)
            .map(|n| journal.record("a", created(if n % 2 == 0 { "gen_a" } else { "gen_b" })))
            .for_each_concurrent(in_flight, |record| async { record.await.unwrap() })
            .await;
        let seconds = (clock::now() - started).as_secs_f64();
        println!("{in_flight} in flight: {:.0} lines/s", lines as f64 / seconds);
    }
}
