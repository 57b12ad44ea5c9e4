//! From the core's error to the error of the host.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bindings_common::{Cause, ErrorFields, ForeignError, cause};
use pipevideo::{Error, ErrorKind, Generation};

use crate::token::Thrown;

/// Why a call failed.
#[derive(uniffi::Error)]
pub(crate) enum Failure {
    /// The core's error, and the error that the token function threw if that caused it.
    Failed { details: Box<ErrorDetails>, thrown: Option<Arc<dyn Thrown>> },
    /// The call was cancelled. If it may have created a generation, the error that says so.
    Cancelled { uncertain: Option<Box<ErrorDetails>> },
}

/// The fields of an error.
#[derive(uniffi::Record)]
pub(crate) struct ErrorDetails {
    pub(crate) kind: String,
    pub(crate) message: String,
    /// The end of the message: what to do.
    pub(crate) advice: Option<String>,
    pub(crate) service_message: Option<String>,
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
    /// The error of this library that caused this one, if there is one. It is a list since not every
    /// host's values can contain one of their own type directly.
    pub(crate) causes: Vec<ErrorDetails>,
}

impl From<ErrorFields<'_>> for ErrorDetails {
    fn from(fields: ErrorFields<'_>) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            kind: fields.kind.as_str().to_owned(),
            message: fields.message.to_owned(),
            advice: text(fields.advice),
            service_message: text(fields.service_message),
            status: fields.status,
            code: text(fields.code),
            request_id: text(fields.request_id),
            generation_id: text(fields.generation_id),
            retryable: fields.retryable,
            retry_after: fields.retry_after,
            attempts: fields.attempts,
            model: text(fields.model),
            sent_at: fields.sent_at,
            generation: fields.generation.cloned(),
            category: text(fields.category),
            last: fields.last.cloned(),
            polls: fields.polls,
            reason: text(fields.reason),
            causes: Vec::new(),
        }
    }
}

impl From<&Error> for ErrorDetails {
    fn from(error: &Error) -> Self {
        let causes = match cause::<Arc<dyn Thrown>>(error) {
            Some(Cause::Error(error)) => vec![error.into()],
            _ => Vec::new(),
        };
        Self { causes, ..ErrorFields::from(error).into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let thrown = ForeignError::<Arc<dyn Thrown>>::find(&error).cloned();
        Self::Failed { details: Box::new((&error).into()), thrown }
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
    /// The call was cancelled, and has created nothing.
    pub(crate) const CANCELLED: Self = Self::Cancelled { uncertain: None };

    /// An error that the binding itself finds in an option.
    pub(crate) fn configuration(message: &str) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// An error that the binding itself finds in an argument.
    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    fn new(kind: ErrorKind, message: &str) -> Self {
        Self::Failed { details: Box::new(ErrorFields::new(kind, message).into()), thrown: None }
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
            Self::Cancelled { .. } => f.write_str("cancelled"),
        }
    }
}
