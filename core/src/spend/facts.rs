//! The creates and generations of a ledger, and the sums of their amounts.

use std::collections::{BTreeMap, HashMap};

use super::amounts::Totals;
use super::fact::{Create, End, Fact, Generated, Key};

/// What is known about creates and generations. Of those that were folded only the amounts are left.
#[derive(Clone, Default)]
pub(super) struct Facts {
    slots: HashMap<Key, Slot>,
    /// Those that are in flight, and creates with an unknown outcome, by their numbers.
    open: BTreeMap<u64, Key>,
    /// All others.
    closed: BTreeMap<u64, Key>,
    /// The next number. A fact has one from when it was opened, and another from when it was closed.
    next: u64,
    totals: Totals,
    folded: Folded,
}

#[derive(Clone, Debug, PartialEq)]
struct Slot {
    number: u64,
    fact: Fact,
}

/// The amounts of the facts that were folded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Folded {
    pub(super) totals: Totals,
    /// The highest number of a closed one.
    pub(super) through: u64,
}

/// How many facts are kept.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    pub(super) open: usize,
    pub(super) closed: usize,
}

impl Facts {
    /// The facts with these numbers.
    pub(super) fn of(facts: Vec<(u64, Key, Fact)>, next: u64, folded: Folded) -> Self {
        let mut all = Self { next, ..Self::default() };
        all.fold_totals(&folded.totals);
        all.folded = folded;
        for (number, key, fact) in facts {
            all.insert(key, number, fact);
        }
        all
    }

    /// All facts with their numbers, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Key, &Fact)> {
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_unstable_by_key(|(_, slot)| slot.number);
        slots.into_iter().map(|(key, slot)| (slot.number, key, &slot.fact))
    }

    /// The open facts, the oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Key, &Fact)> {
        self.open.values().filter_map(|key| Some((key, self.get(key)?)))
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Fact> {
        self.slots.get(key).map(|slot| &slot.fact)
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(super) fn folded(&self) -> Folded {
        self.folded
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Inserts a fact, in place of the one with this key.
    pub(super) fn put(&mut self, key: Key, fact: Fact) {
        let number = match self.slots.get(&key) {
            Some(slot) if slot.fact.entry().is_some() == fact.entry().is_some() => slot.number,
            _ => self.next,
        };
        self.insert(key, number, fact);
    }

    /// Joins a fact with the one that has this key.
    pub(super) fn join(&mut self, key: Key, newer: Fact) {
        let fact = match self.get(&key) {
            Some(known) => known.clone().join(newer),
            None => newer,
        };
        self.put(key, fact);
    }

    /// A newer fact as it is beside these. A generation is that of one uncertain create only, also if
    /// two processes take it for that of different ones: the second create stays uncertain.
    pub(super) fn disputed(&self, key: &Key, newer: &Fact) -> Option<Fact> {
        let Fact::Create(Create::Resolved { candidate: Some((id, entry)) }) = newer else {
            return None;
        };
        let is_resolved = self.get(key).is_some_and(|known| known.entry().is_none());
        let is_taken = self.generation(id).is_some_and(|known| known.entry.is_some());
        (is_taken && !is_resolved).then(|| Fact::Create(Create::Uncertain(entry.clone())))
    }

    /// Removes a fact with its amounts.
    pub(super) fn drop_fact(&mut self, key: &Key) {
        self.remove(key);
    }

    /// Adds amounts that belong to no fact.
    pub(super) fn fold_totals(&mut self, totals: &Totals) {
        self.totals.add(totals);
        self.folded.totals.add(totals);
    }

    /// Takes such amounts back.
    pub(super) fn unfold_totals(&mut self, totals: &Totals) {
        self.totals.subtract(totals);
        self.folded.totals.subtract(totals);
    }

    /// Folds the oldest facts beyond a capacity, except those that are to be kept. What was in flight
    /// is uncertain then. Returns what was folded.
    pub(super) fn fold(
        &mut self,
        capacity: Capacity,
        is_kept: impl Fn(&Key) -> bool,
    ) -> Vec<(Key, Totals)> {
        let mut folded = Vec::new();
        let kept = |key: &&Key| !is_kept(key);
        while self.open.len() > capacity.open
            && let Some(key) = self.open.values().find(kept).cloned()
        {
            let totals = self.fold_one(&key);
            folded.push((key, totals));
        }
        while self.closed.len() > capacity.closed
            && let Some((number, key)) = self.closed.iter().find(|(_, key)| kept(key))
        {
            let key = key.clone();
            self.folded.through = self.folded.through.max(*number);
            let totals = self.fold_one(&key);
            folded.push((key, totals));
        }
        folded
    }

    /// What both know.
    pub(super) fn union(self, other: Self) -> Self {
        let (mut all, others) =
            if self.folded.through >= other.folded.through { (self, other) } else { (other, self) };
        for (number, key, fact) in others.iter() {
            // Its amount may be among those that were folded.
            if all.slots.contains_key(key) || fact.entry().is_some() || number > all.folded.through
            {
                all.join(key.clone(), fact.clone());
            }
        }
        all
    }

    /// Creates that were reserved before this time become uncertain: their process has ended.
    pub(super) fn expire(&mut self, before: u64) {
        let expired: Vec<_> = self
            .open()
            .filter_map(|(key, fact)| match fact {
                Fact::Create(Create::InFlight(entry, at)) if *at < before => {
                    Some((key.clone(), Fact::Create(Create::Uncertain(entry.clone()))))
                }
                _ => None,
            })
            .collect();
        for (key, fact) in expired {
            self.put(key, fact);
        }
    }

    fn insert(&mut self, key: Key, number: u64, fact: Fact) {
        self.remove(&key);
        self.next = self.next.max(number.saturating_add(1));
        self.totals.add(&fact.totals());
        let index = if fact.entry().is_some() { &mut self.open } else { &mut self.closed };
        index.insert(number, key.clone());
        self.slots.insert(key, Slot { number, fact });
    }

    fn remove(&mut self, key: &Key) -> Totals {
        let Some(Slot { number, fact }) = self.slots.remove(key) else { return Totals::default() };
        self.open.remove(&number);
        self.closed.remove(&number);
        let totals = fact.totals();
        self.totals.subtract(&totals);
        totals
    }

    fn fold_one(&mut self, key: &Key) -> Totals {
        let totals = self.remove(key).abandoned();
        self.fold_totals(&totals);
        totals
    }
}

impl Facts {
    pub(super) fn generation(&self, id: &str) -> Option<&Generated> {
        match self.get(&Key::Generation(id.to_owned()))? {
            Fact::Generation(generation) => Some(generation),
            Fact::Create(_) => None,
        }
    }

    /// Whether a generation is not known, or only as a candidate.
    pub(super) fn is_new(&self, id: &str) -> bool {
        self.generation(id).is_none_or(|known| known.entry.is_none() && known.end == End::No)
    }
}
