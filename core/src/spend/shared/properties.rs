//! Several processes over one store, with everything that may go wrong between them.

use proptest::prelude::*;

use super::tests::{NOW, Process, Store, generation, settle, usd};
use super::*;

const PROCESSES: usize = 3;
const LIMIT: &str = "0.5";

#[derive(Clone, Debug)]
enum Event {
    Reserve(usize),
    /// One of the creates that are in flight gets its outcome.
    Created(usize),
    Uncertain(usize),
    Released(usize),
    /// A generation ends.
    End(usize),
    /// A process polls a generation; its response may be an early one.
    See(usize, usize, bool),
    Prepare(usize),
    /// One of the prepared writes arrives, maybe late; its reply may be lost.
    Write(usize, bool),
    /// A prepared write is lost.
    Drop(usize),
    /// A process receives a document that some process has written.
    Deliver(usize, usize),
    /// A create has waited too long for its decision.
    TimeOut(usize),
    /// A process ends after a commit, and another one starts.
    Die(usize),
    /// The store goes back to an earlier document, or to none.
    Lose(usize),
    /// No process can reach the store, until all can again.
    CutOff,
    Reconnect,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let index = || 0usize..1000;
    let event = prop_oneof![
        6 => index().prop_map(Event::Reserve),
        4 => index().prop_map(Event::Created),
        1 => index().prop_map(Event::Uncertain),
        1 => index().prop_map(Event::Released),
        3 => index().prop_map(Event::End),
        5 => (index(), index(), any::<bool>()).prop_map(|(p, g, early)| Event::See(p, g, early)),
        6 => index().prop_map(Event::Prepare),
        6 => (index(), any::<bool>()).prop_map(|(n, lost)| Event::Write(n, lost)),
        1 => index().prop_map(Event::Drop),
        3 => (index(), index()).prop_map(|(p, n)| Event::Deliver(p, n)),
        1 => index().prop_map(Event::TimeOut),
        1 => index().prop_map(Event::Die),
        1 => index().prop_map(Event::Lose),
        1 => Just(Event::CutOff),
        2 => Just(Event::Reconnect),
    ];
    prop::collection::vec(event, 0..120)
}

/// A create that was admitted, and is in flight.
struct Sent {
    process: usize,
    number: EntryNumber,
}

struct World {
    store: Store,
    /// All documents that were ever written.
    written: Vec<Vec<u8>>,
    processes: Vec<Process>,
    next_process: u64,
    prepared: Vec<(usize, u64, Commit)>,
    waiting: Vec<Sent>,
    sent: Vec<Sent>,
    /// The generations, and whether they have ended.
    generations: Vec<(String, bool)>,
    /// The creates with an unknown outcome, and those of processes that ended.
    uncertain: u64,
    limit: Option<&'static str>,
    may_lose: bool,
    is_cut_off: bool,
}

impl World {
    fn new(limit: Option<&'static str>, may_lose: bool) -> Self {
        let next_process = PROCESSES as u64;
        Self {
            store: Store::default(),
            written: Vec::new(),
            processes: (0..next_process).map(Process::new).collect(),
            next_process,
            prepared: Vec::new(),
            waiting: Vec::new(),
            sent: Vec::new(),
            generations: Vec::new(),
            uncertain: 0,
            limit,
            may_lose,
            is_cut_off: false,
        }
    }

    /// How many creates count, each at 0.10.
    fn counted(&self) -> u64 {
        (self.sent.len() + self.generations.len()) as u64 + self.uncertain
    }

    fn run(&mut self, event: Event) {
        match event {
            Event::Reserve(process) => {
                let process = process % PROCESSES;
                match self.processes[process].reserve(self.limit) {
                    Ok(Reserve::Now(number)) => self.sent.push(Sent { process, number }),
                    Ok(Reserve::AtCommit(number)) => self.waiting.push(Sent { process, number }),
                    Err(_) => {}
                }
            }
            Event::Created(index) => {
                let id = format!("gen_{}", self.generations.len());
                let Some((process, number)) = self.take_sent(index) else { return };
                process.view.change(|ledger| ledger.on_created(number, &id));
                self.generations.push((id, false));
            }
            Event::Uncertain(index) => {
                let Some((process, number)) = self.take_sent(index) else { return };
                process.view.change(|ledger| ledger.on_uncertain(number, None));
                self.uncertain += 1;
            }
            Event::Released(index) => {
                if let Some((process, number)) = self.take_sent(index) {
                    process.view.release(number);
                }
            }
            Event::End(index) => {
                if let Some(index) = index.checked_rem(self.generations.len()) {
                    self.generations[index].1 = true;
                }
            }
            Event::See(process, index, is_early) => {
                if let Some(index) = index.checked_rem(self.generations.len()) {
                    let (id, has_ended) = &self.generations[index];
                    let snapshot = snapshot(id, *has_ended && !is_early);
                    self.processes[process % PROCESSES].see(&snapshot);
                }
            }
            Event::TimeOut(index) => {
                if let Some(index) = index.checked_rem(self.waiting.len()) {
                    let Sent { process, number } = self.waiting[index];
                    let process = &mut self.processes[process];
                    let decided = process.view.decide(number);
                    process.decisions.extend(decided.map(|decision| (number, decision)));
                }
            }
            event => self.run_store(event),
        }
        self.take_decisions();
    }

    fn run_store(&mut self, event: Event) {
        match event {
            Event::Prepare(process) if !self.is_cut_off => {
                let index = process % PROCESSES;
                let process = &mut self.processes[index];
                if process.view.needs_commit() {
                    let number = process.view.process;
                    let commit = process.prepare(&self.store);
                    self.prepared.push((index, number, commit));
                }
            }
            Event::Write(index, is_reply_lost) if !self.is_cut_off => {
                let Some(index) = index.checked_rem(self.prepared.len()) else { return };
                let (process, number, commit) = self.prepared.remove(index);
                let is_done = self.write(&commit);
                let process = &mut self.processes[process];
                if is_done && !is_reply_lost && process.view.process == number {
                    process.on_committed(commit);
                }
            }
            Event::Drop(index) => {
                if let Some(index) = index.checked_rem(self.prepared.len()) {
                    self.prepared.remove(index);
                }
            }
            Event::Deliver(process, index) => {
                if let Some(index) = index.checked_rem(self.written.len()) {
                    let process = &mut self.processes[process % PROCESSES];
                    let decisions = process.view.on_stored(&self.written[index]);
                    process.decisions.extend(decisions);
                }
            }
            Event::Die(index) if !self.is_cut_off => self.die(index % PROCESSES),
            Event::Lose(index) if self.may_lose => {
                // What ended processes knew has to be known to one that goes on.
                self.processes[0].prepare(&self.store);
                let index = index % (self.written.len() + 1);
                self.store.document = self.written.get(index).cloned();
            }
            Event::CutOff => {
                // The share is that of what remained when all knew the same.
                self.settle();
                self.is_cut_off = true;
                for process in &mut self.processes {
                    process.view.set_peers(PROCESSES, false);
                    let decisions = process.view.set_reachable(false);
                    process.decisions.extend(decisions);
                }
            }
            Event::Reconnect if self.is_cut_off => self.settle(),
            _ => {}
        }
    }

    fn write(&mut self, commit: &Commit) -> bool {
        let is_done = self.store.write(commit);
        self.written.extend(commit.document.clone().filter(|_| is_done));
        is_done
    }

    fn die(&mut self, index: usize) {
        let commit = self.processes[index].prepare(&self.store);
        assert!(self.write(&commit));
        self.processes[index].on_committed(commit);
        self.take_decisions();
        self.waiting.retain(|sent| sent.process != index);
        let sent = self.sent.len();
        self.sent.retain(|sent| sent.process != index);
        self.uncertain += (sent - self.sent.len()) as u64;
        self.processes[index] = Process::new(self.next_process);
        self.next_process += 1;
    }

    fn take_sent(&mut self, index: usize) -> Option<(&mut Process, EntryNumber)> {
        let index = index.checked_rem(self.sent.len())?;
        let Sent { process, number } = self.sent.remove(index);
        Some((&mut self.processes[process], number))
    }

    fn take_decisions(&mut self) {
        let mut decided = Vec::new();
        for sent in std::mem::take(&mut self.waiting) {
            match self.processes[sent.process].decision(sent.number) {
                Some(Ok(())) => decided.push(sent),
                Some(Err(_)) => {}
                None => self.waiting.push(sent),
            }
        }
        self.sent.append(&mut decided);
        assert!(self.processes.iter().all(|process| process.decisions.is_empty()));
    }

    fn settle(&mut self) {
        self.is_cut_off = false;
        settle(&mut self.store, &mut self.processes);
        self.take_decisions();
        assert!(self.waiting.is_empty());
    }

    /// All that has been created ends, and is seen by one process.
    fn end(&mut self) {
        self.settle();
        for sent in std::mem::take(&mut self.sent) {
            let id = format!("gen_{}", self.generations.len());
            let process = &mut self.processes[sent.process];
            process.view.change(|ledger| ledger.on_created(sent.number, &id));
            self.generations.push((id, false));
        }
        self.settle();
        for (id, _) in &self.generations {
            self.processes[1].see(&snapshot(id, true));
        }
        // Long after: creates of processes that ended expire.
        self.processes[2].begin();
        let commit = self.processes[2].prepare_at(&self.store, NOW + 10_000);
        assert!(self.store.write(&commit));
        self.processes[2].on_committed(commit);
        self.settle();
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.end();
        let documents = self.processes.iter().map(|process| {
            let facts = process.view.ledger.facts.clone();
            Stored { facts, ..Stored::default() }.write()
        });
        let mut documents: Vec<_> = documents.collect();
        documents.dedup();
        prop_assert_eq!(documents.len(), 1, "all views are equal");
        let spend = self.processes[0].spend();
        prop_assert_eq!(spend.spent, usd("0.1") * Decimal::from(self.generations.len()));
        // One was begun to have something to commit.
        prop_assert_eq!((spend.in_flight_count, spend.uncertain_count), (0, self.uncertain + 1));
        Ok(())
    }
}

fn snapshot(id: &str, has_ended: bool) -> crate::model::Generation {
    let (status, cost) = if has_ended { ("completed", Some("0.10")) } else { ("queued", None) };
    generation(id, status, cost)
}

proptest! {
    #[test]
    fn every_create_counts_once_and_all_views_are_equal_in_the_end(
        events in events(),
        is_limited in any::<bool>(),
    ) {
        let mut world = World::new(is_limited.then_some(LIMIT), true);
        for event in events {
            world.run(event);
        }
        world.check()?;
    }

    /// Also over a store that loses nothing, and with processes that are all cut off from it at once.
    #[test]
    fn no_limit_is_exceeded(events in events()) {
        let mut world = World::new(Some(LIMIT), false);
        for event in events {
            // A process that decides while others commit may exceed it by its share.
            if !matches!(event, Event::TimeOut(_)) {
                world.run(event);
            }
            prop_assert!(world.counted() <= 5, "{} creates of 0.10", world.counted());
        }
        world.check()?;
    }
}
