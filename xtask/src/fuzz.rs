//! The fuzz targets of `core/fuzz`: everything that reads what comes from outside, on random input.

use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::steps::Steps;

/// The seconds for which `cargo xtask test` runs each target: enough for all inputs of the corpus and for what a
/// few changes to them reach. CI runs each for a minute.
const SECONDS: u32 = 10;

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
    steps.show_at_the_end();
    let chosen = |target: &String| only.is_none_or(|only| only == target);
    let queue: Mutex<Vec<_>> = Mutex::new(targets(steps).into_iter().filter(chosen).collect());
    let next = || queue.lock().expect("no one panics with the lock").pop();
    let work = || {
        let mut results = Vec::new();
        while let Some(target) = next() {
            let started = Instant::now();
            let result = run_target(steps, &host, &target, seconds);
            results.push((target, started.elapsed(), result));
        }
        results
    };
    // One target has one thread.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panics")).collect::<Vec<_>>()
    });
    for (target, took, result) in results {
        steps.ended(&target, took, result);
    }
}

/// Runs a target for this many seconds.
fn run_target(steps: &Steps, host: &str, target: &str, seconds: u32) -> Result<(), String> {
    // Inputs that are found stay there for the next run. The checked-in ones are not written to.
    let found = format!("target/fuzz/corpus/{target}");
    std::fs::create_dir_all(steps.root().join(&found))
        .map_err(|error| format!("{found} cannot be made: {error}"))?;
    let command = format!(
        "target/fuzz/{host}/release/{target} -max_total_time={seconds} -timeout=10 -rss_limit_mb=2048 \
         -max_len=16384 -verbosity=0 -print_final_stats=1 -artifact_prefix=target/fuzz/{target}- {found} \
         core/fuzz/corpus/{target}"
    );
    steps.part(target, &mut steps.command(&command))
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
