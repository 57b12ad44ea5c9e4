//! Node: the native module as it is released, the types, the tests, and the packages as npm packs them.

use std::path::{Path, PathBuf};

use crate::python::with_programs_of;
use crate::redis::Redis;
use crate::steps::{Steps, target};

const PACKAGE: &str = "bindings-node";
const EXAMPLES: &str = "examples/node";

/// Runs everything.
pub(crate) fn test(steps: &mut Steps) {
    if !steps.has("node --version") || !steps.has("npm --version") {
        return steps.skip("all", "node and npm are missing (Node 20 or later)");
    }
    let Some(platform) = platform() else {
        return steps.skip("all", "there is no package for this platform");
    };
    let npm = "npm --no-audit --no-fund --loglevel=error";
    for folder in [PACKAGE, EXAMPLES] {
        steps.run(&format!("what {folder} needs"), &format!("{npm} --prefix {folder} ci"));
    }
    let (built, glibc) = build(steps);
    steps.run("the module's place", &place(&built, platform));
    let run = |tool: &str| format!("{npm} --prefix {PACKAGE} run {tool}");
    steps.run("lints", &run("lint"));
    steps.run("types", &run("types"));
    let redis = Redis::start(steps, "the example over Redis");
    let mut variables: Vec<_> =
        redis.iter().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())).collect();
    variables.extend(glibc.map(|version| ("PIPEVIDEO_TEST_GLIBC", version)));
    steps.run_with("tests", &variables, &run("test"));
}

/// The name of this platform's package; the loader in `lib/native.js` goes by the same.
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

/// The glibc that the module is linked against: Node's own programs want 2.28.
const GLIBC: &str = "2.17";

/// Builds the module as it is released: where it is, and the glibc that it is content with. On Linux
/// zig links it, so that it fits nearly every system and not only those as new as this one.
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
        steps.skip("the module for older systems", "python3 is missing, which brings zig");
    }
    steps.run("native module", &format!("cargo build {build}"));
    (target().join("release").join(library), None)
}

/// Installs zig and what calls it, in an environment of Python's: the search path that has them.
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

/// The command that puts what cargo has built into the platform's package: as a new file, since a
/// program may still have the one before in its memory.
fn place(built: &Path, platform: &str) -> String {
    let place = Path::new(PACKAGE).join("npm").join(platform);
    let module = place.join(format!("pipevideo.{platform}.node"));
    format!("install -m 644 {} {}", built.display(), module.display())
}
