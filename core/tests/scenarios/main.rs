//! The shared scenarios, run by Rust: `conformance/README.md` says what they are.
//!
//! `SCENARIO=download cargo test -p pipevideo --test scenarios` runs those with that prefix.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

mod batches;
mod call;
#[path = "../support/events.rs"]
mod events;
mod matching;
mod shown;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, stream};
use pipevideo_emulator::{DeliveryFault, Emulator, Fault, NewGeneration, Options, WebhookEndpoint};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use call::{Call, Results};
use matching::Matcher;
use webhooks::Receiver;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    #[serde(default)]
    emulator: Map<String, Value>,
    #[serde(default)]
    generations: Vec<NewGeneration>,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    delivery_faults: Vec<DeliveryFault>,
    #[serde(default)]
    files: Map<String, Value>,
    #[serde(default)]
    client: Map<String, Value>,
    #[serde(default)]
    first: Vec<First>,
    call: Call,
    outcome: Value,
    requests: Option<Value>,
    events: Option<Vec<Value>>,
    #[serde(default)]
    handler_failures: usize,
    #[serde(default)]
    files_after: Map<String, Value>,
    logs: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    operation: String,
    args: Map<String, Value>,
    #[serde(rename = "as")]
    name: Option<String>,
    #[serde(default = "empty")]
    outcome: Value,
}

fn empty() -> Value {
    json!({})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenarios() {
    for name in ["PIPEVIDEO_API_KEY", "PIPEVIDEO_BASE_URL"] {
        assert!(std::env::var(name).is_err(), "unset {name}: the scenarios say what it is");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    let surface: Value =
        serde_json::from_slice(&std::fs::read(root.join("surface.json")).unwrap()).unwrap();
    let excused = surface["excuses"]["rust"].as_object().unwrap().clone();
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| name_of(path).starts_with(&wanted))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are scenarios");

    let excused = Arc::new(excused);
    let results: Vec<Option<String>> = stream::iter(files.clone())
        .map(|path| {
            let excused = excused.clone();
            tokio::spawn(async move {
                let name = name_of(&path);
                let text = std::fs::read(&path).unwrap();
                let scenario: Scenario = serde_json::from_slice(&text)
                    .unwrap_or_else(|error| panic!("{name} cannot be read: {error}"));
                if let Some(reason) = excused.get(&name).or(excused.get(&scenario.call.operation)) {
                    println!("EXCUSED {name}: {reason}");
                    return None;
                }
                let about = scenario.about.clone();
                let ran = tokio::time::timeout(Duration::from_secs(60), run(scenario)).await;
                let problem = ran.unwrap_or_else(|_| Err("it does not end".to_owned())).err()?;
                Some(format!("{name}: {about}\n    {}", problem.replace('\n', "\n    ")))
            })
        })
        .buffer_unordered(16)
        .map(|joined| joined.unwrap_or_else(|panic| Some(format!("a scenario panicked: {panic}"))))
        .collect()
        .await;
    let failures: Vec<String> = results.into_iter().flatten().collect();
    println!("{} scenarios, {} failed", files.len(), failures.len());
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

async fn run(scenario: Scenario) -> Result<(), String> {
    let mut options = json!({"rate_limit": null, "polls": ["queued", "in_progress", "completed"]});
    options.as_object_mut().unwrap().extend(scenario.emulator);
    let options: Options = serde_json::from_value(options).map_err(|e| e.to_string())?;
    let emulator = Emulator::start(options).await.map_err(|e| e.to_string())?;
    for generation in scenario.generations {
        emulator.add_generation(generation).map_err(|e| e.to_string())?;
    }
    for fault in scenario.faults {
        emulator.fault(fault);
    }
    for fault in scenario.delivery_faults {
        emulator.delivery_fault(fault);
    }
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    write_files(folder.path(), &scenario.files, emulator.video());

    let mut matcher = Matcher::default();
    let mut receiver = None;
    let log = events::Events::default();
    let (base_url, api_key) = (emulator.base_url(), emulator.api_key());
    let client = call::client(&scenario.client, base_url, api_key, log.subscriber());
    let outcome = match client {
        Ok(client) => {
            let mut results = Results::default();
            results.webhook_secrets = scenario.client.get("webhook_secrets").cloned().into();
            if scenario.events.is_some() {
                let started = Receiver::start(client.clone(), scenario.handler_failures).await;
                let endpoint = WebhookEndpoint::to(&started.url);
                emulator.set_webhook(endpoint).map_err(|e| e.to_string())?;
                receiver = Some(started);
            }
            for first in scenario.first {
                let call = Call { operation: first.operation, args: first.args };
                let result = call.make(&client, folder.path(), &results).await;
                let shown = shown::outcome(&result);
                matcher.outcome(&first.outcome, &shown).map_err(|e| format!("first: {e}"))?;
                if let Some(name) = first.name {
                    results.keep(name, result);
                }
            }
            scenario.call.make(&client, folder.path(), &results).await
        }
        Err(error) => Err(error),
    };
    matcher.outcome(&scenario.outcome, &shown::outcome(&outcome))?;
    let requests: Vec<Value> =
        emulator.requests().iter().map(|r| serde_json::to_value(r).unwrap()).collect();
    if let Some(expected) = scenario.requests {
        matcher.requests(&expected, &requests, emulator.api_key())?;
    }
    if let (Some(expected), Some(receiver)) = (scenario.events, receiver) {
        let found = receiver.events(expected.len()).await;
        if found.len() != expected.len() {
            return Err(format!("{} events came, expected {}", found.len(), expected.len()));
        }
        for (expected, found) in expected.iter().zip(&found) {
            matcher.outcome(expected, found).map_err(|error| format!("event: {error}"))?;
        }
    }
    check_files(folder.path(), &scenario.files_after, emulator.video())?;
    if let Some(expected) = scenario.logs {
        matcher.value(&expected, &log.without_debug().into(), "logs")?;
    }
    emulator.stop().await;
    Ok(())
}

fn write_files(folder: &Path, files: &Map<String, Value>, video: &[u8]) {
    for (name, content) in files {
        let path = folder.join(name);
        match content_of(content, video) {
            Some(content) => std::fs::write(path, content).unwrap(),
            None => std::fs::create_dir(path).unwrap(),
        }
    }
}

fn check_files(folder: &Path, files: &Map<String, Value>, video: &[u8]) -> Result<(), String> {
    for (name, expected) in files {
        let path = folder.join(name);
        let fine = match expected {
            Value::Null => !path.exists(),
            Value::String(text) if text == "directory" => path.is_dir(),
            other => {
                std::fs::read(&path).is_ok_and(|found| Some(found) == content_of(other, video))
            }
        };
        if !fine {
            let found = std::fs::metadata(&path).map(|m| m.len());
            return Err(format!("the file {name} is not {expected}, but {found:?} bytes"));
        }
    }
    Ok(())
}

/// The content of a file; `None` for a directory.
fn content_of(content: &Value, video: &[u8]) -> Option<Vec<u8>> {
    if content == "video" {
        return Some(video.to_vec());
    }
    if let Some(count) = content["video_bytes"].as_u64() {
        return Some(video[..usize::try_from(count).unwrap()].to_vec());
    }
    if let Some(text) = content["text"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    content["base64"].as_str().map(|text| BASE64_STANDARD.decode(text).unwrap())
}

/// The options of the scenarios' default client, with those of the scenario in their place.
fn with_defaults(own: &Map<String, Value>) -> Map<String, Value> {
    let mut options = json!({
        "base_url": "{base_url}",
        "api_key": "{api_key}",
        "polling": {"min_interval": 0, "max_interval": 0},
        "rate_limit": null,
    });
    let options = options.as_object_mut().unwrap();
    options.extend(own.clone());
    options.clone()
}
