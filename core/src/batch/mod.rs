//! A batch of generations that can be killed at any moment, and continued.
#![allow(unused_imports, reason = "the run of a batch will use it")]
#![cfg_attr(not(test), allow(dead_code, reason = "the run of a batch will use it"))]

pub(crate) mod journal;
