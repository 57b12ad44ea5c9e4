//! Python: a wheel, built as it is for users, installed and tried in an environment of its own.

use std::path::Path;

use crate::redis::Redis;
use crate::steps::{Steps, target};

const TESTS: &str = "bindings-python/tests";
/// The versions that are tried, where the machine has them as `pythonX.Y`.
const VERSIONS: [&str; 5] = ["3.10", "3.11", "3.12", "3.13", "3.14"];
/// On Linux zig links against an old glibc, so that the wheel fits nearly every system.
const FIT: &str =
    if cfg!(target_os = "linux") { "--zig --compatibility manylinux_2_17" } else { "" };

/// Runs everything.
pub(crate) fn test(steps: &mut Steps) {
    if !steps.has("python3 --version") {
        return steps.skip("all", "python3 is missing (3.10 or later)");
    }
    let target = target().join("python");
    let environment = target.join("venv");
    let (environment, wheels) =
        (environment.display().to_string(), target.join("wheels").display().to_string());
    let python = format!("{environment}/bin/python");
    // A wheel of an earlier run would be installed as well as the new one.
    let _ = std::fs::remove_dir_all(&wheels);

    if !steps.has(&format!("{python} -m pip --version")) {
        steps.run("environment", &format!("python3 -m venv {environment}"));
    }
    let pip = format!("{python} -m pip install --quiet --disable-pip-version-check");
    steps.run("tools", &format!("{pip} -r {TESTS}/requirements.txt"));
    steps.run_with(
        "wheel",
        &[("PATH", &with_programs_of(&environment))],
        &format!(
            "{python} -m maturin build --release --locked {FIT} --manifest-path \
             bindings-python/Cargo.toml --out {wheels}"
        ),
    );
    steps.run("stubs", &format!("{python} bindings-python/stubs.py --check"));
    let only_ours = format!("--no-index --no-deps --force-reinstall --find-links {wheels}");
    steps.run("install", &format!("{pip} {only_ours} pipevideo"));
    if cfg!(target_os = "linux") {
        // It looks at the symbols itself, whatever the name says.
        steps.run("the wheel's tag", &format!("{python} {TESTS}/audit.py {wheels}"));
    }
    let redis = Redis::start(steps, "the example over Redis");
    let mut variables = vec![("PIPEVIDEO_WHEELS", wheels.as_str())];
    variables.extend(redis.as_ref().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())));
    steps.run_with(
        "tests",
        &variables,
        &format!("{python} -m pytest -q -p no:cacheprovider {TESTS}"),
    );
    for version in VERSIONS {
        // An environment has its own version under that name.
        let tried = steps.has(&format!("{environment}/bin/python{version} --version"));
        if !tried && steps.has(&format!("python{version} --version")) {
            try_with(steps, version, &target, &only_ours);
        }
    }
}

/// Tries the same wheel with another version of Python: what touches the interpreter.
fn try_with(steps: &mut Steps, version: &str, target: &Path, only_ours: &str) {
    let environment = target.join(format!("venv-{version}")).display().to_string();
    let python = format!("{environment}/bin/python");
    if !steps.has(&format!("{python} -m pip --version")) {
        steps.run("environment", &format!("python{version} -m venv {environment}"));
    }
    let pip = format!("{python} -m pip install --quiet --disable-pip-version-check");
    steps.run("tools", &format!("{pip} anyio pytest trio uvloop"));
    steps.run("install", &format!("{pip} {only_ours} pipevideo"));
    let tests =
        ["arguments", "asyncio", "blocking", "fork", "logging", "scenarios", "values", "webhooks"];
    let tests = tests.map(|name| format!("{TESTS}/test_{name}.py")).join(" ");
    steps.run(
        &format!("tests with Python {version}"),
        &format!("{python} -m pytest -q -p no:cacheprovider {tests}"),
    );
}

/// The search path with an environment's programs first: maturin asks its `python3` for zig.
pub(crate) fn with_programs_of(environment: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let programs = root.join(environment).join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", programs.display())
}
