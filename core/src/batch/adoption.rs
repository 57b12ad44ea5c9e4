//! Which of the candidates are the generations of creates with an unknown outcome.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Candidate, Candidates};

/// How long after a create has failed its generation may still be made: longer than requests wait in
/// a service that works.
const LATE: Duration = Duration::from_secs(60);
/// How long after it was recorded, at most, if it is not known when it failed. It is longer than any
/// upload within the limits of the service. A time that is too long only leaves more creates uncertain.
const LATEST: Duration = Duration::from_secs(600);

/// The candidates that may be the generation of a lost create, by all that is known. `failed_after` is
/// the time from its recording until it had certainly failed.
pub(super) fn plausible(
    candidates: &Candidates,
    failed_after: Duration,
    is_claimed: impl Fn(&str) -> bool,
) -> Vec<String> {
    let latest = failed_after.saturating_add(LATE).min(LATEST).as_secs_f64();
    let is_plausible = |candidate: &&Candidate| {
        candidate.same_model != Some(false)
            && !candidate.known_before
            && candidate.seconds_after_create.is_none_or(|seconds| seconds <= latest)
            && !is_claimed(&candidate.id)
    };
    candidates.iter().filter(is_plausible).map(|candidate| candidate.id.clone()).collect()
}

/// For each create with its plausible candidates: the one that it has made, if there is exactly one,
/// and no other create has it as a candidate.
pub(super) fn adoptable(creates: &[Vec<String>]) -> Vec<Option<String>> {
    let mut claims: HashMap<&str, usize> = HashMap::new();
    for id in creates.iter().flatten() {
        *claims.entry(id).or_default() += 1;
    }
    let only = |candidates: &Vec<String>| match candidates.as_slice() {
        [id] if claims.get(id.as_str()) == Some(&1) => Some(id.clone()),
        _ => None,
    };
    creates.iter().map(only).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecentRequest;
    use serde_json::json;

    #[test]
    fn one_candidate_that_nothing_else_claims_is_adopted() {
        let creates = |lists: &[&[&str]]| -> Vec<Vec<String>> {
            let owned = |list: &&[&str]| list.iter().map(|id| (*id).to_owned()).collect();
            lists.iter().map(owned).collect()
        };
        for (lists, adopted) in [
            (&[&["a"][..]][..], &[Some("a")][..]),
            (&[&[]], &[None]),
            (&[&["a", "b"]], &[None]),
            (&[&["a"], &["a"]], &[None, None]),
            (&[&["a"], &["b"]], &[Some("a"), Some("b")]),
            (&[&["a"], &["a", "b"]], &[None, None]),
        ] {
            let found = adoptable(&creates(lists));
            let expected: Vec<_> = adopted.iter().map(|id| id.map(str::to_owned)).collect();
            assert_eq!(found, expected, "{lists:?}");
        }
    }

    #[test]
    fn what_speaks_against_a_candidate_rules_it_out() {
        let usage = crate::model::AccountUsage::from(json!({"recent_requests": [{"id": "gen_1"}]}));
        let request: RecentRequest = usage.recent_requests[0].clone();
        let candidate = Candidate::from(request);
        let ids = |candidate: Candidate| {
            let candidates = Candidates { found: vec![candidate], ..Candidates::default() };
            let failed_after = Duration::from_secs(30);
            plausible(&candidates, failed_after, |id| id == "gen_claimed").len()
        };
        assert_eq!(ids(candidate.clone()), 1);
        assert_eq!(ids(Candidate { same_model: Some(true), ..candidate.clone() }), 1);
        assert_eq!(ids(Candidate { seconds_after_create: Some(89.0), ..candidate.clone() }), 1);
        assert_eq!(ids(Candidate { same_model: Some(false), ..candidate.clone() }), 0);
        assert_eq!(ids(Candidate { known_before: true, ..candidate.clone() }), 0);
        assert_eq!(ids(Candidate { seconds_after_create: Some(91.0), ..candidate.clone() }), 0);
        let late = Candidate { seconds_after_create: Some(601.0), ..candidate.clone() };
        let late = Candidates { found: vec![late], ..Candidates::default() };
        assert!(plausible(&late, Duration::MAX, |_| false).is_empty());
        assert_eq!(ids(Candidate { id: "gen_claimed".to_owned(), ..candidate }), 0);
    }
}
