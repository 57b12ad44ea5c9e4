//! Passes the core's `tracing` events to Python's `logging`.
//!
//! The runtime's thread only keeps records. The next waiter emits them: a thread that blocks, which
//! checks twenty times a second, or an event loop, which is woken for it.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use bindings_common::{LogLevel, LogQueue, LogRecord, LogSink};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tracing_core::callsite::rebuild_interest_cache;

use crate::bridge;
use crate::errors::report_unraisable;
use crate::json;

/// The lowest of Python's levels that the logger is enabled for; `u8::MAX` if there is none.
static MIN_LEVEL: AtomicU8 = AtomicU8::new(u8::MAX);
const LEVELS: [LogLevel; 3] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn];
static RECORDS: LogQueue<LogRecord> = LogQueue::new();

/// Whether the observer of calls gets all records.
static IS_OBSERVED: AtomicBool = AtomicBool::new(false);

/// From the next call on, all records are kept for the observer of calls, or no longer.
pub(crate) fn set_observed(is_observed: bool) {
    IS_OBSERVED.store(is_observed, Ordering::Relaxed);
}

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
    let is_observed = IS_OBSERVED.load(Ordering::Relaxed);
    let mut min_level = if is_observed { number_of(LogLevel::Debug) } else { u8::MAX };
    let levels = if is_observed { &[][..] } else { &LEVELS };
    for &level in levels {
        let number = number_of(level);
        if logger.call_method1(intern!(py, "isEnabledFor"), (number,))?.is_truthy()? {
            min_level = number;
            break;
        }
    }
    let old_level = MIN_LEVEL.swap(min_level, Ordering::Relaxed);
    if min_level < u8::MAX {
        // It fails only if this native module had another subscriber, and nothing else sets one.
        INSTALL.call_once(|| {
            drop(tracing::dispatcher::set_global_default(bindings_common::subscriber(Queue)));
        });
    }
    if old_level != min_level {
        // What is below the level then costs one comparison.
        rebuild_interest_cache();
    }
    Ok(())
}

/// Emits the records that are kept. Of the exceptions of handlers the first is reported, and none is
/// raised.
///
/// # Errors
/// An exception that is not an `Exception`, such as `KeyboardInterrupt`: it is for the program. All
/// records have been emitted then.
pub(crate) fn emit(py: Python<'_>) -> PyResult<()> {
    static IS_REPORTED: AtomicBool = AtomicBool::new(false);
    if MIN_LEVEL.load(Ordering::Relaxed) == u8::MAX {
        return Ok(());
    }
    let (mut records, dropped) = RECORDS.take();
    if dropped > 0 {
        records.push(LogRecord::dropped(dropped));
    }
    if records.is_empty() {
        return Ok(());
    }
    let emit = py.import("pipevideo._logging")?.getattr("emit")?;
    let mut result = Ok(());
    for record in records {
        if let Err(raised) = emit_one(py, &emit, &record) {
            let is_first = !IS_REPORTED.swap(true, Ordering::Relaxed);
            if is_first || !raised.is_instance_of::<PyException>(py) {
                result = result.and(report_unraisable(py, raised));
            }
        }
    }
    result
}

fn emit_one(py: Python<'_>, emit: &Bound<'_, PyAny>, record: &LogRecord) -> PyResult<()> {
    let extra = PyDict::new(py);
    extra.set_item(intern!(py, "event"), record.event)?;
    for (name, value) in &record.fields {
        extra.set_item(&**name, json::to_python(py, value)?)?;
    }
    let (level, at) = (number_of(record.level), record.unix_time());
    emit.call1((level, at, &record.message, record.details(), extra))?;
    Ok(())
}

/// Drops all records. A forked child calls it: they belong to the parent.
pub(crate) fn reset() {
    drop(RECORDS.take());
}

/// The number of a level in Python.
fn number_of(level: LogLevel) -> u8 {
    match level {
        LogLevel::Warn => 30,
        LogLevel::Info => 20,
        LogLevel::Debug => 10,
    }
}

/// Keeps the records for the next waiter.
struct Queue;

impl LogSink for Queue {
    fn min_level(&self) -> Option<LogLevel> {
        match MIN_LEVEL.load(Ordering::Relaxed) {
            0..=10 => Some(LogLevel::Debug),
            11..=20 => Some(LogLevel::Info),
            21..=30 => Some(LogLevel::Warn),
            _ => None,
        }
    }

    fn log(&self, record: LogRecord) {
        if RECORDS.push(record) {
            bridge::wake_all();
        }
    }
}
