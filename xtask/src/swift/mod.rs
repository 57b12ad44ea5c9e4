//! Swift: the native library, the generated bindings, the package, its documentation and examples.

mod interface;

use std::path::{Path, PathBuf};

use crate::steps::{Steps, target};
use crate::workspace;

const PACKAGE: &str = "bindings-swift";
const EXAMPLES: &str = "examples/swift";

/// Runs all steps of Swift.
pub(crate) fn test(steps: &mut Steps) {
    let Some(swift) = toolchain(steps) else {
        let missing = "swift is missing; install Swift 6.0 or later (on Debian, root installs it automatically)";
        return steps.skip("all", missing);
    };
    steps.run(
        "lints",
        &format!(
            "{swift} format lint --strict --recursive --configuration {PACKAGE}/.swift-format \
             {PACKAGE}/Package.swift {PACKAGE}/Sources/Pipevideo {PACKAGE}/Sources/PipevideoUI \
             {PACKAGE}/Sources/PipevideoTesting {PACKAGE}/Tests {PACKAGE}/Benchmarks {EXAMPLES}"
        ),
    );
    let library = build_library(steps);
    interface::check(steps, &library);
    let second = format!("{PACKAGE}/Tests/SecondLibrary/test.sh {}", library.display());
    steps.run("a second Rust library", &second);
    steps.run("a missing library", &format!("{PACKAGE}/Tests/MissingLibrary/test.sh {swift}"));

    // SwiftPM does not link again if only the native library has changed.
    steps.run("remove old builds", &format!("rm -rf {} {}", scratch("tests"), scratch("examples")));
    let emulator = workspace::built("pipevideo-emulator").display().to_string();
    for (step, package) in [("tests", PACKAGE), ("examples", EXAMPLES)] {
        steps.run_with(
            step,
            &[("PIPEVIDEO_EMULATOR", &emulator)],
            &format!(
                "{swift} test --package-path {package} --scratch-path {} \
                 -Xswiftc -warnings-as-errors",
                scratch(step)
            ),
        );
    }
    steps.run(
        "documentation",
        &format!("{PACKAGE}/scripts/documentation.sh {swift} {}", scratch("tests")),
    );
    steps.run(
        "code blocks",
        &format!("{PACKAGE}/Tests/CodeBlocks/check.sh {swift}c {}", scratch("tests")),
    );
}

/// Writes the reference of the package into a folder. DocC's pages have the path of the folder in the site.
pub(crate) fn reference(steps: &mut Steps, folder: &Path) {
    let Some(swift) = toolchain(steps) else {
        return steps.skip("reference", "swift is missing");
    };
    build_library(steps);
    let built = scratch("site");
    steps.run(
        "reference",
        &format!("{PACKAGE}/scripts/documentation.sh {swift} {built} reference/swift"),
    );
    steps.run("copy", &format!("cp -R {built}/documentation {}", folder.display()));
}

/// Writes the Swift half of the bindings from the native library.
pub(crate) fn generate(steps: &mut Steps) {
    workspace::build(steps);
    interface::write(steps, &library());
}

/// Builds the native library, and brings it into the package. Returns its path.
fn build_library(steps: &mut Steps) -> PathBuf {
    workspace::build(steps);
    let library = library();
    steps.run("library", &format!("{PACKAGE}/scripts/build-library.sh {}", library.display()));
    library
}

/// The path of the native library.
fn library() -> PathBuf {
    workspace::built("libpipevideo_swift.a")
}

/// SwiftPM's build folder.
fn scratch(step: &str) -> String {
    target().join("swift").join(step).display().to_string()
}

/// The command of the installed `swift`, or of one that is installed under `target/`.
pub(crate) fn toolchain(steps: &Steps) -> Option<String> {
    if steps.has("swift --version") {
        return Some("swift".to_owned());
    }
    let prefix = target().join("swift-toolchain").display().to_string();
    let swift = format!("{prefix}/bin/swift");
    let debian = Path::new("/etc/debian_version").exists() && steps.has("apt-get --version");
    if debian {
        // The script does nothing if the toolchain is there already, and prints what it lacks.
        steps.install("swift", &format!("{PACKAGE}/scripts/swift-toolchain.sh {prefix}"));
    }
    steps.has(&format!("{swift} --version")).then_some(swift)
}
