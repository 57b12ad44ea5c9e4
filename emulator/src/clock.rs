//! The one place that reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Real time since the Unix epoch, that never goes back.
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

    /// Since the Unix epoch.
    pub(crate) fn now(&self) -> Duration {
        self.epoch + self.started.elapsed()
    }

    /// Since the start.
    pub(crate) fn running(&self) -> Duration {
        self.started.elapsed()
    }
}
