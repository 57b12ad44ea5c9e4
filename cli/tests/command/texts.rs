//! The help, the completions, and the documented exit codes.

use super::{Ran, program, run};

fn ran(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    run(program(folder.path(), arguments), "")
}

#[test]
fn each_command_has_help() {
    for command in [
        "generate",
        "create",
        "wait",
        "retrieve",
        "download",
        "list",
        "reconcile",
        "engines",
        "usage",
        "estimate",
        "batch run",
        "batch report",
        "webhooks verify",
        "webhooks listen",
        "emulator",
        "completions",
    ] {
        let mut arguments: Vec<_> = command.split(' ').collect();
        arguments.push("--help");
        let help = ran(&arguments);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(help.stdout.contains(&format!("Usage: pipevideo {command}")), "{}", help.stdout);
    }
    assert_eq!(ran(&[]).code, Some(2));
    let version = format!("pipevideo {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ran(&["--version"]).stdout, version);
}

#[test]
fn each_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = ran(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.stdout.contains("download-to"), "{shell}");
    }
}

#[test]
fn the_document_has_every_kind_with_its_code() {
    let document = include_str!("../../../docs/command-line.md");
    for kind in pipevideo::ErrorKind::ALL {
        let row = document.lines().find(|line| line.contains(&format!("`{kind}`"))).unwrap();
        let code: u8 = row.split('|').nth(1).unwrap().trim().parse().unwrap();
        assert_eq!(code, pipevideo_cli::exit_code(*kind), "{kind}");
    }
}
