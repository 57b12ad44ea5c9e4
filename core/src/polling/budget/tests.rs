//! What each request leaves to the others, and when there is room again.

use super::*;
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);

fn budget(requests: u32, seconds: u32) -> Budget {
    Budget::new(Some(RateLimit { requests, per: S * seconds }))
}

#[test]
fn a_slot_is_free_a_window_after_its_response() {
    let mut b = budget(2, 60);
    assert_eq!(b.acquire(S, Class::Direct), Ok(()));
    assert_eq!(b.acquire(S, Class::Direct), Ok(()));
    assert_eq!(b.acquire(S * 2, Class::Direct), Err(Denial::Until(S * 62)), "no sooner than that");
    b.release(S * 3, Class::Direct);
    assert_eq!(b.acquire(S * 4, Class::Direct), Err(Denial::Until(S * 63)));
    assert_eq!(b.acquire(S * 63, Class::Direct), Ok(()));
}

#[test]
fn polls_leave_a_reserve_and_yield_to_waiting_calls() {
    let mut b = budget(100, 60);
    for _ in 0..90 {
        assert_eq!(b.acquire(S, Class::Poll), Ok(()));
        b.release(S, Class::Poll);
    }
    assert_eq!(b.acquire(S, Class::Poll), Err(Denial::Until(S * 61)));
    assert_eq!(b.acquire(S, Class::Direct), Ok(()));
    b.release_unsent(Class::Direct);
    assert_eq!(b.left(S), Some(10));

    let mut b = budget(10, 60);
    b.acquire(S, Class::Direct).unwrap();
    b.set_waiting(1);
    for _ in 0..8 {
        assert_eq!(b.acquire(S, Class::Poll), Ok(()));
    }
    assert_eq!(b.acquire(S, Class::Poll), Err(Denial::UntilChange));
    b.set_waiting(0);
    assert_eq!(b.acquire(S, Class::Poll), Ok(()));
    assert_eq!(b.acquire(S, Class::Poll), Err(Denial::UntilChange));
}

#[test]
fn reads_leave_polls_a_fifth_once_a_poll_was_denied() {
    let mut b = budget(10, 60);
    for _ in 0..10 {
        assert_eq!(b.acquire(S, Class::Direct), Ok(()));
        b.release(S, Class::Direct);
    }
    b.set_waiting(40);
    assert_eq!(b.acquire(S * 2, Class::Poll), Err(Denial::Until(S * 61)));
    let mut granted = (0, 0);
    for _ in 0..40 {
        granted.0 += usize::from(b.acquire(S * 61, Class::Direct).is_ok());
        granted.1 += usize::from(b.acquire(S * 61, Class::Poll).is_ok());
    }
    assert_eq!(granted, (8, 2));
}

#[test]
fn the_guarantee_of_polls_ends_two_windows_after_one_was_denied() {
    for (now, calls) in [(S * 122 - Duration::from_nanos(1), 8), (S * 122, 10)] {
        let mut b = budget(10, 60);
        for _ in 0..10 {
            b.acquire(S, Class::Direct).unwrap();
            b.release(S, Class::Direct);
        }
        assert_eq!(b.acquire(S * 2, Class::Poll), Err(Denial::Until(S * 61)));
        let granted = (0..20).filter(|_| b.acquire(now, Class::Direct).is_ok()).count();
        assert_eq!(granted, calls, "{now:?}");
        // The slots that are kept for polls are free when the guarantee ends.
        let free_at = if calls == 8 { S * 122 } else { now + S * 60 };
        assert_eq!(b.acquire(now, Class::Direct), Err(Denial::Until(free_at)));
    }
}

#[test]
fn a_429_freezes_then_halves_then_recovers() {
    let mut b = budget(100, 60);
    b.acquire(S, Class::Direct).unwrap();
    b.release(S * 2, Class::Direct);
    b.on_rate_limited(S * 2, S, Class::Direct, Some(S * 42));
    assert_eq!(b.acquire(S * 43, Class::Direct), Err(Denial::Until(S * 44)));
    assert_eq!(b.left(S * 44), Some(49), "half of it, and one is used");
    b.on_rate_limited(S * 3, S * 2, Class::Direct, None);
    assert_eq!(b.left(S * 44), Some(49), "sent before the cut: nothing new");
    assert_eq!(b.left(S * 104), Some(60));
    assert_eq!(b.left(S * 1000), Some(100));
}

#[test]
fn retries_of_one_refused_call_are_one_refusal() {
    let mut b = budget(100, 60);
    b.on_rate_limited(S, S, Class::Direct, Some(S));
    for nth in 2..6 {
        b.on_refused_again(S * nth, Class::Direct, Some(S));
        assert_eq!(b.acquire(S * nth, Class::Direct), Err(Denial::Until(S * (nth + 1))));
    }
    assert_eq!(b.left(S * 6), Some(50));
}

#[test]
fn a_refused_call_leaves_polls_as_they_are_until_one_is_refused_as_well() {
    let mut b = budget(100, 60);
    b.set_waiting(60);
    for nth in 0..5 {
        b.on_rate_limited(S * nth, S * nth, Class::Direct, Some(S));
    }
    b.on_refused_again(S * 5, Class::Direct, Some(S * 60));
    assert_eq!(b.acquire(S * 6, Class::Direct), Err(Denial::Until(S * 65)));
    assert_eq!(b.poll_rate(S * 6, 0, 1.0).unwrap().left, 90.0);
    for _ in 0..90 {
        assert_eq!(b.acquire(S * 6, Class::Poll), Ok(()));
        b.release(S * 6, Class::Poll);
    }
    assert_eq!(b.acquire(S * 6, Class::Poll), Err(Denial::Until(S * 66)), "the reserve stays");
    assert_eq!(b.left(S * 5), Some(0), "calls stop");

    b.on_rate_limited(S * 70, S * 70, Class::Poll, Some(S * 9));
    for class in [Class::Poll, Class::Direct] {
        assert_eq!(b.acquire(S * 71, class), Err(Denial::Until(S * 79)));
    }
    let rate = b.poll_rate(S * 79, 0, 1.0).unwrap();
    assert_eq!(rate, PollRate { polls: 45.0, left: 45.0, window: 60.0 });
}

/// The calls that wait while creates are refused leave their slots to polls, and have them again
/// afterwards.
#[test]
fn polls_leave_slots_to_the_calls_that_a_slot_would_let_through() {
    let mut b = budget(10, 60);
    b.set_waiting(20);
    let polls = |b: &mut Budget, now| {
        let granted = (0..10).take_while(|_| b.acquire(now, Class::Poll).is_ok()).count();
        (0..granted).for_each(|_| b.release_unsent(Class::Poll));
        granted
    };
    assert_eq!(polls(&mut b, S), 2, "the guaranteed fifth");
    b.on_rate_limited(S, S, Class::Direct, Some(S * 10));
    assert_eq!(polls(&mut b, S * 2), 9);
    assert_eq!(polls(&mut b, S * 11), 5, "half of the limit is for calls again");
}

#[test]
fn a_call_is_let_through_as_soon_as_the_rate_has_grown_back() {
    for class in [Class::Direct, Class::Poll] {
        let mut b = budget(100, 60);
        b.on_rate_limited(S, S, class, Some(Duration::ZERO));
        // The half that is left is used up, and leaves the window at 62 s.
        let half = if class == Class::Poll { 45 } else { 50 };
        for _ in 0..half {
            b.acquire(S * 2, class).unwrap();
            b.release(S * 2, class);
        }
        // A hundredth of the limit grows back in six seconds. A tenth of it is the reserve.
        let at = S * if class == Class::Poll { 13 } else { 7 };
        let mut denied = 0;
        let mut now = S * 3;
        while let Err(Denial::Until(until)) = b.acquire(now, class) {
            assert!(until > now);
            (now, denied) = (until, denied + 1);
        }
        assert!((at..at + S / 10).contains(&now), "{class:?} {now:?}");
        assert!(denied <= 2, "{denied}");
    }
}

/// A fifth of such a limit is less than one request.
#[test]
fn under_a_limit_below_five_every_fifth_request_is_left_to_polls() {
    for requests in 1..5 {
        let mut b = budget(requests, 10);
        b.set_waiting(40);
        let mut granted = (0, 0);
        for second in 0..10_000 {
            let now = S * second;
            let _ = b.acquire(now, Class::Poll).map(|()| {
                granted.1 += 1;
                b.release(now, Class::Poll);
            });
            for _ in 0..requests {
                let _ = b.acquire(now, Class::Direct).map(|()| {
                    granted.0 += 1;
                    b.release(now, Class::Direct);
                });
            }
        }
        let share = f64::from(granted.1) / f64::from(granted.0 + granted.1);
        assert!((0.19..=0.21).contains(&share), "{requests}: {granted:?}");
        assert_eq!(granted.0 + granted.1, requests * 1000, "no slot is lost");
    }
}

/// Without waits, calls do not save up slots for polls.
#[test]
fn polls_make_up_for_one_missed_turn_and_no_more() {
    let mut b = budget(1, 10);
    for nth in 0..100 {
        b.acquire(S * 10 * nth, Class::Direct).unwrap();
        b.release(S * 10 * nth, Class::Direct);
    }
    b.set_waiting(1);
    let mut order = Vec::new();
    for second in 995..1200 {
        let now = S * second;
        for class in [Class::Poll, Class::Direct] {
            if b.acquire(now, class).is_ok() {
                b.release(now, class);
                order.push(class);
            }
        }
    }
    let polls: Vec<_> =
        order.iter().enumerate().filter(|(_, class)| **class == Class::Poll).collect();
    let turns: Vec<_> = polls.iter().map(|(turn, _)| *turn).collect();
    assert_eq!(turns[..4], [0, 2, 7, 12], "{order:?}");
}

#[test]
fn calls_that_were_not_sent_give_polls_no_turn() {
    let mut b = budget(1, 10);
    for _ in 0..10 {
        b.acquire(S, Class::Direct).unwrap();
        b.release_unsent(Class::Direct);
    }
    b.set_waiting(1);
    assert!(b.acquire(S, Class::Poll).is_err());
}

#[test]
fn extreme_limits_and_pauses_do_not_panic() {
    for requests in [1, 2, u32::MAX] {
        for per in [Duration::from_nanos(1), S, Duration::MAX] {
            let mut b = Budget::new(Some(RateLimit { requests, per }));
            for class in [Class::Poll, Class::Direct] {
                for now in [Duration::ZERO, S, Duration::MAX / 2] {
                    if b.acquire(now, class).is_ok() {
                        b.release(now, class);
                    }
                    assert!(b.left(now).unwrap() <= requests as usize);
                    let rate = b.poll_rate(now, 0, 1.0).unwrap();
                    assert!(rate.left >= 1.0 && rate.polls >= rate.left && rate.window > 0.0);
                }
            }
            b.on_rate_limited(S, S, Class::Direct, Some(Duration::MAX));
            assert_eq!(b.acquire(S, Class::Direct), Err(Denial::Until(Duration::MAX)));
        }
    }
    let mut one = budget(1, 60);
    assert_eq!(one.acquire(S, Class::Poll), Ok(()), "a limit of one is not all reserve");
    one.release(S, Class::Poll);
    one.set_waiting(1);
    assert!(one.acquire(S * 61, Class::Poll).is_err(), "but a waiting call goes first");
    assert_eq!(one.acquire(S * 61, Class::Direct), Ok(()));
}

#[test]
fn no_limit_still_respects_a_429() {
    let mut b = Budget::new(None);
    assert_eq!(b.left(S), None);
    assert_eq!(b.acquire(S, Class::Poll), Ok(()));
    b.on_rate_limited(S, S, Class::Poll, Some(S));
    assert_eq!(b.acquire(S, Class::Poll), Err(Denial::Until(S * 2)));
    assert_eq!(b.acquire(S * 2, Class::Poll), Ok(()));
}

#[test]
fn a_window_has_room_for_the_polls_that_calls_leave_and_for_a_quarter_of_their_slots_at_least() {
    for (calls, left) in [(0, 90.0), (10, 90.0), (11, 89.0), (77, 23.0), (78, 22.5), (100, 22.5)] {
        let mut b = budget(100, 60);
        (0..calls).for_each(|_| b.acquire(S, Class::Direct).unwrap());
        let expected = PollRate { polls: 90.0, left, window: 60.0 };
        assert_eq!(b.poll_rate(S, 0, 1.0), Some(expected), "{calls}");
    }
    let rate = PollRate { polls: 90.0, left: 30.0, window: 60.0 };
    assert_eq!(rate.a_second(), 0.5);
}

#[test]
fn planners_share_the_room_by_their_demand_as_long_as_they_ask() {
    let mut b = budget(100, 60);
    (0..40).for_each(|_| b.acquire(S, Class::Direct).unwrap());
    let mut rate = |now, planner, demand| {
        let PollRate { polls, left, .. } = b.poll_rate(now, planner, demand).unwrap();
        (polls, left)
    };
    assert_eq!(rate(S, 1, 1.0), (90.0, 60.0));
    assert_eq!(rate(S, 2, 3.0), (67.5, 45.0));
    assert_eq!(rate(S, 1, 1.0), (22.5, 15.0));
    assert_eq!(rate(S * 61, 1, 1.0), (22.5, 15.0), "the other one has asked within a window");
    assert_eq!(rate(S * 62, 1, 1.0), (90.0, 60.0));
    rate(S * 62, 2, 1e9);
    assert_eq!(rate(S * 62, 1, 1.0), (1.0, 1.0), "never less than one");
    assert_eq!(budget(100, 60).poll_rate(S, 1, 0.0).unwrap().left, 90.0, "none demands anything");
}

proptest! {
    /// Wherever between sending and response the service counts a request, none of its windows
    /// holds more than the limit.
    #[test]
    fn no_window_holds_more_than_the_limit(
        requests in 1u32..20,
        steps in prop::collection::vec((0u64..4000, 0u64..3000, 0.0f64..1.0, any::<bool>()), 1..300),
    ) {
        let per = S * 10;
        let mut b = Budget::new(Some(RateLimit { requests, per }));
        let mut now = Duration::ZERO;
        let mut open: Vec<(Duration, Class)> = Vec::new();
        let mut counted = Vec::new();
        for (pause, latency, place, direct) in steps {
            now += Duration::from_millis(pause);
            open.sort_by_key(|(end, _)| *end);
            while open.first().is_some_and(|(end, _)| *end <= now) {
                let (end, class) = open.remove(0);
                b.release(end, class);
            }
            let class = if direct { Class::Direct } else { Class::Poll };
            if b.acquire(now, class).is_ok() {
                let latency = Duration::from_millis(latency);
                counted.push(now + latency.mul_f64(place));
                open.push((now + latency, class));
            }
        }
        counted.sort();
        for first in &counted {
            let within = counted.iter().filter(|at| *at >= first && **at < *first + per).count();
            prop_assert!(within <= requests as usize);
        }
    }

    /// Whatever has happened, a request that is denied until a time is granted some time later, and
    /// never before the first time that is named.
    #[test]
    fn a_request_that_is_denied_is_granted_in_the_end(
        requests in 1u32..20,
        taken in prop::collection::vec((0u64..9000, any::<bool>()), 1..40),
        refused in prop::collection::vec((0u64..60, any::<bool>()), 0..4),
        waiting in 0usize..3,
    ) {
        let class = |direct| if direct { Class::Direct } else { Class::Poll };
        let mut b = budget(requests, 60);
        let mut now = Duration::ZERO;
        for (pause, direct) in taken {
            now += Duration::from_millis(pause);
            if b.acquire(now, class(direct)).is_ok() {
                b.release(now, class(direct));
            }
        }
        for (pause, direct) in refused {
            now += S;
            b.on_rate_limited(now, now, class(direct), Some(S * pause as u32));
        }
        for wanted in [Class::Direct, Class::Poll] {
            b.set_waiting(waiting);
            let (mut at, mut denials) = (now, 0);
            while let Err(denial) = b.acquire(at, wanted) {
                denials += 1;
                prop_assert!(denials < 200, "it is denied for ever");
                match denial {
                    Denial::Until(until) => {
                        prop_assert!(until > at);
                        at = until;
                    }
                    // The calls that wait leave.
                    Denial::UntilChange => {
                        prop_assert!(waiting > 0 && wanted == Class::Poll);
                        b.set_waiting(0);
                    }
                }
            }
            b.release_unsent(wanted);
        }
    }

    /// A request that is denied until a time is granted at that time, if nothing else happens.
    #[test]
    fn a_denial_names_the_time_of_the_next_grant(requests in 1u32..20, taken in 1u32..20) {
        let mut b = budget(requests, 60);
        for i in 0..taken.min(requests) {
            b.acquire(S * i, Class::Direct).unwrap();
            b.release(S * i, Class::Direct);
        }
        for class in [Class::Direct, Class::Poll] {
            match b.acquire(S * 20, class) {
                Err(Denial::Until(at)) => {
                    prop_assert!(b.acquire(at - Duration::from_nanos(1), class).is_err());
                    prop_assert_eq!(b.acquire(at, class), Ok(()));
                }
                other => prop_assert_eq!(other, Ok(())),
            }
            b.release_unsent(class);
        }
    }
}
