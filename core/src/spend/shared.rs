//! The ledger of a key that several processes share, over a store with compare-and-set.
//!
//! The store has one [document](super::document) with what all processes have done. A process has its
//! own view: the last document that it has read, and what it has changed since. To commit, it reads the
//! document, joins its changes with it, and writes the result if the document is still the one that it
//! has read. Facts are joined by rules that give the same result in any order and however often
//! (see [`fact`](super::fact)), so that neither a write that is done twice nor a stale document
//! can count something twice or undo it.
//!
//! Only a create under a limit waits for a commit, which decides on it by the document: two processes
//! cannot both take the last dollar. Everything else applies to the view at once.
//!
//! When the store has lost a write, or everything, the marks of the document show it: each process then
//! joins all that it knows. What only ended processes knew is lost, and what was folded (see
//! [`STORED`](link::STORED)) counts as the document with more of it says.

mod link;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

use self::link::{Link, Request};
use super::document::{Stored, Unusable};
use super::fact::EntryNumber;
use super::ledger::{Ledger, check_maximum, entry_of};
use super::prices::Prices;
use crate::error::Error;
use crate::model::GenerationRequest;

/// A view of the common ledger, or a ledger of its own while it is not shared.
pub(crate) struct SharedView {
    ledger: Ledger,
    process: u64,
    /// `None` while the ledger is not shared.
    link: Option<Link>,
}

/// How a create is reserved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reserve {
    /// It counts.
    Now(EntryNumber),
    /// The next commit decides.
    AtCommit(EntryNumber),
}

pub(crate) use self::link::{BEGINNING, Commit};

/// The decision on a create.
pub(crate) type Decision = (EntryNumber, Result<(), Error>);

impl SharedView {
    /// A ledger that is not shared, of a process with this number. It must be unique among the
    /// processes that may share the ledger.
    pub(crate) fn new(process: u64) -> Self {
        Self { ledger: Ledger::new(process), process, link: None }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Changes the ledger.
    pub(crate) fn change<T>(&mut self, function: impl FnOnce(&mut Ledger) -> T) -> T {
        let result = function(&mut self.ledger);
        if let Some(link) = &mut self.link {
            link.on_changed(&mut self.ledger);
        }
        result
    }

    /// Reserves the cost of a create that is about to be sent at this time, in seconds since 1970.
    ///
    /// # Errors
    /// [`ErrorKind::SpendLimit`](crate::ErrorKind::SpendLimit) if it may not be sent.
    pub(crate) fn reserve(
        &mut self,
        prices: &Prices,
        request: &GenerationRequest,
        limit: Option<Decimal>,
        at: u64,
    ) -> Result<Reserve, Error> {
        check_maximum(prices, request)?;
        let entry = entry_of(prices, request, limit);
        if let Some(limit) = limit {
            match &mut self.link {
                Some(link) if link.is_reachable && !link.awaits_others => {
                    let number = self.ledger.number();
                    link.requests.push(Request { number, entry, at, limit, was_prepared: false });
                    return Ok(Reserve::AtCommit(number));
                }
                Some(link) => link.check_share(&self.ledger, &entry, limit)?,
                None => self.ledger.facts.totals().check_limit(entry.reserved, limit)?,
            }
        }
        let number = self.ledger.number();
        self.change(|ledger| ledger.open(number, entry, at));
        Ok(Reserve::Now(number))
    }

    /// Decides on a create by what this process knows. `None` if it was decided already.
    pub(crate) fn decide(&mut self, number: EntryNumber) -> Option<Result<(), Error>> {
        let link = self.link.as_mut()?;
        let request = link.take_request(number)?;
        let checked = link.check_share(&self.ledger, &request.entry, request.limit);
        match &checked {
            Ok(()) => self.change(|ledger| ledger.open(number, request.entry, request.at)),
            Err(_) => self.withdraw(&request),
        }
        Some(checked)
    }

    /// The create is not sent, was not processed, or its generation was not charged.
    pub(crate) fn release(&mut self, number: EntryNumber) {
        match self.link.as_mut().and_then(|link| link.take_request(number)) {
            Some(request) => self.withdraw(&request),
            None => self.change(|ledger| ledger.release(number)),
        }
    }

    /// Shares the ledger from now on.
    pub(crate) fn share(&mut self) {
        if self.link.is_some() {
            return;
        }
        let mut link = Link::new();
        link.folded = self.ledger.facts.folded().totals;
        self.ledger.changed =
            Some(self.ledger.facts.iter().map(|(_, key, _)| (key.clone(), false)).collect());
        link.on_changed(&mut self.ledger);
        self.link = Some(link);
    }

    /// The number of processes that share the ledger, this one included, and whether some of them are
    /// not back yet after a loss of the store: it lacks what they have spent in the meantime.
    pub(crate) fn set_peers(&mut self, peers: usize, awaits_others: bool) {
        if let Some(link) = &mut self.link {
            link.peers = peers.max(1);
            // Now it is known what remains.
            link.must_read |= link.awaits_others && !awaits_others;
            link.awaits_others = awaits_others;
        }
    }

    /// The store can be reached, or not. Without it, returns decisions on the creates that wait.
    pub(crate) fn set_reachable(&mut self, is_reachable: bool) -> Vec<Decision> {
        let Some(link) = &mut self.link else { return Vec::new() };
        link.is_reachable = is_reachable;
        if is_reachable {
            link.must_read = true;
            return Vec::new();
        }
        let waiting: Vec<_> = link.requests.iter().map(|request| request.number).collect();
        waiting.into_iter().filter_map(|number| Some((number, self.decide(number)?))).collect()
    }

    /// Whether the link has to read the document, and to commit.
    pub(crate) fn needs_commit(&self) -> bool {
        self.link.as_ref().is_some_and(Link::needs_commit)
    }

    /// Prepares a commit on the document that is stored, at this time in seconds since 1970. The
    /// decisions are on creates that were waiting for a write of which the reply was lost.
    ///
    /// A document that is none is replaced. `None` if a later release has written it: it is to be left
    /// alone, and counts as a store that cannot be reached.
    pub(crate) fn prepare(
        &mut self,
        stored: Option<&[u8]>,
        now: u64,
    ) -> Option<(Commit, Vec<Decision>)> {
        let expected = stored.map(|stored| stored[..stored.len().min(BEGINNING)].to_owned());
        let expected = expected.unwrap_or_default();
        let stored = match stored.map(Stored::read) {
            Some(Ok(stored)) => Some(stored),
            Some(Err(Unusable::Later)) => return None,
            None | Some(Err(Unusable::Unreadable)) => None,
        };
        let Self { ledger, process, link } = self;
        let link = link.as_mut()?;
        let (is_complete, admitted) = match stored {
            Some(stored) => link.adopt(ledger, *process, stored),
            // What was stored is lost.
            None => (link.marks.is_empty(), Vec::new()),
        };
        Some((link.commit(ledger, *process, expected, is_complete, now), admitted))
    }

    /// The commit was done: its document was written, if it has one. Returns the decisions.
    pub(crate) fn on_committed(&mut self, commit: Commit) -> Vec<Decision> {
        let Self { ledger, process, link } = self;
        let Some(link) = link else { return Vec::new() };
        link.must_read = false;
        let mut decisions = Vec::new();
        if commit.document.is_some() {
            decisions = link.on_document(ledger, *process, commit.stored);
        }
        for (number, refused) in commit.refused {
            // One that was decided otherwise in the meantime waits no longer.
            if let Some(request) = self.link.as_mut().and_then(|link| link.take_request(number)) {
                self.withdraw(&request);
                decisions.push((number, refused));
            }
        }
        decisions
    }

    /// Another process has written this document. Returns decisions on creates that were waiting for a
    /// write of which the reply was lost.
    pub(crate) fn on_stored(&mut self, document: &[u8]) -> Vec<Decision> {
        let Self { ledger, process, link } = self;
        let Some(link) = link else { return Vec::new() };
        match Stored::read(document) {
            Ok(stored) => link.on_document(ledger, *process, stored),
            Err(_) => {
                link.must_read = true;
                Vec::new()
            }
        }
    }

    /// A create that waited is not sent.
    fn withdraw(&mut self, request: &Request) {
        if request.was_prepared {
            // A document that admits it may have been written, or be written yet.
            self.change(|ledger| ledger.resolve(request.number, None));
        }
    }
}
