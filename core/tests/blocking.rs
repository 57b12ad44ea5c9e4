//! The blocking face: the same operations, without a runtime of the caller's.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::time::Duration;

use pipevideo::blocking::Client;
use pipevideo::{ErrorKind, GenerationRequest, Polling};
use pipevideo_emulator::{EmulatorThread, Options};
use serde_json::json;

#[test]
fn every_operation() {
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

    let (told, updates) = std::sync::mpsc::channel();
    let generation = client
        .generate(request())
        .on_update(move |update| told.send(update.generation.status.to_string()).unwrap())
        .run()
        .unwrap();
    assert_eq!(updates.iter().collect::<Vec<_>>(), ["queued", "in_progress", "completed"]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    assert_eq!(client.responses().download(&generation, &path).run().unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), emulator.video());

    assert_eq!(client.engines().unwrap().engines[0].id, "hyperframes");
    assert_eq!(client.usage().unwrap().totals.total_requests, Some(3));
    let not_uncertain = client.responses().retrieve("").unwrap_err();
    let error = client.responses().reconcile(&not_uncertain).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
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
