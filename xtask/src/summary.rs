//! The summary at the end: languages, tests that passed and failed, and the time.

use std::ops::AddAssign;
use std::time::Duration;

use crate::steps::Steps;

/// How many tests passed, failed, and did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Counts {
    /// The counts that a test runner wrote among its output: cargo's, pytest's, Swift's, or one of JavaScript.
    pub(crate) fn read(output: &str) -> Self {
        let mut counts = Self::default();
        // Swift's runner names its failed tests, and at the end the number of all.
        let (mut of_swift, mut failed_of_swift) = (0, 0);
        for line in output.lines() {
            // `test result: ok. 12 passed; 0 failed; 1 ignored; …`, `12 passed, 1 skipped in 3.4s`
            if line.starts_with("test result: ") || is_of_pytest(line) {
                counts += Self {
                    passed: before(line, "passed"),
                    failed: before(line, "failed") + before(line, "error") + before(line, "errors"),
                    skipped: before(line, "ignored") + before(line, "skipped"),
                };
            }
            // `# pass 12`
            counts.passed += after(line, "# pass ");
            counts.failed += after(line, "# fail ");
            counts.skipped += after(line, "# skipped ");
            // Bun's ` 12 pass`
            if let [count, what @ ("pass" | "fail")] =
                line.split_whitespace().collect::<Vec<_>>()[..]
            {
                let count = count.parse().unwrap_or(0);
                if what == "pass" { counts.passed += count } else { counts.failed += count }
            }
            // Deno's `ok | 3 passed (12 steps) | 0 failed (3s)`: nearly all tests are steps there
            if let Some((_, steps)) = line.split_once(" passed (") {
                counts.passed += after(steps, "");
                counts.failed += before(line, "failed");
            }
            // `✘ Test name() failed after …`, `✔ Test run with 12 tests passed …`
            if let Some(test) = line.strip_prefix("✘ Test ") {
                failed_of_swift += usize::from(!test.starts_with("run with "));
            }
            of_swift += after(line, "✔ Test run with ") + after(line, "✘ Test run with ");
        }
        counts.passed += of_swift - failed_of_swift.min(of_swift);
        counts.failed += failed_of_swift;
        counts
    }
}

/// Whether this is the last line of pytest, such as `2 failed, 12 passed in 3.45s`.
fn is_of_pytest(line: &str) -> bool {
    let ends_with_seconds = line.rsplit_once(" in ").is_some_and(|(_, time)| {
        time.split('s').next().is_some_and(|seconds| seconds.parse::<f64>().is_ok())
    });
    ends_with_seconds && line.starts_with(|first: char| first.is_ascii_digit())
}

/// The number before a word.
fn before(line: &str, word: &str) -> usize {
    let words: Vec<_> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let number = words.windows(2).find(|pair| pair[1] == word).map(|pair| pair[0]);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The number that follows the beginning of a line.
fn after(line: &str, beginning: &str) -> usize {
    let rest = line.strip_prefix(beginning).and_then(|rest| rest.split(' ').next());
    rest.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The line of the summary for a language.
pub(crate) fn line(language: &str, steps: &Steps, took: Duration) -> String {
    let outcome = match steps.failed() {
        [] => "passed".to_owned(),
        failed => format!("FAILED: {}", failed.join(", ")),
    };
    let not_run = match steps.not_run() {
        [] => String::new(),
        not_run => format!("; NOT RUN: {}", not_run.join(", ")),
    };
    let tests = match steps.tests() {
        // Its steps are checks, which no test runner counts.
        Counts { passed: 0, failed: 0, .. } => String::new(),
        Counts { passed, failed, skipped } => {
            format!("{passed} tests passed, {failed} failed, {skipped} left out")
        }
    };
    format!("{language:<10} {:>5} s  {tests:<46}  {outcome}{not_run}", took.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn the_counts_of_each_test_runner_are_read() {
        let cargo = "test result: ok. 8 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out\n\
                     test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::read(cargo), counts(12, 1, 2));
        assert_eq!(
            Counts::read("2 failed, 12 passed, 3 skipped, 1 error in 237.10s (0:03:57)\n"),
            counts(12, 3, 3)
        );
        assert_eq!(Counts::read("645 passed in 88.44s (0:01:28)"), counts(645, 0, 0));
        assert_eq!(Counts::read("# tests 9\n# pass 7\n# fail 1\n# skipped 1\n"), counts(7, 1, 1));
        assert_eq!(Counts::read(" 290 pass\n 1 fail\nRan 291 tests\n"), counts(290, 1, 0));
        assert_eq!(Counts::read("ok | 3 passed (288 steps) | 2 failed (1m0s)"), counts(288, 2, 0));
        assert_eq!(
            Counts::read("✔ Test run with 68 tests passed after 10.822 seconds."),
            counts(68, 0, 0)
        );
        assert_eq!(
            Counts::read(
                "✘ Test wait() failed after 0.1 seconds with 1 issue.\n✘ Test run with 68 tests failed after 3.1 seconds with 1 issue."
            ),
            counts(67, 1, 0)
        );
    }

    #[test]
    fn other_lines_count_nothing() {
        let lines =
            "wait: passed in 12 s\nthe file has 3 passed parts\n# passed 3\n12 files in 3 folders";
        assert_eq!(Counts::read(lines), counts(0, 0, 0));
    }
}
