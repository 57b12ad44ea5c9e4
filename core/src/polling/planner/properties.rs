//! The planner and the budget together, against a service with latency: properties that hold for any
//! mix of generations, creates, latencies, failures and 429s.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::Polling;
use super::super::budget::RateLimit;
use super::super::fixture::Plan;
use super::super::queue::{Queue, TicketId, Turn};
use super::*;

const S: Duration = Duration::from_secs(1);
const PER: Duration = Duration::from_secs(60);

/// The calls of a client, and how the service behaves.
#[derive(Clone, Debug)]
struct World {
    requests: u32,
    /// When each create is called, and how long its generation takes, in milliseconds.
    creates: Vec<(u64, u64)>,
    /// For each request in turn: its latency in milliseconds, the point within it (0 to 1) at which
    /// the service counts it, and its outcome.
    outcomes: Vec<(u64, f64, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Success,
    /// A failure, after which the next poll is delayed by this many seconds.
    Failure(u64),
    /// A 429 with this many seconds.
    RateLimited(u64),
}

fn world(
    creates: impl Strategy<Value = Vec<(u64, u64)>>,
    outcome: impl Strategy<Value = Outcome>,
) -> impl Strategy<Value = World> {
    let outcomes = (0..2500u64, 0.0..1.0, outcome);
    (20..60u32, creates, prop::collection::vec(outcomes, 1..200))
        .prop_map(|(requests, creates, outcomes)| World { requests, creates, outcomes })
}

fn creates(count: std::ops::Range<usize>, within: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..within, 5_000..200_000u64), count)
}

fn mostly_success() -> impl Strategy<Value = Outcome> {
    prop_oneof![9 => Just(Outcome::Success), 1 => (0..20u64).prop_map(Outcome::Failure)]
}

struct Request {
    class: Class,
    index: usize,
    sent: Duration,
    outcome: Outcome,
}

/// What happened.
#[derive(Default)]
struct Log {
    /// When the service counted each request.
    counted: Vec<Duration>,
    /// The polls of each generation: when each was sent and when its response arrived.
    polls: BTreeMap<usize, Vec<(Duration, Duration)>>,
    /// How long each create waited for room.
    waited: Vec<Duration>,
    /// The 429s: what was refused, when, and until when nothing may be sent.
    refused: Vec<(Class, Duration, Duration)>,
    sent: Vec<(Class, Duration)>,
    polls_sent: usize,
    max_in_flight: usize,
}

impl Log {
    /// How many polls count against the limit now: those in flight, and those of the last window.
    fn polls_that_count(&self, now: Duration) -> usize {
        let returned = || self.polls.values().flatten().map(|(_, returned)| *returned);
        let in_flight = self.polls_sent - returned().count();
        in_flight + returned().filter(|returned| *returned + PER > now).count()
    }
}

/// Runs until everything has ended, or an hour has passed.
fn run(world: &World) -> Result<Log, TestCaseError> {
    let ms = Duration::from_millis;
    let mut wanted = world.creates.clone();
    wanted.sort();
    let takes: Vec<_> = wanted.iter().map(|(_, takes)| ms(*takes)).collect();
    let mut wanted: Vec<_> = wanted.iter().map(|(at, _)| ms(*at)).enumerate().collect();
    wanted.reverse();

    let mut plan = Plan::new(S * 90);
    let mut budget = Budget::new(Some(RateLimit::new(world.requests, PER)));
    let mut queue = Queue::default();
    let mut waiting: Vec<(TicketId, usize, Duration)> = Vec::new();
    let mut creates_sent = vec![0; takes.len()];
    let mut ends: BTreeMap<usize, Duration> = BTreeMap::new();
    let mut in_flight: Vec<(Duration, Request)> = Vec::new();
    let mut log = Log::default();
    let mut now = Duration::ZERO;
    while now < S * 3600 {
        // Responses.
        in_flight.sort_by_key(|(at, request)| (*at, request.sent));
        while in_flight.first().is_some_and(|(at, _)| *at <= now) {
            let (_, request) = in_flight.remove(0);
            budget.release(now, request.class);
            if let Outcome::RateLimited(seconds) = request.outcome {
                budget.on_rate_limited(now, request.sent, request.class, Some(S * seconds as u32));
                log.refused.push((request.class, now, now + S * seconds as u32));
            }
            let id = format!("gen_{}", request.index);
            match (request.class, request.outcome) {
                (Class::Direct, Outcome::Success) => {
                    ends.insert(request.index, now + takes[request.index]);
                    plan.add_created(&id, now, Polling::default());
                }
                (Class::Direct, _) => {
                    // A create that may be sent again: it queues again.
                    waiting.push((queue.push(), request.index, now));
                }
                (Class::Poll, Outcome::Success) => {
                    log.polls.entry(request.index).or_default().push((request.sent, now));
                    if ends[&request.index] <= request.sent {
                        plan.remove(&id);
                    } else {
                        plan.seen(now, &id, None);
                    }
                }
                (Class::Poll, Outcome::Failure(seconds) | Outcome::RateLimited(seconds)) => {
                    log.polls.entry(request.index).or_default().push((request.sent, now));
                    plan.failed(now, &id, now + S * seconds as u32);
                }
            }
        }
        let mut send = |class, index, log: &mut Log| {
            let nth = log.sent.len() % world.outcomes.len();
            let (latency, point, mut outcome) = world.outcomes[nth];
            if class == Class::Direct {
                // No create fails forever, or there would be nothing to poll.
                creates_sent[index] += 1;
                if creates_sent[index] > 2 {
                    outcome = Outcome::Success;
                }
            }
            log.counted.push(now + ms(latency).mul_f64(point));
            log.sent.push((class, now));
            in_flight.push((now + ms(latency), Request { class, index, sent: now, outcome }));
            log.max_in_flight = log.max_in_flight.max(in_flight.len());
        };
        // Creates.
        while wanted.last().is_some_and(|(_, at)| *at <= now)
            && let Some((index, _)) = wanted.pop()
        {
            waiting.push((queue.push(), index, now));
        }
        let mut wake = Duration::MAX;
        waiting.retain(|(ticket, index, since)| match queue.turn(now, *ticket, &mut budget) {
            Turn::Granted => {
                log.waited.push(now - *since);
                send(Class::Direct, *index, &mut log);
                false
            }
            Turn::Waiting(at) => {
                wake = wake.min(at);
                true
            }
        });
        // Polls.
        loop {
            match plan.next(now, &mut budget) {
                Next::Poll(id) => {
                    let index = id.as_str().trim_start_matches("gen_").parse().unwrap();
                    send(Class::Poll, index, &mut log);
                    log.polls_sent += 1;
                    // Polls go before a create that waits only within their guaranteed share, and
                    // while creates are refused.
                    let guaranteed = world.requests as usize / 5;
                    let refused = log.refused.iter().any(|(class, ..)| *class == Class::Direct);
                    prop_assert!(
                        waiting.is_empty() || refused || log.polls_that_count(now) <= guaranteed,
                        "a poll is sent before a create that waits"
                    );
                }
                Next::At(at) | Next::DeniedUntil(at) => {
                    wake = wake.min(at);
                    break;
                }
                Next::WhenChanged => break,
            }
        }
        let response = in_flight.iter().map(|(at, _)| *at).min();
        let create = wanted.last().map(|(_, at)| *at);
        let Some(next) = [response, create, Some(wake)].into_iter().flatten().min() else { break };
        if next == Duration::MAX {
            break;
        }
        now = next.max(now + Duration::from_nanos(1));
    }
    prop_assert!(waiting.is_empty() && wanted.is_empty(), "creates are left over");
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
    fn no_window_has_more_than_the_limit_and_no_generation_is_polled_too_often(
        world in world(creates(1..80, 200_000), mostly_success()),
    ) {
        let log = run(&world)?;
        prop_assert!(most_in_a_window(&log.counted) <= world.requests as usize);
        for polls in log.polls.values() {
            for pair in polls.windows(2) {
                let (sent, returned) = (pair[1].0, pair[0].1);
                prop_assert!(sent >= returned + S * 2, "{sent:?} after {returned:?}");
            }
        }
    }

    /// Even with far more generations than the budget can poll, each is polled again within some
    /// rounds of all.
    #[test]
    fn no_generation_is_starved(world in world(creates(1..150, 100_000), mostly_success())) {
        let log = run(&world)?;
        let round = PER * world.creates.len() as u32 / world.requests;
        let bound = round * 6 + PER + S * 30;
        for polls in log.polls.values() {
            for pair in polls.windows(2) {
                let gap = pair[1].0 - pair[0].1;
                prop_assert!(gap <= bound, "{gap:?} with {} at once", world.creates.len());
            }
        }
    }

    /// Polls use what is left and yield to creates: creates at a rate that the limit allows wait only
    /// until some slots are free.
    #[test]
    fn creates_are_not_starved_by_polls(
        many in 40..100usize,
        outcomes in prop::collection::vec((0..500u64, 0.0..1.0, Just(Outcome::Success)), 1..50),
    ) {
        // Many generations that take long, then a create each four seconds.
        let first = (0..many).map(|nth| (nth as u64 * 1500, 600_000));
        let then = (0..60).map(|nth| (300_000 + nth * 4000, 30_000));
        let world = World { requests: 60, creates: first.chain(then).collect(), outcomes };
        let log = run(&world)?;
        prop_assert!(most_in_a_window(&log.counted) <= 60);
        let longest = log.waited[many..].iter().max().unwrap();
        prop_assert!(*longest <= S * 5, "a create waited {longest:?}");
    }

    /// A refused poll stops everything. A refused create stops creates alone.
    #[test]
    fn after_a_429_nothing_is_sent_before_its_time(
        world in world(creates(1..40, 100_000), prop_oneof![
            30 => Just(Outcome::Success),
            1 => (0..90u64).prop_map(Outcome::RateLimited),
        ]),
    ) {
        let log = run(&world)?;
        for (refused, from, until) in &log.refused {
            let too_early = log.sent.iter().find(|(class, at)| {
                (*refused == Class::Poll || *class == Class::Direct) && from < at && at < until
            });
            prop_assert_eq!(too_early, None, "frozen from {:?} until {:?}", from, until);
        }
        prop_assert!(most_in_a_window(&log.counted) <= world.requests as usize);
    }
}
