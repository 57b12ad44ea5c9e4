//! Faults: what goes wrong with requests.

mod apply;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::Origin;

/// A fault that is applied to the requests that match it.
///
/// The default changes nothing and matches the next request, whatever it is. Set what should go wrong:
///
/// ```
/// use pipevideo_emulator::{Break, Fault, Match};
///
/// // The next create is carried out, but its response is lost.
/// let lost = Fault {
///     matching: Match::new("POST", "/v1/responses"),
///     drop: Some(Break::AfterReading),
///     ..Fault::default()
/// };
/// // Every poll fails with 503.
/// let down = Fault {
///     matching: Match::new("GET", "/v1/responses/*"),
///     status: Some(503),
///     times: None,
///     ..Fault::default()
/// };
/// ```
///
/// Faults are tried in the order in which they were added, and only the first that matches is applied.
/// A request does not count as seen for the faults behind the one that was applied. Three faults with
/// the default `times` of 1 are therefore applied to the first, the second and the third request.
///
/// In `headers`, `body` and `patch`, `{base_url}` stands for the origin of the API, `{video_base}` for
/// that of the videos, and `{other_origin}` for the one that did not receive the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The requests that the fault matches.
    #[serde(rename = "match")]
    pub matching: Match,
    /// The first matching request that the fault is applied to, counted from 1.
    pub nth: u32,
    /// How many requests the fault is applied to. None: all from the `nth` on.
    pub times: Option<u32>,
    /// A status that replaces the regular response.
    pub status: Option<u16>,
    /// Headers that are added to the response, or replace its own.
    pub headers: BTreeMap<String, String>,
    /// A body that replaces the regular response, with status 200 unless `status` is set.
    ///
    /// A string is sent as it is, as `text/html` unless `headers` has another type; any other value is
    /// sent as JSON. Without a body, a `status` of 400 or above is sent with `{"message": …}`.
    pub body: Option<Value>,
    /// How many milliseconds to wait before responding or closing the connection.
    pub delay_ms: u64,
    /// When to close the connection.
    pub drop: Option<Break>,
    /// Members that replace those of the regular JSON response.
    pub patch: Option<Map<String, Value>>,
    /// Whether the response is compressed with gzip, as a CDN does.
    pub gzip: bool,
    /// Whether the service carries out the request.
    ///
    /// None: it does, unless `status` or `body` replaces its response or `drop` is `before_reading`.
    pub taken: Option<bool>,
    /// How many webhook delivery attempts must have ended before the emulator responds or closes the
    /// connection. Use it to have a webhook arrive before the response.
    pub after_deliveries: Option<usize>,
    /// A status that a webhook reports for the generation in the response, whether it is true or not.
    pub claim: Option<String>,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            matching: Match::default(),
            nth: 1,
            times: Some(1),
            status: None,
            headers: BTreeMap::new(),
            body: None,
            delay_ms: 0,
            drop: None,
            patch: None,
            gzip: false,
            taken: None,
            after_deliveries: None,
            claim: None,
        }
    }
}

impl Fault {
    /// Whether the regular response is replaced.
    pub(crate) fn replaces(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// Whether the service carries out the request.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.unwrap_or(match self.drop {
            Some(Break::BeforeReading) => false,
            Some(Break::AfterReading | Break::MidBody) => true,
            None => !self.replaces(),
        })
    }
}

/// Which requests a [`Fault`] matches. A field that is None matches all requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// `GET`, `POST`, …
    pub method: Option<String>,
    /// The path without the query. A `*` at its end matches any rest.
    pub path: Option<String>,
    /// The server that receives the request.
    pub origin: Option<Origin>,
}

impl Match {
    /// Matches a method and a path, at either server.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), origin: None }
    }

    fn matches(&self, method: &str, path: &str, origin: Origin) -> bool {
        let path_matches = |wanted: &str| match wanted.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == wanted,
        };
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(path_matches)
            && self.origin.is_none_or(|wanted| wanted == origin)
    }
}

/// When a fault closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// After the headers of the request: its body is not read and there is no response.
    BeforeReading,
    /// After the whole request was read: there is no response.
    AfterReading,
    /// After half of the body of the response. The bytes before the break always arrive.
    MidBody,
}

/// The faults that are set, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<CountedFault>);

#[derive(Debug)]
struct CountedFault {
    fault: Fault,
    count: FaultCount,
}

/// How many requests a fault has matched and was applied to.
#[derive(Debug, Default)]
pub(crate) struct FaultCount {
    seen: u32,
    applied: u32,
}

impl FaultCount {
    /// Counts a match, and returns whether the fault should be applied to it.
    pub(crate) fn should_apply(&mut self, nth: u32, times: Option<u32>) -> bool {
        if times.is_some_and(|times| self.applied >= times) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        let applies = self.seen >= nth;
        self.applied = self.applied.saturating_add(u32::from(applies));
        applies
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(CountedFault { fault, count: FaultCount::default() });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// How many faults will be applied to further requests.
    pub(crate) fn pending(&self) -> usize {
        let ended = |it: &&CountedFault| it.fault.times.is_some_and(|n| it.count.applied >= n);
        self.0.iter().filter(|counted| !ended(counted)).count()
    }

    /// Takes the fault that should be applied to a request.
    pub(crate) fn take(&mut self, method: &str, path: &str, origin: Origin) -> Option<Fault> {
        self.0.iter_mut().find_map(|counted| counted.take(method, path, origin))
    }
}

impl CountedFault {
    fn take(&mut self, method: &str, path: &str, origin: Origin) -> Option<Fault> {
        let Fault { matching, nth, times, .. } = &self.fault;
        let applies =
            matching.matches(method, path, origin) && self.count.should_apply(*nth, *times);
        applies.then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, nth: u32, times: Option<u32>) -> Fault {
        let matching = Match::new("GET", "/v1/responses/*");
        Fault { matching, nth, times, status: Some(status), ..Fault::default() }
    }

    fn statuses(faults: &mut Faults, polls: usize) -> Vec<Option<u16>> {
        let mut poll = || faults.take("GET", "/v1/responses/gen_1", Origin::Api)?.status;
        (0..polls).map(|_| poll()).collect()
    }

    #[test]
    fn each_fault_is_applied_to_its_own_requests() {
        let mut faults = Faults::default();
        faults.add(status(503, 1, Some(2)));
        faults.add(status(429, 1, Some(1)));
        assert_eq!(statuses(&mut faults, 4), [Some(503), Some(503), Some(429), None]);
    }

    #[test]
    fn nth_skips_requests_and_times_none_never_ends() {
        let mut faults = Faults::default();
        faults.add(status(500, 2, None));
        assert_eq!(statuses(&mut faults, 4), [None, Some(500), Some(500), Some(500)]);
        faults.clear();
        assert_eq!(statuses(&mut faults, 1), [None]);
    }

    #[test]
    fn other_methods_and_paths_do_not_match() {
        let mut faults = Faults::default();
        faults.add(status(500, 1, None));
        assert!(faults.take("POST", "/v1/responses/gen_1", Origin::Api).is_none());
        assert!(faults.take("GET", "/v1/responses", Origin::Api).is_none());
    }

    #[test]
    fn requests_are_carried_out_unless_replaced_or_unread() {
        let taken = |json: &str| serde_json::from_str::<Fault>(json).unwrap().is_taken();
        assert!(!taken(r#"{"status": 503}"#));
        assert!(!taken(r#"{"body": "<html>"}"#));
        assert!(!taken(r#"{"drop": "before_reading"}"#));
        assert!(taken(r#"{"drop": "after_reading"}"#));
        assert!(taken(r#"{"drop": "mid_body"}"#));
        assert!(taken(r#"{"patch": {"status": "odd"}}"#));
        assert!(taken(r#"{"delay_ms": 5}"#));
        assert!(taken(r#"{"status": 500, "taken": true}"#));
    }

    #[test]
    fn times_is_once_by_default_and_unlimited_if_null() {
        let times = |json: &str| serde_json::from_str::<Fault>(json).unwrap().times;
        assert_eq!(times("{}"), Some(1));
        assert_eq!(times(r#"{"times": null}"#), None);
        assert!(serde_json::from_str::<Fault>(r#"{"time": 2}"#).is_err());
    }
}
