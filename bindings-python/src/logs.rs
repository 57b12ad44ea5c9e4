//! Passes the core's `tracing` events to Python's `logging`.
//!
//! The runtime's thread only keeps records. The next waiter emits them: a thread that blocks, which
//! checks twenty times a second, or an event loop, which is woken for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{SystemTime, UNIX_EPOCH};

use bindings_common::lock;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::LevelFilter;
use tracing_core::callsite::rebuild_interest_cache;
use tracing_core::span::Current;

use crate::bridge;
use crate::errors::report_unraisable;

/// The maximum number of records that are kept while none are emitted, as when a program makes calls
/// on an event loop that it does not run. They take a few megabytes.
const MAX_RECORDS: usize = 10_000;

/// The lowest of Python's levels that the logger is enabled for; `u8::MAX` if there is none.
static MIN_LEVEL: AtomicU8 = AtomicU8::new(u8::MAX);
static RECORDS: Mutex<Vec<LogRecord>> = Mutex::new(Vec::new());

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// One record: the number of its level in Python, the time in Unix seconds, the text.
struct LogRecord(u8, f64, String);

/// Reads which records `logging` is enabled for, begins to keep them, and emits those that are kept.
/// It costs next to nothing in a program that has not imported `logging`.
pub(crate) fn update_level(py: Python<'_>) -> PyResult<()> {
    // A logger of the program's own class, or a filter of one, may raise; the call continues.
    read_level(py).or_else(|raised| report_unraisable(py, raised))?;
    emit(py)
}

fn read_level(py: Python<'_>) -> PyResult<()> {
    static MODULES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static INSTALL: Once = Once::new();
    let logger = match LOGGER.get(py) {
        Some(logger) => logger.bind(py),
        None => {
            let modules = MODULES.import(py, "sys", "modules")?;
            if !modules.contains(intern!(py, "logging"))? {
                return Ok(());
            }
            let make = || {
                py.import("logging")?.call_method1("getLogger", ("pipevideo",)).map(Bound::unbind)
            };
            LOGGER.get_or_try_init(py, make)?.bind(py)
        }
    };
    let mut min_level = u8::MAX;
    for level in [Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR] {
        let number = self::level(&level);
        if logger.call_method1(intern!(py, "isEnabledFor"), (number,))?.is_truthy()? {
            min_level = number;
            break;
        }
    }
    let old_level = MIN_LEVEL.swap(min_level, Ordering::Relaxed);
    if min_level < u8::MAX {
        // It fails only if this native module had another subscriber, and nothing else sets one.
        INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Recorder::default())));
    }
    if old_level != min_level {
        // What is below the level then costs one comparison.
        rebuild_interest_cache();
    }
    Ok(())
}

/// Emits the records that are kept. Exceptions of handlers are reported and not raised.
///
/// # Errors
/// An exception that is not an `Exception`, such as `KeyboardInterrupt`: it is for the program. All
/// records have been emitted then.
pub(crate) fn emit(py: Python<'_>) -> PyResult<()> {
    if MIN_LEVEL.load(Ordering::Relaxed) == u8::MAX {
        return Ok(());
    }
    let records = std::mem::take(&mut *lock(&RECORDS));
    if records.is_empty() {
        return Ok(());
    }
    let emit = py.import("pipevideo._logging")?.getattr("emit")?;
    let mut result = Ok(());
    for LogRecord(level, at, text) in records {
        if let Err(raised) = emit.call1((level, at, text)) {
            result = result.and(report_unraisable(py, raised));
        }
    }
    result
}

/// Drops all records. A forked child calls it: they belong to the parent.
pub(crate) fn reset() {
    lock(&RECORDS).clear();
}

fn keep(level: &Level, text: String) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut records = lock(&RECORDS);
    if records.len() < MAX_RECORDS {
        records.push(LogRecord(self::level(level), at, text));
    }
    if records.len() == 1 {
        drop(records);
        bridge::wake_all();
    }
}

/// Returns the number of a level in Python.
fn level(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

/// Keeps the core's events and, when they end, its spans. Events of other crates are ignored: they
/// may contain what the core never logs, such as URLs and headers.
#[derive(Default)]
struct Recorder {
    ids: AtomicU64,
    spans: Mutex<HashMap<u64, Span>>,
}

struct Span {
    metadata: &'static Metadata<'static>,
    text: String,
    references: u32,
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == "pipevideo" || target.starts_with("pipevideo::")
}

impl Subscriber for Recorder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // `sometimes` since the level may change at any call.
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match MIN_LEVEL.load(Ordering::Relaxed) {
            0..=10 => LevelFilter::TRACE,
            11..=20 => LevelFilter::INFO,
            21..=30 => LevelFilter::WARN,
            31..=40 => LevelFilter::ERROR,
            _ => LevelFilter::OFF,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata) && level(metadata.level()) >= MIN_LEVEL.load(Ordering::Relaxed)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.ids.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let metadata = attributes.metadata();
        let mut text = Text(metadata.name().to_owned());
        attributes.record(&mut text);
        let span = Span { metadata, text: text.0, references: 1 };
        lock(&self.spans).insert(id, span);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(span) = lock(&self.spans).get_mut(&span.into_u64()) {
            let mut text = Text(std::mem::take(&mut span.text));
            values.record(&mut text);
            span.text = text.0;
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        keep(event.metadata().level(), text.0.trim_start().to_owned());
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.clone()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|id| id == span) {
                entered.remove(at);
            }
        });
    }

    /// The core records fields in the current span.
    fn current_span(&self) -> Current {
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        let spans = lock(&self.spans);
        let found = current.and_then(|id| Some((spans.get(&id.into_u64())?.metadata, id)));
        found.map_or_else(Current::none, |(metadata, id)| Current::new(id, metadata))
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = lock(&self.spans).get_mut(&id.into_u64()) {
            span.references = span.references.saturating_add(1);
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let ended = {
            let mut spans = lock(&self.spans);
            let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
            span.references = span.references.saturating_sub(1);
            if span.references > 0 {
                return false;
            }
            spans.remove(&id.into_u64())
        };
        if let Some(span) = ended {
            keep(span.metadata.level(), span.text);
        }
        true
    }
}

/// A record's text: the message, then the fields as `name=value`.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
