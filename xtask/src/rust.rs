//! Rust: formatting, lints, what the pure half depends on, tests, documentation.

use std::path::Path;

use crate::redis;
use crate::steps::{Steps, target};
use crate::workspace;

/// Crates that the pure half of the core must not depend on: they do I/O or draw randomness.
const IMPURE: [&str; 5] = ["tokio", "reqwest", "hyper", "rustls", "fastrand"];

/// Runs all steps of Rust.
pub(crate) fn test(steps: &mut Steps) {
    // First, since the other languages wait for what it builds.
    workspace::build(steps);
    // One failing test program must not hide the failures of the others.
    let redis = if redis::is_installed(steps) {
        None
    } else {
        steps.skip("the tests over Redis", redis::MISSING);
        Some(("PIPEVIDEO_TEST_WITHOUT_REDIS", "1"))
    };
    let tests = "cargo test --workspace --all-features --locked --no-fail-fast";
    steps.run_with("tests", redis.as_slice(), tests);
    steps.run(
        "interleavings of the limiter",
        "cargo run --manifest-path core/loom/Cargo.toml --target-dir target/loom --locked",
    );
    lint(steps);
    steps.check(
        "dependencies of the pure half",
        "cargo tree -p pipevideo --no-default-features -e normal --prefix none --locked",
        impure,
    );
    // With the examples, dependencies have the features that the lints have checked them with.
    steps.run_with(
        "documentation",
        &[("RUSTDOCFLAGS", "-D warnings")],
        "cargo doc --workspace --no-deps --all-features --lib --bins --examples --locked",
    );
}

/// Writes the reference of the crates into a folder.
pub(crate) fn reference(steps: &mut Steps, folder: &Path) {
    let built = target().join("site/rust");
    steps.run(
        "reference",
        &format!(
            "cargo doc -p pipevideo -p pipevideo-emulator --no-deps --all-features --lib --locked \
             --target-dir {}",
            built.display()
        ),
    );
    steps.run("copy", &format!("cp -R {}/doc {}", built.display(), folder.display()));
}

/// Runs what takes no more than a minute or two after a change.
pub(crate) fn test_fast(steps: &mut Steps) {
    lint_workspace(steps);
    let tests = "cargo test --workspace --all-features --locked --lib --test scenarios";
    steps.run("tests", tests);
}

/// The lints of all that is compiled, in any combination of features.
fn lint(steps: &mut Steps) {
    if !lint_workspace(steps) {
        return;
    }
    steps.run(
        "lints of the pure half",
        "cargo clippy -p pipevideo --no-default-features --locked -- -D warnings",
    );
    // What they call is compiled with this flag only, and the targets are built as the last tests.
    // The flag would have everything in another target directory built again.
    steps.run_with(
        "lints of the fuzz targets",
        &[("RUSTFLAGS", "--cfg fuzzing")],
        "cargo clippy -p pipevideo --no-default-features --target-dir target/fuzzing --locked -- \
         -D warnings",
    );
}

/// The generated files, the format and the lints of the workspace. Returns whether there are lints here.
fn lint_workspace(steps: &mut Steps) -> bool {
    steps.run("generated files", "cargo xtask generate --check");
    if component(steps, "format", "rustfmt", "cargo fmt --version") {
        steps.run("format", "cargo fmt --all --check");
    }
    let has_lints = component(steps, "lints", "clippy", "cargo clippy --version");
    if has_lints {
        steps.run(
            "lints",
            "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings",
        );
    }
    has_lints
}

/// Whether a component of the toolchain is installed; if it is missing, tries to install it with rustup.
fn component(steps: &mut Steps, step: &str, component: &str, probe: &str) -> bool {
    if steps.has(probe) {
        return true;
    }
    if steps.has("rustup --version") {
        steps.install(component, &format!("rustup component add {component}"));
    }
    let installed = steps.has(probe);
    if !installed {
        steps.skip(
            step,
            &format!("{component} is missing; install it with `rustup component add {component}`"),
        );
    }
    installed
}

/// The crates in the output of `cargo tree` that the pure half must not depend on.
fn impure(tree: &str) -> Option<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<_> = names.filter(|name| IMPURE.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    (!found.is_empty()).then(|| format!("it depends on {}", found.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_do_io_are_listed() {
        assert_eq!(impure("pipevideo v0.1.0 (/somewhere)\nurl v2.5.8\nserde v1.0.0 (*)\n"), None);
        let tree = "pipevideo v0.1.0\nreqwest v0.13.5\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        assert_eq!(impure(tree).as_deref(), Some("it depends on reqwest, tokio"));
    }
}
