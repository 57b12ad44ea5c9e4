//! The exact instants of polls, and the cost of decisions.

use std::collections::HashMap;

use super::super::Polling;
use super::super::budget::RateLimit;
use super::super::fixture::{Plan, id, polled};
use super::*;

const S: Duration = Duration::from_secs(1);

fn polling(min: u64, max: u64) -> Polling {
    Polling { min_interval: S * min as u32, max_interval: S * max as u32, ..Polling::default() }
}

fn unlimited() -> Budget {
    Budget::new(None)
}

/// The instants at which one generation, created at time zero, is polled. Responses take no time.
fn instants(polling: Polling, mut budget: Budget, count: usize) -> Vec<Duration> {
    let mut plan = Plan::new(polling.typical);
    plan.add_created("gen_1", Duration::ZERO, polling);
    let (mut now, mut polls) = (Duration::ZERO, Vec::new());
    while polls.len() < count {
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                budget.release(now, Class::Poll);
                polls.push(now);
                plan.seen(now, id.as_str(), None);
            }
            Next::At(at) | Next::DeniedUntil(at) => {
                assert!(at > now, "the time is not past");
                now = at;
            }
            Next::WhenChanged => panic!("nothing else changes"),
        }
    }
    polls
}

#[test]
fn one_generation_is_polled_at_these_instants() {
    let millis = |polling, budget| -> Vec<u128> {
        instants(polling, budget, 12).iter().map(Duration::as_millis).collect()
    };
    let limited = || Budget::new(Some(RateLimit::default()));
    let steadily = |step: u128| -> Vec<u128> { (1..=12).map(|nth| nth * step).collect() };
    assert_eq!(millis(polling(3, 3), limited()), steadily(3000));
    assert_eq!(millis(polling(3, 3), unlimited()), steadily(3000));
    assert_eq!(millis(polling(5, 2), limited()), steadily(5000), "the minimum counts");
    assert_eq!(millis(polling(2, 5), unlimited()), steadily(2000), "there is no budget to save");
    assert_eq!(millis(polling(0, 0), unlimited()), steadily(0), "allowed, for tests");
    assert_eq!(
        millis(polling(2, 5), limited()),
        [5000, 10000, 15000, 20000, 25000, 29500, 33500, 37000, 40000, 43000, 46000, 48500],
        "the more likely an end, the sooner",
    );

    // The first poll is not worth one of the few requests before an end is likely.
    let few = || Budget::new(Some(RateLimit::new(2, S * 60)));
    let polls = millis(polling(2, 5), few());
    assert_eq!(polls[0], 54_500);
    let gaps: Vec<_> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [60_000; 11], "one a minute is left beside the reserve");
}

/// A service that is ten times as fast is polled at the same instants, ten times as fast.
#[test]
fn the_policy_is_the_same_on_every_scale() {
    let instants_at = |scale: u32| {
        let polling = Polling {
            min_interval: S * 2 / scale,
            max_interval: S * 5 / scale,
            safety_interval: S * 60 / scale,
            typical: S * 90 / scale,
        };
        let polls = instants(polling, Budget::new(Some(RateLimit::new(100, S * 60 / scale))), 40);
        polls.iter().map(|at| (*at * scale).as_secs_f64()).collect::<Vec<_>>()
    };
    for (slow, fast) in instants_at(1).iter().zip(instants_at(10)) {
        assert!((slow - fast).abs() < 1e-3, "{slow} {fast}");
    }
}

/// The smallest number of polls of a generation, and the longest gap between two, until `end`, if
/// all generations are created at once.
fn polls_until(end: Duration, count: usize, polling: Polling) -> (usize, Duration) {
    let (mut plan, mut budget) = (Plan::new(S * 90), Budget::new(Some(RateLimit::default())));
    for nth in 0..count {
        assert_eq!(budget.acquire(Duration::ZERO, Class::Direct), Ok(()));
        budget.release(Duration::ZERO, Class::Direct);
        plan.add_created(&format!("gen_{nth}"), Duration::ZERO, polling);
    }
    let mut seen: HashMap<GenerationId, (usize, Duration)> = HashMap::new();
    let (mut now, mut longest) = (Duration::ZERO, Duration::ZERO);
    while now < end {
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                budget.release(now, Class::Poll);
                plan.seen(now, id.as_str(), None);
                let (polls, last) = seen.entry(id).or_default();
                *polls += 1;
                longest = longest.max(now - *last);
                *last = now;
                now += Duration::from_millis(1);
            }
            Next::At(at) | Next::DeniedUntil(at) => now = at,
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    longest = seen.values().fold(longest, |longest, (_, last)| longest.max(end - *last));
    assert_eq!(seen.len(), count, "all have been polled");
    (seen.values().map(|(polls, _)| *polls).min().unwrap(), longest)
}

#[test]
fn slightly_more_demand_than_budget_does_not_hold_polls_back() {
    // Eight in turn each five seconds would take 96 of the 90 requests.
    for (count, most) in [(7, 5_010), (8, 6_100), (9, 8_700), (12, 20_500)] {
        let (_, longest) = polls_until(S * 25, count, polling(2, 5));
        assert!(longest <= Duration::from_millis(most), "{count}: {longest:?}");
    }
    let (_, longest) = polls_until(S * 120, 8, polling(2, 5));
    assert!(longest <= S * 12, "and later it is not much longer: {longest:?}");
    // The tests of applications set the intervals to zero.
    let (polls, _) = polls_until(Duration::from_millis(50), 15, polling(0, 0));
    assert!(polls >= 2, "{polls}");
}

#[test]
fn with_budget_to_spare_polls_are_between_the_two_intervals_apart() {
    let polls = instants(polling(2, 5), Budget::new(Some(RateLimit::default())), 200);
    for pair in polls.windows(2) {
        let gap = pair[1] - pair[0];
        assert!((S * 2..=S * 5).contains(&gap), "{gap:?}");
    }
    let first = polls[0];
    assert!(first > S * 4, "at first an end is not likely: {first:?}");
    let at_ninety = polls.windows(2).find(|pair| pair[0] >= S * 90).unwrap();
    assert!(at_ninety[1] - at_ninety[0] < S * 4, "later it is: {at_ninety:?}");
}

#[test]
fn a_generation_of_unknown_state_is_polled_at_once() {
    let (mut plan, mut budget) = (Plan::new(S * 90), unlimited());
    plan.add_unknown("gen_1", S, polling(2, 5));
    assert_eq!(plan.next(S, &mut budget), Next::Poll(id("gen_1")));
    assert_eq!(plan.next(S * 9, &mut budget), Next::WhenChanged, "its poll is in flight");
    plan.seen(S * 9, "gen_1", None);
    assert_eq!(plan.next(S * 9, &mut budget), Next::At(S * 11));
}

fn with_webhooks(intervals: Polling) -> WaitPolling {
    WaitPolling { intervals, relies_on_webhooks: true }
}

#[test]
fn a_generation_is_polled_as_often_as_the_most_demanding_of_its_waits_asks_for() {
    let (mut plan, mut budget) = (Plan::new(S * 90), unlimited());
    plan.add("gen_1", Tracked::new(S, Some(S), with_webhooks(polling(30, 30))));
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 61), "webhooks report the end");
    plan.add_wait(S, "gen_1", with_webhooks(polling(2, 5)));
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 61));
    for _ in 0..2 {
        plan.add_wait(S, "gen_1", polled(polling(2, 5)));
        assert_eq!(plan.next(S, &mut budget), Next::At(S * 3), "this wait has no webhooks");
    }
    assert!((plan.planner.demand - 1.0 / 5.0).abs() < 1e-9, "{}", plan.planner.demand);
    plan.add_wait(S, "gen_1", with_webhooks(polling(30, 30)));
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 3), "the shorter intervals stay");
    // And the other way round.
    plan.remove_wait("gen_1", polled(polling(2, 5)));
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 3), "there is another such wait");
    plan.remove_wait("gen_1", polled(polling(2, 5)));
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 61), "webhooks report the end again");
    plan.remove_wait("gen_1", with_webhooks(polling(2, 5)));
    assert_eq!(plan.records[&id("gen_1")].polling, with_webhooks(polling(30, 30)));
    assert!((plan.planner.demand - 1.0 / 60.0).abs() < 1e-9);
}

#[test]
fn a_wait_that_is_added_later_is_polled_for_at_once_unless_the_last_poll_is_recent() {
    let mut budget = unlimited();
    for (now, next) in [(S * 6, Next::At(S * 61)), (S * 7, Next::Poll(id("gen_1")))] {
        let mut plan = Plan::new(S * 90);
        plan.add("gen_1", Tracked::new(S, Some(S), with_webhooks(polling(2, 5))));
        plan.add_wait(now, "gen_1", with_webhooks(polling(2, 5)));
        assert_eq!(plan.next(now, &mut budget), next);
    }
    // It does not shorten the pause after a failure.
    let mut plan = Plan::new(S * 90);
    plan.add_unknown("gen_1", S, polling(2, 5));
    assert_eq!(plan.next(S, &mut budget), Next::Poll(id("gen_1")));
    plan.failed(S * 2, "gen_1", S * 9);
    plan.add_wait(S * 3, "gen_1", polled(polling(2, 5)));
    assert_eq!(plan.next(S * 3, &mut budget), Next::At(S * 9));
}

/// Far more of both kinds than the budget can poll: those with webhooks have their turn, and the
/// others are polled far more often.
#[test]
fn a_lost_webhook_is_noticed_in_the_end_however_scarce_the_budget_is() {
    let (mut plan, mut budget) = (Plan::new(S * 90), Budget::new(Some(RateLimit::default())));
    for nth in 0..300 {
        let record = Tracked::new(S, Some(S), with_webhooks(polling(2, 5)));
        plan.add(&format!("webhook_{nth}"), record);
    }
    for nth in 0..20 {
        plan.add_created(&format!("polled_{nth}"), S, polling(2, 5));
    }
    let mut polls: HashMap<GenerationId, usize> = HashMap::new();
    let mut now = S;
    while now < S * 1800 {
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                budget.release(now, Class::Poll);
                plan.seen(now, id.as_str(), None);
                *polls.entry(id).or_default() += 1;
            }
            Next::At(at) | Next::DeniedUntil(at) => now = at,
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    let of = |kind: &str| {
        let of_kind = polls.iter().filter(|(id, _)| id.as_str().starts_with(kind));
        of_kind.map(|(_, polls)| *polls).collect::<Vec<_>>()
    };
    let (webhooks, polled) = (of("webhook"), of("polled"));
    assert_eq!((webhooks.len(), polled.len()), (300, 20), "each has its turn");
    let most = webhooks.iter().max().unwrap();
    assert!(polled.iter().all(|polls| polls > &(5 * most)), "{most} {polled:?}");
}

/// A create of which polls take all that the budget has, once in five seconds: those that rely on
/// webhooks still have the poll of each safety interval, since there is no more demand than budget.
#[test]
fn the_safety_poll_is_not_delayed_while_the_budget_suffices() {
    let mut plan = Plan::new(S * 90);
    let mut budget = Budget::new(Some(RateLimit::new(20, S * 60)));
    plan.add_created("polled", Duration::ZERO, polling(2, 5));
    plan.add(
        "webhook",
        Tracked::new(Duration::ZERO, Some(Duration::ZERO), with_webhooks(polling(2, 5))),
    );
    let (mut now, mut last, mut longest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    while now < S * 1200 {
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                budget.release(now, Class::Poll);
                plan.seen(now, id.as_str(), None);
                if id.as_str() == "webhook" {
                    (longest, last) = (longest.max(now - last), now);
                }
            }
            Next::At(at) | Next::DeniedUntil(at) => now = at,
            Next::WhenChanged => panic!("both are waiting"),
        }
    }
    assert!(longest < S * 70, "{longest:?}");
}

/// A safety poll is not held back for better ones if there are none.
#[test]
fn those_that_rely_on_webhooks_are_polled_in_time_if_there_are_no_others() {
    let mut plan = Plan::new(S * 90);
    let mut budget = Budget::new(Some(RateLimit::default()));
    for nth in 0..5 {
        let record = Tracked::new(S, Some(S), with_webhooks(polling(2, 5)));
        plan.add(&format!("gen_{nth}"), record);
    }
    assert_eq!(plan.next(S, &mut budget), Next::At(S * 61));
    for nth in 0..5 {
        assert_eq!(plan.next(S * 61, &mut budget), Next::Poll(id(&format!("gen_{nth}"))));
    }
    // With three times the demand that the budget has room for, in four rounds: twelve times as late.
    let mut plan = Plan::new(S * 90);
    plan.add("gen_1", Tracked::new(S, Some(S), with_webhooks(polling(2, 5))));
    plan.planner.enqueue_changed(&mut plan.records);
    for (load, at) in [(1.0, S * 61), (3.0, S * 721)] {
        let (first, _) = plan.planner.turn(&plan.records, load, ROUNDS);
        assert_eq!(first, at, "{load}");
    }
}

/// Of two that are equal, the one that has waited longer, or else the first by its id.
#[test]
fn of_equal_polls_the_first_in_line_is_sent() {
    for (requests, intervals) in [(100, polling(2, 5)), (2, polling(2, 5))] {
        let mut plan = Plan::new(S * 90);
        let mut budget = Budget::new(Some(RateLimit::new(requests, S * 60)));
        for name in ["gen_1", "gen_2", "gen_3"] {
            plan.add_created(name, Duration::ZERO, intervals);
        }
        let mut now = Duration::ZERO;
        let first = loop {
            match plan.next(now, &mut budget) {
                Next::Poll(id) => break id,
                Next::At(at) | Next::DeniedUntil(at) => now = at,
                Next::WhenChanged => panic!("all are waiting"),
            }
        };
        assert_eq!(first, id("gen_1"), "{requests} at {now:?}");
    }
}

/// The planners of several runtimes, or of clients with different proxies, share the polls of a key.
#[test]
fn planners_of_one_key_share_its_polls_by_what_they_have_to_poll() {
    let mut budget = Budget::new(Some(RateLimit::default()));
    let plan_of = |number, count| {
        let mut plan = Plan::new(S * 90);
        plan.planner = Planner::new(number, Forecast::new(S * 90));
        for nth in 0..count {
            plan.add_created(&format!("gen_{nth}"), Duration::ZERO, polling(2, 5));
        }
        plan
    };
    let mut plans = [plan_of(1, 90), plan_of(2, 10)];
    let (mut now, mut polls) = (S, [0, 0]);
    while now < S * 601 {
        let mut next = Duration::MAX;
        for (plan, polls) in plans.iter_mut().zip(&mut polls) {
            loop {
                match plan.next(now, &mut budget) {
                    Next::Poll(id) => {
                        *polls += 1;
                        budget.release(now, Class::Poll);
                        plan.seen(now, id.as_str(), None);
                    }
                    Next::At(at) | Next::DeniedUntil(at) => {
                        next = next.min(at);
                        break;
                    }
                    Next::WhenChanged => panic!("all are waiting"),
                }
            }
        }
        now = next;
    }
    let (many, few) = (polls[0], polls[1]);
    assert!((800..=910).contains(&(many + few)), "all are used: {polls:?}");
    assert!((60..=110).contains(&few), "about a tenth of them: {polls:?}");
    // One that does not ask any more, since nothing drives its runtime, leaves its share.
    let alone = now + S * 61;
    assert_eq!(budget.poll_rate(alone, 2, 1.0).unwrap().left, 90.0);
}

#[test]
fn a_failure_delays_the_next_poll_unless_one_is_requested() {
    let (mut plan, mut budget) = (Plan::new(S * 90), unlimited());
    plan.add_unknown("gen_1", S, polling(2, 5));
    let mut fail = |plan: &mut Plan, now, not_before| {
        assert_eq!(plan.next(now, &mut budget), Next::Poll(id("gen_1")));
        plan.failed(now, "gen_1", not_before);
        plan.next(now, &mut budget)
    };
    assert_eq!(fail(&mut plan, S, S * 31), Next::At(S * 31));
    assert_eq!(fail(&mut plan, S * 31, S * 31), Next::At(S * 33), "the minimum interval");
    plan.poll_now("gen_1");
    assert_eq!(fail(&mut plan, S * 32, S * 50), Next::At(S * 50), "one request, one poll");

    plan.poll_now("gen_1");
    let mut budget = unlimited();
    assert_eq!(plan.next(S * 33, &mut budget), Next::Poll(id("gen_1")));
    plan.poll_now("gen_1");
    plan.seen(S * 34, "gen_1", None);
    let again = plan.next(S * 34, &mut budget);
    assert_eq!(again, Next::Poll(id("gen_1")), "requested while a poll was in flight");
}

/// The order of ids decides nothing, or generations late in the alphabet would starve.
#[test]
fn urgent_polls_are_sent_in_the_order_in_which_they_became_urgent() {
    let (mut plan, mut frozen) = (Plan::new(S * 90), unlimited());
    frozen.on_rate_limited(S, S, Class::Poll, Some(S));
    for name in ["gen_3", "gen_1", "gen_2"] {
        plan.add_unknown(name, S, polling(2, 5));
        assert_eq!(plan.next(S, &mut frozen), Next::DeniedUntil(S * 2));
    }
    for name in ["gen_3", "gen_1", "gen_2"] {
        assert_eq!(plan.next(S * 2, &mut unlimited()), Next::Poll(id(name)));
    }
}

#[test]
fn ten_thousand_generations_without_a_limit_cost_little() {
    const MANY: usize = 10_000;
    let (mut plan, mut budget) = (Plan::new(S * 90), unlimited());
    for nth in 0..MANY {
        let now = Duration::from_millis(nth as u64 % 1000);
        plan.add_unknown(&format!("gen_{nth}"), now, Polling::default());
    }
    let (mut now, mut polls) = (S, 0);
    while now < S * 20 {
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                polls += 1;
                budget.release(now, Class::Poll);
                plan.seen(now, id.as_str(), None);
            }
            Next::At(at) | Next::DeniedUntil(at) => now = at,
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    assert!(polls >= 9 * MANY, "all are polled every two seconds: {polls}");
    let work = plan.planner.work.get();
    assert!(work <= 2 * polls + MANY, "{work} for {polls} polls");
}

/// The polls, the decisions and the examined records of this many generations in five minutes.
fn work_under_a_limit(many: usize) -> (usize, usize, usize) {
    let (mut plan, mut budget) = (Plan::new(S * 90), Budget::new(Some(RateLimit::default())));
    for nth in 0..many {
        plan.add_created(&format!("gen_{nth}"), Duration::ZERO, Polling::default());
    }
    let (mut now, mut polls, mut decisions) = (Duration::ZERO, 0, 0);
    while now < S * 300 {
        decisions += 1;
        match plan.next(now, &mut budget) {
            Next::Poll(id) => {
                polls += 1;
                budget.release(now, Class::Poll);
                plan.seen(now, id.as_str(), None);
            }
            next @ (Next::At(at) | Next::DeniedUntil(at)) => {
                let before = plan.planner.work.get();
                for _ in 0..10 {
                    assert_eq!(plan.next(now, &mut budget), next);
                }
                assert_eq!(plan.planner.work.get(), before, "nothing has changed");
                now = at;
            }
            Next::WhenChanged => panic!("all are waiting"),
        }
    }
    (polls, decisions, plan.planner.work.get() - many)
}

#[test]
fn under_a_limit_a_question_costs_nothing_and_a_decision_at_most_one_scan() {
    for many in [200, 31 * ESTIMATED] {
        let (polls, decisions, work) = work_under_a_limit(many);
        assert!(polls > 200, "the budget is used: {polls}");
        let most = EXAMINED + 2 * ESTIMATED + 1;
        assert!(work <= decisions * most, "{work} for {decisions} decisions");
    }
}

/// The figure of the documents: at most 0.1 ms.
#[test]
#[ignore = "a benchmark: `cargo xtask simulate` runs it"]
#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "the figure is a time")]
fn the_time_of_a_decision_among_ten_thousand() {
    let start = std::time::Instant::now();
    let (_, decisions, _) = work_under_a_limit(10_000);
    // Each has been repeated ten times when it was no poll; those cost nothing, so they don't count.
    println!("{:.3} ms", start.elapsed().as_secs_f64() * 1e3 / decisions as f64);
}
