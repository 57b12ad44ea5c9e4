//! Pipevideo.
#![allow(dead_code)]
mod error;
mod follow;
mod model;
mod retry;
mod wire;
pub use error::{Error, ErrorKind, Result, Sent};
pub use follow::budget::RateLimit;
pub use follow::planner::Polling;
pub use model::*;
