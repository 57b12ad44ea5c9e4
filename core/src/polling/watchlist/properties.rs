//! Properties of a watchlist under random sequences of events for many generations and waits.
//!
//! The world is modelled outside of the list: the generations, the polls in flight, and a service
//! that may respond with anything, among it what was true before. The list decides everything else,
//! deadlines and final polls included.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::json;

use super::super::budget::{Class, RateLimit};
use super::super::fixture::id;
use super::*;
use crate::error::{ErrorKind, RetryAfter};

const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// How the service responds to one poll.
#[derive(Clone, Debug)]
pub(super) enum Response {
    /// The generation as it is.
    Current,
    /// As it was at this rank, if it has come that far: a replica that lags behind.
    Earlier(usize),
    UnknownStatus(u32),
    /// No response, or an unreadable one, or none since the token function failed.
    Failure(ErrorKind),
    /// This status, perhaps with seconds to wait.
    Status(u16, Option<u64>),
}

/// What never ends a wait, however often it comes.
pub(super) const TRANSIENT: &[u16] = &[
    201, 302, 304, 402, 405, 406, 407, 408, 409, 418, 421, 423, 425, 429, 451, 499, 500, 503, 600,
];
/// What ends a wait when it comes twice in a row.
pub(super) const DOUBTFUL: &[u16] = &[400, 404, 410, 422];
const PERMANENT: &[u16] = &[401, 403];

#[derive(Clone, Debug)]
pub(super) struct World {
    /// When each generation starts running and when it ends, in milliseconds, and whether it fails.
    pub(super) generations: Vec<(u64, u64, bool)>,
    /// When each wait begins, for which generation, how long until its deadline, when it is dropped
    /// if it is, and whether it comes with what a create returned.
    pub(super) waits: Vec<(u64, usize, u64, Option<u64>, bool)>,
    pub(super) webhooks: Vec<(u64, usize)>,
    /// The response to each poll in turn, its latency in milliseconds, and the entropy drawn.
    pub(super) responses: Vec<(Response, u64, f64)>,
    pub(super) limit: Option<u32>,
}

pub(super) const GENERATIONS: usize = 5;

fn world() -> impl Strategy<Value = World> {
    let response = prop_oneof![
        6 => Just(Response::Current),
        3 => (0..3usize).prop_map(Response::Earlier),
        2 => (0..3u32).prop_map(Response::UnknownStatus),
        2 => prop::sample::select(ErrorKind::ALL)
            .prop_filter("a mistake of this library", |kind| *kind != ErrorKind::Internal)
            .prop_map(Response::Failure),
        3 => (prop::sample::select(TRANSIENT), prop::option::of(0..4000u64))
            .prop_map(|(status, pause)| Response::Status(status, pause.map(|pause| pause / 100))),
        1 => prop::sample::select(DOUBTFUL).prop_map(|status| Response::Status(status, None)),
    ];
    // Permanent failures are rare, or no sequence would get far.
    let permanent =
        prop::sample::select(PERMANENT).prop_map(|status| Response::Status(status, None));
    let response = prop_oneof![60 => response, 1 => permanent];
    (
        prop::collection::vec((0..60_000u64, 0..90_000u64, any::<bool>()), GENERATIONS),
        prop::collection::vec(
            (
                0..40_000u64,
                0..GENERATIONS,
                0..60_000u64,
                prop::option::weighted(0.2, 0..60_000u64),
                any::<bool>(),
            ),
            1..12,
        ),
        prop::collection::vec((0..90_000u64, 0..GENERATIONS), 0..8),
        prop::collection::vec((response, 0..4000u64, 0.0..1.0), 1..80),
        prop::option::of(2..40u32),
    )
        .prop_map(|(generations, waits, webhooks, responses, limit)| World {
            generations: generations
                .into_iter()
                .map(|(began, ended, fails)| (began, began.max(ended), fails))
                .collect(),
            waits,
            webhooks,
            responses,
            limit,
        })
}

impl World {
    fn rank_at(&self, generation: usize, now: Duration) -> usize {
        let (began, ended, _) = self.generations[generation];
        let now = now.as_millis() as u64;
        usize::from(now >= began) + usize::from(now >= ended)
    }

    fn snapshot(&self, generation: usize, rank: usize) -> Snapshot {
        let last = if self.generations[generation].2 { "failed" } else { "completed" };
        snapshot(generation, ["queued", "in_progress", last][rank.min(2)], 0)
    }
}

fn name(generation: usize) -> GenerationId {
    id(&format!("gen_{generation}"))
}

fn snapshot(generation: usize, status: &str, version: u32) -> Snapshot {
    let json = json!({"id": name(generation).as_str(), "status": status, "version": version});
    let text = json.to_string().into();
    Snapshot::new(serde_json::from_value(json).unwrap(), text)
}

/// What one wait has received.
#[derive(Clone, Debug, Default, PartialEq)]
struct Received {
    shown: Vec<String>,
    ends: Vec<(Duration, String)>,
}

#[derive(Debug, Default, PartialEq)]
struct Log {
    waits: BTreeMap<WaitId, Received>,
    /// When each poll of a generation was sent, and when it returned or was aborted.
    polls: Vec<(usize, Duration, Duration)>,
    /// When each poll of a generation has returned, and the status if it failed with one.
    results: Vec<(usize, Duration, Option<u16>)>,
    in_flight: Vec<InFlightPoll>,
}

#[derive(Clone, Debug, PartialEq)]
struct InFlightPoll {
    at: Duration,
    sent: Duration,
    generation: usize,
    poll: PollId,
    nth: usize,
}

/// Runs until nothing is left to happen. With `doubled`, the list gets every webhook, timeout and
/// poll result twice.
fn run(world: &World, doubled: bool) -> Result<Log, TestCaseError> {
    let ms = Duration::from_millis;
    let mut list: Watchlist<WaitId> = Watchlist::new(0, Forecast::new(Duration::from_secs(90)));
    let limit = world.limit.map(|requests| RateLimit::new(requests, Duration::from_secs(30)));
    let mut budget = Budget::new(limit);
    let mut log = Log::default();
    let mut inputs: Vec<(Duration, Input)> = Vec::new();
    for (number, (begins, _, _, dropped, _)) in world.waits.iter().enumerate() {
        inputs.push((ms(*begins), Input::Watch(number)));
        inputs.extend(dropped.map(|after| (ms(begins + after), Input::Leave(number))));
    }
    inputs.extend(
        world.webhooks.iter().map(|(at, generation)| (ms(*at), Input::Webhook(*generation))),
    );
    inputs.sort();
    inputs.reverse();
    let (mut timeout, mut sent) = (Duration::MAX, 0);
    for _ in 0..20_000 {
        log.in_flight.sort_by_key(|poll| (poll.at, poll.poll));
        let result_at = log.in_flight.first().map(|poll| poll.at);
        let input_at = inputs.last().map(|(at, _)| *at);
        let next = [result_at, input_at, Some(timeout)].into_iter().flatten().min();
        let Some(now) = next.filter(|now| *now < Duration::MAX) else {
            prop_assert!(list.is_empty(), "a wait is stuck");
            return Ok(log);
        };
        if result_at == Some(now) {
            let poll = log.in_flight.remove(0);
            budget.release(now, Class::Poll);
            log.polls.push((poll.generation, poll.sent, now));
            let (response, _, entropy) = &world.responses[poll.nth % world.responses.len()];
            if let Response::Status(429, pause) = response {
                budget.on_rate_limited(now, poll.sent, Class::Poll, pause.map(Duration::from_secs));
            }
            let status =
                if let Response::Status(status, _) = response { Some(*status) } else { None };
            log.results.push((poll.generation, now, status));
            for _ in 0..=usize::from(doubled) {
                let result = respond(world, poll.generation, response, now);
                let wall = SystemTime::UNIX_EPOCH + now;
                list.handle_poll_result(
                    now,
                    wall,
                    &name(poll.generation),
                    poll.poll,
                    result,
                    *entropy,
                );
            }
        } else if input_at == Some(now)
            && let Some((_, input)) = inputs.pop()
        {
            apply(world, &mut list, &mut log, now, input, doubled);
        }
        for _ in 0..=usize::from(doubled) {
            let next = list.handle_timeout(now, &mut budget);
            prop_assert!(next.at > now || next.at == Duration::MAX, "a timeout is in the past");
            timeout = next.at;
        }
        for action in list.take_actions() {
            match action {
                Action::Poll { id, poll, .. } => {
                    let generation = id.as_str()[4..].parse().unwrap();
                    let twice = log.in_flight.iter().any(|poll| poll.generation == generation);
                    prop_assert!(!twice, "{id} has two polls in flight");
                    let latency = world.responses[sent % world.responses.len()].1;
                    let at = now + ms(latency);
                    log.in_flight.push(InFlightPoll { at, sent: now, generation, poll, nth: sent });
                    sent += 1;
                }
                Action::Abort(poll) => {
                    let at = log.in_flight.iter().position(|other| other.poll == poll);
                    prop_assert!(at.is_some(), "a poll is aborted that is not in flight");
                    let poll = log.in_flight.remove(at.unwrap());
                    budget.release(now, Class::Poll);
                    log.polls.push((poll.generation, poll.sent, now));
                }
                Action::Update { handle, update, .. } => {
                    let received = log.waits.get_mut(&handle).unwrap();
                    prop_assert!(received.ends.is_empty(), "an update after the end");
                    received.shown.push(update.generation.status.to_string());
                }
                Action::End { handle, end, .. } => {
                    let text = match end {
                        Ok(generation) => generation.status.to_string(),
                        Err(error) => format!("{} {:?}", error.kind(), error.polls()),
                    };
                    log.waits.get_mut(&handle).unwrap().ends.push((now, text));
                }
            }
        }
    }
    Err(TestCaseError::fail("it does not end"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Input {
    Watch(usize),
    Leave(usize),
    Webhook(usize),
}

fn apply(
    world: &World,
    list: &mut Watchlist<WaitId>,
    log: &mut Log,
    now: Duration,
    input: Input,
    doubled: bool,
) {
    let wall = SystemTime::UNIX_EPOCH + now;
    match input {
        Input::Watch(number) => {
            let (_, generation, deadline, _, created) = world.waits[number];
            let wait = number as WaitId;
            log.waits.insert(wait, Received::default());
            let rank = world.rank_at(generation, now);
            let watch = Watch {
                id: name(generation),
                wait,
                handle: wait,
                deadline: now + Duration::from_millis(deadline),
                polling: Polling::default().min_interval(MIN_INTERVAL),
                relies_on_webhooks: number % 3 == 0,
                created_at: created.then_some(now),
                created: created.then(|| world.snapshot(generation, rank)),
                updates: true,
            };
            list.handle_command(now, wall, Command::Watch(Box::new(watch)));
        }
        Input::Leave(number) => {
            let wait = number as WaitId;
            let id = name(world.waits[number].1);
            list.handle_command(now, wall, Command::Leave { id, wait });
        }
        Input::Webhook(generation) => {
            for _ in 0..=usize::from(doubled) {
                list.handle_webhook(&name(generation));
            }
        }
    }
}

fn respond(
    world: &World,
    generation: usize,
    response: &Response,
    now: Duration,
) -> Result<Snapshot, Error> {
    let error = |kind| Error::new(kind, "");
    let rank = world.rank_at(generation, now);
    match response {
        Response::Current => Ok(world.snapshot(generation, rank)),
        Response::Earlier(earlier) => Ok(world.snapshot(generation, rank.min(*earlier))),
        Response::UnknownStatus(version) => Ok(snapshot(generation, "polishing", *version)),
        Response::Failure(kind) => Err(error(*kind)),
        Response::Status(status, pause) => {
            let header = pause.map(Duration::from_secs);
            let asked = RetryAfter { header, body: None };
            Err(error(ErrorKind::ApiStatus).with_status(*status).with_retry_after(asked))
        }
    }
}

/// Every wait ends exactly once, within its deadline and the grace, and shows only steps forward. No
/// failure ends it but a refused key, and a status that lasts.
pub(super) fn waits_end_once_and_in_time(world: &World) -> TestCaseResult {
    let log = run(world, false)?;
    for (wait, received) in &log.waits {
        let (begins, generation, deadline, dropped, _) = world.waits[*wait as usize];
        if dropped.is_none() {
            prop_assert_eq!(received.ends.len(), 1, "{} {:?}", wait, received);
        }
        prop_assert!(received.ends.len() <= 1);
        if let Some((at, text)) = received.ends.first() {
            let deadline = Duration::from_millis(begins + deadline);
            prop_assert!(*at <= deadline + FINAL_POLL_GRACE, "{at:?} {received:?}");
            if matches!(text.as_str(), "completed" | "failed") {
                prop_assert_eq!(received.shown.last(), Some(text));
                prop_assert_eq!(world.rank_at(generation, *at), 2, "the generation has not ended");
            } else {
                prop_assert!(*at >= deadline || !text.starts_with("wait_timeout"));
                let results = || log.results.iter().filter(|(of, ..)| *of == generation);
                let statuses: Vec<_> =
                    results().filter(|(_, when, _)| when <= at).map(|(.., s)| *s).collect();
                let before = results().filter(|(_, when, _)| when < at).count();
                let lasts = |statuses: &[Option<u16>]| match statuses.last() {
                    Some(Some(status)) if DOUBTFUL.contains(status) => {
                        statuses.ends_with(&[Some(*status), Some(*status)])
                    }
                    Some(Some(status)) => PERMANENT.contains(status),
                    _ => false,
                };
                // A wait that begins at the same instant may have brought further results.
                let refused = (before..=statuses.len()).any(|count| lasts(&statuses[..count]));
                prop_assert!(
                    text.starts_with("wait_timeout") || refused,
                    "{received:?} after {statuses:?}"
                );
            }
        }
        let mut rank = 0;
        for status in &received.shown {
            prop_assert!(rank < 2, "something is shown after the end: {received:?}");
            let next = match status.as_str() {
                "queued" => 0,
                "in_progress" => 1,
                "completed" | "failed" => 2,
                _ => rank,
            };
            prop_assert!(next >= rank, "{received:?}");
            rank = next;
        }
    }
    prop_assert!(log.in_flight.is_empty(), "a poll is left over");
    Ok(())
}

pub(super) fn doubled_events_change_nothing(world: &World) -> TestCaseResult {
    let once = run(world, false)?;
    prop_assert_eq!(&run(world, false)?, &once);
    prop_assert_eq!(&run(world, true)?, &once);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_wait_ends_once_and_in_time_and_never_shows_a_step_back(world in world()) {
        waits_end_once_and_in_time(&world)?;
    }

    /// No generation is polled after the last deadline of its waits and the grace, nor more often than the minimum
    /// interval, final polls and webhooks apart.
    #[test]
    fn the_number_of_polls_is_bounded(world in world()) {
        let log = run(&world, false)?;
        for generation in 0..GENERATIONS {
            let waits = || world.waits.iter().filter(|wait| wait.1 == generation);
            let polls = log.polls.iter().filter(|(other, ..)| *other == generation);
            let deadline = waits().map(|(begins, _, deadline, ..)| begins + deadline).max();
            let last = polls.clone().map(|(_, sent, _)| *sent).max();
            let latest = Duration::from_millis(deadline.unwrap_or(0)) + FINAL_POLL_GRACE;
            prop_assert!(last.is_none_or(|last| last <= latest));
            let first = waits().map(|(begins, ..)| *begins).min().unwrap_or(0);
            let span = deadline.unwrap_or(0).saturating_sub(first) / 1000;
            let webhooks = world.webhooks.iter().filter(|(_, other)| *other == generation).count();
            // Each wait may bring one first and one final poll.
            let bound = span + 2 * waits().count() as u64 + webhooks as u64;
            prop_assert!(polls.count() as u64 <= bound);
        }
    }

    #[test]
    fn the_same_events_lead_to_the_same_actions_and_doubled_events_change_nothing(world in world()) {
        doubled_events_change_nothing(&world)?;
    }
}
