//! How long a response asks to wait.

use std::time::Duration;

/// How long a response asks to wait, by where it says so: any proxy may add the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryAfter {
    /// In the `Retry-After` header.
    pub(crate) header: Option<Duration>,
    /// In the service's own `data.retry_after`.
    pub(crate) body: Option<Duration>,
}

impl RetryAfter {
    /// The longer one.
    pub(crate) fn longest(self) -> Option<Duration> {
        self.header.max(self.body)
    }
}
