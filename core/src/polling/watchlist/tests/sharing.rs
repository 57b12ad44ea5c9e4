//! Several waits for one generation.

use super::*;

#[test]
fn a_wait_that_joins_shares_the_poll_in_flight_and_its_result() {
    let mut rig = Rig::in_flight(S * 50);
    rig.watch(S * 50, 2, "b");
    assert_eq!(rig.run(S * 50).0, ["b: in_progress"], "what is known is new to this wait");
    apply(&mut rig, Event::Equal, S * 51);
    assert_eq!(rig.run(S * 51).0, [""; 0]);
    rig.webhook();
    rig.run(S * 52);
    apply(&mut rig, Event::Completed, S * 53);
    let all = ["a: completed", "b: completed", "a ends: completed", "b ends: completed"];
    assert_eq!(rig.run(S * 53).0, all);
}

#[test]
fn a_wait_that_is_added_later_is_shown_the_newest_snapshot_at_once() {
    let mut rig = Rig::waiting();
    rig.watch(S, 2, "b");
    assert_eq!(rig.run(S), (vec!["b: in_progress".to_owned()], S * 3), "the last poll is recent");
    rig.watch_with(S, |watch| (watch.wait, watch.handle, watch.updates) = (3, "c", false));
    assert_eq!(rig.run(S).0, [""; 0], "this one wants no updates");

    // Where polls are rare, the state is shown and polled for.
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| watch.relies_on_webhooks = true);
    assert_eq!(rig.run(S).0, ["poll"]);
    rig.result(S, Ok(snapshot("in_progress", 5)));
    assert_eq!(rig.run(S).0, ["a: in_progress"]);
    rig.watch_with(S * 30, |watch| {
        (watch.wait, watch.handle, watch.relies_on_webhooks) = (2, "b", true);
    });
    assert_eq!(rig.run(S * 30).0, ["b: in_progress", "poll"]);
}

#[test]
fn the_waits_of_a_client_that_is_closed_end_and_the_others_go_on() {
    let mut rig = Rig::waiting();
    rig.watch(S, 2, "b");
    rig.run(S);
    let closed = |handle: &&str| (*handle == "a").then(|| error(ErrorKind::Connection));
    rig.list.handle_command(S, WALL, Command::End(closed));
    let mut actions = rig.list.take_actions();
    let Some(Action::End { handle: "a", end: Err(error), .. }) = actions.pop() else { panic!() };
    assert_eq!((error.generation_id(), actions.len()), (Some("gen_1"), 0));
    assert_eq!(rig.run(S * 3).0, ["poll"]);
    apply(&mut rig, Event::Completed, S * 3);
    assert_eq!(rig.run(S * 3).0, ["b: completed", "b ends: completed"]);
}

/// A wait of another runtime may be stricter, and may end first.
#[test]
fn what_a_wait_asks_for_ends_with_it() {
    let mut rig = Rig::new();
    rig.watch_with(S, |watch| (watch.relies_on_webhooks, watch.created_at) = (true, Some(S)));
    assert_eq!(rig.run(S).1, S * 61);
    rig.watch_with(S, |watch| (watch.wait, watch.handle) = (2, "b"));
    assert_eq!(rig.run(S).1, S * 4);
    rig.list.handle_command(S, WALL, Command::Leave { id: id("gen_1"), wait: 2 });
    assert_eq!(rig.run(S).1, S * 61);
}

/// That took n² steps when each end passed over all waits of the generation.
#[test]
fn many_waits_for_one_generation_begin_and_end_one_by_one() {
    const MANY: u64 = 20_000;
    let mut rig = Rig::new();
    for wait in 0..MANY {
        rig.watch_with(S, |watch| {
            watch.wait = wait;
            watch.deadline = S * 100 + Duration::from_nanos(wait);
            watch.updates = false;
        });
    }
    assert_eq!(rig.run(S).0, ["poll"]);
    for wait in (0..MANY).step_by(2) {
        rig.list.handle_command(S, WALL, Command::Leave { id: id("gen_1"), wait });
    }
    let mut ended = 0;
    // Each deadline, and two seconds later the end of its grace.
    for nth in (0..MANY).chain(2_000_000_000..2_000_000_000 + MANY) {
        let now = S * 100 + Duration::from_nanos(nth);
        ended += rig.run(now).0.iter().filter(|action| action.ends_with("wait_timeout")).count();
    }
    assert_eq!(ended as u64, MANY / 2);
    assert!(rig.list.is_empty() && rig.list.waits.is_empty() && rig.list.deadlines.is_empty());
}

#[test]
fn leaving_aborts_a_poll_that_no_other_wait_needs() {
    let mut rig = Rig::in_flight(S * 50);
    rig.watch(S * 50, 2, "b");
    let leave = |wait| Command::Leave { id: id("gen_1"), wait };
    rig.list.handle_command(S * 50, WALL, leave(1));
    assert_eq!(rig.run(S * 50).0, ["b: in_progress"], "the other wait still needs the poll");
    rig.list.handle_command(S * 50, WALL, leave(2));
    assert_eq!(rig.run(S * 50), (vec!["abort".to_owned()], Duration::MAX));
    assert!(rig.list.is_empty());

    // The generation is tracked anew; the result of the aborted poll comes late.
    let aborted = rig.poll;
    rig.watch(S * 51, 3, "c");
    assert_eq!(rig.run(S * 51).0, ["poll"]);
    let completed = Ok(snapshot("completed", 1));
    rig.list.handle_poll_result(S * 51, WALL, &id("gen_1"), aborted, completed, 0.0);
    assert_eq!(rig.run(S * 51).0, [""; 0]);
}
