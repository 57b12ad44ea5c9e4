//! What a watch tells.

use std::fmt;
use std::time::Duration;

use super::generation::Generation;

/// A change of a generation, as [`watch`](crate::Responses::watch) tells it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Update {
    /// The generation as it is now.
    pub generation: Generation,
    /// The time since it was created, as far as this process knows.
    pub elapsed: Duration,
    /// What such generations have taken, for a progress bar: half of them took less.
    pub expected: Duration,
    /// How the change was learned of.
    pub via: Via,
}

/// How a change was learned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Via {
    /// The service was asked.
    Poll,
    /// A webhook said to ask.
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
