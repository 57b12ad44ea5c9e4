//! A client's options, from JavaScript's to the core's.

use std::path::PathBuf;
use std::sync::Arc;

use bindings_common::{
    CallOptions, ClientOptions, Host, LogLevel, LogRecord, LogSink, Naming, TimeUnit, subscriber,
};
use pipevideo::{CallOptions as CoreCallOptions, Client, Decimal};
use serde_json::{Error, Map, Value as Json, json};

use crate::bridge::Channel;
use crate::errors::{self, Failure};
use crate::token;

const HOST: Host = Host {
    user_agent: concat!("pipevideo-node/", env!("CARGO_PKG_VERSION")),
    naming: Naming::CamelCase,
    time_unit: TimeUnit::Milliseconds,
};

/// The number under which JavaScript keeps a function of a client, and where it is called.
type Function = (Arc<Channel>, u32);

/// Makes a client with the options that `lib/options.js` writes as JSON, or returns the error as JSON.
/// Returns too the lowest level of the records that are for its logger; one that is `traced` has all.
pub(crate) fn client(
    options: &str,
    token: Option<Function>,
    log: Function,
    has_logger: bool,
    traced: bool,
) -> Result<(Client, Option<LogLevel>), String> {
    let (options, extra_ca_file) =
        read(options).map_err(|error| errors::configuration(&error.to_string()))?;
    let level = options.min_log_level(&HOST, has_logger);
    let level = level.map_err(|message| errors::configuration(&message))?;
    let lowest = if traced { Some(LogLevel::Debug) } else { level };
    let log = lowest.map(|level| ClientLog { channel: log.0, client: log.1, level });
    let build = |extra_ca_file| build(options.clone(), extra_ca_file, token.clone(), log.clone());
    let mut client = build(extra_ca_file.clone());
    if client.is_err() && extra_ca_file.is_some() {
        // Node warns of an extra file that is missing or broken, and continues without it.
        client = build(None);
    }
    Ok((client?, level))
}

/// Passes the records of a client to its event loop.
#[derive(Clone)]
struct ClientLog {
    channel: Arc<Channel>,
    client: u32,
    level: LogLevel,
}

impl LogSink for ClientLog {
    fn min_level(&self) -> Option<LogLevel> {
        Some(self.level)
    }

    fn log(&self, record: LogRecord) {
        self.channel.log(self.client, record);
    }
}

/// Returns a record as JSON, from which `lib/logs.js` makes what a logger receives. The fields are pairs,
/// which keep their order.
pub(crate) fn record(record: LogRecord) -> String {
    let time = record.unix_time() * 1000.0;
    let LogRecord { level, event, message, fields, .. } = record.spelled(&HOST);
    json!({
        "level": level.as_str(), "event": event, "message": message, "time": time, "fields": fields,
    })
    .to_string()
}

/// Reads the options, and apart from them the path in `NODE_EXTRA_CA_CERTS`.
fn read(options: &str) -> Result<(ClientOptions, Option<PathBuf>), Error> {
    let mut options: Map<String, Json> = serde_json::from_str(options)?;
    let extra_ca_file = options.remove("extraCaFile").map(serde_json::from_value).transpose()?;
    Ok((serde_json::from_value(options.into())?, extra_ca_file))
}

fn build(
    options: ClientOptions,
    extra_ca_file: Option<PathBuf>,
    token: Option<Function>,
    log: Option<ClientLog>,
) -> Result<Client, String> {
    let mut builder = options.builder(&HOST).map_err(|message| errors::configuration(&message))?;
    if let Some((channel, client)) = token {
        builder = builder.token(move || token::request(channel.clone(), client));
    }
    if let Some(log) = log {
        builder = builder.log_to(subscriber(log));
    }
    if let Some(path) = extra_ca_file {
        builder = builder.ca_file(path);
    }
    builder.build().map_err(|error| errors::to_json(&error))
}

/// The options of a call, or the error as JSON. The headers are alternating names and values.
pub(crate) fn call(
    request_timeout: Option<f64>,
    max_retries: Option<f64>,
    headers: &[String],
) -> Result<CoreCallOptions, String> {
    let headers = headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    // `lib/check.js` has checked that it is a u32.
    let max_retries = max_retries.map(|retries| retries as i64);
    let options = CallOptions { request_timeout, max_retries, headers };
    options.core(&HOST).map_err(|message| errors::configuration(&message))
}

/// An amount of US dollars that a call takes, from its text.
pub(crate) fn amount(name: &str, given: Option<String>) -> Result<Option<Decimal>, Failure> {
    let amount = given.map(|given| HOST.amount(name, &given)).transpose();
    amount.map_err(|message| errors::invalid(&message))
}
