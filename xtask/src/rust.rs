//! Rust: format, lints, the pure half alone, tests, documentation.

use crate::steps::Steps;

/// What the pure half of the core is built without.
const IMPURE: [&str; 5] = ["tokio", "reqwest", "hyper", "rustls", "fastrand"];

/// Runs everything.
pub(crate) fn test(steps: &mut Steps) {
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
    }
    steps.run("the pure half alone", "cargo build -p pipevideo --no-default-features --locked");
    steps.check(
        "what the pure half stands on",
        "cargo tree -p pipevideo --no-default-features -e normal --prefix none --locked",
        impure,
    );
    steps.run("tests", "cargo test --workspace --all-features --locked");
    steps.run_with(
        "documentation",
        &[("RUSTDOCFLAGS", "-D warnings")],
        "cargo doc --workspace --no-deps --all-features --locked",
    );
}

/// Whether a component of the toolchain is there; if not, rustup is asked for it.
fn component(steps: &mut Steps, step: &str, component: &str, probe: &str) -> bool {
    if steps.has(probe) {
        return true;
    }
    if steps.has("rustup --version") {
        steps.install(component, &format!("rustup component add {component}"));
    }
    let there = steps.has(probe);
    if !there {
        steps.skip(step, &format!("{component} is missing (rustup component add {component})"));
    }
    there
}

/// The crates in `cargo tree`'s list that the pure half must not have.
fn impure(tree: &str) -> Option<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<_> = names.filter(|name| IMPURE.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    (!found.is_empty()).then(|| format!("it has {}", found.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impure_crates_are_named() {
        assert_eq!(impure("pipevideo v0.1.0 (/somewhere)\nurl v2.5.8\nserde v1.0.0 (*)\n"), None);
        let tree = "pipevideo v0.1.0\nreqwest v0.13.5\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        assert_eq!(impure(tree).as_deref(), Some("it has reqwest, tokio"));
    }
}
