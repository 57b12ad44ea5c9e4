//! What each event leads to in each state, and the rules about deadlines.

mod failures;
mod sharing;

use serde_json::json;

use super::super::budget::Class;
use super::super::fixture::id;
use super::*;
use crate::error::{ErrorKind, RetryAfter};

const S: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(100);
const WALL: SystemTime = SystemTime::UNIX_EPOCH;

/// A list with a budget without limit, driven by hand. Handles are names of waits.
struct Rig {
    list: Watchlist<&'static str>,
    budget: Budget,
    /// The last poll that was started.
    poll: PollId,
}

fn snapshot(status: &str, version: u32) -> Snapshot {
    let json = json!({"id": "gen_1", "status": status, "version": version});
    let text = json.to_string().into();
    Snapshot::new(serde_json::from_value(json).unwrap(), text)
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "")
}

fn status(kind: ErrorKind, status: u16) -> Error {
    error(kind).with_status(status)
}

fn header(pause: Duration) -> RetryAfter {
    RetryAfter { header: Some(pause), body: None }
}

impl Rig {
    fn new() -> Self {
        Self { list: Watchlist::new(0, Forecast::new(S * 90)), budget: Budget::new(None), poll: 0 }
    }

    fn watch_with(&mut self, now: Duration, change: impl FnOnce(&mut Watch<&'static str>)) {
        let mut watch = Watch {
            id: id("gen_1"),
            wait: 1,
            handle: "a",
            deadline: DEADLINE,
            polling: Polling::default().min_interval(S * 3).max_interval(S * 3),
            relies_on_webhooks: false,
            created_at: None,
            created: None,
            updates: true,
        };
        change(&mut watch);
        self.list.handle_command(now, WALL, Command::Watch(Box::new(watch)));
    }

    fn watch(&mut self, now: Duration, wait: WaitId, handle: &'static str) {
        self.watch_with(now, |watch| (watch.wait, watch.handle) = (wait, handle));
    }

    /// Handles the timeout; what has to be done as text, and when the next timeout is.
    fn run(&mut self, now: Duration) -> (Vec<String>, Duration) {
        let timeout = self.list.handle_timeout(now, &mut self.budget);
        let actions = self.list.take_actions().into_iter().map(|action| match action {
            Action::Poll { poll, .. } => {
                self.poll = poll;
                "poll".to_owned()
            }
            Action::Abort(poll) => {
                assert_eq!(poll, self.poll);
                "abort".to_owned()
            }
            Action::Update { handle, update, .. } => {
                format!("{handle}: {}", update.generation.status)
            }
            Action::End { handle, end: Ok(generation), .. } => {
                format!("{handle} ends: {}", generation.status)
            }
            Action::End { handle, end: Err(error), .. } => {
                format!("{handle} ends: {}", error.kind())
            }
        });
        (actions.collect(), timeout.at)
    }

    fn result(&mut self, now: Duration, result: Result<Snapshot, Error>) {
        let poll = self.poll;
        self.list.handle_poll_result(now, WALL, &id("gen_1"), poll, result, 1.0);
    }

    fn webhook(&mut self) {
        self.list.handle_webhook(&id("gen_1"));
    }

    /// Tracks one generation that a poll has shown in progress, version 5, at time 0.
    fn waiting() -> Self {
        let mut rig = Self::new();
        rig.watch(Duration::ZERO, 1, "a");
        assert_eq!(rig.run(Duration::ZERO).0, ["poll"]);
        rig.result(Duration::ZERO, Ok(snapshot("in_progress", 5)));
        assert_eq!(rig.run(Duration::ZERO), (vec!["a: in_progress".to_owned()], S * 3));
        rig
    }

    /// As [`waiting`](Self::waiting), with a poll in flight since this time.
    fn in_flight(now: Duration) -> Self {
        let mut rig = Self::waiting();
        rig.webhook();
        assert_eq!(rig.run(now).0, ["poll"]);
        rig
    }

    fn requested_again(now: Duration) -> Self {
        let mut rig = Self::in_flight(now);
        rig.webhook();
        assert_eq!(rig.run(now).0, [""; 0], "at most one poll is in flight");
        rig
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Webhook,
    Newer,
    Unknown,
    Equal,
    Stale,
    Completed,
    Failed,
    Transient,
    Permanent,
}

fn apply(rig: &mut Rig, event: Event, now: Duration) {
    let unavailable = error(ErrorKind::Server).with_retry_after(header(S * 7));
    match event {
        Event::Webhook => rig.webhook(),
        Event::Newer => rig.result(now, Ok(snapshot("in_progress", 6))),
        Event::Unknown => rig.result(now, Ok(snapshot("polishing", 6))),
        Event::Equal => rig.result(now, Ok(snapshot("in_progress", 5))),
        Event::Stale => rig.result(now, Ok(snapshot("queued", 4))),
        Event::Completed => rig.result(now, Ok(snapshot("completed", 6))),
        Event::Failed => rig.result(now, Ok(snapshot("failed", 6))),
        Event::Transient => rig.result(now, Err(unavailable)),
        Event::Permanent => rig.result(now, Err(status(ErrorKind::Authentication, 401))),
    }
}

/// The table of states and events: from a state, the event at a time, the actions that follow, and
/// the next timeout.
#[test]
fn every_row_of_the_table() {
    use Event::*;
    type Row = (fn(Duration) -> Rig, Event, u32, &'static [&'static str], Duration);
    fn waiting(_: Duration) -> Rig {
        Rig::waiting()
    }
    const IN_FLIGHT: fn(Duration) -> Rig = Rig::in_flight;
    const AGAIN: fn(Duration) -> Rig = Rig::requested_again;
    let over = Duration::MAX;
    // The pause is what the service asks for, and a quarter of a second of backoff.
    let paused = S * 57 + Duration::from_millis(250);
    let rows: &[Row] = &[
        (waiting, Webhook, 50, &["poll"], DEADLINE),
        (IN_FLIGHT, Webhook, 50, &[], DEADLINE),
        (AGAIN, Webhook, 50, &[], DEADLINE),
        (IN_FLIGHT, Newer, 50, &["a: in_progress"], S * 53),
        (IN_FLIGHT, Unknown, 50, &["a: polishing"], S * 53),
        (AGAIN, Newer, 50, &["a: in_progress", "poll"], DEADLINE),
        (IN_FLIGHT, Newer, 100, &["a: in_progress", "a ends: wait_timeout"], over),
        (AGAIN, Newer, 100, &["a: in_progress", "a ends: wait_timeout"], over),
        (IN_FLIGHT, Equal, 50, &[], S * 53),
        (IN_FLIGHT, Stale, 50, &[], S * 53),
        (AGAIN, Stale, 50, &["poll"], DEADLINE),
        (IN_FLIGHT, Equal, 100, &["a ends: wait_timeout"], over),
        (IN_FLIGHT, Stale, 100, &["a ends: wait_timeout"], over),
        (IN_FLIGHT, Completed, 50, &["a: completed", "a ends: completed"], over),
        (IN_FLIGHT, Failed, 50, &["a: failed", "a ends: failed"], over),
        (AGAIN, Completed, 50, &["a: completed", "a ends: completed"], over),
        (IN_FLIGHT, Completed, 100, &["a: completed", "a ends: completed"], over),
        (IN_FLIGHT, Transient, 50, &[], paused),
        (AGAIN, Transient, 50, &[], paused),
        (IN_FLIGHT, Transient, 100, &["a ends: wait_timeout"], over),
        (IN_FLIGHT, Permanent, 50, &["a ends: authentication"], over),
        (IN_FLIGHT, Permanent, 100, &["a ends: authentication"], over),
    ];
    for (start, event, at, actions, timeout) in rows {
        let now = S * *at;
        let mut rig = start(now.min(S * 99));
        apply(&mut rig, *event, now);
        let got = rig.run(now);
        let expected = (actions.iter().map(|action| (*action).to_owned()).collect(), *timeout);
        assert_eq!(got, expected, "{event:?} at {now:?}");
    }
}

#[test]
fn nothing_follows_from_events_about_a_generation_that_is_no_longer_tracked() {
    for event in [
        Event::Webhook,
        Event::Newer,
        Event::Completed,
        Event::Failed,
        Event::Transient,
        Event::Permanent,
    ] {
        let mut rig = Rig::in_flight(S * 50);
        assert!(!rig.list.is_empty());
        apply(&mut rig, Event::Completed, S * 50);
        rig.run(S * 50);
        assert!(rig.list.is_empty());
        apply(&mut rig, event, S * 51);
        assert_eq!(rig.run(S * 51), (vec![], Duration::MAX), "{event:?}");
    }
}

#[test]
fn at_the_deadline_there_is_one_final_poll_with_two_seconds_for_its_response() {
    let mut rig = Rig::waiting();
    rig.watch_with(Duration::ZERO, |watch| {
        (watch.wait, watch.handle, watch.deadline) = (2, "b", S);
        watch.updates = false;
    });
    // No poll is due at 1 s except for the deadline.
    assert_eq!(rig.run(S), (vec!["poll".to_owned()], S * 3));
    assert_eq!(rig.run(S * 2).0, [""; 0]);
    assert_eq!(rig.run(S * 3).0, ["b ends: wait_timeout"], "the service is silent");
    apply(&mut rig, Event::Completed, S * 4);
    assert_eq!(rig.run(S * 4).0, ["a: completed", "a ends: completed"], "the other goes on");

    let mut rig = Rig::in_flight(S * 99);
    assert_eq!(rig.run(DEADLINE), (vec![], S * 102), "the poll in flight is the final one");
    apply(&mut rig, Event::Completed, S * 101);
    assert_eq!(rig.run(S * 101).0, ["a: completed", "a ends: completed"]);
}

#[test]
fn a_deadline_without_budget_ends_the_wait_at_once() {
    let mut rig = Rig::waiting();
    rig.budget.on_rate_limited(S, S, Class::Poll, Some(S * 500));
    let (actions, timeout) = rig.run(S * 3);
    assert_eq!((actions.len(), timeout), (0, DEADLINE));
    assert_eq!(rig.run(DEADLINE).0, ["a ends: wait_timeout"]);
}

#[test]
fn an_unknown_status_keeps_the_rank_and_is_not_an_end() {
    let mut rig = Rig::new();
    rig.watch(S, 1, "a");
    let mut show = |status: &str, version| {
        rig.webhook();
        assert_eq!(rig.run(S).0, ["poll"]);
        rig.result(S, Ok(snapshot(status, version)));
        rig.run(S).0
    };
    assert_eq!(show("dreaming", 1), ["a: dreaming"], "at first it ranks as queued");
    assert_eq!(show("queued", 2), ["a: queued"]);
    assert_eq!(show("in_progress", 3), ["a: in_progress"]);
    assert_eq!(show("queued", 2), [""; 0], "stale");
    assert_eq!(show("polishing", 4), ["a: polishing"]);
    assert_eq!(show("queued", 2), [""; 0], "still stale after an unknown one");
    assert_eq!(show("cancelled", 5), ["a: cancelled"]);
    assert_eq!(show("in_progress", 6), ["a: in_progress"]);
    assert_eq!(show("failed", 7), ["a: failed", "a ends: failed"]);
}

#[test]
fn what_a_create_has_returned_is_shown_once() {
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| {
        (watch.created_at, watch.created) = (Some(S), Some(snapshot("queued", 0)));
    });
    assert_eq!(rig.run(S).0, ["a: queued"]);
    assert_eq!(rig.run(S * 4).0, ["poll"]);
    rig.result(S * 4, Ok(snapshot("queued", 0)));
    assert_eq!(rig.run(S * 4).0, [""; 0]);

    let mut rig = Rig::new();
    rig.watch_with(S, |watch| {
        (watch.created_at, watch.created) = (Some(S), Some(snapshot("completed", 0)));
    });
    assert_eq!(rig.run(S).0, ["a: completed", "a ends: completed"], "without a poll");
}

#[test]
fn a_deadline_may_be_never() {
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| watch.deadline = Duration::MAX);
    rig.run(S);
    rig.result(S, Err(error(ErrorKind::Server).with_retry_after(header(Duration::MAX))));
    assert_eq!(rig.run(S * 61), (vec![], S * 61 + Duration::from_millis(250)));
}

#[test]
fn a_generation_first_seen_after_its_end_teaches_its_latency_and_never_its_age() {
    let wall = SystemTime::UNIX_EPOCH + S * 10_000;
    let learned = |latency: Option<u64>| {
        let mut rig = Rig::new();
        rig.watch_with(S * 5000, |watch| watch.deadline = Duration::MAX);
        rig.run(S * 5000);
        let json = json!({"id": "gen_1", "status": "completed", "engine": "e", "model": "m",
            "provider": "p", "created_at": 7000, "latency_ms": latency});
        let text = json.to_string().into();
        let ended = Snapshot::new(serde_json::from_value(json).unwrap(), text);
        rig.list.handle_poll_result(S * 5000, wall, &id("gen_1"), rig.poll, Ok(ended), 0.0);
        rig.list.planner.forecast.shape("e m p").median().as_secs()
    };
    assert_eq!(learned(None), 90, "the prior: fifty minutes is its age, not its duration");
    assert!(learned(Some(30_000)) < 90);
}

#[test]
fn a_generation_of_unknown_age_teaches_its_latency() {
    let mut rig = Rig::waiting();
    rig.run(S * 3);
    let json = json!({"id": "gen_1", "status": "completed", "latency_ms": 30_000});
    let text = json.to_string().into();
    rig.result(S * 3, Ok(Snapshot::new(serde_json::from_value(json).unwrap(), text)));
    let learned = rig.list.planner.forecast.shape("  ").median();
    assert!((50..70).contains(&learned.as_secs()), "between 30 and 90: {learned:?}");
}

#[test]
fn a_create_names_the_route_that_durations_are_learned_by() {
    let json = json!({"id": "gen_1", "status": "queued", "engine": "lottie", "model": "m"});
    let text = json.to_string().into();
    let created = Snapshot::new(serde_json::from_value(json).unwrap(), text);
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| (watch.created_at, watch.created) = (Some(S), Some(created)));
    assert_eq!(rig.list.records[&id("gen_1")].route, "lottie m ");
}

#[test]
fn an_end_that_was_not_watched_teaches_no_duration() {
    let mut rig = Rig::new();
    rig.watch_with(S * 36_001, |watch| {
        (watch.created_at, watch.deadline) = (Some(S), Duration::MAX);
    });
    rig.run(S * 36_001);
    rig.result(S * 36_001, Ok(snapshot("completed", 1)));
    let expected = rig.list.planner.forecast.shape("  ").median();
    assert_eq!(expected.as_secs(), 90, "not five hours");
}

#[test]
fn progress_never_goes_backwards_and_is_1_with_the_end_alone() {
    let mut rig = Rig::new();
    rig.watch_with(Duration::ZERO, |watch| {
        watch.created_at = Some(Duration::ZERO);
        watch.deadline = Duration::MAX;
    });
    let mut shown = |at: u32, status, version| {
        rig.run(S * at);
        rig.result(S * at, Ok(snapshot(status, version)));
        let mut actions = rig.list.take_actions().into_iter();
        let progress = actions.find_map(|action| match action {
            Action::Update { update, .. } => Some(update.progress),
            _ => None,
        });
        // Others of its route turn out to take longer and longer.
        for _ in 0..3 {
            rig.list.planner.forecast.learn("  ", S * at * 20);
        }
        progress.unwrap()
    };
    let early = shown(6, "queued", 1);
    assert!((0.05..0.09).contains(&early), "six of about ninety seconds: {early}");
    let estimates = [40, 60, 100].map(|at| shown(at, "in_progress", at));
    assert!(estimates.is_sorted() && estimates[0] >= early && estimates[2] < 1.0, "{estimates:?}");
    assert_eq!(shown(104, "completed", 6), 1.0);

    let mut rig = Rig::new();
    rig.watch_with(Duration::ZERO, |watch| watch.created_at = Some(Duration::ZERO));
    rig.run(S * 6);
    rig.result(S * 6, Ok(snapshot("failed", 1)));
    assert!(matches!(&rig.list.take_actions()[..],
        [Action::Update { update, .. }, ..] if update.progress == 1.0));
}

#[test]
fn after_a_stall_a_wait_still_gets_its_final_poll() {
    let mut rig = Rig::waiting();
    assert_eq!(rig.run(DEADLINE + S * 20), (vec!["poll".to_owned()], DEADLINE + S * 22));
    rig.result(DEADLINE + S * 21, Ok(snapshot("completed", 6)));
    assert_eq!(rig.run(DEADLINE + S * 21).0, ["a: completed", "a ends: completed"]);
}

#[test]
fn a_final_poll_waits_for_room_within_the_grace() {
    let mut rig = Rig::waiting();
    rig.budget.on_rate_limited(DEADLINE, DEADLINE, Class::Poll, Some(S));
    assert_eq!(rig.run(DEADLINE), (vec![], DEADLINE + S));
    assert_eq!(rig.run(DEADLINE + S).0, ["poll"]);
    rig.result(DEADLINE + S, Ok(snapshot("completed", 6)));
    assert_eq!(rig.run(DEADLINE + S).0, ["a: completed", "a ends: completed"]);
}

#[test]
fn room_at_the_end_of_the_grace_comes_too_late_for_a_final_poll() {
    let just_before = S * 2 - Duration::from_nanos(1);
    for (pause, ended) in [(just_before, &[][..]), (S * 2, &["a ends: wait_timeout"][..])] {
        let mut rig = Rig::waiting();
        rig.budget.on_rate_limited(DEADLINE, DEADLINE, Class::Poll, Some(pause));
        assert_eq!(rig.run(DEADLINE).0, ended, "{pause:?}");
    }
}

#[test]
fn no_more_than_fifty_polls_are_in_flight_and_each_that_ends_makes_room() {
    let mut rig = Rig::new();
    for nth in 0..60 {
        rig.watch_with(S, |watch| (watch.id, watch.wait) = (id(&format!("gen_{nth}")), nth));
    }
    let first = started(&mut rig);
    assert_eq!((first.len(), started(&mut rig).len()), (MAX_IN_FLIGHT, 0));
    let (polled, poll) = &first[7];
    let shown = Ok(snapshot("in_progress", 1));
    rig.list.handle_poll_result(S, WALL, polled, *poll, shown, 1.0);
    let next = started(&mut rig);
    assert_eq!((next.len(), started(&mut rig).len()), (1, 0));
    let (left, wait) = (next[0].0.clone(), next[0].0.as_str()[4..].parse().unwrap());
    rig.list.handle_command(S, WALL, Command::Leave { id: left, wait });
    assert_eq!((started(&mut rig).len(), started(&mut rig).len()), (1, 0), "it was aborted");
}

/// The polls that have to be started now.
fn started(rig: &mut Rig) -> Vec<(GenerationId, PollId)> {
    assert!(rig.list.handle_timeout(S, &mut rig.budget).on_budget_change);
    let polls = rig.list.take_actions().into_iter().filter_map(|action| match action {
        Action::Poll { id, poll, .. } => Some((id, poll)),
        _ => None,
    });
    polls.collect()
}
