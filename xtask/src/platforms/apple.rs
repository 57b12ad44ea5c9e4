//! macOS and iOS. Nothing of Apple's is to be had on other machines, so that the compiler checks the crates
//! for them, and nothing is linked or run.

use crate::steps::Steps;

/// The targets, and the crates that are published for them.
const TARGETS: [(&str, &str); 2] = [
    (
        "aarch64-apple-darwin",
        "-p pipevideo -p pipevideo-emulator -p pipevideo-node -p pipevideo-python -p pipevideo-swift",
    ),
    ("aarch64-apple-ios", "-p pipevideo-swift"),
];

/// Checks that all crates compile for macOS, and the Swift package's for iOS.
pub(crate) fn apple(steps: &mut Steps) {
    for (target, crates) in TARGETS {
        steps.run("Rust's library", &format!(".github/scripts/rust-target.sh {target}"));
        // C code in dependencies needs Apple's headers. It is left out, since nothing is linked; any folder
        // stands for Apple's SDK.
        let [compiler, archiver] =
            ["CC", "AR"].map(|it| format!("{it}_{}", target.replace('-', "_")));
        let environment =
            [(compiler.as_str(), "true"), (archiver.as_str(), "true"), ("SDKROOT", "/usr")];
        let command = format!("cargo check --locked --target {target} {crates}");
        steps.run_with(&format!("check for {target}"), &environment, &command);
    }
    steps.cannot_run("tests", "linking and running need a Mac with Xcode");
}
