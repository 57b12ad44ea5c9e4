//! The type stubs of the native module, which describes itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pyo3_introspection::{introspect_cdylib, module_stub_files};

use crate::steps::{Steps, target};
use crate::workspace;

/// Writes the stubs.
pub(crate) fn generate(steps: &mut Steps) {
    workspace::build(steps);
    run(steps, "python3", "");
}

/// Fails if the stubs are not up to date.
pub(super) fn check(steps: &mut Steps, python: &str) {
    run(steps, python, "--check");
}

/// Has `stubs.py` complete what the native module says of itself.
fn run(steps: &mut Steps, python: &str, option: &str) {
    let started = Instant::now();
    match description(&workspace::python_module()) {
        Ok(described) => {
            let described = described.display();
            steps.run("stubs", &format!("{python} bindings-python/stubs.py {described} {option}"));
        }
        Err(why) => steps.ended("stubs", started.elapsed(), Err(why)),
    }
}

/// Writes into a file what a native module says of itself.
fn description(module: &Path) -> Result<PathBuf, String> {
    let described = introspect_cdylib(module, "_native").map_err(|error| error.to_string())?;
    let mut files = module_stub_files(&described);
    let stub = files.remove(Path::new("__init__.pyi")).ok_or("it says nothing of itself")?;
    let folder = target().join("python");
    let file = folder.join("_native.pyi");
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, stub));
    written.map(|()| file).map_err(|error| format!("{}: {error}", folder.display()))
}
