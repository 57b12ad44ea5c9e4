//! Downloads from the emulator, with failures of the disk and of the caller.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipevideo::{Client, ErrorKind, Generation};
use pipevideo_emulator::{Emulator, Options};
use serde_json::{Value, json};

async fn emulator(options: Value) -> Emulator {
    let mut all = json!({"rate_limit": null, "polls": ["completed"]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Emulator::start(options).await.unwrap()
}

fn client(emulator: &Emulator) -> Client {
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    builder.rate_limit(None).build().unwrap()
}

async fn completed(emulator: &Emulator, client: &Client) -> Generation {
    let id = emulator.add_generation(Default::default()).unwrap();
    client.responses().retrieve(id).await.unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The full disk is a limit on the size of files, which this test sets by running itself once more in
/// a shell.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_reported_and_leaves_no_file_at_the_path() {
    const NAME: &str = "a_full_disk_is_reported_and_leaves_no_file_at_the_path";
    if std::env::var_os("PIPEVIDEO_TEST_SMALL_DISK").is_none() {
        // The output comes through a pipe: a log in a file would be subject to the limit too.
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(NAME)
            .env("PIPEVIDEO_TEST_SMALL_DISK", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.mp4");
    let generation = completed(&emulator, &client).await;
    let error = client.responses().download(&generation, &target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Download);
    assert!(error.message().contains("File too large"), "{error}");
    assert!(!target.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_through_links_pipes_or_devices() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let generation = completed(&emulator, &client).await;
    let victim = folder.path().join("victim.txt");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join("a.mp4.part")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(folder.path().join("b.mp4.part")).status();
    assert!(fifo.unwrap().success());
    std::os::unix::fs::symlink(&victim, folder.path().join("c.mp4.part.json")).unwrap();
    for name in ["a.mp4", "b.mp4", "c.mp4"] {
        let download = client.responses().download(&generation, folder.path().join(name));
        assert_eq!(download.await.unwrap_err().kind(), ErrorKind::Download, "{name}");
    }
    let download = client.responses().download(&generation, "/dev/null");
    assert_eq!(download.await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[tokio::test]
async fn paths_that_cannot_be_files_are_rejected() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let generation = completed(&emulator, &client).await;
    for (path, kind) in [
        (folder.path().to_owned(), ErrorKind::InvalidRequest),
        (folder.path().join("sub/"), ErrorKind::InvalidRequest),
        (folder.path().join(".."), ErrorKind::InvalidRequest),
        ("".into(), ErrorKind::InvalidRequest),
        (folder.path().join("missing/out.mp4"), ErrorKind::Download),
    ] {
        let error = client.responses().download(&generation, &path).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}: {error}", path.display());
        assert!(!error.is_retryable(), "{}: {error}", path.display());
    }
    assert!(names(folder.path()).is_empty());
    assert_eq!(emulator.requests().len(), 1, "only the retrieve");
}

#[tokio::test]
async fn a_dropped_download_resumes_where_it_stopped() {
    const LENGTH: u64 = 30_000_000;
    let emulator = emulator(json!({"video_bytes": LENGTH})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.mp4");
    let generation = completed(&emulator, &client).await;

    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    let download = client.responses().download(&generation, &target).on_progress(move |progress| {
        assert_eq!(progress.total, Some(LENGTH));
        if progress.downloaded > 1_000_000
            && let Some(begun) = begun.take()
        {
            let _ = begun.send(());
        }
    });
    tokio::select! {
        done = download.into_future() => panic!("it was too fast to be dropped: {done:?}"),
        _ = has_begun => {}
    }
    assert_eq!(names(folder.path()), ["out.mp4.part", "out.mp4.part.json"]);

    let first = Arc::new(Mutex::new(None));
    let seen = first.clone();
    let download = client.responses().download(&generation, &target).on_progress(move |progress| {
        seen.lock().unwrap().get_or_insert(progress.downloaded);
    });
    assert_eq!(download.await.unwrap(), target);
    assert!(first.lock().unwrap().unwrap() > 1_000_000, "it began where the first one stopped");
    assert_eq!(names(folder.path()), ["out.mp4"]);
    let content = std::fs::read(&target).unwrap();
    let video = emulator.video();
    assert_eq!(content.len() as u64, LENGTH);
    assert!(content.iter().enumerate().all(|(i, byte)| *byte == video[i % video.len()]));
}

#[tokio::test]
async fn a_part_of_another_generation_is_not_resumed() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.mp4");
    let part = json!({"generation_id": "gen_other", "validator": {"etag": "\"x\""},
        "length": 25_864, "stored": 1000});
    std::fs::write(folder.path().join("out.mp4.part"), vec![b'x'; 1000]).unwrap();
    std::fs::write(folder.path().join("out.mp4.part.json"), part.to_string()).unwrap();
    let generation = completed(&emulator, &client).await;
    client.responses().download(&generation, &target).await.unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), emulator.video());
}

#[tokio::test]
async fn two_downloads_to_one_path_do_not_mix() {
    let emulator = emulator(json!({"video_bytes": 30_000_000})).await;
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.mp4");
    let generation = completed(&emulator, &client).await;
    let download = || client.responses().download(&generation, &target).into_future();
    let (first, second) = tokio::join!(download(), download());
    let fine = [&first, &second].iter().filter(|outcome| outcome.is_ok()).count();
    assert!(fine >= 1, "{first:?} {second:?}");
    for error in [first, second].into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Download);
        assert!(error.message().contains("another download"), "{error}");
    }
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 30_000_000);
}

#[tokio::test]
async fn a_silent_host_is_abandoned_after_the_request_timeout() {
    let emulator = emulator(json!({})).await;
    let fault = json!({"match": {"origin": "video"}, "delay_ms": 60_000, "times": null});
    emulator.fault(serde_json::from_value(fault).unwrap());
    let client = Client::builder()
        .base_url(emulator.base_url())
        .api_key(emulator.api_key())
        .request_timeout(Duration::from_millis(100))
        .max_retries(1)
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let generation = completed(&emulator, &client).await;
    let download = client.responses().download(&generation, folder.path().join("out.mp4"));
    let error = download.await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Download, 2));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_name_of_255_bytes_can_be_downloaded_to() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let generation = completed(&emulator, &client).await;
    for length in [246, 255] {
        let path = folder.path().join("n".repeat(length));
        client.responses().download(&generation, &path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), emulator.video());
    }
    assert_eq!(names(folder.path()).len(), 2);
}
