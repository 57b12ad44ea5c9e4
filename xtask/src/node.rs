//! Node: lints, types, tests, and the packages that npm packs.

use std::path::Path;

use crate::browser;
use crate::redis::Redis;
use crate::steps::{Steps, target};
use crate::workspace;

const PACKAGE: &str = "bindings-node";
pub(crate) const NPM: &str = "npm --no-audit --no-fund --loglevel=error";
/// What programs import, by the names of the files with its types.
const ENTRIES: [&str; 4] = ["index", "testing", "ai-sdk", "opentelemetry"];
const EXAMPLES: [&str; 2] = ["examples/node", "examples/bullmq"];
/// Other runtimes that load the module, and their versions, as npm has them.
const RUNTIMES: [(&str, u32); 2] = [("bun", 1), ("deno", 2)];

/// Runs all steps of Node.
pub(crate) fn test(steps: &mut Steps) {
    if !prepare(steps) {
        return;
    }
    steps.run("lints", &npm_run("lint"));
    steps.run("types", &npm_run("types"));
    run_tests(steps, "tests", &[]);
    test_other_runtimes(steps);
}

/// Runs the shared scenarios with the other runtimes.
fn test_other_runtimes(steps: &mut Steps) {
    let folder = target().join("node");
    let packages = RUNTIMES.map(|(name, version)| format!("{name}@{version}")).join(" ");
    let install = format!("{NPM} --prefix {} --no-save install {packages}", folder.display());
    steps.run(&format!("install {packages}"), &install);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.join("node_modules/.bin").display());
    for (runtime, _) in RUNTIMES {
        steps.run_with(
            &format!("scenarios with {runtime}"),
            &[("PATH", &path), ("NO_COLOR", "1")],
            &npm_run(&format!("test:{runtime}")),
        );
    }
}

/// Writes the reference of the package into a folder.
pub(crate) fn reference(steps: &mut Steps, folder: &Path) {
    steps.run("dependencies", &format!("{NPM} --prefix {PACKAGE} ci --ignore-scripts"));
    steps.run(
        "typedoc",
        &format!("{NPM} --prefix {PACKAGE} --no-save --ignore-scripts install typedoc@0.28.20"),
    );
    let entries = ENTRIES.map(|name| format!("{PACKAGE}/{name}.d.ts")).join(" ");
    steps.run(
        "reference",
        &format!(
            "{PACKAGE}/node_modules/.bin/typedoc --name pipevideo --readme none --excludeInternal \
             --tsconfig {PACKAGE}/test/types/peers.json --out {} {entries}",
            folder.display()
        ),
    );
}

/// Installs the dependencies of the tests, and brings the native module into its package. Returns whether
/// anything can be tested.
pub(crate) fn prepare(steps: &mut Steps) -> bool {
    if !steps.has("node --version") || !steps.has("npm --version") {
        steps.skip("all", "node and npm are missing; install Node 20 or later");
        return false;
    }
    let Some(platform) = platform() else {
        steps.skip("all", "the package has no build for this platform");
        return false;
    };
    for folder in [PACKAGE].into_iter().chain(EXAMPLES) {
        steps.run(&format!("dependencies of {folder}"), &format!("{NPM} --prefix {folder} ci"));
    }
    workspace::build(steps);
    steps.run("copy the native module", &copy_command(platform));
    true
}

/// Runs the package's tests, with these variables beside others.
pub(crate) fn run_tests(steps: &mut Steps, step: &str, variables: &[(&str, &str)]) {
    let redis = Redis::start(steps, "the examples over Redis");
    let mut variables = variables.to_owned();
    variables.extend(redis.iter().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())));
    let browser = browser::find(steps, "the emulator's page in a browser");
    variables.extend(browser.map(|path| ("PIPEVIDEO_TEST_CHROMIUM", path)));
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

/// The command that copies the built module into the platform's package. `install` makes a new file:
/// a running program may still have the old one mapped into its memory.
fn copy_command(platform: &str) -> String {
    let library =
        format!("{}pipevideo_node{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = workspace::built(&library);
    let package = Path::new(PACKAGE).join("npm").join(platform);
    let module = package.join(format!("pipevideo.{platform}.node"));
    format!("install -m 644 {} {}", built.display(), module.display())
}
