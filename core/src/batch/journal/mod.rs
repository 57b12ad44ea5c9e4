//! The journal of a batch: a file with one line of JSON for each fact, on the disk before the fact
//! is acted on.
//!
//! A process that is killed at any moment leaves a journal with which the next one continues: it
//! has every id that was received, and each create that may have been sent. The first line is a
//! header. A line that was being written when the process ended is removed.
//!
//! `record` has the lines and `replay` what they say together: these are pure. `file` opens and locks
//! the file, `writer` appends to it in groups, and `read` reads the results later.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

#[cfg(feature = "client")]
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
#[cfg(feature = "client")]
mod open;
#[cfg(feature = "client")]
mod read;
mod record;
mod replay;
#[cfg(test)]
mod tests;
#[cfg(feature = "client")]
mod writer;

#[cfg(feature = "client")]
pub(crate) use open::{Finished, Journal};
#[cfg(feature = "client")]
pub(crate) use read::{Item, read};
pub(crate) use record::{Download, Fact, Hash};
pub(crate) use replay::{Entry, Replay, State};
