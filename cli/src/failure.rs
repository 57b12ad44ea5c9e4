//! Why a command has failed.

use std::io;

use pipevideo::Error;

/// Why a command has failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library has failed, as `kind` says.
    Library(Error),
    /// The library has failed, and a command can go on from there.
    WithAdvice(Error, String),
    /// The arguments or a file are not valid. Nothing was sent.
    Usage(String),
    /// A stream cannot be read or written.
    Io(io::Error),
    /// Ctrl-C, with what it means for a generation.
    Interrupted(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(crate) fn usage<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(message.into()))
}
