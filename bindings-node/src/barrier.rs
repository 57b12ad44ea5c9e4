//! The panic barrier around each exported function: what `#[barrier]` refers to.
//!
//! Without it a panic ends the process.

use bindings_common::catch;
use napi::Error;

use crate::errors;

pub(crate) use napi::Result;

/// The beginning of the message of an error that `lib/barrier.js` replaces by an `InternalError`.
const MARK: &str = "pipevideo panicked: ";

/// Calls a function; a panic is an error with the JSON of an `InternalError` in its message.
pub(crate) fn sync<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch(work).unwrap_or_else(|error| {
        Err(Error::from_reason(format!("{MARK}{}", errors::to_json(&error))))
    })
}
