//! The wheel that is tested: with debug assertions, and the descriptions that the stubs are made of.

use super::{AT_ONCE, OPTIONS, Python, TESTS};
use crate::redis::Redis;
use crate::steps::{Steps, target};
use crate::workspace;

/// A wheel around the native module that the workspace's build makes. maturin, which builds what is released,
/// would compile all dependencies again, with the features that this module alone needs.
pub(crate) struct Wheel {
    folder: String,
    pub(super) built_with: Python,
}

impl Wheel {
    /// Builds it.
    pub(crate) fn build(steps: &mut Steps) -> Option<Self> {
        if !steps.has("python3 --version") {
            steps.skip("all", "python3 is missing; install Python 3.10 or later");
            return None;
        }
        let target = target().join("python");
        // pip could install the wheel of an earlier run in place of the new one.
        for folder in ["wheels", "unpacked"] {
            let _ = std::fs::remove_dir_all(target.join(folder));
        }
        let folder = target.join("wheels").display().to_string();
        let unpacked = target.join("unpacked").display().to_string();
        let built_with = Python::new(steps, &target.join("venv"), "", "python3 -m venv");
        built_with.install_tools(steps);
        workspace::build(steps);
        let python = &built_with.python;
        steps.run(
            "metadata",
            &format!(
                "{python} -m maturin pep517 write-dist-info --manifest-path bindings-python/Cargo.toml \
                 --metadata-directory {unpacked}"
            ),
        );
        steps.run("package", &format!("cp -R bindings-python/python/pipevideo {unpacked}"));
        let module = workspace::python_module().display().to_string();
        steps.run("module", &format!("install {module} {unpacked}/pipevideo/_native.abi3.so"));
        steps.run("wheels", &format!("mkdir {folder}"));
        steps.run("wheel", &format!("{python} -m wheel pack {unpacked} --dest-dir {folder}"));
        Some(Self { folder, built_with })
    }

    /// Installs it in place of an earlier one.
    pub(crate) fn install(&self, steps: &mut Steps, into: &Python) {
        let only_ours = "--no-index --no-deps --force-reinstall --find-links";
        steps.run("install", &format!("{} {only_ours} {} pipevideo", into.pip, self.folder));
    }

    /// Runs all tests.
    pub(crate) fn test(&self, steps: &mut Steps, step: &str, with: &Python) {
        let redis = Redis::start(steps, "the examples over Redis");
        let variables = redis.as_ref().map(|redis| ("PIPEVIDEO_TEST_REDIS_URL", redis.url()));
        steps.run_with(
            step,
            variables.as_slice(),
            &format!("{} -m pytest {OPTIONS} {AT_ONCE} {TESTS}", with.python),
        );
    }
}
