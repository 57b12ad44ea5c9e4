//! Rust: formatting, lints, the build of the pure half alone, tests, documentation.

use crate::redis;
use crate::steps::Steps;

/// Crates that the pure half of the core must not depend on: they do I/O or draw randomness.
const IMPURE: [&str; 5] = ["tokio", "reqwest", "hyper", "rustls", "fastrand"];

/// Runs all steps of Rust.
pub(crate) fn test(steps: &mut Steps) {
    steps.run("generated files", "cargo xtask generate --check");
    if component(steps, "format", "rustfmt", "cargo fmt --version") {
        steps.run("format", "cargo fmt --all --check");
    }
    if component(steps, "lints", "clippy", "cargo clippy --version") {
        steps.run(
            "lints",
            "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings",
        );
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
    steps.run("the pure half alone", "cargo build -p pipevideo --no-default-features --locked");
    steps.check(
        "dependencies of the pure half",
        "cargo tree -p pipevideo --no-default-features -e normal --prefix none --locked",
        impure,
    );
    steps.run(
        "interleavings of the limiter",
        "cargo run --manifest-path core/loom/Cargo.toml --target-dir target/loom --locked",
    );
    // One failing test program must not hide the failures of the others.
    let redis = if redis::is_installed(steps) {
        None
    } else {
        steps.skip("the tests over Redis", redis::MISSING);
        Some(("PIPEVIDEO_TEST_WITHOUT_REDIS", "1"))
    };
    let tests = "cargo test --workspace --all-features --locked --no-fail-fast";
    steps.run_with("tests", redis.as_slice(), tests);
    steps.run_with(
        "documentation",
        &[("RUSTDOCFLAGS", "-D warnings")],
        "cargo doc --workspace --no-deps --all-features --locked",
    );
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
