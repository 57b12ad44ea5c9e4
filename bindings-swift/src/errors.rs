//! From the core's error to what Swift throws.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pipevideo::{Error, ErrorKind, Generation};

use crate::token::{Held, Thrown};

/// How a call has failed.
#[derive(uniffi::Error)]
pub(crate) enum Failure {
    /// The core's error, and what the token function has thrown if that is its cause.
    Failed { details: Box<ErrorDetails>, thrown: Option<Arc<dyn Thrown>> },
    /// The task was cancelled.
    Cancelled,
}

/// The fields of an error.
#[derive(Debug, uniffi::Record)]
pub(crate) struct ErrorDetails {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) generation_id: Option<String>,
    pub(crate) retryable: bool,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) model: Option<String>,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) generation: Option<Generation>,
    pub(crate) category: Option<String>,
    pub(crate) last: Option<Generation>,
    pub(crate) polls: Option<u32>,
    pub(crate) reason: Option<String>,
    /// The error that caused this one, or none. Swift's values hold none of their own kind but in a
    /// list.
    pub(crate) causes: Vec<ErrorDetails>,
}

impl ErrorDetails {
    fn own(kind: ErrorKind, message: &str) -> Self {
        Self {
            kind: kind.as_str().to_owned(),
            message: message.to_owned(),
            status: None,
            code: None,
            request_id: None,
            generation_id: None,
            retryable: false,
            retry_after: None,
            attempts: 0,
            model: None,
            sent_at: None,
            generation: None,
            category: None,
            last: None,
            polls: None,
            reason: None,
            causes: Vec::new(),
        }
    }
}

impl From<&Error> for ErrorDetails {
    fn from(error: &Error) -> Self {
        let generation = |kind| error.generation().filter(|_| error.kind() == kind).cloned();
        Self {
            status: error.status(),
            code: error.code().map(str::to_owned),
            request_id: error.request_id().map(str::to_owned),
            generation_id: error.generation_id().map(str::to_owned),
            retryable: error.is_retryable(),
            retry_after: error.retry_after(),
            attempts: error.attempts(),
            model: error.model().map(str::to_owned),
            sent_at: error.sent_at(),
            generation: generation(ErrorKind::GenerationFailed),
            category: error.category().map(|category| category.as_str().to_owned()),
            last: generation(ErrorKind::WaitTimeout),
            polls: error.polls(),
            reason: error.reason().map(|reason| reason.as_str().to_owned()),
            causes: sources(error)
                .find_map(|s| s.downcast_ref().map(Self::from))
                .into_iter()
                .collect(),
            ..Self::own(error.kind(), error.message())
        }
    }
}

fn sources(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |source| (*source).source())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let thrown = sources(&error).find_map(|source| source.downcast_ref::<Held>());
        Self::Failed {
            details: Box::new((&error).into()),
            thrown: thrown.map(|held| held.0.clone()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::configuration(&format!(
            "no thread could be started: {error}. Check the process's limits."
        ))
    }
}

impl Failure {
    /// An error that the binding itself finds in an option.
    pub(crate) fn configuration(message: &str) -> Self {
        let details = Box::new(ErrorDetails::own(ErrorKind::Configuration, message));
        Self::Failed { details, thrown: None }
    }

    /// An error that the binding itself finds in an argument.
    pub(crate) fn invalid(message: &str) -> Self {
        let details = Box::new(ErrorDetails::own(ErrorKind::InvalidRequest, message));
        Self::Failed { details, thrown: None }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { details, .. } => f.write_str(&details.message),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}
