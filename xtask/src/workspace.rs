//! The workspace, built once for the tests of all languages.

use std::path::PathBuf;

use crate::steps::{Steps, target};

/// All crates with all features: the tests of Rust need them so, and with other features cargo would build
/// most dependencies again for each language. The examples bring the features of the dev-dependencies.
const BUILD: &str = "cargo build --workspace --all-features --lib --bins --examples --locked";

/// Builds the native libraries of all languages, and the programs. If another language's tests are doing
/// that, this waits for cargo's lock and then finds all built.
pub(crate) fn build(steps: &mut Steps) {
    steps.run("build", BUILD);
}

/// The native module of Python that [`build`] has built.
pub(crate) fn python_module() -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    built(&format!("{DLL_PREFIX}_native{DLL_SUFFIX}"))
}

/// What [`build`] has built under this name.
pub(crate) fn built(name: &str) -> PathBuf {
    target().join("debug").join(name)
}
