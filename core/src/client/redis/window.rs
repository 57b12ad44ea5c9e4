//! The window of requests that all processes of a key share.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use redis::aio::ConnectionLike;
use serde::Serialize;

use super::session::{Keys, LinkError, in_time};
use crate::client::clock;
use crate::polling::budget::RateLimit;
use crate::polling::budget::shared::{MAX_SILENCE, Reply, Report, Rules};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("window.lua")));

/// How often a process reports although nothing happens, as a part of the window: once a second of a
/// minute. The others learn from it that the process is there, and what its planners ask for.
const REPORTS: u32 = 60;
pub(super) const MIN_REPORT_INTERVAL: Duration = Duration::from_millis(100);
const MAX_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A process that has missed this many reports no longer counts as one that shares the key.
const MISSED_REPORTS: u32 = 5;
/// The server has no later times than these: 10 years from now. A window may be `Duration::MAX`.
const MAX_WINDOW: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// How often a process reports although nothing happens.
pub(super) fn report_interval(limit: Option<RateLimit>) -> Duration {
    (limit.unwrap_or_default().per / REPORTS).clamp(MIN_REPORT_INTERVAL, MAX_REPORT_INTERVAL)
}

/// A report with what the script needs beside it. Times are in milliseconds.
#[derive(Serialize)]
struct Call<'a> {
    #[serde(flatten)]
    report: &'a Report,
    rules: Rules,
    /// For how long a process counts after its last report.
    alive: u64,
    /// The limit; 0 without one.
    requests: u32,
    per: u64,
    process: &'a str,
    version: u64,
    /// How long ago the last report was, if the window has to know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// The server's time, in tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<u64>,
}

/// One process's access to the window.
pub(super) struct Window {
    limit: Option<RateLimit>,
    /// The name of this process among those of the key.
    pub(super) process: String,
    /// The number of the last report. One that arrives late, after a later one, is ignored.
    version: u64,
    /// When the last report was sent, if its answer came.
    reported_at: Option<Duration>,
    /// The time and that of the server, in tests.
    pub(super) time: Option<(Duration, u64)>,
}

impl Window {
    pub(super) fn new(limit: Option<RateLimit>, process: String) -> Self {
        Self { limit, process, version: 0, reported_at: None, time: None }
    }

    /// Has the next report be the one after this version.
    #[cfg(test)]
    #[cfg(unix)]
    pub(super) fn skip_to(&mut self, version: u64) {
        self.version = version;
    }

    /// Reports, and returns what is granted.
    pub(super) async fn exchange(
        &mut self,
        connection: &mut impl ConnectionLike,
        keys: &Keys,
        report: &Report,
    ) -> Result<Reply, LinkError> {
        self.version += 1;
        let RateLimit { requests, per } =
            self.limit.unwrap_or(RateLimit { requests: 0, ..RateLimit::default() });
        let now = self.time.map_or_else(clock::now, |(now, _)| now);
        let since = self.reported_at.take().map(|at| now.saturating_sub(at));
        let call = serde_json::to_string(&Call {
            report,
            rules: Rules::default(),
            alive: milliseconds(report_interval(self.limit) * MISSED_REPORTS),
            requests,
            per: milliseconds(per).clamp(1, MAX_WINDOW),
            process: &self.process,
            version: self.version,
            // The window drops a process that was silent for as long as it is.
            since: since.filter(|since| since.saturating_add(MAX_SILENCE) < per).map(milliseconds),
            now: self.time.map(|(_, of_server)| of_server),
        })?;
        let mut script = SCRIPT.key(&keys.calls);
        script.key(&keys.polls).key(&keys.processes).arg(call).arg(&keys.channel);
        let asked_at = clock::now();
        let reply: String = in_time(script.invoke_async(connection)).await?;
        let mut reply: Reply = serde_json::from_str(&reply)?;
        reply.took = clock::now().saturating_sub(asked_at);
        if reply.version != self.version || !reply.is_plausible(report) {
            return Err(LinkError::Confused);
        }
        if reply.is_lost {
            return Err(LinkError::Emptied);
        }
        self.reported_at = Some(now);
        Ok(reply)
    }

    /// The processes that are running. The connection of one that was killed closes at once, long before
    /// its reports are missed.
    pub(super) async fn running(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &Keys,
    ) -> Result<HashSet<u64>, LinkError> {
        let mut names = redis::cmd("HKEYS");
        let names: Vec<String> =
            in_time(names.arg(&keys.processes).query_async(connection)).await?;
        let mut subscribed = redis::cmd("PUBSUB");
        subscribed.arg("NUMSUB");
        for name in &names {
            subscribed.arg(keys.channel_of(name));
        }
        let counts: Vec<(String, u64)> = in_time(subscribed.query_async(connection)).await?;
        let running = names.iter().zip(counts).filter(|(_, (_, count))| *count > 0);
        Ok(running.filter_map(|(name, _)| u64::from_str_radix(name, 16).ok()).collect())
    }

    /// Withdraws this process, which has reported everything and has nothing in flight.
    pub(super) async fn leave(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &Keys,
    ) -> Result<(), LinkError> {
        let mut leave = redis::cmd("HDEL");
        leave.arg(&keys.processes).arg(&self.process);
        in_time(leave.query_async(connection)).await
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
