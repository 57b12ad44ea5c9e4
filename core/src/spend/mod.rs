//! What generations cost: estimates, and the ledger of a key. Pure.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

mod amounts;
mod document;
mod fact;
mod facts;
pub(crate) mod ledger;
pub(crate) mod prices;
pub(crate) mod shared;

#[cfg(test)]
mod tests;
