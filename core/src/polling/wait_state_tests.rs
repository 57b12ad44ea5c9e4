//! What each event does in each state, and what holds over any sequence of them.

use serde_json::json;

use super::*;

const S: Duration = Duration::from_secs(1);
const ID: &str = "gen_1";
const DEADLINE: Duration = Duration::from_secs(100);

/// A snapshot; the version tells apart those of the same status.
fn snapshot(status: &str, version: u32) -> Snapshot {
    let json = json!({"id": ID, "status": status, "version": version});
    let text = json.to_string().into();
    Snapshot::new(serde_json::from_value(json).unwrap(), text)
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "")
}

/// An ask in words, so that asks can be compared.
fn words(ask: &Ask) -> String {
    match ask {
        Ask::Nothing => "nothing".to_owned(),
        Ask::Later => "later".to_owned(),
        Ask::Now => "now".to_owned(),
        Ask::NotBefore(at) => format!("not before {at:?}"),
        Ask::End(Ok(generation)) => format!("end: {}", generation.status),
        Ask::End(Err(error)) => format!("end: {}", error.kind()),
    }
}

/// Has been seen in progress, at version 5.
fn waiting() -> Lifecycle {
    Lifecycle::new(DEADLINE, Duration::ZERO, Some(snapshot("in_progress", 5)))
}

fn looking() -> Lifecycle {
    let mut machine = waiting();
    machine.look();
    machine
}

fn asked_again() -> Lifecycle {
    let mut machine = looking();
    assert_eq!(words(&machine.webhook()), "nothing");
    machine
}

fn done() -> Lifecycle {
    let mut machine = looking();
    assert_eq!(words(&machine.snapshot(S, &snapshot("completed", 6)).1), "end: completed");
    machine
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Look,
    Webhook,
    Newer,
    Unknown,
    Equal,
    Stale,
    Completed,
    Failed,
    Passing,
    ForGood,
    Expire,
}

/// What the event does: whether it is news, and what is asked for.
fn apply(machine: &mut Lifecycle, event: Event, now: Duration) -> (bool, Ask) {
    let unavailable = error(ErrorKind::Server).with_retry_after(Some(S * 7));
    match event {
        Event::Look => {
            machine.look();
            (false, Ask::Nothing)
        }
        Event::Webhook => (false, machine.webhook()),
        Event::Newer => machine.snapshot(now, &snapshot("in_progress", 6)),
        Event::Unknown => machine.snapshot(now, &snapshot("polishing", 6)),
        Event::Equal => machine.snapshot(now, &snapshot("in_progress", 5)),
        Event::Stale => machine.snapshot(now, &snapshot("queued", 4)),
        Event::Completed => machine.snapshot(now, &snapshot("completed", 6)),
        Event::Failed => machine.snapshot(now, &snapshot("failed", 6)),
        Event::Passing => (false, machine.failure(now, ID, &unavailable, 1.0)),
        Event::ForGood => (false, machine.failure(now, ID, &error(ErrorKind::Authentication), 1.0)),
        Event::Expire => (false, machine.expire(ID)),
    }
}

/// Where it is, what happens and when; where it is then, whether that is news, and what is asked.
type Row = (fn() -> Lifecycle, Event, Duration, State, bool, &'static str);

#[test]
fn every_row_of_the_table() {
    use Event::*;
    let (early, late) = (S * 50, DEADLINE);
    let again = State::Looking { again: true };
    let once = State::Looking { again: false };
    let rows: &[Row] = &[
        (waiting, Look, early, once, false, "nothing"),
        (waiting, Look, late, once, false, "nothing"),
        (waiting, Webhook, early, State::Waiting, false, "now"),
        (looking, Look, early, once, false, "nothing"),
        (looking, Webhook, early, again, false, "nothing"),
        (asked_again, Webhook, early, again, false, "nothing"),
        (looking, Newer, early, State::Waiting, true, "later"),
        (looking, Unknown, early, State::Waiting, true, "later"),
        (asked_again, Newer, early, State::Waiting, true, "now"),
        (looking, Newer, late, State::Done, true, "end: wait_timeout"),
        (asked_again, Newer, late, State::Done, true, "end: wait_timeout"),
        (looking, Equal, early, State::Waiting, false, "later"),
        (looking, Stale, early, State::Waiting, false, "later"),
        (asked_again, Stale, early, State::Waiting, false, "now"),
        (looking, Equal, late, State::Done, false, "end: wait_timeout"),
        (looking, Stale, late, State::Done, false, "end: wait_timeout"),
        (looking, Completed, early, State::Done, true, "end: completed"),
        (looking, Failed, early, State::Done, true, "end: failed"),
        (asked_again, Completed, early, State::Done, true, "end: completed"),
        (looking, Completed, late, State::Done, true, "end: completed"),
        (looking, Passing, early, State::Waiting, false, "not before 57.25s"),
        (asked_again, Passing, early, State::Waiting, false, "not before 57.25s"),
        (looking, Passing, late, State::Done, false, "end: wait_timeout"),
        (looking, ForGood, early, State::Done, false, "end: authentication"),
        (looking, ForGood, late, State::Done, false, "end: authentication"),
        // A wait that joined while a look was under way shares the answer.
        (waiting, Newer, early, State::Waiting, true, "later"),
        (waiting, Completed, early, State::Done, true, "end: completed"),
        (waiting, Passing, early, State::Waiting, false, "not before 57.25s"),
        (waiting, Passing, late, State::Done, false, "end: wait_timeout"),
        (waiting, ForGood, early, State::Done, false, "end: authentication"),
        // Without budget for a last look.
        (waiting, Expire, late, State::Done, false, "end: wait_timeout"),
    ];
    for (start, event, now, state, news, ask) in rows {
        let mut machine = start();
        let (is_news, asked) = apply(&mut machine, *event, *now);
        let got = (machine.state, is_news, words(&asked));
        assert_eq!(got, (*state, *news, (*ask).to_owned()), "{event:?} at {now:?}");
    }
    for event in
        [Look, Webhook, Newer, Unknown, Equal, Stale, Completed, Failed, Passing, ForGood, Expire]
    {
        for now in [early, late] {
            let mut machine = done();
            let (news, ask) = apply(&mut machine, event, now);
            let got = (machine.state, news, words(&ask));
            assert_eq!(got, (State::Done, false, "nothing".to_owned()), "{event:?} when done");
        }
    }
}

#[test]
fn the_last_snapshot_and_the_polls_are_in_the_deadlines_error() {
    let mut machine = waiting();
    for version in 6..9 {
        machine.look();
        machine.look();
        machine.snapshot(S, &snapshot("in_progress", version));
    }
    machine.look();
    let Ask::End(Err(error)) = machine.failure(DEADLINE, ID, &error(ErrorKind::Timeout), 0.5)
    else {
        panic!("the last look ends it")
    };
    assert_eq!(error.polls(), Some(4), "a look that is under way is not counted twice");
    assert_eq!(error.generation(), Some(&*snapshot("in_progress", 8).generation));
    assert_eq!(error.generation_id(), Some(ID));
}

#[test]
fn passing_failures_never_end_it_and_their_pauses_grow() {
    use ErrorKind::{ApiStatus, Connection, Decode, RateLimited, Server, Timeout};
    let mut machine = waiting();
    let mut pauses = Vec::new();
    for kind in [Server, Server, Server, Server, Timeout, Connection, Decode, RateLimited] {
        machine.look();
        let Ask::NotBefore(at) = machine.failure(S, ID, &error(kind), 1.0) else {
            panic!("{kind}")
        };
        pauses.push((at - S).as_millis());
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    machine.look();
    let too_early = error(ApiStatus).with_status(425);
    assert_eq!(words(&machine.failure(S, ID, &too_early, 0.0)), "not before 1s");

    machine.look();
    machine.snapshot(S, &snapshot("in_progress", 6));
    machine.look();
    let ask = machine.failure(S, ID, &error(Server), 1.0);
    assert_eq!(words(&ask), "not before 1.25s", "an answer makes up for the failures before it");
}

#[test]
fn failures_for_good_end_it() {
    use ErrorKind::{ApiStatus, Authentication, BadRequest, NotFound, PermissionDenied};
    for kind in [Authentication, PermissionDenied, NotFound, BadRequest, ApiStatus] {
        let mut machine = looking();
        let ask = machine.failure(S, ID, &error(kind).with_status(418), 0.5);
        assert_eq!(words(&ask), format!("end: {kind}"));
    }
}

#[test]
fn a_404_is_not_believed_right_after_a_create() {
    let missing = error(ErrorKind::NotFound);
    let fresh = || Lifecycle::new(DEADLINE, GRACE, Some(snapshot("queued", 0)));
    let just_before = GRACE - Duration::from_nanos(1);

    let mut machine = fresh();
    machine.look();
    assert_eq!(words(&machine.failure(S, ID, &missing, 0.0)), "not before 1s");
    machine.look();
    assert!(matches!(machine.failure(just_before, ID, &missing, 0.0), Ask::NotBefore(_)));
    machine.look();
    assert_eq!(words(&machine.failure(GRACE, ID, &missing, 0.0)), "end: not_found");

    let mut machine = fresh();
    machine.look();
    machine.snapshot(S, &snapshot("queued", 0));
    machine.look();
    let ask = machine.failure(S * 2, ID, &missing, 0.0);
    assert_eq!(words(&ask), "end: not_found", "it was there before");

    let mut machine = Lifecycle::new(S * 2, GRACE, None);
    machine.look();
    let ask = machine.failure(S * 2, ID, &missing, 0.0);
    assert_eq!(words(&ask), "end: wait_timeout", "the grace does not outlast the deadline");
}

#[test]
fn an_unknown_status_keeps_the_rank_and_is_no_end() {
    let mut machine = Lifecycle::new(DEADLINE, Duration::ZERO, None);
    let mut tell = |status, version| {
        let (news, ask) = machine.snapshot(S, &snapshot(status, version));
        (news, words(&ask))
    };
    let later = |news| (news, "later".to_owned());
    assert_eq!(tell("dreaming", 1), later(true), "before anything is known it ranks as queued");
    assert_eq!(tell("queued", 2), later(true));
    assert_eq!(tell("in_progress", 3), later(true));
    assert_eq!(tell("queued", 2), later(false), "stale");
    assert_eq!(tell("polishing", 4), later(true));
    assert_eq!(tell("queued", 2), later(false), "still stale after an unknown one");
    assert_eq!(tell("cancelled", 5), later(true), "whatever it sounds like");
    assert_eq!(tell("in_progress", 6), later(true));
    assert_eq!(tell("failed", 7), (true, "end: failed".to_owned()));
    assert_eq!(tell("completed", 8), (false, "nothing".to_owned()), "the first end wins");
}

#[test]
fn what_a_create_has_answered_is_known_already() {
    let created = snapshot("queued", 0);
    let mut machine = Lifecycle::new(DEADLINE, GRACE, Some(created.clone()));
    assert!(!machine.snapshot(S, &created).0, "it was told before");

    let ended = snapshot("completed", 0);
    let mut machine = Lifecycle::new(DEADLINE, GRACE, Some(ended.clone()));
    let (news, ask) = machine.snapshot(S, &ended);
    assert_eq!((news, words(&ask)), (false, "end: completed".to_owned()));

    let mut machine = Lifecycle::new(DEADLINE, GRACE, Some(snapshot("completed", 0)));
    let (news, ask) = machine.snapshot(S, &snapshot("polishing", 1));
    assert!(!news && !matches!(ask, Ask::End(Ok(_))), "an unknown status is no end: {ask:?}");
}

#[test]
fn a_deadline_may_be_never() {
    let mut machine = Lifecycle::new(Duration::MAX, Duration::MAX, None);
    machine.look();
    let endless = error(ErrorKind::Server).with_retry_after(Some(Duration::MAX));
    let ask = machine.failure(Duration::MAX - S, ID, &endless, 1.0);
    assert_eq!(words(&ask), words(&Ask::NotBefore(Duration::MAX)));
}
