//! What a process knows about the store of a shared ledger, and how it commits its changes.

use std::collections::{HashMap, VecDeque};

use rust_decimal::Decimal;

use super::Decision;
use crate::error::{Error, ErrorKind};
use crate::spend::amounts::Totals;
use crate::spend::document::{Marks, Stored};
use crate::spend::fact::{Create, Entry, EntryNumber, Fact, Key};
use crate::spend::facts::{Capacity, Facts};
use crate::spend::ledger::{LOCAL, Ledger};

/// How much the document has, which is read and written as a whole: 500 ended generations with their
/// creates, which last for five minutes at least at 100 requests a minute. No response is so late.
/// With a hundred generations in flight it has 72 KB.
pub(super) const STORED: Capacity = Capacity { open: 2_000, closed: 1_000 };

/// How much of a document tells it from others: its revision is before that.
pub(crate) const BEGINNING: usize = 200;

/// A create of which nothing was heard for so many seconds counts as uncertain: its process may have
/// ended, and it must not keep back creates of unknown cost for ever. It is longer than a create
/// takes, including pauses after several 429s. One that takes longer still gets its outcome.
const CREATE_EXPIRES: u64 = 600;

/// Of so many writes in a row it may be unknown whether they were done. One that is not known any
/// longer may be repeated, which changes nothing but amounts that belong to no fact.
const MAX_WRITES: usize = 64;

/// What a process knows about the store.
pub(super) struct Link {
    /// The version and marks of the last document.
    pub(super) version: u64,
    pub(super) marks: Marks,
    /// What counted towards a limit in it.
    pub(super) committed: Decimal,
    /// The changes that are not stored.
    pub(super) changes: HashMap<Key, Change>,
    pub(super) last_change: u64,
    /// The amounts of changes that were folded, and are not stored.
    pub(super) folded: Totals,
    /// The writes of which it is not known whether they were done.
    pub(super) writes: VecDeque<Write>,
    pub(super) last_write: u64,
    /// The creates that wait for a decision, in their order.
    pub(super) requests: Vec<Request>,
    /// Whether the document has to be read.
    pub(super) must_read: bool,
    pub(super) is_reachable: bool,
    /// The number of processes.
    pub(super) peers: usize,
    /// Whether other processes may have spent what is not stored yet.
    pub(super) awaits_others: bool,
}

/// A change of a fact.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) number: u64,
    /// Whether the fact is known to have been in the document. If it is not there, it was folded.
    pub(super) was_stored: bool,
}

pub(super) struct Write {
    pub(super) number: u64,
    /// The last change in it, and the amounts in it that belong to no fact.
    pub(super) through: u64,
    pub(super) folded: Totals,
}

/// A create that waits for a decision.
pub(super) struct Request {
    pub(super) number: EntryNumber,
    pub(super) entry: Entry,
    pub(super) at: u64,
    pub(super) limit: Decimal,
    /// Whether a document that admits it may have been written.
    pub(super) was_prepared: bool,
}

/// A write of the document that may be done if the stored one is the expected one.
pub(crate) struct Commit {
    /// How the stored document has to begin, up to [`BEGINNING`] bytes; empty if there must be none. No
    /// two documents begin alike, and of a text that is none it is enough.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "the link to Redis reads it"))]
    pub(crate) expected: Vec<u8>,
    /// The new document, or `None` if nothing is to be written.
    pub(crate) document: Option<Vec<u8>>,
    pub(super) stored: Stored,
    pub(super) refused: Vec<Decision>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            version: 0,
            marks: Marks::default(),
            committed: Decimal::ZERO,
            changes: HashMap::new(),
            last_change: 0,
            folded: Totals::default(),
            writes: VecDeque::new(),
            last_write: 0,
            requests: Vec::new(),
            must_read: true,
            is_reachable: true,
            peers: 1,
            awaits_others: false,
        }
    }

    pub(super) fn needs_commit(&self) -> bool {
        let has_changes = !self.changes.is_empty() || self.folded != Totals::default();
        self.is_reachable && (self.must_read || has_changes || !self.requests.is_empty())
    }

    pub(super) fn take_request(&mut self, number: EntryNumber) -> Option<Request> {
        let index = self.requests.iter().position(|request| request.number == number)?;
        Some(self.requests.remove(index))
    }

    /// Compares a create with this process's share of what remained as last known, so that processes
    /// that are all cut off stay within the limit together.
    ///
    /// # Errors
    /// It does not fit.
    pub(super) fn check_share(
        &self,
        ledger: &Ledger,
        entry: &Entry,
        limit: Decimal,
    ) -> Result<(), Error> {
        let rest = limit.saturating_sub(self.committed).max(Decimal::ZERO);
        let share = rest.checked_div(self.peers.into()).unwrap_or_default();
        let share = self.committed.saturating_add(share);
        let totals = ledger.facts.totals();
        totals.check_limit(entry.reserved, limit)?;
        if totals.admits(entry.reserved, share) { Ok(()) } else { Err(self.share_reached(limit)) }
    }

    fn share_reached(&self, limit: Decimal) -> Error {
        let (limit, peers) = (limit.normalize(), self.peers);
        let statement = format!(
            "the create would exceed this process's share of the spend limit of {limit} USD. What is \
             left of it is divided among {peers} processes until all of them can reach Redis. Nothing was \
             sent."
        );
        Error::new(ErrorKind::SpendLimit, statement)
            .with_advice("Try again when Redis can be reached, or raise the limit.")
    }

    pub(super) fn on_changed(&mut self, ledger: &mut Ledger) {
        for (key, was_stored) in ledger.changed.iter_mut().flat_map(std::mem::take) {
            self.last_change = self.last_change.saturating_add(1);
            let number = self.last_change;
            self.changes.entry(key).or_insert(Change { number, was_stored }).number = number;
        }
        // Without the store there may be many. One that was stored is kept: folded, it could count twice.
        let changes = &self.changes;
        let is_kept = |key: &Key| changes.get(key).is_some_and(|change| change.was_stored);
        for (key, totals) in ledger.facts.fold(LOCAL, is_kept) {
            if self.changes.remove(&key).is_some() {
                self.folded.add(&totals);
            }
        }
    }

    /// Takes the stored document in, with the changes that it does not have. Returns whether it has
    /// all that this process knew to be stored, and decisions on creates that it admits.
    pub(super) fn adopt(
        &mut self,
        ledger: &mut Ledger,
        process: u64,
        stored: Stored,
    ) -> (bool, Vec<Decision>) {
        self.confirm(stored.marks.last_of(process));
        let is_complete = stored.marks.include(&self.marks);
        self.version = self.version.max(stored.version);
        if !self.awaits_others {
            self.committed = stored.facts.totals().committed();
        }
        let mut known = std::mem::take(&mut ledger.facts);
        known.unfold_totals(&self.folded);
        let changed = self.compare(&mut known, &stored.facts, is_complete);
        if is_complete {
            self.marks = stored.marks;
            ledger.facts = stored.facts;
        } else {
            self.marks.join(&stored.marks);
            ledger.facts = stored.facts.union(known);
        }
        ledger.facts.fold_totals(&self.folded);
        for (key, fact) in changed {
            ledger.facts.join(key, fact);
        }
        (is_complete, self.take_admitted(&ledger.facts))
    }

    /// Compares the changes with what is stored. Returns those that are to be joined with it.
    fn compare(
        &mut self,
        known: &mut Facts,
        stored: &Facts,
        is_complete: bool,
    ) -> Vec<(Key, Fact)> {
        let mut changed = Vec::new();
        self.changes.retain(|key, change| {
            let is_stored = stored.get(key).is_some();
            // It was folded by another process, so it counts.
            if is_complete && change.was_stored && !is_stored {
                return false;
            }
            change.was_stored |= is_stored;
            if let Some(disputed) = known.get(key).and_then(|fact| stored.disputed(key, fact)) {
                known.put(key.clone(), disputed);
            }
            changed.extend(known.get(key).map(|fact| (change.number, key.clone(), fact.clone())));
            true
        });
        // Those that ended first are to be folded first.
        changed.sort_unstable_by_key(|(number, ..)| *number);
        changed.into_iter().map(|(_, key, fact)| (key, fact)).collect()
    }

    /// The creates that are among these facts wait no longer.
    fn take_admitted(&mut self, facts: &Facts) -> Vec<Decision> {
        let (admitted, waiting) = std::mem::take(&mut self.requests)
            .into_iter()
            .partition::<Vec<_>, _>(|request| facts.get(&Key::Create(request.number)).is_some());
        self.requests = waiting;
        admitted.into_iter().map(|request| (request.number, Ok(()))).collect()
    }

    /// Takes a document in that is not certainly the one that is stored now.
    pub(super) fn on_document(
        &mut self,
        ledger: &mut Ledger,
        process: u64,
        stored: Stored,
    ) -> Vec<Decision> {
        if stored.marks == self.marks {
            return Vec::new();
        }
        if stored.marks.include(&self.marks) {
            return self.adopt(ledger, process, stored).1;
        }
        // It is old, or the store has lost something.
        self.must_read = true;
        Vec::new()
    }

    /// A write of this process was done.
    fn confirm(&mut self, number: u64) {
        let Some(write) = self.writes.iter().find(|write| write.number == number) else { return };
        self.folded.subtract(&write.folded);
        let through = write.through;
        self.changes.retain(|_, change| change.number > through);
        self.writes.retain(|write| write.number > number);
    }

    pub(super) fn commit(
        &mut self,
        ledger: &Ledger,
        process: u64,
        expected: Vec<u8>,
        is_complete: bool,
        now: u64,
    ) -> Commit {
        let mut facts = ledger.facts.clone();
        facts.expire(now.saturating_sub(CREATE_EXPIRES));
        let mut must_write =
            !is_complete || !self.changes.is_empty() || self.folded != Totals::default();
        let mut refused = Vec::new();
        for request in &mut self.requests {
            match facts.totals().check_limit(request.entry.reserved, request.limit) {
                Ok(()) => {
                    let create = Create::InFlight(request.entry.clone(), request.at);
                    facts.put(Key::Create(request.number), Fact::Create(create));
                    request.was_prepared = true;
                    must_write = true;
                }
                Err(error) => refused.push((request.number, Err(error))),
            }
        }
        let marks = self.marks.clone();
        let mut stored = Stored { facts, marks, ..Stored::default() };
        let mut document = None;
        if must_write {
            self.last_write = self.last_write.saturating_add(1);
            let write =
                Write { number: self.last_write, through: self.last_change, folded: self.folded };
            self.writes.push_back(write);
            if self.writes.len() > MAX_WRITES {
                self.writes.pop_front();
            }
            stored.revision = format!("{process:x}-{}", self.last_write);
            stored.version = self.version.saturating_add(1);
            stored.marks.set(process, self.last_write, stored.version);
            stored.facts.fold(STORED, |_| false);
            document = Some(stored.write());
        }
        Commit { expected, document, stored, refused }
    }
}
