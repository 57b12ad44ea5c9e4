//! The Swift package, from a release repository with a tag, which has the native library for Linux. An app
//! gets it by URL and version, and needs no Rust. The xcframework for Apple's systems is a stand-in here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::contents::Expected;
use super::{Rehearsal, crates, work};
use crate::swift::toolchain;

const SOURCE: Expected = Expected {
    required: &[
        ".spi.yml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "LICENSE-THIRD-PARTY",
        "Package.swift",
        "README.md",
        "Sources/Pipevideo/PrivacyInfo.xcprivacy",
        "Sources/PipevideoC/module.modulemap",
        "Sources/PipevideoFFI/*.swift",
        "Sources/PipevideoTesting/*.swift",
        "Sources/PipevideoUI/*.swift",
        "lib/libpipevideo-*.a",
    ],
    allowed: &["Sources/**", "lib/*"],
    max_bytes: 20_000_000,
};

/// Where the release workflow puts the xcframework; here nothing fetches it.
const FRAMEWORK: &str = "https://example.com/Pipevideo.xcframework.zip";

/// Fills a release repository, checks it, and builds an app that depends on its tag.
///
/// The clone stays visible: the toolchain may be in it.
pub(super) fn rehearse(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let swift =
        toolchain(rehearsal.steps).ok_or("there is no Swift, and none could be installed")?;
    let room = &rehearsal.room;
    let repository = room.folder("swift/pipevideo-swift")?;
    let version = &rehearsal.version;
    let git = |given: &[&str]| {
        let mut command = rehearsal.command("git");
        command.arg("-C").arg(&repository);
        command.args(["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com"]);
        command.args(given);
        command
    };
    rehearsal.run("release repository", &mut git(&["init", "--quiet", "--initial-branch=main"]))?;
    let framework = room.folder("swift")?.join("Pipevideo.xcframework.zip");
    fs::write(&framework, "no framework").map_err(|error| error.to_string())?;
    let mut library = rehearsal.command("bindings-swift/scripts/build-library.sh");
    rehearsal.run("native library", library.env("CARGO_TARGET_DIR", work().join("cargo")))?;
    let mut fill = rehearsal.command("bindings-swift/scripts/release.sh");
    fill.arg(version).arg(&repository).arg(&framework).arg(FRAMEWORK);
    for role in ["AUTHOR", "COMMITTER"] {
        fill.env(format!("GIT_{role}_NAME"), "rehearsal");
        fill.env(format!("GIT_{role}_EMAIL"), "rehearsal@example.com");
    }
    rehearsal.run("fill it", &mut fill)?;

    let archive = rehearsal.dist("swift")?.join(format!("pipevideo-swift-{version}.tar.gz"));
    let mut pack = git(&["archive", "--prefix=pipevideo-swift/", "--output"]);
    rehearsal.run("source archive", pack.arg(&archive).arg(version))?;
    rehearsal.check(&archive, &SOURCE)?;

    let app = room.folder("swift/app")?;
    let sources = room.folder("swift/app/Sources/Hello")?;
    let example = rehearsal.root.join("examples/swift/Sources/Hello/main.swift");
    fs::copy(example, sources.join("main.swift")).map_err(|error| error.to_string())?;
    fs::write(app.join("Package.swift"), manifest(&repository, version))
        .map_err(|error| error.to_string())?;
    let package = |given: &str| {
        let mut command = Command::new(&swift);
        command.args(given.split(' ')).current_dir(&app);
        command
    };
    rehearsal.run("swift package resolve", &mut package("package resolve"))?;
    rehearsal
        .run("swift build", &mut package("build --product Hello -Xswiftc -warnings-as-errors"))?;

    let emulator = Emulator::start(&emulator(rehearsal)?)?;
    // In the toolchain's tree, which has the libraries of Swift.
    let mut hello = package("run --skip-build Hello");
    hello.env("PIPEVIDEO_BASE_URL", &emulator.address.base_url);
    hello.env("PIPEVIDEO_API_KEY", &emulator.address.api_key);
    rehearsal.run("swift run", &mut hello)?;
    if app.join("hello.mp4").exists() { Ok(()) } else { Err("the app made no video".to_owned()) }
}

/// The emulator's program: that of the crates, or if they are not rehearsed, the clone's.
fn emulator(rehearsal: &Rehearsal<'_>) -> Result<PathBuf, String> {
    let installed = rehearsal.room.folder("")?.join(crates::EMULATOR_PROGRAM);
    if installed.exists() {
        return Ok(installed);
    }
    let target = work().join("cargo");
    let mut build = rehearsal.command("cargo");
    build.args(["build", "--quiet", "--release", "--locked", "-p", "pipevideo-emulator"]);
    rehearsal.run("emulator", build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("release/pipevideo-emulator"))
}

/// The manifest of an app that depends on a version of the package.
fn manifest(repository: &Path, version: &str) -> String {
    format!(
        r#"// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "App",
    platforms: [.iOS(.v16), .macOS(.v13)],
    dependencies: [.package(url: "file://{}", from: "{version}")],
    targets: [
        .executableTarget(
            name: "Hello", dependencies: [.product(name: "Pipevideo", package: "pipevideo-swift")])
    ]
)
"#,
        repository.display()
    )
}

/// A running emulator. It ends when its standard input closes.
struct Emulator {
    process: Child,
    address: Address,
}

#[derive(Deserialize)]
struct Address {
    base_url: String,
    api_key: String,
}

impl Emulator {
    fn start(program: &Path) -> Result<Self, String> {
        let mut process = Command::new(program)
            .args(["--speed", "60"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the emulator does not start: {error}"))?;
        let mut line = String::new();
        let output = process.stdout.take().ok_or("the emulator has no output")?;
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
        let address = serde_json::from_str(&line);
        let address = address.map_err(|error| format!("the emulator printed {line:?}: {error}"))?;
        Ok(Self { process, address })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
