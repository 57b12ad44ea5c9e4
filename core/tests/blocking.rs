//! The blocking client: the same operations as the async one, without an async runtime.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::collections::BTreeSet;
use std::sync::mpsc::Receiver;
use std::task::Poll;
use std::time::Duration;

use pipevideo::blocking::Client;
use pipevideo::{ErrorKind, GenerationRequest, Polling};
use pipevideo_emulator::{EmulatorThread, Options};
use serde_json::json;

/// The statuses in the order of the updates. After a second without a change, an update is repeated.
fn changes(updates: &Receiver<String>) -> Vec<String> {
    let mut statuses: Vec<_> = updates.iter().collect();
    statuses.dedup();
    statuses
}

#[test]
fn every_operation_works_without_async() {
    let options = json!({"rate_limit": null, "polls": ["queued", "in_progress", "completed"]});
    let options: Options = serde_json::from_value(options).unwrap();
    let emulator = EmulatorThread::start(options).unwrap();
    let zero = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let options = pipevideo::Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .polling(zero)
        .webhook_secrets(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]); // It would wait a minute.
    let client = Client::new(options).unwrap();
    let request = || GenerationRequest::new("moonshotai/kimi-k2.5", "A cat");

    let created = client.responses().create(request()).unwrap();
    assert_eq!(client.responses().retrieve(&created.id).unwrap().id, created.id);
    let waited = client.responses().wait(&created.id).deadline(Duration::from_secs(60)).run();
    assert!(waited.unwrap().is_final());

    let id = client.responses().create(request()).unwrap().id;
    let updates: Result<Vec<_>, _> = client.responses().watch(&id).collect();
    let statuses: Vec<_> =
        updates.unwrap().into_iter().map(|u| u.generation.status.to_string()).collect();
    assert_eq!(statuses, ["queued", "in_progress", "completed"]);

    let (sender, updates) = std::sync::mpsc::channel();
    let generation = client
        .generate(request())
        .on_update(move |update| sender.send(update.generation.status.to_string()).unwrap())
        .run()
        .unwrap();
    assert_eq!(changes(&updates), ["queued", "in_progress", "completed"]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    assert_eq!(client.responses().download(&generation, &path).run().unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), emulator.video());
    let mut video = client.responses().stream(&generation);
    let chunks: Result<Vec<_>, _> = video.by_ref().collect();
    assert_eq!(chunks.unwrap().concat(), emulator.video());
    assert_eq!(video.progress().downloaded, emulator.video().len() as u64);
    assert!(video.next().is_none());
    assert_eq!(client.responses().stream(&generation).bytes().unwrap(), emulator.video());
    let limited = client.responses().stream(&generation).max_bytes(10);
    assert_eq!(limited.map(|chunk| chunk.is_err()).collect::<Vec<_>>(), [true]);

    assert_eq!(client.engines().list().unwrap().engines[0].id, "hyperframes");
    assert_eq!(client.usage().retrieve().unwrap().totals.total_requests, Some(3));
    let not_uncertain = client.responses().retrieve("").unwrap_err();
    let error = client.responses().reconcile(&not_uncertain).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let found = client.responses().reconcile_since("other", std::time::SystemTime::now()).unwrap();
    assert!(found.is_empty());
    let estimate = client.estimate(request()).count(2).run().unwrap();
    assert_eq!(estimate.samples, 3);
    assert!(client.spend().spent > pipevideo::Decimal::ZERO);
    let mut run = client.batch([request(), request()]).run();
    assert_eq!(run.by_ref().map(|item| item.unwrap().attempts).sum::<u32>(), 2);
    assert_eq!(run.stop().counts.completed, 2);
    let patient = client.with_request_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(patient.budget_left(), client.budget_left());
}

#[test]
fn many_threads_share_one_client() {
    let options = json!({"rate_limit": null, "polls": ["in_progress", "completed"]});
    let options: Options = serde_json::from_value(options).unwrap();
    let emulator = EmulatorThread::start(options).unwrap();
    let zero = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let options = pipevideo::Client::builder().base_url(emulator.base_url()).polling(zero);
    let client = Client::new(options.api_key(emulator.api_key()).rate_limit(None)).unwrap();
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || {
                let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat");
                client.generate(request).run().unwrap().is_final()
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
}

/// The async client's public functions that the blocking one has in another form.
const EXCUSED: [(&str, &str); 15] = [
    // `blocking::Client::new` takes the options of the async builder.
    ("Client", "builder()"),
    // The documentation of `blocking::Client` says why it has none.
    ("Client", "webhooks()"),
    // For bindings.
    ("Client", "base_url()"),
    // `blocking::Watch` and `blocking::VideoStream` are iterators.
    ("Watch", "next()"),
    ("VideoStream", "next()"),
    // A blocking call is not cancelled, so its submission has nothing to show.
    ("Responses", "create_with(request: GenerationRequest, submission: &Submission)"),
    ("Generate", "submission(submission: &Submission)"),
    // A blocking program has no streams.
    (
        "Client",
        "batch_stream(requests: impl Stream<Item = Result<BatchRequest, Error>> + Send + 'static)",
    ),
    // For bindings.
    ("Batch", "with_total(total: Option<u64>)"),
    ("Batch", "with_events(events: bool)"),
    ("BatchRun", "next_output()"),
    // `blocking::BatchRun` is an iterator, with the handle of the async one.
    ("BatchRun", "next()"),
    ("BatchHandle", "stop()"),
    ("BatchHandle", "summary()"),
    ("BatchHandle", "has_stopped()"),
];

/// The blocking client's public functions that the async one has in another form.
const OWN: [(&str, &str); 7] = [
    ("Client", "new(options: ClientBuilder)"),
    // Async, `with_response` is a method of the call.
    ("Responses", "create_with_response(request: GenerationRequest)"),
    ("Responses", "retrieve_with_response(id: impl AsRef<str>)"),
    // Async, these are awaited.
    ("Wait", "run()"),
    ("Generate", "run()"),
    ("Download", "run()"),
    ("Estimate", "run()"),
];

/// The public functions in a source, each with its type and its parameters other than `self`.
fn public_functions(source: &str) -> BTreeSet<(String, String)> {
    let source: Vec<_> = source.lines().collect();
    let mut of_type = "";
    let mut found = BTreeSet::new();
    for (at, line) in source.iter().enumerate() {
        if let Some(block) = line.strip_prefix("impl ").filter(|block| !block.contains(" for ")) {
            of_type = block.split(['<', ' ']).next().unwrap();
        }
        let function = line.strip_prefix("    pub async fn ").or(line.strip_prefix("    pub fn "));
        if let Some(start) = function {
            let rest: String = source[at + 1..].iter().map(|line| line.trim()).collect();
            let text = format!("{start}{rest}");
            let (name, rest) = text.split_once('(').unwrap();
            let mut depth = 1;
            let closes = |c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            };
            let end = rest.find(closes).unwrap();
            let parameters = rest[..end].split(',').map(str::trim);
            let parameters: Vec<_> = parameters
                .filter(|parameter| !parameter.is_empty() && !parameter.ends_with("self"))
                .collect();
            found.insert((of_type.to_owned(), format!("{name}({})", parameters.join(", "))));
        }
    }
    found
}

#[test]
fn closing_ends_the_wait_of_another_thread() {
    let options: Options = serde_json::from_value(json!({"polls": ["in_progress"]})).unwrap();
    let emulator = EmulatorThread::start(options).unwrap();
    let options =
        pipevideo::Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let client = Client::new(options).unwrap();
    let id = emulator.add_generation(Default::default()).unwrap();
    let mut updates = client.responses().watch(&id);
    updates.next().unwrap().unwrap();
    let watching = std::thread::spawn(move || updates.next().unwrap().unwrap_err());
    client.close();
    let error = watching.join().unwrap();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Connection, Some(id.as_str())));
}

#[test]
fn the_blocking_client_mirrors_the_async_one() {
    let sources = [
        include_str!("../src/client/mod.rs"),
        include_str!("../src/client/closing.rs"),
        include_str!("../src/client/responses.rs"),
        include_str!("../src/client/wait.rs"),
        include_str!("../src/client/generate.rs"),
        include_str!("../src/client/engines.rs"),
        include_str!("../src/client/usage.rs"),
        include_str!("../src/client/download.rs"),
        include_str!("../src/client/download/stream.rs"),
        include_str!("../src/client/call_options.rs"),
        include_str!("../src/client/endpoint.rs"),
        include_str!("../src/client/spend.rs"),
        include_str!("../src/batch/builder.rs"),
        include_str!("../src/batch/run/mod.rs"),
    ];
    let mut expected: BTreeSet<_> =
        sources.iter().flat_map(|source| public_functions(source)).collect();
    // Both clients take it.
    expected.retain(|(of_type, _)| of_type != "CallOptions");
    assert!(expected.len() > 15, "the scan finds the functions: {expected:?}");
    for (of_type, function) in EXCUSED {
        let excused = (of_type.to_owned(), function.to_owned());
        assert!(expected.remove(&excused), "{excused:?} is not there any more");
    }
    expected.extend(OWN.map(|(of_type, function)| (of_type.to_owned(), function.to_owned())));
    let mut found = public_functions(include_str!("../src/blocking/mod.rs"));
    found.extend(public_functions(include_str!("../src/blocking/batch.rs")));
    found.extend(public_functions(include_str!("../src/blocking/calls.rs")));
    assert_eq!(found, expected);
}

/// A client of an emulator with generations that complete at the second poll.
fn client(emulator: &EmulatorThread) -> Client {
    let zero = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let options = pipevideo::Client::builder().base_url(emulator.base_url()).polling(zero);
    Client::new(options.api_key(emulator.api_key()).rate_limit(None)).unwrap()
}

fn emulator() -> EmulatorThread {
    let options = json!({"rate_limit": null, "polls": ["in_progress", "completed"]});
    EmulatorThread::start(serde_json::from_value(options).unwrap()).unwrap()
}

fn request() -> GenerationRequest {
    GenerationRequest::new("moonshotai/kimi-k2.5", "A cat")
}

#[test]
fn a_call_in_a_callback_of_another_call_works() {
    let emulator = emulator();
    let client = client(&emulator);
    let inner = client.clone();
    let (sender, statuses) = std::sync::mpsc::channel();
    let generation = client
        .generate(request())
        .on_update(move |update| {
            let other = inner.generate(request()).run().unwrap();
            assert_ne!(other.id, update.generation.id);
            sender.send(update.generation.status.to_string()).unwrap();
        })
        .run()
        .unwrap();
    assert!(generation.is_final());
    assert_eq!(changes(&statuses), ["queued", "in_progress", "completed"]);
}

#[tokio::test]
async fn calls_inside_a_runtime_work() {
    let emulator = emulator();
    let client = client(&emulator);
    assert!(client.generate(request()).run().unwrap().is_final());
    let id = client.responses().create(request()).unwrap().id;
    let updates: Result<Vec<_>, _> = client.responses().watch(id).collect();
    assert_eq!(updates.unwrap().len(), 2);
    // With no budget left in this task, tokio's own futures are not ready.
    tokio::spawn(async move {
        let used_up = std::future::poll_fn(|context| {
            while let Poll::Ready(step) = tokio::task::coop::poll_proceed(context) {
                step.made_progress();
            }
            assert!(client.generate(request()).run().unwrap().is_final());
            Poll::Ready(())
        });
        used_up.await;
    })
    .await
    .unwrap();
}
