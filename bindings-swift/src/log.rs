//! The log: a thread of its own passes the records to the host, so that a slow logger delays no call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use bindings_common::{LogLevel, LogQueue, LogSink, catch};
use bindings_macros::barrier;
use serde_json::Value;

use crate::options::HOST;

/// Receives the records of a client's log.
#[uniffi::export(foreign)]
pub(crate) trait LogReceiver: Send + Sync {
    fn receive(&self, record: LogRecord);
}

/// One event.
#[derive(uniffi::Record)]
pub(crate) struct LogRecord {
    /// The name of the level, such as `info`.
    level: String,
    event: String,
    message: String,
    time: SystemTime,
    fields: Vec<LogField>,
    /// The message and the fields on one line.
    line: String,
}

/// A field of a record, which is a text or a number.
#[derive(uniffi::Record)]
pub(crate) struct LogField {
    name: String,
    text: Option<String>,
    number: Option<f64>,
}

impl LogField {
    fn new(name: String, value: &Value) -> Self {
        Self { name, text: value.as_str().map(str::to_owned), number: value.as_f64() }
    }
}

impl From<bindings_common::LogRecord> for LogRecord {
    fn from(record: bindings_common::LogRecord) -> Self {
        let record = record.spelled(&HOST);
        Self {
            level: record.level.as_str().to_owned(),
            event: record.event.to_owned(),
            line: record.line(),
            message: record.message,
            time: record.time,
            fields: record
                .fields
                .into_iter()
                .map(|(name, value)| LogField::new(name.into_owned(), &value))
                .collect(),
        }
    }
}

/// The records that no receiver has got yet.
static RECORDS: LogQueue<(Arc<dyn LogReceiver>, bindings_common::LogRecord)> = LogQueue::new();
/// How many of them there are, those that are being passed on included.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
/// The thread that passes them on.
static THREAD: OnceLock<Thread> = OnceLock::new();

/// How long the end of the process waits for the last records.
const MAX_FLUSH: Duration = Duration::from_millis(200);

/// Where the events of one client go.
pub(crate) struct ClientLog {
    receiver: Arc<dyn LogReceiver>,
    level: LogLevel,
}

impl ClientLog {
    /// Starts the thread if it does not run yet.
    ///
    /// # Errors
    /// The system's error if the thread cannot be created.
    pub(crate) fn new(receiver: Arc<dyn LogReceiver>, level: LogLevel) -> std::io::Result<Self> {
        if THREAD.get().is_none() {
            let started = thread::Builder::new().name("pipevideo-log".to_owned()).spawn(run)?;
            // If another thread was faster, both serve the queue, one after the other.
            let _ = THREAD.set(started.thread().clone());
        }
        Ok(Self { receiver, level })
    }
}

impl LogSink for ClientLog {
    fn min_level(&self) -> Option<LogLevel> {
        Some(self.level)
    }

    fn log(&self, record: bindings_common::LogRecord) {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        if RECORDS.push((self.receiver.clone(), record))
            && let Some(thread) = THREAD.get()
        {
            thread.unpark();
        }
    }
}

fn run() {
    loop {
        let (mut records, dropped) = RECORDS.take();
        if records.is_empty() {
            // A record that has come since has unparked the thread, which then does not park.
            thread::park();
            continue;
        }
        let taken = records.len().saturating_add(usize::try_from(dropped).unwrap_or(usize::MAX));
        if dropped > 0
            && let Some((receiver, _)) = records.last()
        {
            let record = bindings_common::LogRecord::dropped(dropped);
            records.push((receiver.clone(), record));
        }
        for (receiver, record) in records {
            drop(catch(|| receiver.receive(record.into())));
        }
        UNDER_WAY.fetch_sub(taken, Ordering::SeqCst);
    }
}

/// Waits for a moment until all records have been passed on. The end of the process calls it.
#[barrier(default)]
#[uniffi::export]
pub(crate) fn flush_log() {
    let began = Instant::now();
    while UNDER_WAY.load(Ordering::SeqCst) > 0 && began.elapsed() < MAX_FLUSH {
        thread::sleep(Duration::from_millis(1));
    }
}
