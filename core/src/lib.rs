//! Pipevideo.
#[cfg(feature = "client")]
mod client;
mod error;
mod follow;
mod model;
mod retry;
mod wire;
#[cfg(feature = "client")]
pub use client::*;
pub use error::{Error, ErrorKind, Result, Sent};
pub use follow::budget::RateLimit;
pub use follow::planner::Polling;
pub use model::*;
