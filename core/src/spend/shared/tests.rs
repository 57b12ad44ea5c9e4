mod store;

use serde_json::json;

use super::*;
use crate::model::{Generation, Spend};

pub(super) fn usd(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub(super) fn request() -> GenerationRequest {
    GenerationRequest::new("m", "A cat")
}

pub(super) fn generation(id: &str, status: &str, cost: Option<&str>) -> Generation {
    let usage = cost.map(|cost| json!({"cost_usd": cost}));
    let body = json!({"id": id, "status": status, "model": "m", "engine": "e", "usage": usage});
    serde_json::from_value(body).unwrap()
}

/// Prices by which a generation costs 0.10.
pub(super) fn prices() -> Prices {
    let mut prices = Prices::default();
    let seen = generation("gen_seen", "completed", Some("0.10"));
    prices.learn(crate::spend::prices::PricedRoute::of(&request()), &seen);
    prices
}

/// A store with compare-and-set.
#[derive(Default)]
pub(super) struct Store {
    pub(super) document: Option<Vec<u8>>,
}

impl Store {
    /// Writes the document of a commit, if the stored one is expected.
    pub(super) fn write(&mut self, commit: &Commit) -> bool {
        let Some(document) = &commit.document else { return true };
        let stored = self.document.as_deref().unwrap_or_default();
        let is_expected = stored[..stored.len().min(BEGINNING)] == commit.expected;
        if is_expected {
            self.document = Some(document.clone());
        }
        is_expected
    }
}

/// A process with its view of the ledger.
pub(super) struct Process {
    pub(super) view: SharedView,
    pub(super) prices: Prices,
    pub(super) decisions: Vec<Decision>,
}

impl Process {
    pub(super) fn new(number: u64) -> Self {
        let mut view = SharedView::new(number);
        view.share();
        Self { view, prices: prices(), decisions: Vec::new() }
    }

    pub(super) fn reserve(&mut self, limit: Option<&str>) -> Result<Reserve, Error> {
        self.view.reserve(&self.prices, &request(), limit.map(usd), NOW)
    }

    /// Reserves without a limit.
    pub(super) fn begin(&mut self) -> EntryNumber {
        match self.reserve(None).unwrap() {
            Reserve::Now(number) => number,
            Reserve::AtCommit(_) => panic!("there is no limit"),
        }
    }

    fn create(&mut self, id: &str) {
        let number = self.begin();
        self.view.change(|ledger| ledger.on_created(number, id));
    }

    pub(super) fn see(&mut self, generation: &Generation) {
        let Self { view, prices, .. } = self;
        view.change(|ledger| {
            if let Some(route) = ledger.on_snapshot(prices, generation) {
                prices.learn(route, generation);
                ledger.estimate_anew(prices);
            }
        });
    }

    /// Sees the ends of as many generations as the document keeps, for 1 USD in all.
    pub(super) fn fill(&mut self) {
        for n in 0..link::STORED.closed {
            self.create(&format!("gen_b{n}"));
            self.see(&generation(&format!("gen_b{n}"), "completed", Some("0.001")));
        }
    }

    pub(super) fn prepare(&mut self, store: &Store) -> Commit {
        self.prepare_at(store, NOW)
    }

    pub(super) fn prepare_at(&mut self, store: &Store, now: u64) -> Commit {
        let (commit, decisions) = self.view.prepare(store.document.as_deref(), now).unwrap();
        self.decisions.extend(decisions);
        commit
    }

    pub(super) fn on_committed(&mut self, commit: Commit) {
        let decisions = self.view.on_committed(commit);
        self.decisions.extend(decisions);
    }

    /// Commits without anything going wrong.
    pub(super) fn commit(&mut self, store: &mut Store) {
        let commit = self.prepare(store);
        assert!(store.write(&commit));
        self.on_committed(commit);
    }

    /// The decision on a create, if there is one.
    pub(super) fn decision(&mut self, number: EntryNumber) -> Option<Result<(), Error>> {
        let index = self.decisions.iter().position(|(decided, _)| *decided == number)?;
        Some(self.decisions.swap_remove(index).1)
    }

    pub(super) fn spend(&self) -> Spend {
        self.view.ledger().spend(None)
    }

    fn in_flight(&self) -> u64 {
        self.spend().in_flight_count
    }
}

/// Has all processes commit until no one has anything left.
pub(super) fn settle(store: &mut Store, processes: &mut [Process]) {
    for _ in 0..2 {
        for process in &mut *processes {
            process.view.set_reachable(true);
            process.commit(store);
        }
    }
    for process in processes {
        process.commit(store);
        assert!(!process.view.needs_commit());
    }
}

pub(super) const NOW: u64 = 1_700_000_000;

fn two() -> (Store, Process, Process) {
    (Store::default(), Process::new(1), Process::new(2))
}

#[track_caller]
fn number_of(reserve: Result<Reserve, Error>) -> EntryNumber {
    match reserve.unwrap() {
        Reserve::AtCommit(number) => number,
        Reserve::Now(_) => panic!("decided without the store"),
    }
}

#[test]
fn what_one_process_creates_another_one_settles() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    a.commit(&mut store);
    b.commit(&mut store);
    assert_eq!((b.spend().in_flight, b.in_flight()), (usd("0.1"), 1));
    b.see(&generation("gen_1", "completed", Some("0.25")));
    b.commit(&mut store);
    a.view.on_stored(store.document.as_ref().unwrap());
    assert_eq!((a.spend().spent, a.in_flight()), (usd("0.25"), 0));
    // A response that was overtaken, and the same end again.
    a.see(&generation("gen_1", "in_progress", None));
    a.see(&generation("gen_1", "completed", Some("0.25")));
    assert!(!a.view.needs_commit());
    assert_eq!(a.spend(), b.spend());
}

#[test]
fn two_processes_cannot_both_take_the_last_dollar() {
    let (mut store, mut a, mut b) = two();
    let numbers = [&mut a, &mut b].map(|process| number_of(process.reserve(Some("0.15"))));
    let (first, second) = (a.prepare(&store), b.prepare(&store));
    assert!(store.write(&first) && !store.write(&second));
    a.on_committed(first);
    b.commit(&mut store);
    assert!(a.decision(numbers[0]).unwrap().is_ok());
    let error = b.decision(numbers[1]).unwrap().unwrap_err();
    assert!(error.message().contains("0.1 in flight"), "{error}");
    a.view.release(numbers[0]);
    a.commit(&mut store);
    let third = number_of(b.reserve(Some("0.15")));
    b.commit(&mut store);
    assert!(b.decision(third).unwrap().is_ok());
}

#[test]
fn while_no_cost_is_known_one_create_of_all_processes_is_admitted_to_find_out() {
    let (mut store, mut a, mut b) = two();
    (a.prices, b.prices) = Default::default();
    let first = number_of(a.reserve(Some("1")));
    a.commit(&mut store);
    let refused = number_of(b.reserve(Some("1")));
    b.commit(&mut store);
    let error = b.decision(refused).unwrap().unwrap_err();
    assert!(error.message().contains("not known yet"), "{error}");
    a.view.change(|ledger| ledger.on_created(first, "gen_1"));
    a.see(&generation("gen_1", "completed", Some("0.4")));
    a.commit(&mut store);
    let second = number_of(b.reserve(Some("1")));
    b.commit(&mut store);
    assert!(b.decision(second).unwrap().is_ok());
    // The first process knows the price now, and the second one's counts at it.
    a.commit(&mut store);
    a.see(&generation("gen_2", "completed", Some("0.4")));
    assert_eq!((a.spend().in_flight, a.spend().unknown_count), (usd("0.4"), 0));
}

#[test]
fn a_commit_with_a_lost_reply_is_recognized() {
    let (mut store, mut a, mut b) = two();
    let admitted = number_of(a.reserve(Some("0.15")));
    let lost = a.prepare(&store);
    assert!(store.write(&lost));
    b.create("gen_b");
    b.commit(&mut store);
    a.commit(&mut store);
    assert!(a.decision(admitted).unwrap().is_ok());
    assert_eq!((a.in_flight(), b.in_flight()), (2, 2));
}

#[test]
fn what_was_folded_in_the_meantime_does_not_count_again() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    a.commit(&mut store);
    // Stored, but the reply is lost.
    a.create("gen_2");
    a.see(&generation("gen_2", "completed", Some("0.2")));
    let lost = a.prepare(&store);
    assert!(store.write(&lost));
    // Both see its end.
    b.commit(&mut store);
    a.see(&generation("gen_1", "completed", Some("0.3")));
    b.see(&generation("gen_1", "completed", Some("0.3")));
    b.fill();
    b.commit(&mut store);
    a.commit(&mut store);
    assert_eq!(a.spend().spent, usd("1.5"));
    assert_eq!(a.spend(), b.spend());
}

/// This process was between two writes when it got to know that the first one was done.
#[test]
fn what_was_folded_after_a_lost_reply_does_not_count_again() {
    let (mut store, mut a, mut b) = two();
    a.create("gen_1");
    let lost = a.prepare(&store);
    assert!(store.write(&lost));
    a.see(&generation("gen_1", "completed", Some("0.3")));
    a.prepare(&store);
    b.commit(&mut store);
    b.see(&generation("gen_1", "completed", Some("0.3")));
    b.fill();
    b.commit(&mut store);
    a.commit(&mut store);
    assert_eq!(a.spend().spent, usd("1.3"));
    assert_eq!(a.spend(), b.spend());
}

#[test]
fn a_refused_create_counts_as_nothing_also_if_a_late_write_admits_it() {
    let (mut store, mut a, mut b) = two();
    let refused = number_of(a.reserve(Some("0.15")));
    let late = a.prepare(&store);
    // Decided by another reading, of a document that needs no write.
    let mut other = Store::default();
    b.create("gen_b");
    b.commit(&mut other);
    let commit = a.prepare(&other);
    a.on_committed(commit);
    assert!(a.decision(refused).unwrap().is_err());
    assert!(store.write(&late));
    a.commit(&mut store);
    assert_eq!((a.in_flight(), a.spend().uncertain_count), (1, 0), "only the other one's");
}

#[test]
fn an_end_that_is_seen_before_its_create_is_known_counts() {
    let (mut store, mut a, mut b) = two();
    b.see(&generation("gen_1", "completed", Some("0.3")));
    b.commit(&mut store);
    assert_eq!(b.spend().spent, usd("0"));
    a.create("gen_1");
    a.commit(&mut store);
    b.commit(&mut store);
    assert_eq!((b.spend().spent, a.spend().spent), (usd("0.3"), usd("0.3")));
}

#[test]
fn a_candidate_that_two_processes_see_settles_one_uncertain_create() {
    let (mut store, mut a, mut b) = two();
    // Neither knows of the other one's create yet.
    for process in [&mut a, &mut b] {
        let number = process.begin();
        process.view.change(|ledger| {
            ledger.on_uncertain(number, None);
            ledger.on_candidates(["gen_1"].into_iter());
        });
        process.see(&generation("gen_1", "in_progress", None));
        assert_eq!((process.in_flight(), process.spend().uncertain_count), (1, 0));
    }
    settle(&mut store, &mut [a, b]);
    let mut c = Process::new(3);
    c.commit(&mut store);
    assert_eq!((c.in_flight(), c.spend().uncertain_count), (1, 1));
}

#[test]
fn a_candidate_of_one_process_settles_its_create_when_another_one_sees_it() {
    let (mut store, mut a, mut b) = two();
    let number = a.begin();
    a.view.change(|ledger| ledger.on_uncertain(number, None));
    a.view.change(|ledger| ledger.on_candidates(["gen_1"].into_iter()));
    a.commit(&mut store);
    b.commit(&mut store);
    b.see(&generation("gen_1", "completed", Some("0.3")));
    b.commit(&mut store);
    a.commit(&mut store);
    assert_eq!((a.spend().spent, a.spend().uncertain_count), (usd("0.3"), 0));
}

#[test]
fn the_creates_of_a_process_that_ended_become_uncertain_and_hold_nothing_back() {
    let (mut store, mut a, mut b) = two();
    (a.prices, b.prices) = Default::default();
    a.begin();
    a.commit(&mut store);
    drop(a);
    for (later, admitted) in [(500, false), (700, true)] {
        let number = number_of(b.reserve(Some("1")));
        let commit = b.prepare_at(&store, NOW + later);
        assert!(store.write(&commit));
        b.on_committed(commit);
        assert_eq!(b.decision(number).unwrap().is_ok(), admitted);
    }
    assert_eq!((b.spend().uncertain_count, b.in_flight()), (1, 1));
}
