//! The planner and the budget together, against a service that takes its time: what holds for any
//! mix of generations, creates, latencies, failures and 429s.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::budget::RateLimit;
use super::*;

const S: Duration = Duration::from_secs(1);
const PER: Duration = Duration::from_secs(60);

/// What is asked of the client, and how the service behaves.
#[derive(Clone, Debug)]
struct World {
    requests: u32,
    /// When each create is wanted, and how long its generation takes, in milliseconds.
    creates: Vec<(u64, u64)>,
    /// For each request in turn: its latency in milliseconds, the place within it where the service
    /// counts it, and how it goes.
    requests_go: Vec<(u64, f64, Goes)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Goes {
    Well,
    /// It fails, and nothing sooner than so many seconds is asked for.
    Badly(u64),
    /// 429, and so many seconds.
    Limited(u64),
}

fn world(
    creates: impl Strategy<Value = Vec<(u64, u64)>>,
    goes: impl Strategy<Value = Goes>,
) -> impl Strategy<Value = World> {
    let go = (0..2500u64, 0.0..1.0, goes);
    (20..60u32, creates, prop::collection::vec(go, 1..200))
        .prop_map(|(requests, creates, requests_go)| World { requests, creates, requests_go })
}

fn creates(count: std::ops::Range<usize>, within: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..within, 5_000..200_000u64), count)
}

fn mostly_well() -> impl Strategy<Value = Goes> {
    prop_oneof![9 => Just(Goes::Well), 1 => (0..20u64).prop_map(Goes::Badly)]
}

struct Request {
    class: Class,
    index: usize,
    sent: Duration,
    goes: Goes,
}

/// What has happened.
#[derive(Default)]
struct Log {
    /// When the service counted each request.
    counted: Vec<Duration>,
    /// Each look: when it was sent and when its answer came.
    looks: BTreeMap<usize, Vec<(Duration, Duration)>>,
    /// How long each create waited for its turn.
    waited: Vec<Duration>,
    /// The times in which nothing may go: from the answer 429 on, as long as it says.
    frozen: Vec<(Duration, Duration)>,
    sent: Vec<Duration>,
    most_at_once: usize,
}

/// Runs until everything has ended, or an hour has passed.
fn run(world: &World) -> Result<Log, TestCaseError> {
    let ms = Duration::from_millis;
    let mut wanted = world.creates.clone();
    wanted.sort();
    let takes: Vec<_> = wanted.iter().map(|(_, takes)| ms(*takes)).collect();
    let mut wanted: Vec<_> = wanted.iter().map(|(at, _)| ms(*at)).enumerate().collect();
    wanted.reverse();

    let mut planner = Planner::new(S * 90);
    let mut budget = Budget::new(Some(RateLimit { requests: world.requests, per: PER }));
    let mut queue: Vec<(usize, Duration)> = Vec::new();
    let mut creates_sent = vec![0; takes.len()];
    let mut ends: BTreeMap<usize, Duration> = BTreeMap::new();
    let mut under_way: Vec<(Duration, Request)> = Vec::new();
    let mut log = Log::default();
    let mut now = Duration::ZERO;
    while now < S * 3600 {
        // Answers.
        under_way.sort_by_key(|(at, request)| (*at, request.sent));
        while under_way.first().is_some_and(|(at, _)| *at <= now) {
            let (_, request) = under_way.remove(0);
            budget.answered(now, request.class);
            if let Goes::Limited(seconds) = request.goes {
                budget.limited(now, request.sent, Some(S * seconds as u32));
                log.frozen.push((now, now + S * seconds as u32));
            }
            let id = format!("gen_{}", request.index);
            match (request.class, request.goes) {
                (Class::Direct, Goes::Well) => {
                    ends.insert(request.index, now + takes[request.index]);
                    planner.add(id.into(), String::new(), now, Some(now), Polling::default());
                }
                (Class::Direct, _) => {
                    // A create that may be sent again: it queues again.
                    budget.queue();
                    queue.push((request.index, now));
                }
                (Class::Poll, Goes::Well) => {
                    log.looks.entry(request.index).or_default().push((request.sent, now));
                    match ends[&request.index] <= request.sent {
                        true => planner.remove(&id),
                        false => planner.seen(now, &id, None),
                    }
                }
                (Class::Poll, Goes::Badly(seconds) | Goes::Limited(seconds)) => {
                    log.looks.entry(request.index).or_default().push((request.sent, now));
                    planner.missed(now, &id, now + S * seconds as u32);
                }
            }
        }
        let mut send = |class, index, log: &mut Log| {
            let nth = log.sent.len() % world.requests_go.len();
            let (latency, place, mut goes) = world.requests_go[nth];
            if class == Class::Direct {
                // No create fails for ever, or none would be left to follow.
                creates_sent[index] += 1;
                if creates_sent[index] > 2 {
                    goes = Goes::Well;
                }
            }
            log.counted.push(now + ms(latency).mul_f64(place));
            log.sent.push(now);
            under_way.push((now + ms(latency), Request { class, index, sent: now, goes }));
            log.most_at_once = log.most_at_once.max(under_way.len());
        };
        // Creates, in their order.
        while wanted.last().is_some_and(|(_, at)| *at <= now)
            && let Some((index, _)) = wanted.pop()
        {
            match budget.take_unqueued(now) {
                true => {
                    log.waited.push(Duration::ZERO);
                    send(Class::Direct, index, &mut log);
                }
                false => {
                    budget.queue();
                    queue.push((index, now));
                }
            }
        }
        let mut wake = Duration::MAX;
        while let Some((index, since)) = queue.first().copied() {
            match budget.take(now, Class::Direct) {
                Ok(()) => {
                    queue.remove(0);
                    budget.unqueue();
                    log.waited.push(now - since);
                    send(Class::Direct, index, &mut log);
                }
                Err(Refusal::Until(at) | Refusal::Frozen(at)) => {
                    wake = wake.min(at);
                    break;
                }
                Err(Refusal::UntilChange) => break,
            }
        }
        // Looks.
        loop {
            match planner.next(now, &mut budget) {
                Next::Look(id) => {
                    prop_assert!(queue.is_empty(), "a poll goes before a create that waits");
                    let index = id.trim_start_matches("gen_").parse().unwrap();
                    send(Class::Poll, index, &mut log);
                }
                Next::At(at) => {
                    wake = wake.min(at);
                    break;
                }
                Next::WhenChanged => break,
            }
        }
        let answer = under_way.iter().map(|(at, _)| *at).min();
        let create = wanted.last().map(|(_, at)| *at);
        let Some(next) = [answer, create, Some(wake)].into_iter().flatten().min() else { break };
        if next == Duration::MAX {
            break;
        }
        now = next.max(now + Duration::from_nanos(1));
    }
    prop_assert!(queue.is_empty() && wanted.is_empty(), "creates are left over");
    Ok(log)
}

fn most_in_a_window(counted: &[Duration]) -> usize {
    let mut counted = counted.to_vec();
    counted.sort();
    let ends = |first: usize| counted.partition_point(|at| *at < counted[first] + PER);
    (0..counted.len()).map(|first| ends(first) - first).max().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_window_has_more_than_the_limit_and_nobody_is_asked_too_often(
        world in world(creates(1..80, 200_000), mostly_well()),
    ) {
        let log = run(&world)?;
        prop_assert!(most_in_a_window(&log.counted) <= world.requests as usize);
        for looks in log.looks.values() {
            for pair in looks.windows(2) {
                let (sent, answered) = (pair[1].0, pair[0].1);
                prop_assert!(sent >= answered + S * 2, "{sent:?} after {answered:?}");
            }
        }
    }

    /// Even with far more generations than can be looked at, each is looked at again within some
    /// turns of all.
    #[test]
    fn no_generation_is_starved(world in world(creates(1..150, 100_000), mostly_well())) {
        let log = run(&world)?;
        let turn = PER * world.creates.len() as u32 / world.requests;
        let bound = turn * 6 + PER + S * 30;
        for looks in log.looks.values() {
            for pair in looks.windows(2) {
                let gap = pair[1].0 - pair[0].1;
                prop_assert!(gap <= bound, "{gap:?} with {} at once", world.creates.len());
            }
        }
    }

    /// Polls fill what is left, and give way: creates at a rate that the limit allows wait no longer
    /// than until some slots come free.
    #[test]
    fn creates_are_not_starved_by_polls(
        many in 40..100usize,
        go in prop::collection::vec((0..500u64, 0.0..1.0, Just(Goes::Well)), 1..50),
    ) {
        // Many generations that take long, then a create each four seconds.
        let first = (0..many).map(|nth| (nth as u64 * 1500, 600_000));
        let then = (0..60).map(|nth| (300_000 + nth * 4000, 30_000));
        let world = World { requests: 60, creates: first.chain(then).collect(), requests_go: go };
        let log = run(&world)?;
        prop_assert!(most_in_a_window(&log.counted) <= 60);
        let longest = log.waited[many..].iter().max().unwrap();
        prop_assert!(*longest <= S * 5, "a create waited {longest:?}");
    }

    #[test]
    fn after_a_429_nothing_goes_before_its_time(
        world in world(creates(1..40, 100_000), prop_oneof![
            30 => Just(Goes::Well),
            1 => (0..90u64).prop_map(Goes::Limited),
        ]),
    ) {
        let log = run(&world)?;
        for (from, until) in &log.frozen {
            let too_early = log.sent.iter().find(|at| *from < **at && *at < until);
            prop_assert_eq!(too_early, None, "frozen from {:?} until {:?}", from, until);
        }
        prop_assert!(most_in_a_window(&log.counted) <= world.requests as usize);
    }
}
