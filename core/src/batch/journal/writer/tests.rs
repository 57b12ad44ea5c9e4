use std::collections::VecDeque;
use std::io::ErrorKind::{Other, StorageFull};
use std::sync::{Condvar, PoisonError};

use futures_util::FutureExt;
use futures_util::future::join_all;
use std::pin::pin;

use super::*;

/// A disk in memory. If a sync fails, it loses what was written, and the next sync succeeds.
#[derive(Default)]
struct FakeDisk {
    state: Mutex<FakeState>,
    changed: Condvar,
}

#[derive(Default)]
struct FakeState {
    /// What a reader sees.
    file: Vec<u8>,
    /// What is left after a loss of power.
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    /// What happens to the next writes. The last one stays.
    faults: VecDeque<Fault>,
    writes: usize,
    syncs: usize,
    pauses: Vec<Duration>,
    is_held: bool,
    is_syncing: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The disk is full after so many bytes.
    Full(usize),
    Sync,
}

impl FakeDisk {
    fn new(file: &str, faults: &[Fault]) -> Arc<Self> {
        let this = Self::default();
        let bytes = file.as_bytes().to_vec();
        *lock(&this.state) = FakeState {
            file: bytes.clone(),
            durable: bytes,
            faults: faults.iter().copied().collect(),
            ..FakeState::default()
        };
        Arc::new(this)
    }

    fn writer(self: &Arc<Self>) -> Writer {
        let length = lock(&self.state).file.len() as u64;
        Writer::new(self.clone(), Path::new("run.jsonl"), length, &Log::default())
    }

    /// Has the next sync wait.
    fn hold(&self) {
        lock(&self.state).is_held = true;
    }

    fn release(&self) {
        lock(&self.state).is_held = false;
        self.changed.notify_all();
    }

    fn wait_until_syncing(&self) {
        let state = lock(&self.state);
        let waited = self.changed.wait_while(state, |state| !state.is_syncing);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn durable(&self) -> String {
        String::from_utf8(lock(&self.state).durable.clone()).unwrap()
    }

    fn file(&self) -> String {
        String::from_utf8(lock(&self.state).file.clone()).unwrap()
    }
}

fn overwrite(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    file.resize(file.len().max(offset + bytes.len()), 0);
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl Disk for FakeDisk {
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.writes += 1;
        let full = match state.faults.front() {
            Some(Fault::Full(room)) => Some(*room),
            _ => None,
        };
        let bytes = &bytes[..full.unwrap_or(bytes.len()).min(bytes.len())];
        overwrite(&mut state.file, offset as usize, bytes);
        state.unsynced.push((offset as usize, bytes.to_vec()));
        if full.is_none() {
            return Ok(());
        }
        if state.faults.len() > 1 {
            state.faults.pop_front();
        }
        Err(StorageFull.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.is_syncing = true;
        self.changed.notify_all();
        let waited = self.changed.wait_while(state, |state| state.is_held);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_syncing = false;
        state.syncs += 1;
        let unsynced = mem::take(&mut state.unsynced);
        let fault = state.faults.front().copied();
        if state.faults.len() > 1 {
            state.faults.pop_front();
        }
        if fault == Some(Fault::Sync) {
            return Err(Other.into());
        }
        for (offset, bytes) in unsynced {
            overwrite(&mut state.durable, offset, &bytes);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.file.truncate(length as usize);
        state.durable.truncate(length as usize);
        state.unsynced.clear();
        Ok(())
    }

    fn pause(&self, pause: Duration) {
        lock(&self.state).pauses.push(pause);
    }
}

#[tokio::test]
async fn lines_that_come_while_a_group_is_synced_go_out_together() {
    let disk = FakeDisk::new("0\n", &[]);
    let writer = disk.writer();
    disk.hold();
    let mut first = pin!(writer.record(b"1\n"));
    assert!((&mut first).now_or_never().is_none());
    disk.wait_until_syncing();

    let lines: Vec<_> = (2..500).map(|n| format!("{n}\n")).collect();
    let mut others = pin!(join_all(lines.iter().map(|line| writer.record(line.as_bytes()))));
    assert!((&mut others).now_or_never().is_none());
    assert_eq!(disk.durable(), "0\n", "nothing returns before its line is on the disk");
    disk.release();
    first.await.unwrap();
    assert!(others.await.into_iter().all(|result| result.is_ok()));
    assert_eq!(lock(&disk.state).syncs, 2);
    assert_eq!(disk.durable(), format!("0\n1\n{}", lines.concat()));
}

#[tokio::test]
async fn a_call_that_is_dropped_or_never_polled_again_delays_no_other() {
    let disk = FakeDisk::new("", &[]);
    let writer = disk.writer();
    disk.hold();
    let mut never_polled_again = Box::pin(writer.record(b"never polled again\n"));
    assert!((&mut never_polled_again).now_or_never().is_none());
    disk.wait_until_syncing();
    {
        let mut dropped = pin!(writer.record(b"dropped\n"));
        assert!((&mut dropped).now_or_never().is_none());
    }
    writer.note(b"noted\n");
    disk.release();
    writer.record(b"last\n").await.unwrap();
    assert_eq!(disk.durable(), "never polled again\ndropped\nnoted\nlast\n");
    drop(never_polled_again);
}

#[tokio::test]
async fn a_note_is_written_without_a_call_that_waits() {
    let disk = FakeDisk::new("", &[]);
    disk.hold();
    let writer = disk.writer();
    writer.note(b"noted\n");
    disk.wait_until_syncing();
    disk.release();
    writer.flush().await.unwrap();
    assert_eq!(disk.durable(), "noted\n");
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_loses_nothing() {
    for room in 0..6 {
        let disk = FakeDisk::new("0\n", &[Fault::Full(room), Fault::Full(room), Fault::None]);
        let writer = disk.writer();
        let (one, two) = tokio::join!(writer.record(b"one\n"), writer.record(b"two\n"));
        one.and(two).unwrap();
        writer.record(b"three\n").await.unwrap();
        assert_eq!(disk.file(), "0\none\ntwo\nthree\n", "{room}");
        assert_eq!(disk.durable(), "0\none\ntwo\nthree\n", "{room}");
        assert_eq!(lock(&disk.state).pauses, [FIRST_PAUSE, FIRST_PAUSE * 2]);
    }
}

#[tokio::test]
async fn lines_are_written_again_after_a_failed_sync() {
    let disk = FakeDisk::new("0\n", &[Fault::Sync, Fault::None]);
    let writer = disk.writer();
    writer.record(b"1\n").await.unwrap();
    assert_eq!(disk.durable(), "0\n1\n", "a sync alone would not have brought it back");
}

#[tokio::test]
async fn a_disk_that_stays_full_fails_every_call_and_leaves_no_half_line() {
    let disk = FakeDisk::new("0\n", &[Fault::Full(3)]);
    let writer = disk.writer();
    let error = writer.record(b"first\n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = error.message();
    assert!(text.starts_with("the journal run.jsonl cannot be written: "), "{text}");
    assert!(text.ends_with("Free space and run the batch again with the same journal."), "{text}");
    assert_eq!(disk.file(), "0\n");
    let total: Duration = lock(&disk.state).pauses.iter().sum();
    assert!((30..35).contains(&total.as_secs()), "{total:?}");

    let writes = lock(&disk.state).writes;
    writer.note(b"noted\n");
    assert_eq!(writer.record(b"later\n").await.unwrap_err().message(), text);
    assert_eq!(writer.flush().await.unwrap_err().message(), text);
    assert_eq!(lock(&disk.state).writes, writes);
    assert_eq!(disk.file(), "0\n");
}

#[tokio::test]
async fn calls_that_came_during_the_retries_fail_too() {
    let disk = FakeDisk::new("", &[Fault::Sync]);
    let writer = disk.writer();
    disk.hold();
    let mut first = pin!(writer.record(b"1\n"));
    assert!((&mut first).now_or_never().is_none());
    disk.wait_until_syncing();
    let mut second = pin!(writer.record(b"2\n"));
    assert!((&mut second).now_or_never().is_none());
    disk.release();
    assert!(first.await.is_err() && second.await.is_err());
    assert_eq!(disk.file(), "");
}

#[test]
fn calls_end_when_the_runtime_has_shut_down() {
    let disk = FakeDisk::new("", &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writer = runtime.block_on(async { disk.writer() });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for _ in 0..2 {
        let error = other.block_on(writer.record(b"1\n")).unwrap_err();
        assert!(error.message().contains("shutting down"), "{error}");
    }
}
