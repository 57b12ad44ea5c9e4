//! What the lines of a journal say together: for each request its last state.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::time::SystemTime;

use rust_decimal::Decimal;

use super::record::{BadLine, CreateError, Download, Fact, Hash, Header, Record};
use crate::error::{Error, ErrorKind, Redactor};
use crate::model::Status;

/// Where a line is in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// What a journal says about one request.
///
/// Journals may have a million lines, so what is long and seldom needed stays in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// `None` once the generation has finished: then the line that says so has it.
    pub(crate) key: Option<Box<str>>,
    /// The hash of the request's JSON, and the following fields, are those of the last attempt.
    pub(crate) request: Option<Hash>,
    pub(crate) model: Arc<str>,
    /// 0, if no create is recorded.
    pub(crate) attempt: u32,
    pub(crate) sent_at: Option<SystemTime>,
    pub(crate) state: State,
    pub(crate) download: Option<Box<Download>>,
    /// The generations of all attempts. The last one is that of a created or finished entry.
    pub(crate) ids: Vec<String>,
    /// What earlier attempts have cost, as far as it is known.
    pub(crate) earlier_cost: Decimal,
    /// The number of entries with keys that appeared before.
    pub(super) position: usize,
}

/// How far a request has come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// The create may have been sent. What it made is not known, and if `is_given_up`, a run has
    /// already tried to find out.
    Sending { is_given_up: bool },
    /// The create made nothing. With an error it was given up.
    NotCreated(Option<Box<CreateError>>),
    /// The generation has not finished, as far as the journal knows.
    Created,
    /// The snapshot is in the line at `span`.
    Finished { is_failed: bool, cost: Option<Decimal>, span: Span },
}

impl Entry {
    fn new(position: usize, model: Arc<str>) -> Self {
        Self {
            key: None,
            request: None,
            model,
            attempt: 0,
            sent_at: None,
            state: State::NotCreated(None),
            download: None,
            ids: Vec::new(),
            earlier_cost: Decimal::ZERO,
            position,
        }
    }

    /// The id of the generation that was created or has finished.
    pub(crate) fn id(&self) -> Option<&str> {
        match self.state {
            State::Created | State::Finished { .. } => self.ids.last().map(String::as_str),
            State::Sending { .. } | State::NotCreated(_) => None,
        }
    }

    /// How many creates have made a generation, or may have.
    pub(crate) fn attempts(&self) -> u32 {
        match self.state {
            State::NotCreated(_) => self.attempt.saturating_sub(1),
            _ => self.attempt,
        }
    }

    /// Rejects a request that is not the one that the journal knows under its key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`]
    pub(crate) fn check_request(&self, key: &str, request: Hash) -> Result<(), Error> {
        if self.request.is_none_or(|known| known == request) {
            return Ok(());
        }
        // A key is a text of the caller, who may have made it of the prompt.
        let name = Redactor::default().identifier(key);
        let name = name.map(|key| format!(" {key:?}")).unwrap_or_default();
        let message = format!(
            "the request with the key{name} is not the one that the journal has under this key. \
             To make this one too, give it another key; to start anew, choose another journal."
        );
        Err(Error::new(ErrorKind::InvalidRequest, message))
    }

    fn set_current(&mut self, id: String) {
        self.ids.retain(|known| *known != id);
        self.ids.push(id);
    }

    /// Adds the cost of an attempt that another one follows.
    fn supersede(&mut self) {
        if let State::Finished { cost: Some(cost), .. } = self.state {
            let sum = self.earlier_cost.checked_add(cost);
            self.earlier_cost = sum.unwrap_or(Decimal::MAX);
        }
    }

    /// Takes a fact of a line at `span` in, except for what it says of the model.
    fn apply(&mut self, fact: Fact, span: Span) {
        match fact {
            Fact::Sending { request, attempt, at, .. } => {
                self.supersede();
                self.state = State::Sending { is_given_up: false };
                self.download = None;
                (self.request, self.attempt, self.sent_at) = (Some(request), attempt, Some(at));
            }
            // An id that was received stays, whatever comes after it.
            Fact::NotCreated { error } => {
                if matches!(self.state, State::Sending { .. } | State::NotCreated(_)) {
                    self.state = State::NotCreated(error.map(Box::new));
                }
            }
            Fact::Created { id } => {
                let is_finished = matches!(self.state, State::Finished { .. });
                if !(is_finished && self.ids.contains(&id)) {
                    self.supersede();
                    self.state = State::Created;
                    self.set_current(id);
                }
            }
            Fact::Finished { generation, .. } => {
                if self.id() != Some(&generation.id) {
                    self.supersede();
                }
                self.state = State::Finished {
                    is_failed: generation.status == Status::Failed,
                    cost: generation.usage.as_ref().and_then(|usage| usage.cost_usd),
                    span,
                };
                self.set_current(generation.id);
            }
            Fact::Downloaded(download) => self.download = Some(Box::new(download)),
            Fact::Uncertain => {
                if let State::Sending { is_given_up } = &mut self.state {
                    *is_given_up = true;
                }
            }
        }
    }
}

/// What a journal says about each request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Replay {
    /// By the hashes of the keys.
    entries: HashMap<u128, Entry>,
    /// The hashes of all ids of generations.
    claimed: HashSet<u128>,
    /// Each text once: a batch has few models.
    models: HashSet<Arc<str>>,
    keys: usize,
}

impl Replay {
    /// Takes the entry of a key out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(&Hash::short(key))
    }

    /// Whether there is an entry of a key that was not taken.
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(&Hash::short(key))
    }

    /// The entries that were not taken, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Takes the entries with a generation that has not finished out.
    pub(crate) fn take_created(&mut self) -> Vec<Entry> {
        let created = |_: &u128, entry: &mut Entry| matches!(entry.state, State::Created);
        self.entries.extract_if(created).map(|(_, entry)| entry).collect()
    }

    /// Gives an entry with an unknown outcome, which may have been taken, its generation.
    pub(crate) fn adopt(&mut self, key: &str, id: &str) {
        self.claim(id);
        if let Some(entry) = self.entries.get_mut(&Hash::short(key)) {
            entry.state = State::Created;
            entry.set_current(id.to_owned());
        }
    }

    /// Whether a generation belongs to any entry, also to one that was taken.
    pub(crate) fn claims(&self, id: &str) -> bool {
        self.claimed.contains(&Hash::short(id))
    }

    /// Adds a generation to those that belong to an entry.
    pub(crate) fn claim(&mut self, id: &str) {
        self.claimed.insert(Hash::short(id));
    }

    /// The entries in the order in which their keys first appear.
    pub(super) fn into_ordered(self) -> Vec<Entry> {
        let mut entries: Vec<_> = self.entries.into_values().collect();
        entries.sort_unstable_by_key(|entry| entry.position);
        entries
    }

    /// Takes in a record, which is in the line at `span`.
    pub(super) fn apply(&mut self, Record { key, fact }: Record, span: Span) {
        match &fact {
            Fact::Created { id } => self.claim(id),
            Fact::Finished { generation, .. } => self.claim(&generation.id),
            _ => {}
        }
        let model = match &fact {
            Fact::Sending { model, .. } => Some(self.model(model)),
            _ => None,
        };
        let unknown = self.model("");
        let entry = self.entries.entry(Hash::short(&key)).or_insert_with(|| {
            let position = self.keys;
            self.keys = position.saturating_add(1);
            Entry::new(position, unknown)
        });
        entry.apply(fact, span);
        entry.model = model.unwrap_or(entry.model.clone());
        let is_finished = matches!(entry.state, State::Finished { .. });
        entry.key = (!is_finished).then(|| key.into());
    }

    fn model(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.models.get(name) {
            return known.clone();
        }
        let model: Arc<str> = name.into();
        self.models.insert(model.clone());
        model
    }
}

/// What was read of a journal.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Scan {
    /// `None` if the journal is new: empty, or with only the beginning of a header.
    pub(super) header: Option<Header>,
    pub(crate) replay: Replay,
    /// The length up to the end of the last good line. What follows is torn.
    pub(super) length: u64,
}

/// Why a file cannot be used as a journal.
#[derive(Debug)]
pub(crate) enum Failure {
    Unreadable(io::Error),
    NotAJournal,
    OtherVersion(u64),
    /// The line is no fact, and good ones follow it; or it is JSON, which no crash leaves.
    Damaged {
        line: u64,
    },
    /// The line has a fact of a newer version.
    Newer {
        line: u64,
    },
    /// A line is not what it was when the journal was opened.
    Changed,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// The longest header that is read: a base URL and a key of the caller. A large file that is no
/// journal may have no line break in it.
const MAX_HEADER: u64 = 1 << 20;

/// Reads a journal. A torn end is skipped.
pub(crate) fn scan(mut journal: impl BufRead) -> Result<Scan, Failure> {
    let mut line = Vec::new();
    (&mut journal).take(MAX_HEADER).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        let is_new = journal.fill_buf()?.is_empty() && Header::is_torn(&line);
        return if is_new { Ok(Scan::default()) } else { Err(Failure::NotAJournal) };
    }
    let header = Some(Header::parse(&line)?);
    let mut scan = Scan { header, length: size(&line), ..Scan::default() };
    // The number of the first bad line. All lines after it have to be torn too.
    let mut torn = None;
    for number in 2.. {
        line.clear();
        if journal.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        // The end of the file. If a run is writing it, the rest of this line may be there by now.
        if !line.ends_with(b"\n") {
            break;
        }
        match (Record::decode(&line), torn) {
            (Err(BadLine::Torn), _) => torn = torn.or(Some(number)),
            (_, Some(line)) => return Err(Failure::Damaged { line }),
            (Err(BadLine::Invalid), None) => return Err(Failure::Damaged { line: number }),
            (Err(BadLine::Newer), None) => return Err(Failure::Newer { line: number }),
            (Ok(record), None) => {
                let span = Span { offset: scan.length, length: size(&line) };
                scan.length = scan.length.saturating_add(span.length);
                scan.replay.apply(record, span);
            }
        }
    }
    Ok(scan)
}

fn size(line: &[u8]) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}
