//! Random operations: records and queues agree, and no setting panics.

use proptest::prelude::*;

use super::super::Polling;
use super::super::budget::RateLimit;
use super::super::fixture::Plan;
use super::*;

const S: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Op {
    Add(u8, bool),
    Remove(u8),
    PollNow(u8),
    Route(u8),
    Seen(u8),
    Failed(u8, u64),
    RateLimited,
    Next(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let id = || 0..12u8;
    prop_oneof![
        3 => (id(), any::<bool>()).prop_map(|(id, seen)| Op::Add(id, seen)),
        1 => id().prop_map(Op::Remove),
        1 => id().prop_map(Op::PollNow),
        1 => id().prop_map(Op::Route),
        3 => id().prop_map(Op::Seen),
        1 => (id(), 0..20u64).prop_map(|(id, pause)| Op::Failed(id, pause)),
        1 => Just(Op::RateLimited),
        6 => (0..3000u64).prop_map(Op::Next),
    ]
}

/// The queues hold the ids of exactly the records without a poll in flight, at their keys.
fn check_queues(plan: &Plan) -> Result<(), TestCaseError> {
    let Plan { planner, records } = plan;
    let queued = records.values().filter(|record| record.queue.is_some()).count();
    let lengths = planner.urgent.len() + planner.polled.len() + planner.relying.len();
    prop_assert_eq!(lengths, queued);
    for (id, record) in records {
        let is_there = match record.queue {
            Some(Queue::Urgent(at, number)) => planner.urgent.contains(&((at, number), id.clone())),
            Some(Queue::Polled(at)) => planner.polled.contains(&(at, id.clone())),
            Some(Queue::Relying(at)) => planner.relying.contains(&(at, id.clone())),
            None => record.poll.is_some() || planner.changed.contains(id),
        };
        prop_assert!(is_there, "{id} is lost: {:?}", record.queue);
    }
    let chosen =
        planner.chosen.iter().all(|id| planner.polled.iter().any(|(_, other)| other == id));
    prop_assert!(chosen, "{:?} is chosen, and not in its queue", planner.chosen);
    let demand: f64 = records.values().map(|record| record.demand()).sum();
    prop_assert!((planner.demand - demand).abs() < 1e-6);
    Ok(())
}

fn name(id: u8) -> String {
    format!("gen_{id}")
}

/// A setting that a caller might try.
fn extreme() -> impl Strategy<Value = Duration> {
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
    fn records_and_queues_agree_after_any_operations(ops in prop::collection::vec(op(), 1..120)) {
        let (mut plan, mut budget) =
            (Plan::new(S * 10), Budget::new(Some(RateLimit::new(10, S * 20))));
        run(&mut plan, &mut budget, &ops, |_| Polling::default(), check_queues)?;
        for id in 0..12 {
            plan.remove(&name(id));
        }
        prop_assert!(plan.records.is_empty() && plan.planner.polled.is_empty());
        prop_assert!(plan.planner.demand.abs() < 1e-6);
        prop_assert_eq!(plan.next(S * 10_000, &mut budget), Next::WhenChanged);
        prop_assert!(plan.planner.changed.is_empty());
    }

    #[test]
    fn extreme_settings_do_not_panic(
        ops in prop::collection::vec(op(), 1..60),
        intervals in prop::collection::vec((extreme(), extreme()), 12),
        typical in extreme(),
        requests in prop_oneof![Just(1), Just(2), Just(100), Just(u32::MAX)],
        per in extreme(),
    ) {
        let per = per.max(Duration::from_nanos(1));
        let mut plan = Plan::new(typical);
        let mut budget = Budget::new(Some(RateLimit::new(requests, per)));
        let polling = |id: u8| {
            let (min_interval, max_interval) = intervals[id as usize];
            Polling { min_interval, max_interval, typical, ..Polling::default() }
        };
        run(&mut plan, &mut budget, &ops, polling, |_| Ok(()))?;
    }
}

/// Applies the operations, with the polls in flight tracked outside of the planner.
fn run(
    plan: &mut Plan,
    budget: &mut Budget,
    ops: &[Op],
    polling: impl Fn(u8) -> Polling,
    check: impl Fn(&Plan) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut now = S * 100;
    let mut in_flight: Vec<String> = Vec::new();
    for op in ops {
        match *op {
            Op::Add(id, true) => {
                in_flight.retain(|other| *other != name(id));
                plan.add_created(&name(id), now, polling(id));
            }
            Op::Add(id, false) => {
                in_flight.retain(|other| *other != name(id));
                plan.add_unknown(&name(id), now, polling(id));
            }
            Op::Remove(id) => {
                in_flight.retain(|other| *other != name(id));
                plan.remove(&name(id));
            }
            Op::PollNow(id) => plan.poll_now(&name(id)),
            Op::Route(id) => {
                plan.change(&name(id), |_, _, record| record.route = "lottie".to_owned());
                plan.planner.forecast.learn("lottie", S * u32::from(id));
            }
            Op::Seen(id) | Op::Failed(id, _) => {
                let Some(at) = in_flight.iter().position(|other| *other == name(id)) else {
                    continue;
                };
                budget.release(now, Class::Poll);
                let name = in_flight.remove(at);
                match *op {
                    Op::Failed(_, pause) => plan.failed(now, &name, now + S * pause as u32),
                    _ => plan.seen(now, &name, Some(now)),
                }
            }
            Op::RateLimited => budget.on_rate_limited(now, now, Class::Poll, None),
            Op::Next(pause) => {
                now += Duration::from_millis(pause);
                match plan.next(now, budget) {
                    Next::Poll(id) => {
                        let name = id.to_string();
                        prop_assert!(!in_flight.contains(&name), "{id} has two polls in flight");
                        in_flight.push(name);
                    }
                    Next::At(at) | Next::DeniedUntil(at) => prop_assert!(at > now),
                    Next::WhenChanged => {}
                }
            }
        }
        check(plan)?;
    }
    Ok(())
}
