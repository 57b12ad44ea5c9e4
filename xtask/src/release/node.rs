//! npm's packages: the main one, and one for each platform.

use std::path::Path;

use super::contents::Expected;
use super::registry::Registry;
use super::{Rehearsal, all};
use crate::generate::manifests::PLATFORMS;
use crate::glibc;

const MAIN: Expected = Expected {
    required: &[
        "package.json",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "bin/pipevideo.js",
        "index.js",
        "index.mjs",
        "index.d.ts",
        "index.d.mts",
        "testing.js",
        "testing.mjs",
        "testing.d.ts",
        "testing.d.mts",
        "ai-sdk.js",
        "ai-sdk.mjs",
        "ai-sdk.d.ts",
        "ai-sdk.d.mts",
        "opentelemetry.js",
        "opentelemetry.mjs",
        "opentelemetry.d.ts",
        "opentelemetry.d.mts",
        "lib/native.js",
    ],
    allowed: &["lib/*.js", "lib/*.d.ts", "lib/ai-sdk/*.js", "lib/opentelemetry/*.js"],
    max_bytes: 100_000,
};

const PLATFORM: Expected = Expected {
    required: &[
        "package.json",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "LICENSE-THIRD-PARTY",
        "pipevideo.*.node",
    ],
    allowed: &[],
    max_bytes: 6_000_000,
};

/// The package of a platform that cannot be built here: what does not depend on the platform is checked.
const NOT_BUILT: Expected = Expected {
    required: &[
        "package.json",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "LICENSE-THIRD-PARTY",
    ],
    allowed: &[],
    max_bytes: 40_000,
};

/// Builds, checks and publishes all packages, and installs them from a registry of this machine.
pub(super) fn rehearse(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let dist = rehearsal.dist("node")?;
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = if cfg!(target_arch = "x86_64") { "linux-x64-gnu" } else { "linux-arm64-gnu" };
    rehearsal.run("native module", rehearsal.script("node-module.sh").arg(target))?;
    rehearsal.run("npm pack", rehearsal.script("node-packages.sh").arg(&dist))?;

    let version = &rehearsal.version;
    let main = dist.join(format!("pipevideo-{version}.tgz"));
    rehearsal.check(&main, &MAIN)?;
    for platform in PLATFORMS {
        let tarball = dist.join(format!("pipevideo-{platform}-{version}.tgz"));
        // The tests of other platforms may have built theirs.
        let module = format!("bindings-node/npm/{platform}/pipevideo.{platform}.node");
        if platform != built && !rehearsal.root.join(module).exists() {
            rehearsal.check(&tarball, &NOT_BUILT)?;
            continue;
        }
        rehearsal.check(&tarball, &PLATFORM)?;
        if platform.starts_with("linux") {
            println!("{}", glibc::check(&tarball)?);
        }
    }
    let tarballs = all(&dist, ".tgz")?;
    if tarballs.len() != PLATFORMS.len() + 1 {
        return Err(format!("{} packages, in place of {}", tarballs.len(), PLATFORMS.len() + 1));
    }
    rehearsal.run("publint", rehearsal.command("publint").arg("--strict").arg(&main))?;
    // `require('pipevideo')` is the class, and its own `default`: both ways to use the types are right.
    let mut types = rehearsal.command("attw");
    types.args(["--format", "ascii", "--ignore-rules", "false-export-default", "--"]).arg(&main);
    rehearsal.run("are the types wrong?", &mut types)?;
    publish_and_install(rehearsal, &dist)?;
    without_rust(rehearsal)
}

/// Publishes the packages in a registry of this machine, and installs the main one from there.
fn publish_and_install(rehearsal: &Rehearsal<'_>, dist: &Path) -> Result<(), String> {
    let room = &rehearsal.room;
    let registry = Registry::start(&rehearsal.tools, &room.folder("registry")?)
        .map_err(|error| format!("the registry does not start: {error}"))?;
    let settings = room.folder("home")?.join(".npmrc");
    std::fs::write(&settings, registry.npmrc()).map_err(|error| error.to_string())?;

    // Only a workflow has what a provenance says: who built it, and from what.
    let mut publish = rehearsal.script("publish-npm.sh");
    publish.arg(dist).args(["--provenance=false", "--loglevel=error"]);
    rehearsal.run("npm publish", publish.env("npm_config_userconfig", settings))?;

    let example = room.bring(&rehearsal.root.join("examples/node/hello.mjs"), "node/example")?;
    let script = rehearsal.bring_script("try-node.sh", "node")?;
    let mut trial = room.command("node/project", "bash")?;
    trial.arg(script).arg(example).arg("pipevideo");
    rehearsal.run("npm install, without Rust", &mut trial)
}

/// In a clone, `npm run build` says what is missing.
fn without_rust(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let mut npm = rehearsal.command("npm");
    npm.args(["--prefix", "bindings-node", "run", "build"]).env("PATH", rehearsal.room.programs());
    let output = npm.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !text.contains("Rust is missing") {
        return Err(format!("without Rust, npm run build should say that Rust is missing: {text}"));
    }
    println!("Without Rust, npm run build says that Rust is missing.");
    Ok(())
}
