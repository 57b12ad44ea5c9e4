//! What a process does with what the shared window says, and without it.

use std::time::Duration;

use super::super::shared::{ByClass, MAX_SILENCE, Refusal, Reply, Throttled};
use super::super::{Budget, Class, Denial, RateLimit};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn linked(requests: u32) -> Budget {
    let mut budget = Budget::new(Some(RateLimit::new(requests, S * 60)));
    budget.share();
    budget
}

fn reply(direct: usize, poll: usize) -> Reply {
    Reply { granted: ByClass { direct, poll }, ..Reply::default() }
}

fn answer(budget: &mut Budget, now: Duration, reply: &Reply) {
    let report = budget.report(now);
    budget.on_reply(now, &report, reply);
}

#[test]
fn room_is_asked_for_and_then_taken() {
    let mut budget = linked(10);
    assert!(!budget.is_report_due(S));
    assert_eq!(budget.acquire(S, Class::Poll), Err(Denial::Until(S + MAX_SILENCE)));
    budget.set_waiting(20);
    assert!(budget.is_report_due(S));
    let report = budget.report(S);
    assert_eq!(report.wanted, ByClass { direct: 8, poll: 1 }, "no more than that at a time");
    assert_eq!((report.in_flight, report.waiting), (ByClass::default(), 20));
    budget.on_reply(S, &report, &reply(2, 1));
    assert_eq!(budget.report(S).in_flight, ByClass { direct: 2, poll: 1 }, "it is held");
    for class in [Class::Direct, Class::Direct, Class::Poll] {
        assert_eq!(budget.acquire(S, class), Ok(()));
    }
    assert!(budget.acquire(S, Class::Direct).is_err());
    assert_eq!(budget.report(S).in_flight, ByClass { direct: 2, poll: 1 });
    budget.release_unsent(Class::Direct);
    budget.release(S, Class::Poll);
    assert_eq!(budget.report(S).in_flight, ByClass { direct: 1, poll: 0 });
}

#[test]
fn room_that_is_not_taken_is_given_back() {
    let mut budget = linked(10);
    answer(&mut budget, S, &reply(0, 1));
    assert_eq!(budget.report(S + MS * 49).in_flight.poll, 1);
    assert_eq!(budget.report(S + MS * 50).in_flight.poll, 0);
    answer(&mut budget, S * 2, &reply(0, 1));
    // A process that was frozen must not use it.
    assert!(budget.acquire(S * 90, Class::Poll).is_err());
}

#[test]
fn a_denial_holds_for_its_time_and_is_checked_in_between() {
    let mut budget = linked(10);
    let denied = |direct, poll| Reply { denied: ByClass { direct, poll }, ..Reply::default() };
    budget.set_waiting(1);
    assert!(budget.acquire(S, Class::Poll).is_err());
    answer(&mut budget, S, &denied(Some(2_000), Some(50_000)));
    assert_eq!(budget.acquire(S, Class::Direct), Err(Denial::Until(S * 3)));
    assert_eq!(budget.acquire(S, Class::Poll), Err(Denial::Until(S + MS * 7_500)));
    assert!(!budget.is_report_due(S), "it is known that there is no room");
    assert!(budget.is_report_due(S * 3));
    assert_eq!(budget.acquire(S * 3, Class::Direct), Err(Denial::Until(S * 3 + MAX_SILENCE)));
    // What was not asked for was not denied, and a denial without a time holds until the next check.
    answer(&mut budget, S * 3, &denied(None, None));
    assert_eq!(budget.acquire(S * 3, Class::Direct), Err(Denial::Until(S * 4)));
    assert_eq!(budget.acquire(S * 3, Class::Poll), Err(Denial::Until(S + MS * 7_500)));
    assert!(!budget.is_report_due(S * 3));
}

#[test]
fn a_window_that_is_silent_is_not_waited_for() {
    let mut budget = linked(10);
    budget.set_waiting(1);
    assert_eq!(budget.acquire(S, Class::Direct), Err(Denial::Until(S + MAX_SILENCE)));
    assert!(budget.acquire(S + MAX_SILENCE - MS, Class::Direct).is_err());
    assert_eq!(budget.acquire(S + MAX_SILENCE, Class::Direct), Ok(()), "it goes on alone");
    assert_eq!(budget.left(S * 2), Some(9));
    // When the window is back, it learns what was sent in the meantime.
    budget.release(S * 3, Class::Direct);
    let report = budget.report(S * 4);
    assert_eq!((report.released.len(), report.released[0].age), (1, 1000));
    budget.on_reply(S * 4, &report, &reply(0, 0));
    assert_eq!(budget.report(S * 4).released, [], "once");
    assert!(budget.acquire(S * 4, Class::Direct).is_err(), "and grants the room again");
}

#[test]
fn processes_that_are_cut_off_have_the_limit_together() {
    let used = |direct| Reply { used: ByClass { direct, poll: 0 }, others: 3, ..Reply::default() };
    // The requests of this process, those of all four, and what it may have at first and later.
    for (own, all, first, then) in
        [(0, 0, 25, 25), (40, 40, 0, 0), (10, 60, 10, 15), (0, 100, 0, 25)]
    {
        let mut budget = linked(100);
        answer(&mut budget, S, &Reply { granted: ByClass { direct: own, poll: 0 }, ..used(all) });
        (0..own).for_each(|_| budget.acquire(S, Class::Direct).unwrap());
        budget.cut_off(S * 2);
        assert_eq!(budget.left(S * 2), Some(first), "{own} of {all}");
        assert_eq!(budget.left(S * 61), Some(first));
        assert_eq!(budget.left(S * 62), Some(then), "{own} of {all}");
        assert_eq!(budget.other_processes(), 3);
    }
    let mut alone = linked(100);
    alone.cut_off(S);
    assert_eq!(alone.left(S), Some(100), "no other process is known");
}

#[test]
fn everything_is_reported_again_to_a_window_that_was_lost() {
    let mut budget = linked(10);
    answer(&mut budget, S, &reply(2, 0));
    for _ in 0..2 {
        budget.acquire(S, Class::Direct).unwrap();
        budget.release(S, Class::Direct);
    }
    answer(&mut budget, S * 2, &reply(0, 0));
    assert_eq!(budget.report(S * 3).released, []);
    budget.cut_off(S * 3);
    let numbers = budget.report(S * 4).released.iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!(numbers, [0, 1]);
}

#[test]
fn a_429_is_reported_until_the_window_knows_it_and_one_of_others_stops_this_process() {
    let mut budget = linked(10);
    budget.on_rate_limited(S * 3, S * 2, Class::Poll, Some(S * 4));
    budget.on_refused_again(S * 3, Class::Direct, None);
    assert!(budget.is_report_due(S * 3));
    let report = budget.report(S * 4);
    let refusal = |is_poll, again, sent_ago, pause| Refusal { is_poll, again, sent_ago, pause };
    assert_eq!(report.refusals, [refusal(true, false, 2000, 3000), refusal(false, true, 1000, 0)]);
    assert_eq!(budget.report(S * 4).refusals.len(), 2);
    budget.on_reply(S * 4, &report, &reply(0, 0));
    assert_eq!(budget.report(S * 4).refusals, []);

    let mut budget = linked(10);
    let throttled = Throttled { share: 0.5, frozen: 2000 };
    let throttled = ByClass { poll: throttled, direct: Throttled::default() };
    answer(&mut budget, S, &Reply { throttled, ..reply(1, 1) });
    assert_eq!(budget.acquire(S, Class::Direct), Err(Denial::Until(S * 3)));
    assert_eq!((budget.left(S), budget.left(S * 3)), (Some(0), Some(5)));
}

#[test]
fn planners_share_the_polls_with_those_of_other_processes() {
    let mut budget = linked(100);
    let others = Reply { demand: 3.0, used: ByClass { direct: 40, poll: 0 }, ..Reply::default() };
    answer(&mut budget, S, &others);
    let rate = budget.poll_rate(S, 1, 1.0).unwrap();
    assert_eq!((rate.polls, rate.left), (22.5, 15.0));
    assert!((budget.report(S).demand - 1.0).abs() < 1e-9);
    budget.on_used(ByClass { direct: 60, poll: 10 });
    assert_eq!((budget.left(S), budget.poll_rate(S, 1, 1.0).unwrap().left), (Some(30), 10.0));
}

#[test]
fn an_answer_that_cannot_be_is_recognized() {
    let mut budget = linked(10);
    budget.set_waiting(2);
    let report = budget.report(S);
    assert!(reply(2, 0).is_plausible(&report));
    let used = ByClass { direct: usize::MAX, poll: 0 };
    for other in [
        reply(3, 0),
        reply(0, 1),
        Reply { others: usize::MAX, ..Reply::default() },
        Reply { used, ..Reply::default() },
    ] {
        assert!(!other.is_plausible(&report), "{other:?}");
    }
}

/// Has a window answer that knows so many other processes.
fn answer_with(budget: &mut Budget, now: Duration, others: usize) {
    let report = budget.report(now);
    budget.on_reply(now, &report, &Reply { others, ..Reply::default() });
}

/// A budget that was cut off from a window with three others, which had used nothing.
fn cut_off_from_three() -> Budget {
    let mut budget = Budget::new(Some(RateLimit::new(40, S * 60)));
    budget.share();
    answer_with(&mut budget, S, 3);
    budget.cut_off(S);
    budget
}

fn acquired(budget: &mut Budget, now: Duration) -> usize {
    (0..40).take_while(|_| budget.acquire(now, Class::Direct).is_ok()).count()
}

/// Of a server that was restarted, the first process to reach it again would get the room that
/// the others have used.
#[test]
fn a_process_goes_on_with_its_share_until_the_others_are_back() {
    let mut budget = cut_off_from_three();
    answer_with(&mut budget, S * 2, 0);
    answer_with(&mut budget, S * 3, 2);
    assert!(budget.is_cut_off());
    assert_eq!(acquired(&mut budget, S * 3), 10);
    answer_with(&mut budget, S * 3, 3);
    assert!(!budget.is_cut_off());
}

/// It would be cut off again and again, and use its share beside the room of the window.
#[test]
fn a_process_keeps_to_its_share_while_the_window_answers_late() {
    let mut budget = cut_off_from_three();
    let answer_in = |budget: &mut Budget, took, used, others| {
        let report = budget.report(S * 2);
        let used = ByClass { direct: used, poll: 0 };
        budget.on_reply(S * 2, &report, &Reply { used, others, took, ..Reply::default() });
    };
    answer_in(&mut budget, MS * 61, 0, 7);
    assert!(budget.is_cut_off() && !budget.is_out_of_reach() && !budget.awaits_others());
    // There are more processes than before.
    assert_eq!(acquired(&mut budget, S * 2), 5);
    answer_in(&mut budget, MS * 61, 39, 7);
    assert_eq!(acquired(&mut budget, S * 2), 0, "one is left, to eight processes");
    answer_in(&mut budget, MS * 60, 39, 7);
    assert!(!budget.is_cut_off());
}

#[test]
fn a_process_does_not_wait_for_others_that_have_ended() {
    let mut budget = cut_off_from_three();
    answer_with(&mut budget, S * 20, 0);
    answer_with(&mut budget, S * 21, 0);
    assert!(budget.is_cut_off());
    // Each time anew.
    budget.cut_off(S * 21);
    answer_with(&mut budget, S * 30, 0);
    assert!(budget.is_cut_off());
    answer_with(&mut budget, S * 32, 0);
    assert!(!budget.is_cut_off());
}

#[test]
fn what_was_reported_is_reported_again_after_each_loss() {
    let mut budget = cut_off_from_three();
    budget.acquire(S, Class::Direct).unwrap();
    budget.release(S, Class::Direct);
    for at in 2..4 {
        let report = budget.report(S * at);
        assert!(report.is_complete && report.released.len() == 1);
        answer_with(&mut budget, S * at, 0);
        assert!(!budget.report(S * at).is_complete);
        budget.cut_off(S * at);
    }
}

#[test]
fn what_is_in_the_window_of_a_process_that_is_cut_off_stays_its_own() {
    let mut budget = linked(10);
    let used = ByClass { direct: 8, poll: 2 };
    answer(&mut budget, S, &Reply { used, others: 1, ..reply(3, 2) });
    for class in [Class::Direct, Class::Direct, Class::Direct, Class::Poll, Class::Poll] {
        assert_eq!(budget.acquire(S, class), Ok(()));
    }
    budget.cut_off(S);
    // The others have the rest.
    assert!(budget.acquire(S, Class::Direct).is_err());
    budget.release_unsent(Class::Direct);
    assert_eq!(budget.acquire(S, Class::Direct), Ok(()));
    assert!(budget.acquire(S, Class::Direct).is_err());
}

#[test]
fn a_process_that_is_cut_off_reports_a_429_only() {
    let mut budget = linked(10);
    answer(&mut budget, S, &reply(1, 0));
    assert_eq!(budget.acquire(S, Class::Direct), Ok(()));
    budget.cut_off(S);
    assert!(!budget.is_report_due(S));
    budget.on_rate_limited(S, S, Class::Direct, None);
    assert!(budget.is_report_due(S));
}

#[test]
fn room_for_a_poll_is_asked_for_until_it_is_granted() {
    let mut budget = linked(10);
    answer(&mut budget, S, &reply(0, 0));
    assert_eq!(budget.report(S).wanted.poll, 0, "none has asked for it");
    assert!(budget.acquire(S, Class::Poll).is_err());
    answer(&mut budget, S, &reply(0, 0));
    assert_eq!(budget.report(S * 9).wanted.poll, 1);
    answer(&mut budget, S * 9, &reply(0, 1));
    assert_eq!(budget.report(S * 90).wanted.poll, 0);
}

#[test]
fn room_that_was_granted_is_not_of_others() {
    let mut budget = linked(10);
    let used = ByClass { direct: 6, poll: 3 };
    answer(&mut budget, S, &Reply { used, ..reply(2, 1) });
    assert_eq!(budget.others().used, ByClass { direct: 4, poll: 2 });
    assert_eq!(budget.acquire(S, Class::Direct), Ok(()));
    budget.on_used(ByClass { direct: 7, poll: 3 });
    assert_eq!(budget.others().used, ByClass { direct: 5, poll: 2 });
}
