//! Amounts, facts and documents, one by one.

use rust_decimal::Decimal;
use serde_json::json;

use super::amounts::{Amount, Reserved, Totals};
use super::document::{Marks, Stored};
use super::fact::{Create, End, Entry, EntryNumber, Fact, Generated, Key};
use super::facts::{Capacity, Facts, Folded};
use super::prices::PricedRoute;

fn usd(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn entry(model: &str, reserved: Reserved) -> Entry {
    Entry { route: PricedRoute { model: model.to_owned(), engine: None }, reserved }
}

fn estimated(model: &str) -> Entry {
    entry(model, Reserved::at(Some(usd("0.1"))))
}

fn bound(cost: &str) -> Reserved {
    Reserved { cost: Some(usd(cost)), is_estimate: false }
}

fn id(number: u64) -> Key {
    Key::Generation(format!("gen_{number}"))
}

fn running() -> Fact {
    Fact::Generation(Generated { entry: Some(estimated("m")), end: End::No })
}

fn ended() -> Fact {
    Fact::Generation(Generated {
        entry: Some(estimated("m")),
        end: End::Charged(usd("0.2"), false),
    })
}

#[test]
fn a_bound_beyond_the_limit_holds_back_all_but_the_first_create() {
    let mut totals = Totals::default();
    assert!(totals.admits(bound("10"), usd("5")), "the first one finds out");
    totals.in_flight = Amount::of(bound("1"));
    assert!(!totals.admits(bound("10"), usd("5")) && totals.admits(bound("4"), usd("5")));
}

#[test]
fn an_exceeded_limit_says_what_the_create_would_cost() {
    let totals = Totals::charged(usd("5"), false);
    let message =
        |reserved| totals.check_limit(reserved, usd("5")).unwrap_err().message().to_owned();
    let about = message(Reserved::at(Some(usd("0.1"))));
    assert!(about.contains("this one would cost about 0.1"), "{about}");
    for reserved in [bound("0.1"), Reserved::at(None)] {
        let unknown = message(reserved);
        assert!(unknown.contains("the cost of this one is not known yet"), "{unknown}");
    }
}

#[test]
fn a_hundred_marks_are_kept_and_then_the_oldest_is_dropped() {
    let mut marks = Marks::default();
    assert!(marks.is_empty());
    for process in 1..=100 {
        marks.set(process, 7, process);
    }
    assert!(!marks.is_empty());
    assert_eq!([1, 2, 100].map(|process| marks.last_of(process)), [7, 7, 7]);
    marks.set(101, 7, 101);
    assert_eq!([1, 2, 100, 101].map(|process| marks.last_of(process)), [0, 7, 7, 7]);
}

#[test]
fn joined_marks_are_the_later_ones_of_both() {
    let marks = |of: &[(u64, u64)]| {
        let mut marks = Marks::default();
        for (process, write) in of {
            marks.set(*process, *write, *write);
        }
        marks
    };
    let mut joined = marks(&[(1, 5), (2, 9)]);
    joined.join(&marks(&[(1, 7), (2, 8), (3, 1)]));
    assert_eq!(joined, marks(&[(1, 7), (2, 9), (3, 1)]));
}

#[test]
fn a_document_keeps_folded_amounts_and_the_next_number() {
    let totals = Totals {
        spent: usd("3"),
        failed_but_charged: usd("1"),
        uncertain: Amount::of(bound("2")),
        ..Totals::default()
    };
    let folded = Folded { totals, through: 4 };
    let mut stored = Stored { facts: Facts::of(Vec::new(), 9, folded), ..Stored::default() };
    stored.facts.put(id(1), running());
    let read = Stored::read(&stored.write()).unwrap();
    assert_eq!((read.facts.folded(), read.facts.next()), (folded, 10));
    assert_eq!(read.facts.iter().collect::<Vec<_>>(), [(9, &id(1), &running())]);
    assert_eq!(read.facts.totals(), stored.facts.totals());
}

#[test]
fn what_is_open_is_not_written() {
    assert_eq!(serde_json::to_value(Generated::default()).unwrap(), json!({}));
    let unpriced = Generated { entry: None, end: End::Unpriced };
    assert_eq!(serde_json::to_value(unpriced).unwrap(), json!({"e": "u"}));
}

#[test]
fn a_joined_create_keeps_the_better_estimate_and_never_goes_back() {
    let (known, newer) = (estimated("known"), estimated("newer"));
    let (blank, blank_too) = (entry("known", bound("9")), entry("newer", bound("9")));
    for (known, newer, joined) in [
        (&known, &newer, &newer),
        (&blank, &blank_too, &blank_too),
        (&known, &blank_too, &known),
        (&blank, &newer, &newer),
    ] {
        let uncertain = |entry: &Entry| Fact::Create(Create::Uncertain(entry.clone()));
        assert_eq!(uncertain(known).join(uncertain(newer)), uncertain(joined));
    }
    let resolved = |candidate| Fact::Create(Create::Resolved { candidate });
    let of_candidate = resolved(Some(("gen_1".to_owned(), known.clone())));
    let uncertain = Fact::Create(Create::Uncertain(known.clone()));
    let in_flight = Fact::Create(Create::InFlight(newer, 1));
    assert_eq!(uncertain.clone().join(in_flight.clone()), uncertain);
    assert_eq!(in_flight.join(uncertain.clone()), uncertain);
    assert_eq!(of_candidate.clone().join(resolved(None)), of_candidate);
    assert_eq!(of_candidate.clone().join(uncertain), of_candidate);
}

/// Those that ended first are folded first, so the order is that of the ends.
#[test]
fn a_fact_gets_another_number_when_it_ends_and_only_then() {
    let mut facts = Facts::default();
    let order = |facts: &Facts| facts.iter().map(|(_, key, _)| key.clone()).collect::<Vec<_>>();
    for number in [1, 2] {
        facts.put(id(number), running());
    }
    facts.put(id(1), running());
    assert_eq!(order(&facts), [id(1), id(2)]);
    facts.put(id(1), ended());
    assert_eq!(order(&facts), [id(2), id(1)]);
    facts.put(id(2), ended());
    facts.put(id(1), ended());
    assert_eq!(order(&facts), [id(1), id(2)]);
}

#[test]
fn amounts_of_no_fact_can_be_taken_back() {
    let mut facts = Facts::default();
    let totals = Totals::charged(usd("2"), true);
    facts.fold_totals(&totals);
    assert_eq!((*facts.totals(), facts.folded().totals), (totals, totals));
    facts.unfold_totals(&totals);
    assert_eq!((*facts.totals(), facts.folded().totals), Default::default());
}

#[test]
fn nothing_is_folded_within_the_capacity() {
    let mut facts = Facts::default();
    facts.put(id(1), running());
    facts.put(id(2), ended());
    let before = *facts.totals();
    assert_eq!(facts.fold(Capacity { open: 1, closed: 1 }, |_| false), []);
    facts.put(id(3), running());
    facts.put(id(4), ended());
    let folded = facts.fold(Capacity { open: 1, closed: 1 }, |_| false);
    assert_eq!(folded.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!(facts.totals().spent, before.spent + before.spent);
}

#[test]
fn a_union_leaves_out_what_was_folded() {
    let folded = |through| Folded { through, ..Folded::default() };
    let known = Facts::of(Vec::new(), 9, folded(5));
    let others = [4, 5, 6, 7].map(|number| (number, id(number), ended()));
    let all = known.union(Facts::of(others.into(), 8, folded(3)));
    let kept: Vec<_> = all.iter().map(|(_, key, _)| key.clone()).collect();
    assert_eq!(kept, [id(6), id(7)]);
}

#[test]
fn a_create_expires_after_its_time() {
    let mut facts = Facts::default();
    let key = Key::Create(EntryNumber(1, 1));
    facts.put(key.clone(), Fact::Create(Create::InFlight(estimated("m"), 100)));
    facts.expire(100);
    assert_eq!((facts.totals().in_flight.count, facts.totals().uncertain.count), (1, 0));
    facts.expire(101);
    assert_eq!((facts.totals().in_flight.count, facts.totals().uncertain.count), (0, 1));
}
