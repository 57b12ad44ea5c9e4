//! How generations are followed to their end: pure, with time as an argument.
//!
//! A time is a [`Duration`](std::time::Duration) since some start; nothing here reads a clock.

pub(crate) mod budget;
pub(crate) mod forecast;
pub(crate) mod planner;
#[cfg(test)]
mod simulation;
pub(crate) mod wait_state;
