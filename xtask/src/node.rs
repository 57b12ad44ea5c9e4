//! Node: the native module as it is released, the types, the tests, and the packages as npm packs them.

use std::path::Path;

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
    steps.run("native module", "cargo build --release --locked -p pipevideo-node");
    steps.run("the module's place", &place(platform));
    let run = |tool: &str| format!("{npm} --prefix {PACKAGE} run {tool}");
    steps.run("lints", &run("lint"));
    steps.run("types", &run("types"));
    let redis = Redis::start(steps, "the example over Redis");
    let variables: Vec<_> =
        redis.iter().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url())).collect();
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

/// The command that copies what cargo has built into the platform's package.
fn place(platform: &str) -> String {
    let library =
        format!("{}pipevideo_node{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = target().join("release").join(library);
    let place = Path::new(PACKAGE).join("npm").join(platform);
    format!("cp {} {}/pipevideo.{platform}.node", built.display(), place.display())
}
