//! What goes wrong, on request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that goes wrong with requests that match.
///
/// The default is harmless and fits any request once; set what shall go wrong:
///
/// ```
/// use pipevideo_emulator::{Break, Fault, Match};
///
/// // The first create is carried out, and its answer is lost.
/// let lost = Fault {
///     matching: Match::new("POST", "/v1/responses"),
///     drop: Some(Break::AfterReading),
///     ..Fault::default()
/// };
/// // Every poll answers 503.
/// let down = Fault {
///     matching: Match::new("GET", "/v1/responses/*"),
///     status: Some(503),
///     times: None,
///     ..Fault::default()
/// };
/// ```
///
/// Faults are asked in the order in which they were added, and the first that fits is applied. A
/// request that one has taken is not counted by those behind it, so that three faults of once each
/// hit the first, the second and the third request.
///
/// In `headers`, `body` and `patch`, `{base_url}` stands for the API's origin, `{video_base}` for the
/// videos', and `{other_origin}` for the one of the two that the request did not go to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The requests it fits.
    #[serde(rename = "match")]
    pub matching: Match,
    /// From the n-th of them on, counted from 1.
    pub nth: u32,
    /// So many times; None: for ever.
    pub times: Option<u32>,
    /// Answer this status in place of the ordinary answer.
    pub status: Option<u16>,
    /// Headers of the answer, over its own.
    pub headers: BTreeMap<String, String>,
    /// Answer this in place of the ordinary answer (with status 200 unless `status` says otherwise):
    /// JSON, or a string, sent as it is and as `text/html` unless `headers` say otherwise. With a
    /// `status` of 400 or above and no body, there is a `{"message": …}`.
    pub body: Option<Value>,
    /// Wait so many milliseconds before the answer, or before the connection is closed.
    pub delay_ms: u64,
    /// Close the connection.
    pub drop: Option<Break>,
    /// Members that replace those of the ordinary JSON answer.
    pub patch: Option<Map<String, Value>>,
    /// Whether the service carries the request out. If nothing is said it does, unless `status` or
    /// `body` replace its answer, or the request was dropped before it was read.
    pub taken: Option<bool>,
    /// Wait until so many tries of webhooks' deliveries have been answered, or lost, before the answer
    /// (or before the connection is closed): they overtake it.
    pub after_deliveries: Option<usize>,
    /// Have a webhook say that the answer's generation has this status, whether it is so or not.
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
            taken: None,
            after_deliveries: None,
            claim: None,
        }
    }
}

impl Fault {
    /// Whether its answer stands in place of the ordinary one.
    pub(crate) fn replaces(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// Whether the service carries the request out.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.unwrap_or(match self.drop {
            Some(Break::BeforeReading) => false,
            Some(Break::AfterReading | Break::MidBody) => true,
            None => !self.replaces(),
        })
    }
}

/// Which requests a [`Fault`] fits; what is None fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// `GET`, `POST`, …
    pub method: Option<String>,
    /// The path, without query; `*` at its end fits any end.
    pub path: Option<String>,
    /// Where the request arrives.
    pub origin: Option<Origin>,
}

impl Match {
    /// Requests by method and path, at either origin.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), origin: None }
    }

    fn fits(&self, method: &str, path: &str, origin: Origin) -> bool {
        let path_fits = |wanted: &str| match wanted.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == wanted,
        };
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(path_fits)
            && self.origin.is_none_or(|wanted| wanted == origin)
    }
}

/// The two servers of an emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The API.
    Api,
    /// The host of the videos.
    Video,
}

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// After the head of the request: its body is not read, nothing is answered.
    BeforeReading,
    /// After the whole request was read, nothing is answered.
    AfterReading,
    /// After half of the answer's body.
    MidBody,
}

/// The faults that are set, in order, and how often each was met.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Armed>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    count: Count,
}

/// How often a fault was met.
#[derive(Debug, Default)]
pub(crate) struct Count {
    seen: u32,
    applied: u32,
}

impl Count {
    /// Whether this one, which fits, is hit by a fault from the `nth` on, so many `times`.
    pub(crate) fn hit(&mut self, nth: u32, times: Option<u32>) -> bool {
        if times.is_some_and(|times| self.applied >= times) {
            return false;
        }
        self.seen += 1;
        let hit = self.seen >= nth;
        self.applied += u32::from(hit);
        hit
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(Armed { fault, count: Count::default() });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that this request gets.
    pub(crate) fn take(&mut self, method: &str, path: &str, origin: Origin) -> Option<Fault> {
        self.0.iter_mut().find_map(|armed| armed.take(method, path, origin))
    }
}

impl Armed {
    fn take(&mut self, method: &str, path: &str, origin: Origin) -> Option<Fault> {
        let fits = self.fault.matching.fits(method, path, origin);
        (fits && self.count.hit(self.fault.nth, self.fault.times)).then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, nth: u32, times: Option<u32>) -> Fault {
        let matching = Match::new("GET", "/v1/responses/*");
        Fault { matching, nth, times, status: Some(status), ..Fault::default() }
    }

    fn statuses(faults: &mut Faults, looks: usize) -> Vec<Option<u16>> {
        let mut look = || faults.take("GET", "/v1/responses/gen_1", Origin::Api)?.status;
        (0..looks).map(|_| look()).collect()
    }

    #[test]
    fn queued_faults_hit_one_request_each() {
        let mut faults = Faults::default();
        faults.add(status(503, 1, Some(2)));
        faults.add(status(429, 1, Some(1)));
        assert_eq!(statuses(&mut faults, 4), [Some(503), Some(503), Some(429), None]);
    }

    #[test]
    fn the_nth_and_for_ever() {
        let mut faults = Faults::default();
        faults.add(status(500, 2, None));
        assert_eq!(statuses(&mut faults, 4), [None, Some(500), Some(500), Some(500)]);
        faults.clear();
        assert_eq!(statuses(&mut faults, 1), [None]);
    }

    #[test]
    fn others_do_not_match() {
        let mut faults = Faults::default();
        faults.add(status(500, 1, None));
        assert!(faults.take("POST", "/v1/responses/gen_1", Origin::Api).is_none());
        assert!(faults.take("GET", "/v1/responses", Origin::Api).is_none());
    }

    #[test]
    fn taken_unless_replaced_or_unread() {
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
    fn times_null_is_for_ever_and_absent_is_once() {
        let times = |json: &str| serde_json::from_str::<Fault>(json).unwrap().times;
        assert_eq!(times("{}"), Some(1));
        assert_eq!(times(r#"{"times": null}"#), None);
        assert!(serde_json::from_str::<Fault>(r#"{"time": 2}"#).is_err());
    }
}
