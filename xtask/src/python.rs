//! Python: a wheel, built as it is released, installed and tested in an environment of its own.

use std::path::Path;

use crate::redis::Redis;
use crate::steps::{Steps, target};

const TESTS: &str = "bindings-python/tests";
/// The supported versions. Each is tested if the machine has it as `pythonX.Y`.
const VERSIONS: [&str; 5] = ["3.10", "3.11", "3.12", "3.13", "3.14"];
/// On Linux, zig links against an old glibc: the wheel then runs on nearly every distribution.
const COMPATIBILITY: &str =
    if cfg!(target_os = "linux") { "--zig --compatibility manylinux_2_17" } else { "" };

/// The tests that run event loops.
const WITH_LOOPS: [&str; 7] =
    ["asyncio", "closing", "exit", "fork", "loops", "scenarios", "tokens"];

/// Runs all steps of Python.
pub(crate) fn test(steps: &mut Steps) {
    if !steps.has("python3 --version") {
        return steps.skip("all", "python3 is missing; install Python 3.10 or later");
    }
    let target = target().join("python");
    let environment = target.join("venv");
    let (environment, wheels) =
        (environment.display().to_string(), target.join("wheels").display().to_string());
    let python = format!("{environment}/bin/python");
    // pip could install the wheel of an earlier run in place of the new one.
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
            "{python} -m maturin build --release --locked {COMPATIBILITY} --manifest-path \
             bindings-python/Cargo.toml --out {wheels}"
        ),
    );
    steps.run("stubs", &format!("{python} bindings-python/stubs.py --check"));
    let only_ours = format!("--no-index --no-deps --force-reinstall --find-links {wheels}");
    steps.run("install", &format!("{pip} {only_ours} pipevideo"));
    if cfg!(target_os = "linux") {
        // The tag in the file name is a claim; the audit checks the symbols that the library imports.
        steps.run("the wheel's tag", &format!("{python} {TESTS}/audit.py {wheels}"));
    }
    let redis = Redis::start(steps, "the examples over Redis");
    let mut variables = vec![("PIPEVIDEO_WHEELS", wheels.as_str())];
    variables.extend(redis.as_ref().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())));
    steps.run_with(
        "tests",
        &variables,
        &format!("{python} -m pytest -q -rs -p no:cacheprovider {TESTS}"),
    );
    // As on Windows, in the processes of the tests as well.
    let without_add_reader = steps.root().join(TESTS).join("without_add_reader");
    steps.run_with(
        "tests without add_reader",
        &[("PYTHONPATH", &without_add_reader.display().to_string())],
        &format!("{python} -m pytest -q -rs -p no:cacheprovider {}", files(&WITH_LOOPS)),
    );
    for version in VERSIONS {
        // The version of the environment was tested above.
        let tested = steps.has(&format!("{environment}/bin/python{version} --version"));
        if !tested && steps.has(&format!("python{version} --version")) {
            test_with(steps, version, &target, &only_ours);
        }
    }
}

/// The files of tests with these names.
fn files(names: &[&str]) -> String {
    let files: Vec<_> = names.iter().map(|name| format!("{TESTS}/test_{name}.py")).collect();
    files.join(" ")
}

/// Tests the same wheel with another version of Python, with the tests that touch the interpreter.
fn test_with(steps: &mut Steps, version: &str, target: &Path, only_ours: &str) {
    let environment = target.join(format!("venv-{version}")).display().to_string();
    let python = format!("{environment}/bin/python");
    if !steps.has(&format!("{python} -m pip --version")) {
        steps.run("environment", &format!("python{version} -m venv {environment}"));
    }
    let pip = format!("{python} -m pip install --quiet --disable-pip-version-check");
    steps.run("tools", &format!("{pip} anyio pytest trio uvloop"));
    steps.run("install", &format!("{pip} {only_ours} pipevideo"));
    let tests = files(&[
        "arguments",
        "asyncio",
        "batch",
        "batch_killed",
        "blocking",
        "closing",
        "fork",
        "interrupted",
        "logging",
        "scenarios",
        "values",
        "webhooks",
    ]);
    steps.run(
        &format!("tests with Python {version}"),
        &format!("{python} -m pytest -q -rs -p no:cacheprovider {tests}"),
    );
}

/// `PATH` with an environment's programs first: maturin runs the `python3` it finds there to find zig.
pub(crate) fn with_programs_of(environment: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let programs = root.join(environment).join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", programs.display())
}
