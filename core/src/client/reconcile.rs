//! Which generations an uncertain create may have made.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::{Client, ClientInner, clock};
use crate::error::{Error, ErrorKind, Redactor};
use crate::lock::lock;
use crate::model::{AccountUsage, Candidate, Candidates, RecentRequest};
use crate::wire::{self, Response};

/// An uncertain create.
#[derive(Clone, Copy)]
pub(crate) struct LostCreate<'a> {
    pub(crate) model: &'a str,
    /// By this machine's clock.
    pub(crate) sent_at: SystemTime,
    /// The id in its response, if one was received.
    pub(crate) generation_id: Option<&'a str>,
}

/// Lists what an uncertain create may have made. For bindings, which keep an error as a value of their
/// language.
#[doc(hidden)]
pub async fn reconcile_stored(
    client: &Client,
    model: &str,
    sent_at: SystemTime,
    generation_id: Option<&str>,
) -> Result<Candidates, Error> {
    client.inner.reconcile(LostCreate { model, sent_at, generation_id }).await
}

/// The account's recent requests.
pub(crate) struct Recent {
    usage: AccountUsage,
    clocks: ClockDifference,
    /// The processes of this key that are running.
    running: HashSet<u64>,
}

impl ClientInner {
    /// Lists what an uncertain create may have made.
    async fn reconcile(&self, create: LostCreate<'_>) -> Result<Candidates, Error> {
        let recent = self.recent_requests().await?;
        let candidates = self.candidates(&recent, create);
        self.state.ledger.on_candidates(candidates.iter().map(|found| found.id.as_str()));
        Ok(candidates)
    }

    /// Fetches the account's recent requests.
    pub(crate) async fn recent_requests(&self) -> Result<Recent, Error> {
        let requested = clock::wall();
        let parse = |response: &Response, redactor: &Redactor<'_>, received| {
            let usage: AccountUsage = response.parse(redactor, received)?;
            Ok((usage, ClockDifference::measure(&response.headers, requested, received)))
        };
        let (usage, clocks) = self.read_by(&wire::usage(), parse).await?;
        // A response of another shape parses as an empty list, which would mean that nothing was made.
        let listed = usage.raw["recent_requests"].as_array().map(Vec::len);
        if listed != Some(usage.recent_requests.len()) {
            return Err(Error::new(
                ErrorKind::Decode,
                "the usage of the account does not list its recent requests as the API documents, so \
                 what the create has made is unknown. Check the dashboard before you create again.",
            ));
        }
        let running = match &self.state.link {
            Some(link) => link.refresh().await,
            None => HashSet::new(),
        };
        Ok(Recent { usage, clocks, running })
    }

    /// The recent requests that an uncertain create may have made.
    pub(crate) fn candidates(&self, recent: &Recent, create: LostCreate<'_>) -> Candidates {
        let age = clock::wall().duration_since(create.sent_at).unwrap_or_default();
        let sent_at = clock::now().saturating_sub(age) + PRECISION;
        let seen = lock(&self.state.seen);
        candidates(recent.usage.clone(), create, recent.clocks, |id| match seen.get(id) {
            _ if self.state.is_of_known_create(id, &recent.running) => Known::OtherCreate,
            Some(since) if since < sent_at => Known::Before,
            _ => Known::No,
        })
    }
}

/// How exact the time of a create is that has been stored: JavaScript's dates have whole milliseconds.
const PRECISION: Duration = Duration::from_millis(1);

/// How this process knows a generation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    /// It does not, or only since the create was sent.
    No,
    /// It knew it before the create was sent.
    Before,
    /// As the response to another create.
    OtherCreate,
}

/// The seconds by which the service's clock is ahead of this machine's.
#[derive(Clone, Copy, Debug)]
struct ClockDifference(Option<f64>);

impl ClockDifference {
    /// Measures it by the `Date` of a response that was requested and received at these times.
    fn measure(headers: &HeaderMap, requested: SystemTime, received: SystemTime) -> Self {
        let date = headers.get(header::DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        Self(date.map(|date| {
            // The date is cut to a whole second, and was written between the two times.
            let least = unix(date) - unix(received);
            let most = unix(date) + 1.0 - unix(requested);
            // Servers write it once a second.
            if least <= 1.0 && -1.0 <= most { 0.0 } else { (least + most) / 2.0 }
        }))
    }

    /// How much earlier than the create, in seconds, a request is certainly another one.
    ///
    /// `Date` and `created_at` may be of two machines, and this machine's clock may have been set
    /// since. Without a `Date` the clocks may be in different time zones.
    fn margin(self) -> f64 {
        if self.0.is_some() { 60.0 } else { 24.0 * 60.0 * 60.0 }
    }
}

/// The requests that the create may have made, the most likely one first.
///
/// What is not certainly another one stays: a paid create is repeated if this list is empty.
fn candidates(
    usage: AccountUsage,
    create: LostCreate<'_>,
    clocks: ClockDifference,
    known: impl Fn(&str) -> Known,
) -> Candidates {
    let margin = clocks.margin();
    let after_create = |request: &RecentRequest| {
        let created_at = unix(request.created_at?) - clocks.0.unwrap_or_default();
        Some(created_at - unix(create.sent_at))
    };
    let listed = usage.recent_requests.len() as u64;
    let oldest = usage.recent_requests.iter().filter_map(after_create).reduce(f64::min);
    let is_named = |id: &str| create.generation_id == Some(id);
    let mut found: Vec<Candidate> = Vec::new();
    for request in usage.recent_requests {
        let seconds = after_create(&request);
        let known = known(&request.id);
        let is_other =
            known == Known::OtherCreate || seconds.is_some_and(|seconds| seconds < -margin);
        if is_named(&request.id) || !is_other {
            let mut candidate = Candidate::from(request);
            candidate.same_model =
                candidate.model_name.as_deref().map(|name| same_model(name, create.model));
            candidate.seconds_after_create = seconds;
            candidate.known_before = known == Known::Before;
            found.push(candidate);
        }
    }
    if let Some(id) = create.generation_id
        && !found.iter().any(|candidate| candidate.id == id)
    {
        found.push(unlisted(id).into());
    }
    found.sort_by(|a, b| {
        let against = |candidate: &Candidate| {
            let model = match candidate.same_model {
                Some(true) => 0,
                None => 1,
                Some(false) => 2,
            };
            (!is_named(&candidate.id), candidate.known_before, model)
        };
        let distance = |c: &Candidate| c.seconds_after_create.map_or(f64::INFINITY, f64::abs);
        against(a).cmp(&against(b)).then(distance(a).total_cmp(&distance(b)))
    });
    let reaches_back_to = oldest.and_then(|seconds| at(unix(create.sent_at) + seconds));
    let lists_all = usage.totals.total_requests.is_some_and(|total| total <= listed);
    let covers_create = lists_all || oldest.is_some_and(|seconds| seconds < -margin);
    Candidates { found, reaches_back_to, covers_create }
}

/// Whether two names are of one model: `Kimi-K2.5:free` is `moonshotai/kimi-k2.5`.
fn same_model(a: &str, b: &str) -> bool {
    // After a slash is the name, before it the provider; after a colon is a variant of the model.
    let name = |text: &str| {
        let name = text.trim().rsplit('/').next().unwrap_or_default();
        name.split(':').next().unwrap_or_default().to_lowercase()
    };
    name(a) == name(b)
}

fn unlisted(id: &str) -> RecentRequest {
    RecentRequest {
        id: id.to_owned(),
        status: None,
        model_name: None,
        engine: None,
        cost_cents: None,
        latency_ms: None,
        created_at: None,
        completed_at: None,
    }
}

/// A time in Unix seconds.
fn unix(time: SystemTime) -> f64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

/// The time of Unix seconds, to the millisecond, which is how exact the service's times are.
fn at(unix: f64) -> Option<SystemTime> {
    let milliseconds = (unix * 1000.0).round();
    // A float of today's seconds is exact to a quarter of a microsecond only.
    let since = (milliseconds >= 0.0).then(|| Duration::from_millis(milliseconds as u64))?;
    crate::model::fields::time(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::{Value, json};

    const SENT_AT: u64 = 1_000_000;

    fn request(id: &str, model: &str, seconds: f64) -> Value {
        let created_at = ((SENT_AT as f64 + seconds) * 1000.0) as u64;
        json!({"id": id, "model_name": model, "created_at": created_at})
    }

    fn create(generation_id: Option<&str>) -> LostCreate<'_> {
        LostCreate { model: "lab/m", sent_at: at(SENT_AT as f64).unwrap(), generation_id }
    }

    fn known(id: &str) -> Known {
        match id {
            "own" => Known::OtherCreate,
            "watched" => Known::Before,
            _ => Known::No,
        }
    }

    fn ids(found: &Candidates) -> Vec<&str> {
        found.into_iter().map(|candidate| candidate.id.as_str()).collect()
    }

    fn usage(requests: &[Value]) -> AccountUsage {
        AccountUsage::from(json!({"recent_requests": requests}))
    }

    #[test]
    fn what_speaks_against_a_candidate_moves_it_back_and_only_another_one_is_left_out() {
        let all = [
            request("later", "m", 60.0),
            request("own", "lab/m", 0.02),
            request("watched", "lab/m", 0.01),
            request("other_model", "x", 0.04),
            json!({"id": "no_time", "model_name": "m"}),
            json!({"id": "no_model", "created_at": SENT_AT * 1000}),
            request("earlier", "lab/m", -61.0),
            request("lost", "Lab/M:free", 0.04),
            request("rounded_down", "m", -0.999),
        ];
        let same_clock = ClockDifference(Some(0.0));
        let found = candidates(usage(&all), create(None), same_clock, known);
        assert_eq!(
            ids(&found),
            ["lost", "rounded_down", "later", "no_time", "no_model", "other_model", "watched"]
        );
        assert_eq!(found[0].same_model, Some(true));
        assert!((found[1].seconds_after_create.unwrap() + 0.999).abs() < 1e-6);
        assert_eq!((found[4].same_model, found[5].same_model), (None, Some(false)));
        assert!(found[6].known_before && !found[0].known_before);
        let reaches = found.reaches_back_to.unwrap();
        assert!(found.covers_create && reaches < at(SENT_AT as f64 - 60.9).unwrap());
    }

    #[test]
    fn the_one_that_the_error_names_comes_first_also_if_it_is_not_listed() {
        let all = [request("near", "m", 0.1), request("own", "x", -999.0)];
        let same_clock = ClockDifference(Some(0.0));
        let found = candidates(usage(&all), create(Some("own")), same_clock, known);
        assert_eq!(ids(&found), ["own", "near"]);
        let found = candidates(usage(&all), create(Some("gen_1")), same_clock, known);
        assert_eq!(ids(&found), ["gen_1", "near"]);
        let owned: Vec<_> = found.into_iter().map(|candidate| candidate.id).collect();
        assert_eq!(owned, ["gen_1", "near"]);
    }

    #[test]
    fn the_difference_between_the_clocks_is_taken_out() {
        let received = at(SENT_AT as f64 + 0.3).unwrap();
        let requested = at(SENT_AT as f64 + 0.1).unwrap();
        for difference in [-3600, -90, 0, 90, 3600] {
            let date = SENT_AT.checked_add_signed(difference).unwrap();
            let text = httpdate::fmt_http_date(at(date as f64).unwrap());
            let headers = [(header::DATE, HeaderValue::from_str(&text).unwrap())];
            let clocks =
                ClockDifference::measure(&headers.into_iter().collect(), requested, received);
            let all = [
                request("lost", "m", difference as f64 + 0.2),
                request("old", "m", difference as f64 - 62.0),
            ];
            let found = candidates(usage(&all), create(None), clocks, known);
            assert_eq!(ids(&found), ["lost"], "{difference}");
            assert!(found[0].seconds_after_create.unwrap().abs() < 1.0);
        }
    }

    #[test]
    fn clocks_differ_only_by_more_than_a_second() {
        let measure = |date: i64, requested: f64, received: f64| {
            let of = |seconds: f64| at(SENT_AT as f64 + seconds).unwrap();
            let text = httpdate::fmt_http_date(of(date as f64));
            let headers = [(header::DATE, HeaderValue::from_str(&text).unwrap())];
            let headers = headers.into_iter().collect();
            ClockDifference::measure(&headers, of(requested), of(received)).0
        };
        for (date, requested, received, difference) in [
            (0, 0.0, 0.0, 0.0),
            (1, 0.0, 0.0, 0.0),
            (2, 0.0, 0.0, 2.5),
            (2, 0.0, 1.0, 0.0),
            (9, 1.0, 3.0, 7.5),
            (-2, 0.0, 0.0, 0.0),
            (-3, 0.0, 0.0, -2.5),
            (-3, -1.0, 0.0, 0.0),
            (-9, 1.0, 3.0, -10.5),
        ] {
            let found = measure(date, requested, received);
            assert_eq!(found, Some(difference), "{date} {requested} {received}");
        }
    }

    #[test]
    fn a_request_at_the_margin_may_be_the_lost_one_and_others_may_precede_it() {
        for (clocks, margin) in
            [(ClockDifference(Some(0.0)), 60.0), (ClockDifference(None), 86_400.0)]
        {
            for (seconds, found, covers) in
                [(-margin, &["r"][..], false), (-margin - 0.001, &[][..], true)]
            {
                let all = [request("r", "m", seconds)];
                let listed = candidates(usage(&all), create(None), clocks, known);
                assert_eq!((&ids(&listed)[..], listed.covers_create), (found, covers), "{seconds}");
            }
        }
    }

    #[test]
    fn without_a_date_a_request_of_the_last_day_may_be_the_lost_one() {
        for date in [None, Some("yesterday")] {
            let headers = date.map(|date| (header::DATE, HeaderValue::from_static(date)));
            let headers = headers.into_iter().collect();
            let now = at(SENT_AT as f64).unwrap();
            let clocks = ClockDifference::measure(&headers, now, now);
            let all = [request("hours", "m", -50_000.0), request("days", "m", -90_000.0)];
            let found = candidates(usage(&all), create(None), clocks, known);
            assert_eq!(ids(&found), ["hours"]);
            assert!(found.covers_create);
        }
    }

    #[test]
    fn whether_the_list_reaches_back_to_the_create_is_shown() {
        let same_clock = ClockDifference(Some(0.0));
        let covers = |usage: Value| {
            let found = candidates(AccountUsage::from(usage), create(None), same_clock, known);
            (found.reaches_back_to.is_some(), found.covers_create)
        };
        let after = [request("later", "m", 10.0)];
        assert_eq!(covers(json!({"recent_requests": after})), (true, false));
        assert_eq!(covers(json!({"recent_requests": []})), (false, false));
        let total = |total: u64| json!({"total_requests": total});
        assert_eq!(covers(json!({"recent_requests": after, "totals": total(1)})), (true, true));
        assert_eq!(covers(json!({"recent_requests": after, "totals": total(7)})), (true, false));
        assert_eq!(covers(json!({"recent_requests": [], "totals": total(0)})), (false, true));
    }

    #[test]
    fn a_time_before_1970_is_negative() {
        let time = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!((unix(time), at(-1.5)), (-1.5, None));
    }

    #[test]
    fn spellings_of_one_model_are_the_same() {
        for (a, b, same) in [
            ("m", "m:free", true),
            ("moonshotai/kimi-k2.5", "Kimi-K2.5", true),
            ("openrouter/moonshotai/kimi-k2.5:nitro", "moonshotai/kimi-k2.5", true),
            ("m", "m2", false),
            ("lab/m", "lab/n", false),
        ] {
            assert_eq!(same_model(a, b), same, "{a} {b}");
        }
    }
}
