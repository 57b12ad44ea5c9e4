//! The browser for the test of the emulator's page.

use std::path::Path;

use crate::debian;
use crate::steps::Steps;

/// Where browsers are that Playwright can drive: Debian's Chromium, and what GitHub's machines have.
const BROWSERS: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/google-chrome"];

/// The path of a browser, which tests receive as `PIPEVIDEO_TEST_CHROMIUM`. Where there is none, counts
/// `tests` as not run.
pub(crate) fn find(steps: &mut Steps, tests: &str) -> Option<&'static str> {
    let installed = BROWSERS.into_iter().find(|path| Path::new(path).exists());
    let found = installed.or_else(|| {
        let [chromium, _] = BROWSERS;
        debian::has(steps, "chromium", &format!("{chromium} --version")).then_some(chromium)
    });
    if found.is_none() {
        let missing = "chromium is missing; on Debian, install it with `apt-get install chromium`";
        steps.skip(tests, missing);
    }
    found
}
