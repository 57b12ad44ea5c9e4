//! A Rust library of an app, which has parts of the standard library in common with the native one.

/// Unwinds and allocates, and so needs what both libraries define.
#[unsafe(no_mangle)]
pub extern "C" fn second_library() -> usize {
    let caught = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new("caught")));
    format!("{caught:?}").len()
}
