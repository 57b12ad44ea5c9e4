//! Python: a wheel, installed and tested in an environment of its own.

mod stubs;
mod wheel;

use std::path::Path;

use crate::steps::{Steps, target};

pub(crate) use stubs::generate;
pub(crate) use wheel::Wheel;

const TESTS: &str = "bindings-python/tests";
/// Without output for tests that pass, and with those that fail or are skipped.
const OPTIONS: &str = "-q -rfEs -p no:cacheprovider";
/// Runs several files at once: most of their tests wait for processes. The tests of a file share fixtures.
const AT_ONCE: &str = "-n 3 --dist loadfile";
/// The public modules in the package.
const SUBMODULES: [&str; 3] = ["pipevideo.errors", "pipevideo.testing", "pipevideo.opentelemetry"];
/// The supported versions. Each is tested if the machine has it as `pythonX.Y`.
const VERSIONS: [&str; 5] = ["3.10", "3.11", "3.12", "3.13", "3.14"];
/// The tests that run event loops.
const WITH_LOOPS: [&str; 10] = [
    "async_callbacks",
    "asyncio",
    "closing",
    "exit",
    "fork",
    "handle",
    "loops",
    "scenarios",
    "streams",
    "tokens",
];

/// Runs all steps of Python.
pub(crate) fn test(steps: &mut Steps) {
    let Some(wheel) = Wheel::build(steps) else { return };
    let Python { python, .. } = &wheel.built_with;
    steps.run("lints", &format!("{python} -m ruff check --no-cache"));
    steps.run("format", &format!("{python} -m ruff format --no-cache --check"));
    stubs::check(steps, python);
    wheel.install(steps, &wheel.built_with);
    wheel.test(steps, "tests", &wheel.built_with);
    // As on Windows, in the processes of the tests as well.
    let without_add_reader = steps.root().join(TESTS).join("without_add_reader");
    steps.run_with(
        "tests without add_reader",
        &[("PYTHONPATH", &without_add_reader.display().to_string())],
        &format!("{python} -m pytest {OPTIONS} {AT_ONCE} {}", files(&WITH_LOOPS)),
    );
    for version in VERSIONS {
        // The version of the environment was tested above.
        let tested = steps.has(&format!("{}{version} --version", python.trim_end_matches('3')));
        if !tested && steps.has(&format!("python{version} --version")) {
            test_with(steps, version, &wheel);
        }
    }
}

/// Writes the reference of the package into a folder.
pub(crate) fn reference(steps: &mut Steps, folder: &Path) {
    let Some(wheel) = Wheel::build(steps) else { return };
    wheel.install(steps, &wheel.built_with);
    let Python { python, pip } = &wheel.built_with;
    steps.run("pdoc", &format!("{pip} pdoc==16.0.0"));
    let out = folder.display();
    steps.run(
        "reference",
        &format!("{python} -m pdoc --output-directory {out} pipevideo {}", SUBMODULES.join(" ")),
    );
}

/// A Python of an environment of its own.
pub(crate) struct Python {
    /// The command that runs it.
    python: String,
    /// The command that installs packages into it.
    pip: String,
}

impl Python {
    /// Makes an environment in this folder, by a command such as `python3 -m venv`, unless it is there.
    /// `enter` precedes each command.
    pub(crate) fn new(steps: &mut Steps, folder: &Path, enter: &str, venv: &str) -> Self {
        let folder = folder.display().to_string();
        let python = format!("{enter}{folder}/bin/python3");
        if !steps.has(&format!("{python} -m pip --version")) {
            steps.run("environment", &format!("{enter}{venv} {folder}"));
        }
        let pip =
            format!("{python} -m pip install --quiet --no-compile --disable-pip-version-check");
        Self { python, pip }
    }

    /// Installs what the tests need.
    pub(crate) fn install_tools(&self, steps: &mut Steps) {
        steps.run("tools", &format!("{} -r {TESTS}/requirements.txt", self.pip));
    }
}

/// The files of tests with these names.
fn files(names: &[&str]) -> String {
    let files: Vec<_> = names.iter().map(|name| format!("{TESTS}/test_{name}.py")).collect();
    files.join(" ")
}

/// The tests that touch the interpreter.
const OF_THE_INTERPRETER: [&str; 15] = [
    "arguments",
    "async_callbacks",
    "asyncio",
    "batch",
    "batch_killed",
    "blocking",
    "closing",
    "fork",
    "handle",
    "interrupted",
    "logging",
    "scenarios",
    "streams",
    "values",
    "webhooks",
];

/// The arguments of pytest that run the tests that touch the interpreter, except these.
pub(crate) fn tests_of_the_interpreter(except: &[&str]) -> String {
    let names = OF_THE_INTERPRETER.into_iter().filter(|name| !except.contains(name));
    format!("{OPTIONS} {}", files(&names.collect::<Vec<_>>()))
}

/// Tests the same wheel with another version of Python, with the tests that touch the interpreter.
fn test_with(steps: &mut Steps, version: &str, wheel: &Wheel) {
    let folder = target().join("python").join(format!("venv-{version}"));
    let python = Python::new(steps, &folder, "", &format!("python{version} -m venv"));
    steps.run("tools", &format!("{} anyio pytest trio uvloop", python.pip));
    wheel.install(steps, &python);
    let tests = tests_of_the_interpreter(&[]);
    steps.run(
        &format!("tests with Python {version}"),
        &format!("{} -m pytest {tests}", python.python),
    );
}
