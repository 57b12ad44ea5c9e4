//! Node: the native module as it is released, lints, types, tests, and the packages that npm packs.

use std::path::{Path, PathBuf};

use crate::python::with_programs_of;
use crate::redis::Redis;
use crate::steps::{Steps, target};

const PACKAGE: &str = "bindings-node";
pub(crate) const NPM: &str = "npm --no-audit --no-fund --loglevel=error";
const EXAMPLES: [&str; 2] = ["examples/node", "examples/bullmq"];

/// Runs all steps of Node.
pub(crate) fn test(steps: &mut Steps) {
    let Some(glibc) = prepare(steps) else { return };
    steps.run("lints", &npm_run("lint"));
    steps.run("types", &npm_run("types"));
    run_tests(steps, "tests", glibc, &[]);
}

/// Installs the dependencies of the tests, and builds the native module. Returns the oldest glibc it
/// runs with, if there is one; `None` if nothing can be tested.
pub(crate) fn prepare(steps: &mut Steps) -> Option<Option<&'static str>> {
    if !steps.has("node --version") || !steps.has("npm --version") {
        steps.skip("all", "node and npm are missing; install Node 20 or later");
        return None;
    }
    let Some(platform) = platform() else {
        steps.skip("all", "the package has no build for this platform");
        return None;
    };
    for folder in [PACKAGE].into_iter().chain(EXAMPLES) {
        steps.run(&format!("dependencies of {folder}"), &format!("{NPM} --prefix {folder} ci"));
    }
    let (built, glibc) = build(steps);
    steps.run("copy the native module", &copy_command(&built, platform));
    Some(glibc)
}

/// Runs the package's tests, with these variables beside others.
pub(crate) fn run_tests(
    steps: &mut Steps,
    step: &str,
    glibc: Option<&'static str>,
    variables: &[(&str, &str)],
) {
    let redis = Redis::start(steps, "the examples over Redis");
    let mut variables = variables.to_owned();
    variables.extend(redis.iter().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())));
    variables.extend(glibc.map(|version| ("PIPEVIDEO_TEST_GLIBC", version)));
    steps.run_with(step, &variables, &npm_run("test"));
}

fn npm_run(script: &str) -> String {
    format!("{NPM} --prefix {PACKAGE} run {script}")
}

/// The name of this platform's package, as in the loader `lib/native.js`.
fn platform() -> Option<&'static str> {
    Some(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") if cfg!(target_env = "musl") => "linux-x64-musl",
        ("linux", "x86_64") => "linux-x64-gnu",
        ("linux", "aarch64") if cfg!(target_env = "musl") => "linux-arm64-musl",
        ("linux", "aarch64") => "linux-arm64-gnu",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        ("windows", "x86_64") => "win32-x64-msvc",
        _ => return None,
    })
}

/// The glibc that the module is linked against. Node's own binaries require 2.28; 2.17 is the oldest
/// that Rust supports, and the one of manylinux2014, which the Python wheel uses as well.
const GLIBC: &str = "2.17";

/// Builds the native module as it is released. Returns its path and the oldest glibc it runs with.
///
/// On Linux, zig links it against an old glibc; otherwise it would only run on systems as new as this
/// one.
fn build(steps: &mut Steps) -> (PathBuf, Option<&'static str>) {
    let library =
        format!("{}pipevideo_node{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let build = "--release --locked -p pipevideo-node";
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        if let Some(path) = zig(steps) {
            let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
            steps.run_with(
                "native module",
                &[("PATH", &path)],
                &format!("cargo zigbuild {build} --target {triple}.{GLIBC}"),
            );
            return (target().join(triple).join("release").join(library), Some(GLIBC));
        }
        steps.skip("native module for older systems", "python3 is missing, which installs zig");
    }
    steps.run("native module", &format!("cargo build {build}"));
    (target().join("release").join(library), None)
}

/// Installs zig and cargo-zigbuild in a Python environment and returns the `PATH` that has them.
fn zig(steps: &mut Steps) -> Option<String> {
    if !steps.has("python3 --version") {
        return None;
    }
    let environment = target().join("node").join("venv").display().to_string();
    let python = format!("{environment}/bin/python");
    if !steps.has(&format!("{python} -m pip --version")) {
        steps.run("environment", &format!("python3 -m venv {environment}"));
    }
    let pip = format!("{python} -m pip install --quiet --disable-pip-version-check");
    steps.run("zig", &format!("{pip} cargo-zigbuild ziglang"));
    Some(with_programs_of(&environment))
}

/// The command that copies the built module into the platform's package. `install` makes a new file:
/// a running program may still have the old one mapped into its memory.
fn copy_command(built: &Path, platform: &str) -> String {
    let package = Path::new(PACKAGE).join("npm").join(platform);
    let module = package.join(format!("pipevideo.{platform}.node"));
    format!("install -m 644 {} {}", built.display(), module.display())
}
