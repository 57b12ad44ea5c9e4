//! What has happened to the server since the last report, and to the process.

use super::super::{Link, MAX_OUTBOX};
use super::*;
use crate::client::events::Log;

const S: Duration = Duration::from_secs(1);
const LIMIT: RateLimit = RateLimit { requests: 10, per: Duration::from_secs(60) };

/// A process that has made so many requests.
fn used(world: &mut World, keys: &Keys, name: &str, count: usize) -> (Budget, Window) {
    let (mut budget, mut window) = process(LIMIT, name);
    for _ in 0..count {
        let reply = world.ask((keys, &mut window), S * 10, &mut budget, Some(Class::Direct));
        assert_eq!(reply.granted.direct, 1);
        budget.acquire(S * 10, Class::Direct).unwrap();
        budget.release(S * 10, Class::Direct);
    }
    world.ask((keys, &mut window), S * 10, &mut budget, None);
    (budget, window)
}

/// What was used as the window counts it, once a process has noticed that something was lost.
fn used_after_loss(
    world: &mut World,
    keys: &Keys,
    now: Duration,
    (budget, window): &mut (Budget, Window),
) -> usize {
    let lost = world.try_ask((keys, window), now, budget, Some(Class::Direct));
    assert!(matches!(lost, Err(LinkError::Emptied)), "{lost:?}");
    budget.cut_off(now);
    world.ask((keys, window), now, budget, None).used.direct
}

#[test]
fn a_loss_of_any_part_of_the_data_is_noticed_and_everything_reported_again() {
    if !server::is_there() {
        return;
    }
    let mut world = World::new();
    let parts: [fn(&Keys) -> &str; 3] =
        [|keys| &keys.calls, |keys| &keys.processes, |keys| &keys.feed];
    for (n, part) in parts.into_iter().enumerate() {
        let keys = world.keys();
        let (mut a, mut b) = (used(&mut world, &keys, "a", 3), used(&mut world, &keys, "b", 2));
        world.delete(part(&keys));
        if n == 2 {
            // The messages are no part of the window.
            assert_eq!(world.ask((&keys, &mut a.1), S * 11, &mut a.0, None).used.direct, 5);
            continue;
        }
        used_after_loss(&mut world, &keys, S * 11, &mut a);
        assert_eq!(used_after_loss(&mut world, &keys, S * 11, &mut b), 5);
        let reply = world.ask((&keys, &mut a.1), S * 12, &mut a.0, None);
        assert_eq!((reply.used.direct, reply.others), (5, 1));
    }
}

/// It would take itself for a new one otherwise, and get all the room before the others have reported.
#[test]
fn a_process_without_requests_notices_a_loss_too() {
    if !server::is_there() {
        return;
    }
    let mut world = World::new();
    let keys = world.keys();
    let mut idle = used(&mut world, &keys, "a", 0);
    world.delete(&keys.processes);
    assert_eq!(used_after_loss(&mut world, &keys, S * 11, &mut idle), 0);
    // One that was frozen for longer than a window is not a loss.
    let mut wake = |now, budget: &mut Budget, window: &mut Window| {
        world.ask((&keys, window), now, budget, Some(Class::Direct)).granted.direct
    };
    let (budget, window) = &mut idle;
    assert_eq!(wake(S * 80, budget, window), 1);
}

#[test]
fn a_clock_of_the_server_that_is_set_neither_stops_the_key_nor_empties_the_window() {
    if !server::is_there() {
        return;
    }
    let mut world = World::new();
    for seconds in [-3600, 3600] {
        let keys = world.keys();
        let (mut budget, mut window) = used(&mut world, &keys, "a", 3);
        let mut exchange = |budget: &mut Budget| {
            let report = budget.report(S * 11);
            window.time = Some((S * 11, START.saturating_add_signed(11_000 + seconds * 1000)));
            let reply = window.exchange(&mut world.connection, &keys, &report);
            world.runtime.block_on(reply)
        };
        let lost = exchange(&mut budget).unwrap_err();
        assert!(matches!(lost, LinkError::Emptied), "{lost:?}");
        budget.cut_off(S * 11);
        assert_eq!(exchange(&mut budget).unwrap().used.direct, 3, "by {seconds} s");
    }
    // Clocks are corrected by some milliseconds all the time.
    let keys = world.keys();
    let (mut budget, mut window) = used(&mut world, &keys, "a", 3);
    assert_eq!(world.ask((&keys, &mut window), S * 9 + MS * 500, &mut budget, None).used.direct, 3);
}

/// Each has its own rule for the common window, and must not drop what counts for the other.
#[test]
fn processes_may_have_windows_of_different_lengths() {
    if !server::is_there() {
        return;
    }
    let mut world = World::new();
    let keys = world.keys();
    let mut long = used(&mut world, &keys, "long", 3);
    let limit = RateLimit::new(4, S * 5);
    let (mut budget, mut window) = process(limit, "short");
    let mut short = |world: &mut World, now| {
        let reply = world.ask((&keys, &mut window), now, &mut budget, Some(Class::Direct));
        (reply.used.direct, reply.granted.direct)
    };
    assert_eq!(short(&mut world, S * 10), (4, 1));
    assert_eq!(short(&mut world, S * 10).1, 0);
    // What has left the short window is in the long one.
    assert_eq!(short(&mut world, S * 20).1, 1);
    assert!(world.ask((&keys, &mut long.1), S * 20, &mut long.0, None).used.direct >= 3);
    assert_eq!(world.ask((&keys, &mut long.1), S * 81, &mut long.0, None).used.direct, 0);
}

/// What was granted to a process that was frozen for a while is no longer kept for it.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_received_long_ago_is_of_no_use() {
    let answer = async {
        // The answer is there before the process, which goes on, sees that it is late.
        tokio::time::advance(S * 90).await;
        Ok(1)
    };
    assert!(matches!(in_time(answer).await, Err(LinkError::Silent)));
    assert!(matches!(in_time(async { Ok(1) }).await, Ok(1)));
}

/// As everywhere, the most recent ids are kept.
#[test]
fn the_oldest_messages_are_dropped_while_the_server_is_away() {
    let link = Link::new(Log::default());
    let publish = |from: usize, to: usize| {
        (from..to).for_each(|n| link.publish_acknowledged(&format!("msg_{n}")));
    };
    publish(0, 5);
    let (sent, next) = link.first_messages(3);
    assert_eq!((sent.len(), &*sent[0], next), (3, "acknowledged msg_0", 3));
    // Meanwhile more have come than are kept, and some of those that are being sent are dropped.
    publish(5, MAX_OUTBOX + 2);
    link.remove_messages(next);
    assert_eq!(link.first_messages(1).0, ["acknowledged msg_3"]);
    publish(MAX_OUTBOX + 2, 2 * MAX_OUTBOX);
    let (all, _) = link.first_messages(usize::MAX);
    assert_eq!(all.len(), MAX_OUTBOX);
    assert_eq!(all[0], format!("acknowledged msg_{MAX_OUTBOX}"));
}
