//! The core's events as plain records, on their way to the host's logger.
//!
//! The thread on which an event occurs only puts a record into a [queue](LogQueue). The host takes the
//! records from there in batches, in their order, on a thread that may run its code.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::{ClientOptions, Host, TimeUnit, lock};

/// How important a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the levels are those of `conformance/surface.json`")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
}

impl LogLevel {
    /// The name that every language uses, such as `info`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
        }
    }

    fn of(level: &tracing::Level) -> Self {
        match *level {
            tracing::Level::ERROR | tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// How important it is.
    pub level: LogLevel,
    /// The name of the event, such as `wait.ended`.
    pub event: &'static str,
    /// What happened, the same text for each event of a kind.
    pub message: String,
    /// When it happened.
    pub time: SystemTime,
    /// The fields that it has, with their names in `conformance/surface.json`, and times in seconds.
    pub fields: Vec<(Cow<'static, str>, Value)>,
}

impl LogRecord {
    /// A record of records that were lost.
    pub fn dropped(number: u64) -> Self {
        Self {
            level: LogLevel::Warn,
            event: "log.dropped",
            message: "records of the log were not taken in time and are lost".to_owned(),
            time: SystemTime::now(),
            fields: vec![("dropped".into(), number.into())],
        }
    }

    /// When it happened, in seconds since 1970.
    pub fn unix_time(&self) -> f64 {
        self.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }

    /// The record with the names and the unit of times of the host.
    #[must_use]
    pub fn spelled(mut self, host: &Host) -> Self {
        for (name, value) in &mut self.fields {
            let is_time = TIMES.contains(&&**name);
            let mut spelled = host.spell(name);
            if is_time && host.time_unit == TimeUnit::Milliseconds {
                spelled.push_str("Ms");
                *value = value.as_f64().map(|seconds| (seconds * 1000.0).round() as u64).into();
            }
            *name = spelled.into();
        }
        self
    }

    /// The fields as text: `name=value`, separated by spaces.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = match value.as_str().filter(|text| is_plain(text)) {
                Some(plain) => write!(text, "{space}{name}={plain}"),
                None => write!(text, "{space}{name}={value}"),
            };
        }
        text
    }

    /// The message and the fields on one line.
    pub fn line(&self) -> String {
        let details = self.details();
        let space = if details.is_empty() { "" } else { " " };
        format!("{}{space}{details}", self.message)
    }
}

/// The fields that are times.
const TIMES: [&str; 5] = ["deadline", "duration", "pause", "room_in", "waited"];

/// Whether a text can stand without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"=\\".contains(c))
}

/// Where records go.
pub trait LogSink: Send + Sync + 'static {
    /// The lowest level that is of interest at this moment; `None` if none is.
    fn min_level(&self) -> Option<LogLevel>;

    /// Takes a record. It must not block: the thread has other work to do.
    fn log(&self, record: LogRecord);
}

/// Returns the subscriber that passes the core's events to a sink. Spans, and the events of other crates,
/// are not for it: the latter may contain what the core never logs, such as URLs and headers.
pub fn subscriber(sink: impl LogSink) -> Dispatch {
    Dispatch::new(Forwarder(sink))
}

struct Forwarder<S>(S);

impl<S: LogSink> Subscriber for Forwarder<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // `sometimes`, since the level may change.
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.min_level() {
            Some(LogLevel::Debug) => LevelFilter::DEBUG,
            Some(LogLevel::Info) => LevelFilter::INFO,
            Some(LogLevel::Warn) => LevelFilter::WARN,
            None => LevelFilter::OFF,
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let level = LogLevel::of(metadata.level());
        is_ours(metadata) && self.0.min_level().is_some_and(|min| level >= min)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut record = LogRecord {
            level: LogLevel::of(metadata.level()),
            event: metadata.name(),
            message: String::new(),
            time: SystemTime::now(),
            fields: Vec::with_capacity(metadata.fields().len()),
        };
        event.record(&mut Fields(&mut record));
        self.0.log(record);
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && metadata.target() == "pipevideo"
}

struct Fields<'a>(&'a mut LogRecord);

impl Fields<'_> {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.fields.push((field.name().into(), value.into()));
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.0.message = text,
            _ => self.push(field, text),
        }
    }
}

/// Records that the host has not taken yet, or what a host keeps of them.
#[derive(Debug)]
pub struct LogQueue<T>(Mutex<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    records: Vec<T>,
    dropped: u64,
}

/// The maximum number of records that are kept while the host takes none, as when a program makes calls
/// on an event loop that it does not run. They take a few megabytes.
const MAX_RECORDS: usize = 10_000;

impl<T> LogQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self(Mutex::new(Waiting { records: Vec::new(), dropped: 0 }))
    }

    /// Adds a record, or counts it as lost if there is no room. Returns whether it is the first one, so
    /// that the host has to be woken.
    pub fn push(&self, record: T) -> bool {
        let mut waiting = lock(&self.0);
        if waiting.records.len() < MAX_RECORDS {
            waiting.records.push(record);
        } else {
            waiting.dropped = waiting.dropped.saturating_add(1);
        }
        waiting.records.len() == 1
    }

    /// Takes all records, and the number of those that were lost since the last time.
    pub fn take(&self) -> (Vec<T>, u64) {
        let mut waiting = lock(&self.0);
        (std::mem::take(&mut waiting.records), std::mem::take(&mut waiting.dropped))
    }
}

impl<T> Default for LogQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The variable from which the level is taken by default.
const VARIABLE: &str = "PIPEVIDEO_LOG";

impl ClientOptions {
    /// Returns the lowest level of the events that the client logs; `None` if it logs nothing.
    ///
    /// # Errors
    /// The message of a configuration error.
    pub fn min_log_level(&self, host: &Host, has_logger: bool) -> Result<Option<LogLevel>, String> {
        let (name, given) = match (&self.log_level, self.variable(VARIABLE)) {
            (Some(level), _) => (host.spell("log_level"), level.clone()),
            (None, Some(level)) => (VARIABLE.to_owned(), level),
            (None, None) => return Ok(has_logger.then_some(LogLevel::Info)),
        };
        match given.as_str() {
            "off" => Ok(None),
            "warn" => Ok(Some(LogLevel::Warn)),
            "info" => Ok(Some(LogLevel::Info)),
            "debug" => Ok(Some(LogLevel::Debug)),
            _ => Err(format!("{name} must be warn, info, debug or off.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use pipevideo::ErrorKind;
    use serde_json::json;

    use super::*;
    use crate::Naming;

    const HOST: Host = Host {
        user_agent: "pipevideo-test/1",
        naming: Naming::CamelCase,
        time_unit: TimeUnit::Milliseconds,
    };

    #[derive(Clone)]
    struct Sink(LogLevel, Arc<LogQueue<LogRecord>>);

    impl LogSink for Sink {
        fn min_level(&self) -> Option<LogLevel> {
            Some(self.0)
        }

        fn log(&self, record: LogRecord) {
            self.1.push(record);
        }
    }

    /// The records of a call that fails without a request, as `event` and `details`.
    async fn logged(level: LogLevel) -> Vec<(&'static str, String)> {
        let sink = Sink(level, Arc::default());
        let options = ClientOptions {
            api_key: Some("pv_a_secret_key".to_owned()),
            base_url: Some("http://127.0.0.1:9".to_owned()),
            max_retries: Some(1),
            ..ClientOptions::default()
        };
        let client = options.builder(&HOST).unwrap().log_to(subscriber(sink.clone())).build();
        let error = client.unwrap().responses().retrieve("gen_1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        let (records, dropped) = sink.1.take();
        assert_eq!(dropped, 0);
        records.iter().map(|record| (record.event, record.details())).collect()
    }

    #[tokio::test]
    async fn events_are_records_from_the_level_on() {
        let records = logged(LogLevel::Debug).await;
        let events: Vec<_> = records.iter().map(|(event, _)| *event).collect();
        assert_eq!(events, ["request", "retry", "request"]);
        let retry = &records[1].1;
        assert!(
            retry.contains(
                r#"route="GET /v1/responses/{id}" generation_id=gen_1 attempt=1 error=connection pause=0"#
            ),
            "{retry}"
        );
        assert_eq!(logged(LogLevel::Info).await.len(), 1);
        assert!(logged(LogLevel::Warn).await.is_empty());
    }

    #[test]
    fn a_record_is_one_line() {
        let mut record = LogRecord::dropped(3);
        assert_eq!(
            record.line(),
            "records of the log were not taken in time and are lost dropped=3"
        );
        let fields = [("path", json!("a\n\"b")), ("empty", json!("")), ("id", json!("gen_1"))];
        record.fields = fields.map(|(name, value)| (name.into(), value)).into();
        assert_eq!(record.details(), r#"path="a\n\"b" empty="" id=gen_1"#);
        record.fields.clear();
        assert!(record.line().ends_with("are lost"));
    }

    #[test]
    fn names_and_times_are_the_hosts() {
        let mut record = LogRecord::dropped(3);
        record.fields.push(("room_in".into(), json!(1.25)));
        assert_eq!(record.spelled(&HOST).details(), "dropped=3 roomInMs=1250");

        let surface = include_str!("../../conformance/surface.json");
        let surface: Value = serde_json::from_str(surface).unwrap();
        let declared = surface["log_fields"].as_array().unwrap().iter();
        let mut times: Vec<_> = declared
            .filter(|field| field["type"] == "duration")
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        times.sort_unstable();
        assert_eq!(times, TIMES);
    }

    #[test]
    fn a_queue_that_is_not_emptied_counts_what_is_lost() {
        let queue = LogQueue::new();
        assert!(queue.push(0) && !queue.push(1));
        for number in 2..MAX_RECORDS + 5 {
            queue.push(number);
        }
        let (records, dropped) = queue.take();
        assert_eq!((records.len(), records.last(), dropped), (MAX_RECORDS, Some(&9_999), 5));
        assert_eq!(queue.take(), (Vec::new(), 0));
        assert!(queue.push(0));
    }

    #[test]
    fn the_level_is_the_options_or_the_environments_or_that_of_a_logger() {
        let level = |option: Option<&str>, variable: &str, has_logger| {
            let variable = ("PIPEVIDEO_LOG".to_owned(), variable.to_owned());
            let options = ClientOptions {
                log_level: option.map(str::to_owned),
                environment: Some(HashMap::from([variable])),
                ..ClientOptions::default()
            };
            options.min_log_level(&HOST, has_logger)
        };
        assert_eq!(level(None, "", false), Ok(None));
        assert_eq!(level(None, "", true), Ok(Some(LogLevel::Info)));
        assert_eq!(level(None, "debug", false), Ok(Some(LogLevel::Debug)));
        assert_eq!(level(Some("warn"), "debug", true), Ok(Some(LogLevel::Warn)));
        assert_eq!(level(Some("off"), "debug", true), Ok(None));
        let error = |option, variable| level(option, variable, true).unwrap_err();
        assert_eq!(error(Some("loud"), ""), "logLevel must be warn, info, debug or off.");
        assert_eq!(error(None, "loud"), "PIPEVIDEO_LOG must be warn, info, debug or off.");
    }
}
