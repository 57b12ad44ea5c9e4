//! When exactly the planner looks, and that its entries and its queue agree.

use proptest::prelude::*;

use super::super::budget::RateLimit;
use super::*;

const S: Duration = Duration::from_secs(1);

fn polling(min: u64, max: u64) -> Polling {
    Polling { min_interval: S * min as u32, max_interval: S * max as u32, ..Polling::default() }
}

fn unlimited() -> Budget {
    Budget::new(None)
}

/// Follows one generation from its birth at time zero, with answers at once: when it is looked at.
fn instants(polling: Polling, mut budget: Budget, count: usize) -> Vec<Duration> {
    let mut planner = Planner::new(polling.typical);
    planner.add("gen_1".into(), String::new(), Duration::ZERO, Some(Duration::ZERO), polling);
    let (mut now, mut looks) = (Duration::ZERO, Vec::new());
    while looks.len() < count {
        match planner.next(now, &mut budget) {
            Next::Look(id) => {
                budget.answered(now, Class::Poll);
                looks.push(now);
                planner.seen(now, &id, None);
            }
            Next::At(at) => {
                assert!(at > now, "it does not wait for what is past");
                now = at;
            }
            Next::WhenChanged => panic!("nothing else changes"),
        }
    }
    looks
}

#[test]
fn one_generation_is_looked_at_at_these_instants() {
    let millis = |polling, budget| -> Vec<u128> {
        instants(polling, budget, 12).iter().map(Duration::as_millis).collect()
    };
    let limited = || Budget::new(Some(RateLimit::default()));
    let steadily = |step: u128| -> Vec<u128> { (1..=12).map(|nth| nth * step).collect() };
    assert_eq!(millis(polling(3, 3), limited()), steadily(3000));
    assert_eq!(millis(polling(3, 3), unlimited()), steadily(3000));
    assert_eq!(millis(polling(5, 2), limited()), steadily(5000), "the least counts");
    assert_eq!(millis(polling(2, 5), unlimited()), steadily(2000), "nothing to save");
    assert_eq!(millis(polling(0, 0), unlimited()), steadily(0), "allowed, for tests");
    assert_eq!(
        millis(polling(2, 5), limited()),
        [5000, 10000, 15000, 20000, 25000, 30000, 35000, 40000, 45000, 49753, 54238, 58523],
        "the more likely an end, the sooner; to the millisecond",
    );

    // One is worth its request only after most of a minute; the first is to spare.
    let few = || Budget::new(Some(RateLimit { requests: 2, per: S * 60 }));
    let looks = millis(polling(2, 5), few());
    assert_eq!(looks[0], 5000);
    let gaps: Vec<_> = looks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [60_000; 11], "one a minute is left beside the reserve");
}

/// How often each is looked at until then, and how far apart at most, if all were created at once.
fn looks_until(end: Duration, count: usize, polling: Polling) -> (usize, Duration) {
    let (mut planner, mut budget) = (Planner::new(S * 90), Budget::new(Some(RateLimit::default())));
    for nth in 0..count {
        assert_eq!(budget.take(Duration::ZERO, Class::Direct), Ok(()));
        budget.answered(Duration::ZERO, Class::Direct);
        let id = format!("gen_{nth}").into();
        planner.add(id, String::new(), Duration::ZERO, Some(Duration::ZERO), polling);
    }
    let mut seen: HashMap<Arc<str>, (usize, Duration)> = HashMap::new();
    let (mut now, mut longest) = (Duration::ZERO, Duration::ZERO);
    while now < end {
        match planner.next(now, &mut budget) {
            Next::Look(id) => {
                budget.answered(now, Class::Poll);
                planner.seen(now, &id, None);
                let (looks, last) = seen.entry(id).or_default();
                *looks += 1;
                longest = longest.max(now - *last);
                *last = now;
                now += Duration::from_millis(1);
            }
            Next::At(at) => now = at,
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    longest = seen.values().fold(longest, |longest, (_, last)| longest.max(end - *last));
    assert_eq!(seen.len(), count, "all have been looked at");
    (seen.values().map(|(looks, _)| *looks).min().unwrap(), longest)
}

#[test]
fn a_few_more_than_the_budget_allows_are_no_reason_to_save_what_it_has() {
    // Eight in turn each five seconds would take 96 of the 90 requests.
    for count in [7, 8, 9, 12] {
        let (_, longest) = looks_until(S * 20, count, polling(2, 5));
        assert!(longest < S * 6, "{count}: {longest:?}");
    }
    let (_, longest) = looks_until(S * 120, 8, polling(2, 5));
    assert!(longest <= S * 12, "and later it is not much longer: {longest:?}");
    // In tests of those who use the library, intervals are nothing.
    let (looks, _) = looks_until(Duration::from_millis(50), 15, polling(0, 0));
    assert!(looks >= 2, "{looks}");
}

#[test]
fn with_budget_to_spare_the_pace_is_between_the_two_intervals() {
    let looks = instants(polling(2, 5), Budget::new(Some(RateLimit::default())), 200);
    for pair in looks.windows(2) {
        let gap = pair[1] - pair[0];
        assert!((S * 2..=S * 5).contains(&gap), "{gap:?}");
    }
    let first = looks[0];
    assert!(first > S * 4, "at first an end is not likely: {first:?}");
    let at_ninety = looks.windows(2).find(|pair| pair[0] >= S * 90).unwrap();
    assert!(at_ninety[1] - at_ninety[0] < S * 4, "later it is: {at_ninety:?}");
}

#[test]
fn one_that_has_not_been_seen_is_looked_at_at_once() {
    let (mut planner, mut budget) = (Planner::new(S * 90), unlimited());
    planner.add("gen_1".into(), String::new(), S, None, polling(2, 5));
    assert_eq!(planner.next(S, &mut budget), Next::Look("gen_1".into()));
    assert_eq!(planner.next(S * 9, &mut budget), Next::WhenChanged, "it is under way");
    planner.seen(S * 9, "gen_1", None);
    assert_eq!(planner.next(S * 9, &mut budget), Next::At(S * 11));
}

#[test]
fn whoever_joins_has_it_looked_at_as_often_as_he_asked() {
    let (mut planner, mut budget) = (Planner::new(S * 90), unlimited());
    planner.add("gen_1".into(), String::new(), S, Some(S), polling(30, 30));
    planner.rest("gen_1");
    assert_eq!(planner.next(S, &mut budget), Next::At(S * 61), "webhooks tell");
    planner.join("gen_1", polling(2, 5), true);
    assert_eq!(planner.next(S, &mut budget), Next::At(S * 61));
    planner.join("gen_1", polling(2, 5), false);
    assert_eq!(planner.next(S, &mut budget), Next::At(S * 3), "not for this one");
    planner.join("gen_1", polling(30, 30), true);
    assert_eq!(planner.next(S, &mut budget), Next::At(S * 3), "nor for it any more");
}

#[test]
fn a_failure_pushes_the_next_look_back_but_not_over_a_hurry() {
    let (mut planner, mut budget) = (Planner::new(S * 90), unlimited());
    planner.add("gen_1".into(), String::new(), S, None, polling(2, 5));
    let mut miss = |planner: &mut Planner, now, not_before| {
        assert_eq!(planner.next(now, &mut budget), Next::Look("gen_1".into()));
        planner.missed(now, "gen_1", not_before);
        planner.next(now, &mut budget)
    };
    assert_eq!(miss(&mut planner, S, S * 31), Next::At(S * 31));
    assert_eq!(miss(&mut planner, S * 31, S * 31), Next::At(S * 33), "the least interval");
    planner.hurry("gen_1");
    assert_eq!(miss(&mut planner, S * 32, S * 50), Next::At(S * 50), "one hurry, one look");

    planner.hurry("gen_1");
    let mut budget = unlimited();
    assert_eq!(planner.next(S * 33, &mut budget), Next::Look("gen_1".into()));
    planner.hurry("gen_1");
    planner.seen(S * 34, "gen_1", None);
    let again = planner.next(S * 34, &mut budget);
    assert_eq!(again, Next::Look("gen_1".into()), "asked for while a look was under way");
}

#[test]
fn ten_thousand_without_a_limit_cost_little() {
    const MANY: usize = 10_000;
    let (mut planner, mut budget) = (Planner::new(S * 90), unlimited());
    for nth in 0..MANY {
        let born = Duration::from_millis(nth as u64 % 1000);
        planner.add(format!("gen_{nth}").into(), String::new(), born, None, Polling::default());
    }
    let (mut now, mut looks) = (S, 0);
    while now < S * 20 {
        match planner.next(now, &mut budget) {
            Next::Look(id) => {
                looks += 1;
                budget.answered(now, Class::Poll);
                planner.seen(now, &id, None);
            }
            Next::At(at) => now = at,
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    assert!(looks >= 9 * MANY, "all are looked at each two seconds: {looks}");
    let work = planner.work.get();
    assert!(work <= 2 * looks + MANY, "{work} for {looks} looks");
}

#[test]
fn under_a_limit_asking_costs_nothing_and_a_look_no_more_than_one_pass() {
    const MANY: usize = 2000;
    let (mut planner, mut budget) = (Planner::new(S * 90), Budget::new(Some(RateLimit::default())));
    for nth in 0..MANY {
        let id = format!("gen_{nth}").into();
        planner.add(id, String::new(), Duration::ZERO, Some(Duration::ZERO), Polling::default());
    }
    let (mut now, mut looks) = (Duration::ZERO, 0);
    while now < S * 300 {
        match planner.next(now, &mut budget) {
            Next::Look(id) => {
                looks += 1;
                budget.answered(now, Class::Poll);
                planner.seen(now, &id, None);
            }
            Next::At(at) => {
                let before = planner.work.get();
                for _ in 0..10 {
                    assert_eq!(planner.next(now, &mut budget), Next::At(at));
                }
                assert_eq!(planner.work.get(), before, "nothing has changed");
                now = at;
            }
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    assert!(looks > 200, "the budget is used: {looks}");
    assert!(planner.work.get() <= (looks + 3) * (MANY + 2), "{}", planner.work.get());
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8, bool),
    Remove(u8),
    Hurry(u8),
    Describe(u8),
    Seen(u8),
    Missed(u8, u64),
    Limited,
    Next(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let id = || 0..12u8;
    prop_oneof![
        3 => (id(), any::<bool>()).prop_map(|(id, seen)| Op::Add(id, seen)),
        1 => id().prop_map(Op::Remove),
        1 => id().prop_map(Op::Hurry),
        1 => id().prop_map(Op::Describe),
        3 => id().prop_map(Op::Seen),
        1 => (id(), 0..20u64).prop_map(|(id, pause)| Op::Missed(id, pause)),
        1 => Just(Op::Limited),
        6 => (0..3000u64).prop_map(Op::Next),
    ]
}

/// The queues hold exactly those that are not under way, where their entries say.
fn agree(planner: &Planner) -> Result<(), TestCaseError> {
    let placed = planner.entries.values().filter(|entry| entry.places.is_some()).count();
    prop_assert_eq!((planner.due.len(), planner.overdue.len()), (placed, placed));
    for (id, entry) in &planner.entries {
        match entry.places {
            Some((due, overdue)) => {
                prop_assert!(planner.due.contains(&(due, id.clone())));
                prop_assert!(planner.overdue.contains(&(overdue, id.clone())));
            }
            None => prop_assert!(
                entry.under_way || planner.changed.contains(id),
                "{id} is lost: neither due, nor under way, nor about to be due"
            ),
        }
    }
    let demand: f64 = planner.entries.values().map(Entry::demand).sum();
    prop_assert!((planner.demand - demand).abs() < 1e-6);
    Ok(())
}

fn name(id: u8) -> String {
    format!("gen_{id}")
}

/// A setting that somebody might try.
fn absurd() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        (1..100u64).prop_map(Duration::from_secs),
        Just(Duration::from_secs(u64::from(u32::MAX))),
        Just(Duration::from_secs(1 << 53)),
        Just(Duration::MAX),
    ]
}

proptest! {
    #[test]
    fn entries_and_queue_agree_whatever_happens(ops in prop::collection::vec(op(), 1..120)) {
        let limit = RateLimit { requests: 10, per: S * 20 };
        let (mut planner, mut budget) = (Planner::new(S * 10), Budget::new(Some(limit)));
        run(&mut planner, &mut budget, &ops, |_| Polling::default(), agree)?;
        for id in 0..12 {
            planner.remove(&name(id));
        }
        prop_assert!(planner.entries.is_empty() && planner.due.is_empty());
        prop_assert!(planner.demand.abs() < 1e-6);
        prop_assert_eq!(planner.next(S * 10_000, &mut budget), Next::WhenChanged);
        prop_assert!(planner.changed.is_empty());
    }

    #[test]
    fn absurd_settings_are_no_reason_to_panic(
        ops in prop::collection::vec(op(), 1..60),
        intervals in prop::collection::vec((absurd(), absurd()), 12),
        typical in absurd(),
        requests in prop_oneof![Just(1), Just(2), Just(100), Just(u32::MAX)],
        per in absurd(),
    ) {
        let per = per.max(Duration::from_nanos(1));
        let mut planner = Planner::new(typical);
        let mut budget = Budget::new(Some(RateLimit { requests, per }));
        let polling = |id: u8| {
            let (min_interval, max_interval) = intervals[id as usize];
            Polling { min_interval, max_interval, typical, ..Polling::default() }
        };
        run(&mut planner, &mut budget, &ops, polling, |_| Ok(()))?;
    }
}

/// Does what is asked, with the looks that are under way kept outside the planner.
fn run(
    planner: &mut Planner,
    budget: &mut Budget,
    ops: &[Op],
    polling: impl Fn(u8) -> Polling,
    check: impl Fn(&Planner) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut now = S * 100;
    let mut under_way: Vec<Arc<str>> = Vec::new();
    for op in ops {
        match *op {
            Op::Add(id, seen) => {
                under_way.retain(|other| **other != *name(id));
                let seen = seen.then_some(now);
                planner.add(name(id).into(), String::new(), now, seen, polling(id));
            }
            Op::Remove(id) => {
                under_way.retain(|other| **other != *name(id));
                planner.remove(&name(id));
            }
            Op::Hurry(id) => planner.hurry(&name(id)),
            Op::Describe(id) => {
                planner.describe(&name(id), "lottie".to_owned());
                planner.forecast.learn("lottie", S * u32::from(id));
            }
            Op::Seen(id) | Op::Missed(id, _) => {
                let Some(at) = under_way.iter().position(|other| **other == *name(id)) else {
                    continue;
                };
                budget.answered(now, Class::Poll);
                let id = under_way.remove(at);
                match *op {
                    Op::Missed(_, pause) => planner.missed(now, &id, now + S * pause as u32),
                    _ => planner.seen(now, &id, Some(now)),
                }
            }
            Op::Limited => budget.limited(now, now, None),
            Op::Next(pause) => {
                now += Duration::from_millis(pause);
                match planner.next(now, budget) {
                    Next::Look(id) => {
                        prop_assert!(!under_way.contains(&id), "{id} is looked at twice at once");
                        under_way.push(id);
                    }
                    Next::At(at) => prop_assert!(at > now),
                    Next::WhenChanged => {}
                }
            }
        }
        check(planner)?;
    }
    Ok(())
}
