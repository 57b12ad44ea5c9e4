//! The fuzz targets of `core/fuzz`: everything that reads what comes from outside, on random input.

use std::process::Command;

use crate::steps::Steps;

/// The seconds for which `cargo xtask test` runs each target.
const SECONDS: u32 = 60;

/// Coverage instrumentation for libFuzzer. These are stable options of the compiler, so no nightly
/// toolchain is needed. The core has no unsafe code, which a sanitizer would watch.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs all targets, as part of the tests.
pub(crate) fn test(steps: &mut Steps) {
    run(steps, SECONDS, None);
}

/// Runs all targets, or only the one that is named, each for this many seconds.
pub(crate) fn run(steps: &mut Steps, seconds: u32, only: Option<&str>) {
    if !steps.has("c++ --version") {
        return steps.skip("all", "a C++ compiler is missing, which builds libFuzzer");
    }
    let Some(host) = host() else { return steps.skip("all", "rustc does not name its host") };
    // With a target, the flags do not apply to build scripts and procedural macros.
    let build = format!(
        "cargo build --release --manifest-path core/fuzz/Cargo.toml --target-dir target/fuzz \
         --target {host} --locked"
    );
    steps.run_with("build", &[("RUSTFLAGS", RUSTFLAGS)], &build);
    if !steps.failed().is_empty() {
        return;
    }
    let targets = targets(steps);
    for target in targets.iter().filter(|target| only.is_none_or(|only| only == *target)) {
        // Inputs that are found stay there for the next run. The checked-in ones are not written to.
        let found = format!("target/fuzz/corpus/{target}");
        if let Err(error) = std::fs::create_dir_all(steps.root().join(&found)) {
            return steps.skip(target, &format!("{found} cannot be made: {error}"));
        }
        let options =
            "-timeout=10 -rss_limit_mb=2048 -max_len=16384 -verbosity=0 -print_final_stats=1";
        steps.run(
            target,
            &format!(
                "target/fuzz/{host}/release/{target} -max_total_time={seconds} {options} \
                 -artifact_prefix=target/fuzz/{target}- {found} core/fuzz/corpus/{target}"
            ),
        );
    }
}

fn targets(steps: &Steps) -> Vec<String> {
    let files = std::fs::read_dir(steps.root().join("core/fuzz/fuzz_targets"));
    let stem = |file: std::fs::DirEntry| Some(file.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = files.into_iter().flatten().flatten().filter_map(stem).collect();
    names.sort();
    names
}

/// The platform that the compiler runs on.
fn host() -> Option<String> {
    let version = Command::new("rustc").arg("-vV").output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    version.lines().find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
}
