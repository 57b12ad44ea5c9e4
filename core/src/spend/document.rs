//! The document in which the processes of a key keep their common ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::amounts::{Amount, Totals};
use super::fact::{Fact, Key};
use super::facts::{Facts, Folded};

/// What a document says.
#[derive(Clone, Default)]
pub(super) struct Stored {
    /// A text that is different for each write, also after the store has lost its data.
    pub(super) revision: String,
    /// Higher with each write.
    pub(super) version: u64,
    pub(super) marks: Marks,
    pub(super) facts: Facts,
}

/// The last write of each process, so that it is known whether a document has what another one has,
/// and whether a write without a reply was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Marks {
    /// By the number of the process.
    of: BTreeMap<u64, Mark>,
    /// The highest version of a mark that was dropped.
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    /// The number of the write among those of the process, and the version that it has made.
    write: u64,
    version: u64,
}

/// A key allows 100 requests a minute, which is few for a hundred processes. A mark that is dropped
/// costs little: if that process has lost the reply to its last write, it repeats the write.
const MAX_MARKS: usize = 100;

impl Marks {
    /// The number of the last write of a process; zero if there is none.
    pub(super) fn last_of(&self, process: u64) -> u64 {
        self.of.get(&process).map_or(0, |mark| mark.write)
    }

    pub(super) fn set(&mut self, process: u64, write: u64, version: u64) {
        self.of.insert(process, Mark { write, version });
        while self.of.len() > MAX_MARKS
            && let Some((oldest, mark)) = self.of.iter().min_by_key(|(_, mark)| mark.version)
        {
            self.dropped = self.dropped.max(mark.version);
            let oldest = *oldest;
            self.of.remove(&oldest);
        }
    }

    /// Whether a document with these marks has all writes of one with those.
    pub(super) fn include(&self, others: &Self) -> bool {
        others.of.iter().all(|(process, other)| match self.of.get(process) {
            Some(mark) => mark.write >= other.write,
            None => other.version <= self.dropped,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The later ones of both.
    pub(super) fn join(&mut self, others: &Self) {
        self.dropped = self.dropped.max(others.dropped);
        for (process, other) in &others.of {
            if other.write > self.last_of(*process) {
                self.set(*process, other.write, other.version);
            }
        }
    }
}

/// Why a document cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unusable {
    /// It is none.
    Unreadable,
    /// A later release of this library has written it.
    Later,
}

/// The format of a document. Raise it with each change that an earlier release cannot read.
const FORMAT: u32 = 1;

/// The stored form. Its beginning tells it from others, so the revision comes first.
#[derive(Serialize, Deserialize)]
struct Document<F> {
    format: u32,
    revision: String,
    version: u64,
    marks: Vec<(u64, u64, u64)>,
    marks_dropped: u64,
    folded: FoldedForm,
    next: u64,
    facts: Vec<F>,
}

#[derive(Serialize, Deserialize)]
struct FoldedForm {
    through: u64,
    spent: rust_decimal::Decimal,
    failed_but_charged: rust_decimal::Decimal,
    uncertain: Amount,
}

#[derive(Deserialize)]
struct Header {
    format: u32,
}

impl Stored {
    /// Reads a document.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn read(json: &[u8]) -> Result<Self, Unusable> {
        let header: Header = serde_json::from_slice(json).map_err(|_| Unusable::Unreadable)?;
        if header.format > FORMAT {
            return Err(Unusable::Later);
        }
        let document: Document<(u64, Key, Fact)> =
            serde_json::from_slice(json).map_err(|_| Unusable::Unreadable)?;
        let marks = document.marks.into_iter();
        let marks = marks.map(|(process, write, version)| (process, Mark { write, version }));
        let FoldedForm { through, spent, failed_but_charged, uncertain } = document.folded;
        let totals = Totals { spent, failed_but_charged, uncertain, ..Totals::default() };
        Ok(Self {
            revision: document.revision,
            version: document.version,
            marks: Marks { of: marks.collect(), dropped: document.marks_dropped },
            facts: Facts::of(document.facts, document.next, Folded { totals, through }),
        })
    }

    /// Writes the document.
    pub(super) fn write(&self) -> Vec<u8> {
        let Folded { totals, through } = self.facts.folded();
        let Totals { spent, failed_but_charged, uncertain, .. } = totals;
        let marks = self.marks.of.iter();
        let document = Document {
            format: FORMAT,
            revision: self.revision.clone(),
            version: self.version,
            marks: marks.map(|(process, mark)| (*process, mark.write, mark.version)).collect(),
            marks_dropped: self.marks.dropped,
            folded: FoldedForm { through, spent, failed_but_charged, uncertain },
            next: self.facts.next(),
            facts: self.facts.iter().collect(),
        };
        // Nothing in it can fail to be written.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}
