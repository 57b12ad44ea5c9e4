//! What the core tells `tracing`, on its way to Python's `logging`.
//!
//! The runtime's thread only keeps records. They are emitted by whoever looks next: a thread that
//! blocks, which looks twenty times a second, or an event loop, which is woken for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::bridge;
use crate::runtime::lock;

/// If nobody emits them, no more are kept than this.
const MOST: usize = 10_000;

/// The lowest of Python's levels that somebody wants; beyond all of them if nobody wants any.
static WANTED: AtomicU8 = AtomicU8::new(u8::MAX);
static RECORDS: Mutex<Vec<Line>> = Mutex::new(Vec::new());

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// One record: Python's number of its level, the time in Unix seconds, the text.
struct Line(u8, f64, String);

/// Looks whether anybody wants records, and begins to keep them. It costs next to nothing in a
/// program that has not imported `logging`.
pub(crate) fn look(py: Python<'_>) -> PyResult<()> {
    // A filter that fails, or a logger of the program's own, is no reason for a call to fail.
    want(py).or_else(|raised| aside(py, raised))?;
    emit(py)
}

fn want(py: Python<'_>) -> PyResult<()> {
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
    let mut wanted = u8::MAX;
    for number in [level(&Level::DEBUG), level(&Level::INFO)] {
        if logger.call_method1(intern!(py, "isEnabledFor"), (number,))?.is_truthy()? {
            wanted = number;
            break;
        }
    }
    WANTED.store(wanted, Ordering::Relaxed);
    if wanted < u8::MAX {
        // Where the program has a subscriber of its own in this library, which none has, it stays.
        INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Keeper::default())));
    }
    Ok(())
}

/// Emits what has been kept. What a handler raises is reported, and goes no further.
///
/// # Errors
/// What is no `Exception`, such as `KeyboardInterrupt`: it is for the program. All records have been
/// emitted then.
pub(crate) fn emit(py: Python<'_>) -> PyResult<()> {
    if WANTED.load(Ordering::Relaxed) == u8::MAX {
        return Ok(());
    }
    let lines = std::mem::take(&mut *lock(&RECORDS));
    if lines.is_empty() {
        return Ok(());
    }
    static EMIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let emit = EMIT.import(py, "pipevideo._logging", "emit")?;
    let mut result = Ok(());
    for Line(level, at, text) in lines {
        if let Err(raised) = emit.call1((level, at, text)) {
            result = result.and(aside(py, raised));
        }
    }
    result
}

/// Reports an exception instead of raising it, unless it is none of the `Exception`s.
pub(crate) fn aside(py: Python<'_>, raised: PyErr) -> PyResult<()> {
    if !raised.is_instance_of::<PyException>(py) {
        return Err(raised);
    }
    raised.write_unraisable(py, None);
    Ok(())
}

/// In a forked child the parent's records are the parent's.
pub(crate) fn forget() {
    lock(&RECORDS).clear();
}

fn keep(level: &Level, text: String) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut records = lock(&RECORDS);
    if records.len() < MOST {
        records.push(Line(self::level(level), at, text));
    }
    if records.len() == 1 {
        drop(records);
        bridge::wake_all();
    }
}

/// Python's number.
fn level(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

/// Keeps the core's events and, when they end, its spans. What other crates tell is left alone: it
/// may hold more than the core would say.
#[derive(Default)]
struct Keeper {
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

impl Subscriber for Keeper {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match is_ours(metadata) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata) && level(metadata.level()) >= WANTED.load(Ordering::Relaxed)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
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

    /// The core records fields in the span that it is in.
    fn current_span(&self) -> Current {
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        let spans = lock(&self.spans);
        let found = current.and_then(|id| Some((spans.get(&id.into_u64())?.metadata, id)));
        found.map_or_else(Current::none, |(metadata, id)| Current::new(id, metadata))
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = lock(&self.spans).get_mut(&id.into_u64()) {
            span.references += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let ended = {
            let mut spans = lock(&self.spans);
            let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
            span.references -= 1;
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
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
