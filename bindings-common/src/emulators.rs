//! The emulators that run in this process, and how often their clients poll.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use pipevideo::Polling;

use crate::lock;

/// How long the generations of each emulator take, by its base URL.
static RUNNING: Mutex<BTreeMap<String, Duration>> = Mutex::new(BTreeMap::new());

/// The least time that generations are taken to need. Those that end after some polls, whenever these come,
/// need none; the rate limit of the emulator is in real time nevertheless.
const MIN_TYPICAL: Duration = Duration::from_millis(100);

/// The number of polls, at most, in the time that a generation takes. With more, the first result of a generation
/// of a second came no sooner: after 2.0 s with 5 requests, and with twice as many polls after 2.2 s with 9. The
/// limit is the service's.
const POLLS: u32 = 2;

/// Has clients that are made for an emulator poll as its generations need it: at the pace for the service, the
/// end of one that takes a second would be noticed after five. Only clients without options of polling do.
pub fn emulator_started(base_url: &str, typical: Duration) {
    lock(&RUNNING).insert(base_url.to_owned(), typical.max(MIN_TYPICAL));
}

/// Ends the waits for the generations of an emulator that was stopped.
pub fn emulator_stopped(base_url: &str) {
    lock(&RUNNING).remove(base_url);
    pipevideo::end_waits(base_url);
}

/// The polling of a client for this base URL, before its own options.
pub(crate) fn polling(base_url: &str) -> Polling {
    let origin = base_url.trim_end_matches('/');
    let origin = origin.strip_suffix("/v1").unwrap_or(origin);
    let service = Polling::default();
    let Some(&typical) = lock(&RUNNING).get(origin) else { return service };
    let interval = typical.checked_div(POLLS).unwrap_or(typical);
    let (min, max) = (service.min_interval, service.max_interval);
    service.min_interval(interval.min(min)).max_interval(typical.min(max)).typical(typical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_an_emulator_poll_as_fast_as_its_generations_are() {
        let ms = Duration::from_millis;
        let intervals = |url: &str| {
            let polling = polling(url);
            (polling.min_interval, polling.max_interval, polling.typical)
        };
        let service = intervals("https://api.pipevideo.co");
        for (url, typical, expected) in [
            ("http://127.0.0.1:1", ms(1000), (ms(500), ms(1000), ms(1000))),
            ("http://127.0.0.1:2", Duration::ZERO, (ms(50), ms(100), ms(100))),
            ("http://127.0.0.1:3", service.2, service),
        ] {
            emulator_started(url, typical);
            assert_eq!(intervals(url), expected);
            assert_eq!(intervals(&format!("{url}/v1/")), expected);
            emulator_stopped(url);
            assert_eq!(intervals(url), service);
        }
    }
}
