//! What failed polls lead to.

use super::*;

#[test]
fn transient_failures_never_end_a_wait_and_their_pauses_grow() {
    use ErrorKind::{ApiStatus, Connection, Decode, RateLimited, Server, Timeout};
    let mut rig = Rig::new();
    rig.watch_with(Duration::ZERO, |watch| {
        watch.deadline = Duration::MAX;
        watch.polling =
            Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    });
    let mut pause = |now: Duration, error: Error| {
        assert_eq!(rig.run(now).0, ["poll"]);
        rig.result(now, Err(error));
        let (actions, at) = rig.run(now);
        assert_eq!(actions, [""; 0]);
        (at - now).as_millis()
    };
    let mut now = S;
    let mut pauses = Vec::new();
    for kind in [Server, Server, Server, Server, Timeout, Connection, Decode, RateLimited] {
        pauses.push(pause(now, error(kind)));
        now += S * 10;
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    assert_eq!(pause(now, error(ApiStatus).with_status(425)), 8000);

    now += S * 10;
    rig.run(now);
    rig.result(now, Ok(snapshot("in_progress", 6)));
    assert_eq!(rig.run(now).0, ["a: in_progress", "poll"]);
    rig.result(now, Err(error(Server)));
    let paused = rig.run(now).1 - now;
    assert_eq!(paused.as_millis(), 250, "a response makes up for the failures before it");
}

#[test]
fn a_refused_key_ends_a_wait_and_a_doubtful_status_when_it_is_repeated() {
    use ErrorKind::{ApiStatus, Authentication, BadRequest, NotFound, PermissionDenied};
    for (kind, code) in [(Authentication, 401), (PermissionDenied, 403)] {
        let mut rig = Rig::in_flight(S);
        rig.result(S, Err(status(kind, code)));
        assert_eq!(rig.run(S).0, [format!("a ends: {kind}")]);
    }
    let token = || status(Authentication, 401).with_renewable_token(true);
    for doubtful in [
        token(),
        status(NotFound, 404),
        status(BadRequest, 400),
        status(ApiStatus, 410),
        status(ApiStatus, 422),
    ] {
        let mut rig = Rig::in_flight(S);
        rig.result(S, Err(doubtful.clone()));
        assert_eq!(rig.run(S), (vec![], S * 4), "{doubtful:?}");
        assert_eq!(rig.run(S * 4).0, ["poll"]);
        rig.result(S * 4, Err(doubtful.clone()));
        assert_eq!(rig.run(S * 4).0, [format!("a ends: {}", doubtful.kind())]);
    }
}

/// Between two of them, a poll has shown the generation.
#[test]
fn a_doubtful_status_now_and_then_never_ends_a_wait() {
    let mut rig = Rig::waiting();
    for nth in 1..10 {
        let now = S * 6 * nth;
        assert_eq!(rig.run(now).0, ["poll"]);
        rig.result(now, Err(status(ErrorKind::NotFound, 404)));
        assert_eq!(rig.run(now + S * 3).0, ["poll"]);
        rig.result(now + S * 3, Ok(snapshot("in_progress", 5)));
        assert_eq!(rig.run(now + S * 3).0, [""; 0]);
    }
}

#[test]
fn a_404_does_not_outlast_the_deadline() {
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| watch.deadline = S);
    assert_eq!(rig.run(S).0, ["poll"]);
    rig.result(S, Err(status(ErrorKind::NotFound, 404)));
    assert_eq!(rig.run(S).0, ["a ends: wait_timeout"]);
}

#[test]
fn the_deadline_error_has_the_last_snapshot_the_polls_and_the_last_failure() {
    let mut rig = Rig::waiting();
    rig.webhook();
    rig.run(S * 50);
    rig.result(S * 50, Ok(snapshot("in_progress", 8)));
    rig.run(S * 50);
    rig.list.handle_timeout(DEADLINE, &mut rig.budget);
    let Some(Action::Poll { poll, .. }) = rig.list.take_actions().pop() else { panic!() };
    let late = Err(error(ErrorKind::Timeout));
    rig.list.handle_poll_result(DEADLINE, WALL, &id("gen_1"), poll, late, 0.5);
    let Some(Action::End { end: Err(error), .. }) = rig.list.take_actions().pop() else { panic!() };
    assert_eq!((error.kind(), error.polls()), (ErrorKind::WaitTimeout, Some(3)));
    assert_eq!(error.generation(), Some(&*snapshot("in_progress", 8).generation));
    assert_eq!(error.generation_id(), Some("gen_1"));
    assert!(std::error::Error::source(&error).is_some());
}
