//! A store that cannot be reached, loses something, or has what a process does not understand.

use super::*;
use crate::error::ErrorKind;

#[test]
fn cut_off_processes_stay_within_the_limit_together() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    settle(&mut store, std::slice::from_mut(&mut a));
    b.commit(&mut store);
    let waiting = number_of(a.reserve(Some("0.55")));
    for process in [&mut a, &mut b] {
        process.view.set_peers(2, false);
        let decisions = process.view.set_reachable(false);
        process.decisions.extend(decisions);
        assert!(!process.view.needs_commit());
    }
    assert!(a.decision(waiting).unwrap().is_ok());
    // 0.45 are left, so each may use 0.225.
    assert!(a.reserve(Some("0.55")).is_ok() && b.reserve(Some("0.55")).is_ok());
    let error = a.reserve(Some("0.55")).unwrap_err();
    assert!(error.message().contains("divided among 2 processes"), "{error}");
    assert!(b.reserve(Some("0.55")).is_ok() && b.reserve(Some("0.55")).is_err());
    settle(&mut store, &mut [a, b]);
    let mut c = Process::new(3);
    c.commit(&mut store);
    assert_eq!(c.spend().in_flight, usd("0.5"));
}

#[test]
fn a_process_that_is_back_first_keeps_to_its_share_until_the_others_are_back() {
    let (mut store, mut a, mut b) = two();
    for process in [&mut a, &mut b] {
        process.view.set_peers(2, false);
        process.commit(&mut store);
        process.view.set_reachable(false);
    }
    // Each may use 0.25 of 0.5.
    assert!(b.reserve(Some("0.5")).is_ok() && b.reserve(Some("0.5")).is_ok());
    store.document = None;
    a.view.set_peers(2, true);
    a.view.set_reachable(true);
    a.commit(&mut store);
    assert!(matches!(a.reserve(Some("0.5")), Ok(Reserve::Now(_))));
    a.commit(&mut store);
    assert!(a.reserve(Some("0.5")).is_ok());
    a.commit(&mut store);
    assert_eq!(a.reserve(Some("0.5")).unwrap_err().kind(), ErrorKind::SpendLimit);
    b.view.set_reachable(true);
    b.commit(&mut store);
    a.view.set_peers(2, false);
    assert!(a.view.needs_commit());
    let last = number_of(a.reserve(Some("0.5")));
    let refused = number_of(a.reserve(Some("0.5")));
    a.commit(&mut store);
    assert!(a.decision(last).unwrap().is_ok() && a.decision(refused).unwrap().is_err());
}

#[test]
fn a_store_that_has_lost_something_gets_it_back_from_each_process() {
    for is_empty in [true, false] {
        let (mut store, mut a, mut b) = two();
        a.create("gen_1");
        a.commit(&mut store);
        let early = store.document.clone().filter(|_| !is_empty);
        b.commit(&mut store);
        b.create("gen_2");
        b.commit(&mut store);
        store.document = early;
        a.create("gen_3");
        a.commit(&mut store);
        assert_eq!(a.in_flight(), 2);
        b.view.on_stored(store.document.as_ref().unwrap());
        assert!(b.view.needs_commit(), "it knows more");
        b.commit(&mut store);
        a.commit(&mut store);
        assert_eq!((a.in_flight(), b.in_flight()), (3, 3));
    }
}

#[test]
fn a_store_that_has_lost_everything_is_restored_also_if_nothing_has_changed() {
    let (mut store, mut a, _) = two();
    a.create("gen_1");
    a.commit(&mut store);
    store.document = None;
    assert!(!a.view.needs_commit());
    a.view.set_reachable(true);
    assert!(a.view.needs_commit());
    a.commit(&mut store);
    assert!(store.document.is_some());
}

#[test]
fn a_write_that_arrives_after_the_store_has_lost_its_data_is_not_done() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    a.commit(&mut store);
    a.create("gen_2");
    let late = a.prepare(&store);
    store.document = None;
    b.create("gen_3");
    b.commit(&mut store);
    assert!(!store.write(&late), "the first document again, but another one");
}

#[test]
fn what_a_process_knows_of_an_earlier_document_counts_once_if_another_one_has_folded_it() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    a.see(&generation("gen_1", "completed", Some("0.3")));
    a.commit(&mut store);
    let early = store.document.clone();
    a.create("gen_2");
    a.commit(&mut store);
    store.document = early;
    b.commit(&mut store);
    b.fill();
    b.commit(&mut store);
    a.commit(&mut store);
    assert_eq!((a.spend().spent, a.in_flight()), (usd("1.3"), 1));
}

#[test]
fn what_was_counted_before_is_shared_once() {
    let (mut store, mut b, _) = two();
    b.create("gen_b");
    b.commit(&mut store);
    let mut view = SharedView::new(3);
    let number = match view.reserve(&prices(), &request(), Some(usd("1")), NOW).unwrap() {
        Reserve::Now(number) => number,
        Reserve::AtCommit(_) => panic!("it is not shared"),
    };
    view.change(|ledger| ledger.add_ended(Some(usd("3")), false));
    view.share();
    view.share();
    let mut a = Process { view, prices: prices(), decisions: Vec::new() };
    let lost = a.prepare(&store);
    assert!(store.write(&lost));
    a.commit(&mut store);
    a.view.change(|ledger| ledger.on_created(number, "gen_1"));
    a.commit(&mut store);
    b.commit(&mut store);
    for process in [a, b] {
        assert_eq!((process.spend().spent, process.in_flight()), (usd("3"), 2));
    }
}

#[test]
fn a_document_of_a_later_release_is_left_alone_and_garbage_replaced() {
    let (mut store, mut a, _) = two();
    a.create("gen_1");
    store.document = Some(br#"{"format":2,"version":7}"#.to_vec());
    assert!(a.view.prepare(store.document.as_deref(), NOW).is_none());
    for garbage in ["", "7", r#"{"format":1}"#, r#"{"format":1,"version":1,"facts":[[1,2]]}"#] {
        let (commit, _) = a.view.prepare(Some(garbage.as_bytes()), NOW).unwrap();
        store.document = Some(garbage.as_bytes().to_vec());
        assert!(commit.document.is_some() && store.write(&commit));
    }
}

#[test]
fn the_marks_of_ended_processes_are_dropped_without_more_writes() {
    let (mut store, mut a, _) = two();
    a.create("gen_1");
    a.commit(&mut store);
    for number in 100..400 {
        let mut other = Process::new(number);
        other.create(&format!("gen_{number}"));
        other.commit(&mut store);
        let commit = a.prepare(&store);
        assert_eq!(commit.document, None);
    }
}

#[test]
fn without_the_store_facts_beyond_the_capacity_are_folded_and_stored_later() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_stored");
    a.commit(&mut store);
    a.view.set_reachable(false);
    a.see(&generation("gen_stored", "completed", Some("0.5")));
    for n in 0..6_000 {
        a.create(&format!("gen_{n}"));
        a.see(&generation(&format!("gen_{n}"), "completed", Some("0.001")));
    }
    assert!(a.view.ledger().facts.iter().count() <= 10_001);
    a.view.set_reachable(true);
    let lost = a.prepare(&store);
    assert!(store.write(&lost));
    a.commit(&mut store);
    b.commit(&mut store);
    for process in [a, b] {
        assert_eq!((process.spend().spent, process.in_flight()), (usd("6.5"), 0));
    }
}

/// How large the document is with as much as there usually is: a hundred generations in flight, and as
/// many ended ones as it keeps.
#[test]
fn the_document_is_small() {
    let (mut store, mut a) = (Store::default(), Process::new(u64::MAX / 3));
    for n in 0..1_100 {
        let id = format!("gen_{n:024}");
        a.create(&id);
        if n < 1_000 {
            a.see(&generation(&id, "completed", Some("0.023456")));
        }
    }
    a.commit(&mut store);
    let size = store.document.unwrap().len();
    // As STORED says.
    assert!((65_000..80_000).contains(&size), "{size}");
}
