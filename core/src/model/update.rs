//! The updates that a watch yields.

use std::fmt;
use std::time::Duration;

use super::generation::Generation;

/// A change of a generation, as [`watch`](crate::Responses::watch) yields it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Update {
    /// The generation after the change.
    pub generation: Generation,
    /// The time since the generation was created, as far as this process knows: the service may not
    /// say when that was.
    pub elapsed: Duration,
    /// How long half of such generations take, learned from those that have ended.
    pub expected: Duration,
    /// The share of its time that has passed, from 0 to 1, for a progress bar.
    ///
    /// It is estimated from how long generations that have run for as long take. It never goes
    /// backwards, and is 1 with the end and not before.
    pub progress: f64,
    /// What led to the poll that found the change.
    pub via: Via,
}

/// What led to the poll that found a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Via {
    /// The regular polling.
    Poll,
    /// A webhook.
    Webhook,
}

impl Via {
    /// The name that every language uses: `poll` or `webhook`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
