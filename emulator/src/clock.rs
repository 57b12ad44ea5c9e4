//! The clock. No other file reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch, which never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    epoch: Duration,
    speed: f64,
}

/// A moment, on the three clocks of an emulator.
///
/// Clients have clocks of their own, so whatever a client compares with them is real time: the rate limit,
/// `created_at`, the signatures of webhooks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// The real time since the Unix epoch.
    pub(crate) real: Duration,
    /// The time by which generations progress: their durations are divided by the `speed`. It stands still
    /// at a `speed` of 0, and is ahead of real time once it was advanced.
    pub(crate) progress: Duration,
    /// The time by which signed URLs expire: real time, and what it was advanced.
    pub(crate) expiry: Duration,
}

impl Clock {
    pub(crate) fn start(speed: f64) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), epoch, speed }
    }

    /// The time, of which this much was `advanced`.
    pub(crate) fn now(&self, advanced: Duration) -> Now {
        let real = self.epoch + self.started.elapsed();
        let passed = if self.stands_still() { self.epoch } else { real };
        Now {
            real,
            progress: passed.saturating_add(divided_by_speed(advanced.as_secs_f64(), self.speed)),
            expiry: real.saturating_add(advanced),
        }
    }

    /// Whether time moves no generation by itself.
    pub(crate) fn stands_still(&self) -> bool {
        self.speed <= 0.0
    }

    /// How much `progress` changes in so many seconds of the service's time.
    pub(crate) fn progress_in(&self, seconds: u64) -> Duration {
        divided_by_speed(seconds as f64, self.speed)
    }

    /// When the emulator was started, in real time since the Unix epoch.
    pub(crate) fn epoch(&self) -> Duration {
        self.epoch
    }

    /// The time since the start of the emulator.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Seconds of the service's time, divided by the speed. At a speed of 0 only what is advanced counts, and
/// counts in full.
pub(crate) fn divided_by_speed(seconds: f64, speed: f64) -> Duration {
    let seconds = if speed > 0.0 { seconds / speed } else { seconds };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
