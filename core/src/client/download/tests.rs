//! The files of a download, on the disk. The clock is paused: it moves on only while nothing else
//! happens, such as a task on a thread for blocking work.

use std::fs;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use serde_json::json;

use super::Download;
use super::target::Target;
use super::writer::Writer;
use crate::client::{Client, clock};
use crate::error::{Error, ErrorKind};
use crate::wire::{Description, Part};

fn target(folder: &Path) -> Target {
    Target::new(folder.join("out.mp4")).unwrap()
}

async fn open(folder: &Path) -> Result<Writer, Error> {
    target(folder).open("gen_1").await
}

/// A file of eight bytes in this version.
fn version(etag: &str) -> Part {
    let json = json!({"generation_id": "gen_1", "validator": {"etag": etag}, "length": 8});
    serde_json::from_value(json).unwrap()
}

fn describe(folder: &Path, part: Part, stored: u64) {
    let json = serde_json::to_vec(&Description { part, stored }).unwrap();
    fs::write(folder.join("out.mp4.part.json"), json).unwrap();
}

/// A writer that has stored four bytes of version "a".
async fn half(folder: &Path) -> Writer {
    let mut writer = open(folder).await.unwrap();
    writer.begin(0, version("a")).await.unwrap();
    writer.write(b"aaaa").await.unwrap();
    writer.save().await.unwrap();
    writer
}

#[tokio::test(start_paused = true)]
async fn the_description_is_read_under_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = half(folder.path()).await;
    let mut second = pin!(open(folder.path()));
    tokio::select! {
        _ = &mut second => panic!("the first download holds the lock"),
        // By then the second one has tried.
        () = clock::sleep(Duration::from_millis(100)) => {}
    }
    first.begin(0, version("b")).await.unwrap();
    first.write(b"bbbbbb").await.unwrap();
    first.save().await.unwrap();
    drop(first);
    let second = second.await.unwrap();
    assert_eq!((second.part(), second.stored()), (&version("b"), 6));
}

#[tokio::test(start_paused = true)]
async fn a_download_that_waited_does_not_write_to_the_finished_video() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = half(folder.path()).await;
    let mut second = pin!(open(folder.path()));
    tokio::select! {
        _ = &mut second => panic!("the first download holds the lock"),
        () = clock::sleep(Duration::from_millis(100)) => {}
    }
    first.write(b"aaaa").await.unwrap();
    first.finish().await.unwrap();
    let mut second = second.await.unwrap();
    assert_eq!((second.part().validator.is_some(), second.stored()), (false, 0));
    second.begin(0, version("b")).await.unwrap();
    second.write(b"bbbb").await.unwrap();
    second.save().await.unwrap();
    assert_eq!(fs::read(folder.path().join("out.mp4")).unwrap(), b"aaaaaaaa");
    second.write(b"bbbb").await.unwrap();
    second.finish().await.unwrap();
    assert_eq!(fs::read(folder.path().join("out.mp4")).unwrap(), b"bbbbbbbb");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_download_gives_up_on_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let _first = half(folder.path()).await;
    let error = open(folder.path()).await.err().unwrap();
    assert!(error.message().contains("another download"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_writer_keeps_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = half(folder.path()).await;
    writer.write(b"aa").await.unwrap();
    drop(writer);
    assert_eq!(open(folder.path()).await.unwrap().stored(), 6);
}

/// What a process that is killed during the download leaves.
#[tokio::test(start_paused = true)]
async fn the_description_follows_a_download_in_progress() {
    const CHUNK: usize = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(folder.path()).await.unwrap();
    writer.begin(0, Part { length: None, ..version("a") }).await.unwrap();
    for chunks in 1..=9 {
        writer.write(&[b'a'; CHUNK]).await.unwrap();
        // By then the description is written.
        clock::sleep(Duration::from_millis(1)).await;
        let json = fs::read(folder.path().join("out.mp4.part.json")).unwrap();
        let description = Description::parse(&json, "gen_1", (chunks * CHUNK) as u64);
        let claimed = description.map_or(0, |description| description.stored);
        assert_eq!(claimed, (chunks / 4 * 4 * CHUNK) as u64, "{chunks}");
    }
}

#[tokio::test]
async fn bytes_that_the_description_does_not_claim_are_not_resumed() {
    for (claimed, on_disk, resumed) in [(4, 8, 4), (8, 8, 8), (6, 4, 0), (0, 8, 0)] {
        let folder = tempfile::tempdir().unwrap();
        describe(folder.path(), version("a"), claimed);
        fs::write(folder.path().join("out.mp4.part"), vec![b'a'; on_disk]).unwrap();
        let writer = open(folder.path()).await.unwrap();
        assert_eq!(writer.stored(), resumed, "{claimed} of {on_disk}");
        let length = fs::metadata(folder.path().join("out.mp4.part")).unwrap().len();
        assert_eq!(length, resumed, "{claimed} of {on_disk}");
    }
}

#[tokio::test]
async fn a_description_may_have_a_long_etag() {
    let folder = tempfile::tempdir().unwrap();
    describe(folder.path(), version(&"e".repeat(32_000)), 4);
    fs::write(folder.path().join("out.mp4.part"), b"aaaa").unwrap();
    assert_eq!(open(folder.path()).await.unwrap().stored(), 4);
}

#[tokio::test]
async fn a_claim_ends_before_its_bytes_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = half(folder.path()).await;
    writer.begin(0, version("b")).await.unwrap();
    writer.write(b"b").await.unwrap();
    // What a process leaves that is killed here.
    assert_eq!(fs::read(folder.path().join("out.mp4.part.json")).unwrap(), b"");
    // And the claim of another generation, before this one has stored anything.
    let folder = tempfile::tempdir().unwrap();
    describe(folder.path(), Part { generation_id: "gen_2".to_owned(), ..version("a") }, 4);
    fs::write(folder.path().join("out.mp4.part"), b"aaaa").unwrap();
    let _writer = open(folder.path()).await.unwrap();
    assert_eq!(fs::read(folder.path().join("out.mp4.part.json")).unwrap(), b"");
}

#[tokio::test]
async fn what_is_stored_stays_claimed_while_the_rest_is_written_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = half(folder.path()).await;
    writer.begin(4, version("a")).await.unwrap();
    writer.write(b"a").await.unwrap();
    let json = fs::read(folder.path().join("out.mp4.part.json")).unwrap();
    assert_eq!(Description::parse(&json, "gen_1", 4).unwrap().stored, 4);
    let progress = writer.progress();
    assert_eq!((progress.downloaded, progress.total), (5, Some(8)));
}

#[tokio::test]
async fn after_a_restart_the_part_is_still_of_its_generation() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = half(folder.path()).await;
    writer.restart().await.unwrap();
    let part = Part { generation_id: "gen_1".to_owned(), ..Part::default() };
    assert_eq!((writer.part(), writer.stored(), writer.resume_from()), (&part, 0, 0));
}

#[tokio::test]
async fn a_complete_part_is_requested_from_near_its_end() {
    for (stored, from) in [(8, 0), (4096, 0), (4097, 1), (10_000, 5904)] {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = open(folder.path()).await.unwrap();
        let part = Part { length: Some(stored), ..version("a") };
        writer.begin(0, part.clone()).await.unwrap();
        let bytes: Vec<u8> = (0..stored).map(|at| at as u8).collect();
        writer.write(&bytes).await.unwrap();
        assert_eq!(writer.resume_from(), from, "{stored}");
        assert_eq!(writer.tail(from).await.unwrap(), bytes[from as usize..], "{stored}");
        writer.begin(stored - 1, part).await.unwrap();
        assert_eq!(writer.resume_from(), stored - 1, "one is missing");
    }
}

#[tokio::test]
async fn neither_file_is_opened_through_a_link() {
    type Plant = fn(&Path, &Path) -> std::io::Result<()>;
    let plants: &[Plant] = &[
        |victim, at| fs::hard_link(victim, at),
        |_, at| fs::create_dir(at),
        // On Windows most users may not make them.
        #[cfg(unix)]
        |victim, at| std::os::unix::fs::symlink(victim, at),
        #[cfg(unix)]
        |_, at| std::os::unix::fs::symlink("missing", at),
    ];
    for name in ["out.mp4.part", "out.mp4.part.json"] {
        for plant in plants {
            let folder = tempfile::tempdir().unwrap();
            let victim = folder.path().join("victim.txt");
            fs::write(&victim, "precious").unwrap();
            plant(&victim, &folder.path().join(name)).unwrap();
            let error = open(folder.path()).await.err().unwrap();
            assert!(error.message().contains("not a regular file"), "{error}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
            assert!(!folder.path().join("missing").exists());
        }
    }
}

/// Some file systems, such as gcsfuse, store a file when it is closed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_part_is_closed_before_it_is_moved() {
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    let folder = tempfile::tempdir().unwrap();
    let mut writer = half(folder.path()).await;
    writer.write(b"aaaa").await.unwrap();
    let events = init(CreateFlags::NONBLOCK).unwrap();
    let watched = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_FROM;
    add_watch(&events, folder.path(), watched).unwrap();
    writer.finish().await.unwrap();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut reader = Reader::new(events, &mut buffer);
    let mut seen = Vec::new();
    while let Ok(event) = reader.next() {
        if event.file_name().is_some_and(|name| name.to_bytes() == b"out.mp4.part") {
            seen.push(event.events());
        }
    }
    assert_eq!(seen, [ReadFlags::CLOSE_WRITE, ReadFlags::MOVED_FROM]);
}

#[cfg(unix)]
#[test]
fn only_a_missing_operation_of_the_file_system_is_tolerated() {
    let tolerated = |code| super::writer::is_unsupported(&std::io::Error::from_raw_os_error(code));
    for code in [libc::EINVAL, libc::ENOSYS, libc::ENOTSUP, libc::EOPNOTSUPP] {
        assert!(tolerated(code), "{code}");
    }
    for code in [libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EROFS, libc::EBADF] {
        assert!(!tolerated(code), "{code}");
    }
}

#[test]
fn a_download_is_shown_by_its_path() {
    let client = Client::builder().api_key("pv_test").build().unwrap();
    let download = client.responses().download("gen_1", "out.mp4");
    assert_eq!(format!("{download:?}"), r#"Download { path: "out.mp4", .. }"#);
}

#[test]
fn a_video_may_have_ten_gibibytes() {
    assert_eq!(Download::MAX_BYTES, 10 << 30);
}

#[tokio::test]
async fn a_missing_folder_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("missing")).await.err().unwrap();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Download, false));
}
