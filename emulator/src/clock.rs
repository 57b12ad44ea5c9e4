//! The clock. No other file reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch, which never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), epoch }
    }

    /// The time since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        self.epoch + self.started.elapsed()
    }

    /// The time since the start of the emulator.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}
