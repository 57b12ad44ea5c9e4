//! Progress on a terminal. Where standard error is none, or has the log, nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pipevideo::{BatchEvent, Progress, Update};

use crate::log;
use crate::output::{cell, printable};

/// A bar that is cleared when it is dropped.
#[derive(Clone)]
pub(crate) struct Bar(ProgressBar);

/// The steps of the bar of a wait, which has a share and no count.
const STEPS: u64 = 1000;

impl Bar {
    fn new(length: Option<u64>, template: &str) -> Self {
        if log::is_on() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(length.unwrap_or(0)).with_style(
            ProgressStyle::with_template(template)
                .expect("the template is valid")
                .progress_chars("=> "),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// A bar for the wait for a generation.
    pub(crate) fn wait() -> Self {
        Self::new(Some(STEPS), "{spinner} {msg} [{bar:30}] {percent}% {elapsed}")
    }

    /// A bar for a download.
    pub(crate) fn download() -> Self {
        Self::new(None, "{spinner} downloading [{bar:30}] {bytes} of {total_bytes} {bytes_per_sec}")
    }

    /// A bar for a batch of so many requests.
    pub(crate) fn batch(requests: u64) -> Self {
        Self::new(Some(requests), "{spinner} [{bar:30}] {pos}/{len} {msg} {elapsed}")
    }

    pub(crate) fn on_update(&self, update: &Update) {
        self.0.set_message(printable(update.generation.status.as_str()));
        self.0.set_position((update.progress * STEPS as f64) as u64);
    }

    pub(crate) fn on_progress(&self, progress: Progress) {
        if let Some(total) = progress.total {
            self.0.set_length(total);
        }
        self.0.set_position(progress.downloaded);
    }

    pub(crate) fn on_event(&self, event: &BatchEvent) {
        let counts = &event.counts;
        self.0.set_position(counts.completed + counts.failed + counts.uncertain + counts.pending);
        self.0.set_message(format!(
            "{} in flight, {} failed, {} USD, ends in {} s,",
            counts.in_flight,
            counts.failed,
            event.spend.spent,
            cell(event.ends_in.map(|left| left.as_secs())),
        ));
    }

    /// Writes something while the bar is not shown.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

/// Clones share the bar; the one that a callback has is dropped with its call.
impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
