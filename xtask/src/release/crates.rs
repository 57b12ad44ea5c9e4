//! The crates `pipevideo`, `pipevideo-emulator` and `pipevideo-cli`.

use std::fs;

use super::Rehearsal;
use super::contents::Expected;
use crate::steps::target;

const CORE: Expected = Expected {
    required: &[
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "src/lib.rs",
        "src/client/redis/window.lua",
    ],
    allowed: &[".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml.orig", "src/**", "uniffi.toml"],
    max_bytes: 500_000,
};

const EMULATOR: Expected = Expected {
    required: &[
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "assets/video.mp4",
        "src/lib.rs",
        "src/main.rs",
    ],
    allowed: &[".cargo_vcs_info.json", "Cargo.toml.orig", "assets/**", "src/**"],
    max_bytes: 200_000,
};

const COMMAND: Expected = Expected {
    required: &[
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "src/lib.rs",
        "src/main.rs",
    ],
    allowed: &[".cargo_vcs_info.json", "Cargo.toml.orig", "src/**"],
    max_bytes: 100_000,
};

/// Where the room has the emulator's program, which Swift needs.
pub(super) const EMULATOR_PROGRAM: &str = "emulator/bin/pipevideo-emulator";

/// Packs, builds and checks the crates, and uses them in a program and as programs.
pub(super) fn rehearse(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    for command in [&["package"][..], &["publish", "--dry-run"]] {
        let mut cargo = rehearsal.command("cargo");
        // What is not committed is packed as well, since a rehearsal comes before the commit. The trial
        // below compiles what is packed, so Cargo need not do it first.
        cargo.args(command).args(["--quiet", "--allow-dirty", "--locked", "--no-verify"]);
        cargo.args(["-p", "pipevideo-emulator", "-p", "pipevideo", "-p", "pipevideo-cli"]);
        rehearsal.run(&format!("cargo {}", command.join(" ")), &mut cargo)?;
    }

    let room = &rehearsal.room;
    let folder = room.folder("crates")?;
    let mut patches = String::new();
    let crates =
        [("pipevideo", &CORE), ("pipevideo-emulator", &EMULATOR), ("pipevideo-cli", &COMMAND)];
    for (name, expected) in crates {
        let name_and_version = format!("{name}-{}", rehearsal.version);
        let packed = target().join("package").join(format!("{name_and_version}.crate"));
        rehearsal.check(&packed, expected)?;
        let mut tar = rehearsal.command("tar");
        rehearsal.run("unpack", tar.arg("-xzf").arg(packed).arg("-C").arg(&folder))?;
        let path = folder.join(&name_and_version);
        patches += &format!("{name} = {{ path = {:?} }}\n", path.display().to_string());
    }

    // A registry that has them: its own would have to list all their dependencies as well.
    let settings = folder.join("patches.toml");
    write(&settings, &format!("[patch.crates-io]\n{patches}"))?;
    let project = room.folder("crates/videos")?;
    write(&project.join("Cargo.toml"), &manifest(&rehearsal.version))?;
    for (file, name) in [("hello.rs", "main.rs"), ("service.rs", "service.rs")] {
        let brought =
            room.bring(&rehearsal.root.join("examples/rust").join(file), "crates/videos/src")?;
        fs::rename(&brought, brought.with_file_name(name)).map_err(|error| error.to_string())?;
    }
    let mut trial = room.command_with_rust("crates/videos", "cargo")?;
    rehearsal.run("cargo run", trial.args(["run", "--quiet", "--config"]).arg(&settings))?;
    if !project.join("cat.mp4").exists() {
        return Err("the program made no video".to_owned());
    }

    let mut install = room.command_with_rust("crates", "cargo")?;
    install.args(["install", "--quiet", "--locked", "--path"]);
    install.arg(folder.join(format!("pipevideo-emulator-{}", rehearsal.version)));
    install.arg("--root").arg(room.folder("emulator")?);
    rehearsal.run("cargo install pipevideo-emulator", &mut install)?;
    let program = room.folder("emulator")?.join("bin/pipevideo-emulator");
    rehearsal.run("its version", rehearsal.command("env").arg(program).arg("--version"))?;

    // Its lock file names the other two crates as a registry has them, so it is not used here.
    let mut install = room.command_with_rust("crates", "cargo")?;
    install.args(["install", "--quiet", "--debug", "--config"]).arg(&settings).arg("--path");
    install.arg(folder.join(format!("pipevideo-cli-{}", rehearsal.version)));
    install.arg("--root").arg(room.folder("command")?);
    rehearsal.run("cargo install pipevideo-cli", &mut install)?;
    let mut trial = rehearsal.command("env");
    trial.arg(room.folder("command")?.join("bin/pipevideo"));
    trial.args(["--emulator", "generate", "A cat", "--model", "moonshotai/kimi-k2.5", "--output"]);
    rehearsal.run("pipevideo generate", trial.arg(folder.join("command.mp4")))
}

/// The manifest of a program that uses the crates.
fn manifest(version: &str) -> String {
    format!(
        r#"[package]
name = "videos"
version = "0.1.0"
edition = "2024"

[dependencies]
pipevideo = {{ version = "{version}", features = ["blocking", "redis"] }}
pipevideo-emulator = {{ version = "{version}", default-features = false }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[workspace]
"#
    )
}

fn write(file: &std::path::Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
