//! The wheel and the source distribution of the Python package.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use super::contents::Expected;
use super::{Rehearsal, all, one, work};
use crate::glibc;

const WHEEL: Expected = Expected {
    required: &[
        "pipevideo/__init__.py",
        "pipevideo/__main__.py",
        "pipevideo/_native.abi3.so",
        "pipevideo/_native.pyi",
        "pipevideo/py.typed",
        "pipevideo/testing.py",
        "*.dist-info/METADATA",
        "*.dist-info/RECORD",
        "*.dist-info/WHEEL",
        "*.dist-info/entry_points.txt",
        "*.dist-info/licenses/LICENSE-APACHE",
        "*.dist-info/licenses/LICENSE-MIT",
        "*.dist-info/licenses/LICENSE-THIRD-PARTY",
    ],
    allowed: &["pipevideo/*.py", "pipevideo/__pyinstaller/*.py", "*.dist-info/sboms/*.json"],
    max_bytes: 6_000_000,
};

const SOURCE: Expected = Expected {
    required: &[
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "PKG-INFO",
        "README.md",
        "bindings-common/src/lib.rs",
        "bindings-python/src/lib.rs",
        "cli/src/lib.rs",
        "core/src/lib.rs",
        "emulator/src/lib.rs",
        "pyproject.toml",
        "python/pipevideo/_native.pyi",
        "python/pipevideo/py.typed",
    ],
    allowed: &[
        "*/Cargo.toml",
        "*/LICENSE-*",
        "*/README.md",
        "bindings-common/**",
        "bindings-python/src/**",
        "cli/src/**",
        "core/src/**",
        "core/uniffi.toml",
        "emulator/assets/**",
        "emulator/src/**",
        "python/pipevideo/*.py",
        "python/pipevideo/__pyinstaller/*.py",
    ],
    max_bytes: 1_000_000,
};

/// Builds and checks both, and tries the wheel.
pub(super) fn rehearse(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let dist = rehearsal.dist("python")?;
    let target = format!("{}-unknown-linux-gnu", ARCH);
    rehearsal.run("wheel", rehearsal.script("wheel.sh").arg(target).arg(&dist))?;
    rehearsal.run("source distribution", rehearsal.script("sdist.sh").arg(&dist))?;
    let wheel = one(&dist, ".whl")?;
    check_tags(&wheel)?;
    rehearsal.check(&wheel, &WHEEL)?;
    println!("{}", glibc::check(&wheel)?);
    rehearsal.check(&source()?, &SOURCE)?;
    let files = all(&dist, "")?;
    rehearsal.run("twine", rehearsal.command("twine").args(["check", "--strict"]).args(files))?;

    rehearsal.room.bring(&wheel, "python/wheels")?;
    let mut trial = rehearsal.room.command("python", "bash")?;
    trial.args(arguments(rehearsal, "python")?).args(["--no-index", "--find-links", "wheels"]);
    rehearsal.run("pip install, without Rust", trial.arg("pipevideo"))
}

/// Whether a wheel is for every version of Python from 3.10 on, and nearly every Linux.
fn check_tags(wheel: &Path) -> Result<(), String> {
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    for tag in ["cp310-abi3", &format!("manylinux_2_17_{ARCH}"), &format!("manylinux2014_{ARCH}")] {
        if !name.contains(tag) {
            return Err(format!("{name} lacks the tag {tag}"));
        }
    }
    Ok(())
}

/// Installs the source distribution where there is Rust, and where there is none.
pub(super) fn rehearse_source(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    let room = &rehearsal.room;
    let source = room.bring(&source()?, "source")?;
    let mut trial = room.command_with_rust("source", "bash")?;
    trial.args(arguments(rehearsal, "source")?).arg(&source);
    rehearsal.run("pip install of the source, with Rust", &mut trial)?;

    let mut pip = room.command_with_rust("source", "environment/bin/python")?;
    pip.args(["-m", "pip", "install", "--force-reinstall"]).arg(&source);
    // Otherwise maturin installs Rust for the time of the build, from the internet.
    pip.env("PATH", room.programs()).env("MATURIN_NO_INSTALL_RUST", "1");
    let output = pip.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !text.contains("requires Rust and Cargo") {
        return Err(format!("without Rust, pip should fail and say that Rust is missing: {text}"));
    }
    println!("Without Rust, pip says that Rust is missing.");
    Ok(())
}

/// The arguments of bash that run the trial in a folder of the room; what pip installs comes after them.
fn arguments(rehearsal: &Rehearsal<'_>, folder: &str) -> Result<[PathBuf; 3], String> {
    let script = rehearsal.bring_script("try-python.sh", folder)?;
    let example = rehearsal.root.join("examples/python/hello.py");
    Ok([script, "python3".into(), rehearsal.room.bring(&example, folder)?])
}

fn source() -> Result<PathBuf, String> {
    one(&work().join("dist/python"), ".tar.gz")
}
