//! What a record makes of its snapshots and its waits.

use serde_json::{Value, json};

use super::super::fixture::polled;
use super::super::forecast::Forecast;
use super::*;

const S: Duration = Duration::from_secs(1);
const CREATED: Duration = Duration::from_secs(10_000);

/// A generation that this process created at [`CREATED`].
fn created() -> Tracked {
    Tracked::new(CREATED, Some(CREATED), polled(Polling::default()))
}

/// A generation of which only the id is known at [`CREATED`].
fn unknown() -> Tracked {
    Tracked::new(CREATED, None, polled(Polling::default()))
}

fn generation(fields: Value) -> Generation {
    let mut json = json!({"id": "gen_1", "status": "completed"});
    json.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(json).unwrap()
}

fn latency(millis: Option<u64>) -> Generation {
    generation(json!({"latency_ms": millis}))
}

#[test]
fn a_duration_is_the_latency_within_what_polls_have_shown_or_the_middle_between_close_polls() {
    for (seen, ended, latency_ms, expected) in [
        (10, 14, None, Some(12_000)),
        (10, 20, None, Some(15_000)),
        // More than half of its age lies between the last two polls.
        (10, 21, None, None),
        (10, 14, Some(11_000), Some(11_000)),
        (10, 14, Some(9_000), Some(10_000)),
        (10, 14, Some(15_000), Some(14_000)),
        (10, 90, Some(40_000), Some(40_000)),
    ] {
        let mut record = created();
        record.seen(CREATED + S * seen);
        let took = record.duration(&latency(latency_ms), CREATED + S * ended);
        assert_eq!(took, expected.map(Duration::from_millis), "{seen} {ended} {latency_ms:?}");
    }
}

#[test]
fn one_of_unknown_age_or_first_seen_after_its_end_has_its_latency_alone() {
    const HOUR: u64 = 60 * 60 * 1000;
    for (latency_ms, expected) in
        [(None, None), (Some(0), Some(0)), (Some(HOUR), Some(HOUR)), (Some(HOUR + 1), None)]
    {
        let mut record = unknown();
        for _ in 0..2 {
            let took = record.duration(&latency(latency_ms), CREATED + S * 14);
            assert_eq!(took, expected.map(Duration::from_millis), "{latency_ms:?}");
            record.seen(CREATED + S * 10);
        }
    }
}

#[test]
fn the_time_of_creation_is_the_services_if_that_is_plausible() {
    const WALL: u64 = 1_700_000_000;
    let wall = SystemTime::UNIX_EPOCH + S * WALL as u32;
    for (created_at, age) in [
        (Some(WALL), Some(0)),
        (Some(WALL - 30), Some(30)),
        (Some(WALL - 60 * 60), Some(60 * 60)),
        (Some(WALL - 60 * 60 - 1), None),
        (Some(WALL + 1), None),
        (None, None),
    ] {
        let shown = generation(json!({"created_at": created_at}));
        let mut record = unknown();
        record.describe(&shown, CREATED, wall);
        let expected = CREATED - S * age.unwrap_or_default();
        assert_eq!(record.created_at, expected, "{created_at:?}");
        assert_eq!(record.creation_known, age.is_some(), "{created_at:?}");
    }
}

#[test]
fn the_first_snapshot_that_says_when_it_was_created_counts() {
    let wall = SystemTime::UNIX_EPOCH + S * 1_700_000_000;
    let says = |created_at: Option<u64>| generation(json!({"created_at": created_at}));
    let mut record = unknown();
    for (created_at, expected) in
        [(None, CREATED), (Some(1_699_999_990), CREATED - S * 10), (Some(1), CREATED - S * 10)]
    {
        record.describe(&says(created_at), CREATED, wall);
        record.seen(CREATED);
        assert_eq!(record.created_at, expected, "{created_at:?}");
    }
    let mut own = created();
    own.describe(&says(Some(1_699_999_990)), CREATED, wall);
    assert_eq!(own.created_at, CREATED, "this process knows better");
}

#[test]
fn the_route_is_that_of_the_first_snapshot() {
    let mut record = unknown();
    let whole = json!({"engine": "lottie", "model": "lab/m", "provider": "framerate"});
    record.describe(&generation(whole), CREATED, SystemTime::UNIX_EPOCH);
    assert_eq!(record.route, "lottie lab/m framerate");
    record.describe(&generation(json!({"engine": "x"})), CREATED, SystemTime::UNIX_EPOCH);
    assert_eq!(record.route, "lottie lab/m framerate");
}

#[test]
fn a_generation_is_polled_as_the_most_demanding_of_its_waits_asks() {
    let intervals = |min: u32, max: u32, safety: u32| {
        let polling = Polling::default().min_interval(S * min).max_interval(S * max);
        polling.safety_interval(S * safety)
    };
    let waits = |intervals, relies_on_webhooks| WaitPolling { intervals, relies_on_webhooks };
    let first = waits(intervals(2, 9, 60), true);
    let mut record = Tracked::new(CREATED, None, first);

    let second = waits(intervals(3, 8, 50), true);
    assert!(record.add_wait(second));
    assert_eq!(record.polling, waits(intervals(2, 8, 50), true));
    assert!(!record.add_wait(second), "one more of the same");

    let third = waits(intervals(1, 10, 70), false);
    assert!(record.add_wait(third));
    assert_eq!(record.polling, waits(intervals(1, 8, 50), false), "it relies on polls");

    assert!(!record.remove_wait(second), "another one asks for the same");
    assert!(!record.remove_wait(polled(Polling::default())), "none of its waits");
    assert!(record.remove_wait(second));
    assert_eq!(record.polling, waits(intervals(1, 9, 60), false));
    assert!(record.remove_wait(third));
    assert_eq!(record.polling, first);
    assert!(record.has_waits());
    assert!(!record.remove_wait(first), "without waits it stays as it is");
    assert!(!record.has_waits());
    assert_eq!(record.polling, first);
}

#[test]
fn the_longest_interval_is_that_of_polls_or_of_webhooks_and_never_below_the_minimum() {
    for (min, max, safety, webhooks, longest) in
        [(2, 5, 60, false, 5), (2, 5, 60, true, 60), (7, 5, 60, false, 7), (70, 5, 60, true, 70)]
    {
        let intervals = Polling::default().min_interval(S * min).max_interval(S * max);
        let intervals = intervals.safety_interval(S * safety);
        let polling = WaitPolling { intervals, relies_on_webhooks: webhooks };
        let record = Tracked::new(CREATED, Some(CREATED), polling);
        assert_eq!(record.max_interval(), S * longest, "{min} {max} {webhooks}");
    }
}

#[test]
fn demand_is_the_polls_a_second_and_that_of_a_hundredth_of_the_typical_time_at_most() {
    for (millis, typical, interval) in
        [(5000, 90, 5.0), (901, 90, 0.901), (900, 90, 0.9), (100, 90, 0.9), (0, 0, 1e-3)]
    {
        let polling = Polling::default().min_interval(Duration::ZERO).typical(S * typical);
        let polling = polling.max_interval(Duration::from_millis(millis));
        let record = Tracked::new(CREATED, None, polled(polling));
        assert!((record.demand() * interval - 1.0).abs() < 1e-12, "{millis} {}", record.demand());
    }
}

#[test]
fn it_is_due_between_its_intervals_and_not_before_a_failed_poll_allows() {
    let mut record = unknown();
    assert_eq!((record.eligible_at(), record.overdue_at(1.0)), (CREATED + S * 2, CREATED + S * 5));
    assert_eq!(record.overdue_at(3.0), CREATED + S * 15);
    assert_eq!(record.overdue_at(f64::INFINITY), Duration::MAX);
    record.not_before = CREATED + S * 6;
    assert_eq!((record.eligible_at(), record.overdue_at(1.0)), (CREATED + S * 6, CREATED + S * 6));
    record.seen(CREATED + S * 2);
    assert_eq!((record.last_seen(), record.not_before), (CREATED + S * 2, Duration::ZERO));
    assert_eq!((record.eligible_at(), record.overdue_at(1.0)), (CREATED + S * 4, CREATED + S * 7));
    assert_eq!(record.ages(CREATED + S * 3), (2.0, 3.0));
    let shape = Forecast::new(S * 90).shape("");
    let worth = record.index(shape, CREATED + S * 3);
    assert_eq!(worth, shape.index(2.0, 3.0));
    assert!(worth > 0.0 && worth < 1.0, "{worth}");
}

#[test]
fn an_update_counts_from_the_creation_and_its_progress_is_whole_only_at_the_end() {
    let shape = Forecast::new(S * 90).shape("");
    let mut record = created();
    let mut update = |seconds: u32, status: &str| {
        let shown = generation(json!({"status": status}));
        record.update(CREATED + S * seconds, shown, shape, Via::Webhook)
    };
    let early = update(3, "in_progress");
    assert_eq!((early.elapsed, early.via), (S * 3, Via::Webhook));
    assert_eq!(early.expected.as_secs_f64().round(), 90.0);
    assert!((0.01..0.05).contains(&early.progress), "{}", early.progress);
    let late = update(100_000, "in_progress").progress;
    assert!((early.progress..1.0).contains(&late), "{late}");
    assert_eq!(update(50, "in_progress").progress, late, "it never goes back");
    assert_eq!(update(100, "completed").progress, 1.0);
}
