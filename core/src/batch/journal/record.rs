//! The lines of a journal: the header, and after it one fact on each line.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::replay::Failure;
use crate::error::{Error, ErrorKind, Redactor};
use crate::model::{FailureCategory, Generation, Status, fields};

/// The version of the format. Fields may be added to it, and facts may not: a version that ignored
/// one would continue with a wrong state.
const VERSION: u64 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    #[serde(rename = "pipevideo_journal")]
    version: u64,
    pub(super) base_url: String,
    /// The key of the first request.
    pub(super) first: String,
    /// In Unix seconds.
    pub(super) created_at: u64,
}

impl Header {
    pub(super) fn new(base_url: &str, first: &str, created_at: SystemTime) -> Self {
        let created_at = millis(created_at) / 1000;
        Self { version: VERSION, base_url: base_url.into(), first: first.into(), created_at }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(super) fn parse(line: &[u8]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Version {
            pipevideo_journal: u64,
        }

        match serde_json::from_slice(line) {
            Ok(Version { pipevideo_journal: VERSION }) => {
                serde_json::from_slice(line).map_err(|_| Failure::NotAJournal)
            }
            Ok(Version { pipevideo_journal }) => Err(Failure::OtherVersion(pipevideo_journal)),
            Err(_) => Err(Failure::NotAJournal),
        }
    }

    /// Whether this is the beginning of a header that was being written when its process ended or the
    /// machine lost power.
    pub(super) fn is_torn(line: &[u8]) -> bool {
        const START: &[u8] = br#"{"pipevideo_journal":1,"base_url":"#;
        let nuls = line.iter().rev().take_while(|byte| **byte == 0).count();
        let written = &line[..line.len().saturating_sub(nuls)];
        START.starts_with(written) || written.starts_with(START)
    }
}

/// What a line says about one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    /// The create is about to be sent: synced before that.
    Sending {
        /// Of the request's JSON.
        request: Hash,
        model: String,
        /// 1, 2 …: a higher one pays again, knowingly.
        attempt: u32,
        /// By this machine's clock.
        at: SystemTime,
        body: Option<Body>,
    },
    /// The create of this attempt certainly made nothing. With an error it was given up.
    NotCreated { error: Option<CreateError> },
    /// The service responded with this id.
    Created { id: String },
    /// The final snapshot.
    Finished {
        generation: Box<Generation>,
        /// Of a failure. The snapshot may lack the message that says it.
        category: Option<FailureCategory>,
    },
    /// The video is on the disk.
    Downloaded(Download),
    /// The run has given up on finding out what the create made.
    Uncertain,
}

impl Fact {
    /// The create with this JSON is about to be sent. The JSON is kept only if prompts are.
    pub(crate) fn sending(
        request: &[u8],
        model: &str,
        attempt: u32,
        at: SystemTime,
        keep_prompts: bool,
    ) -> Self {
        let body = if keep_prompts { Body::new(request) } else { None };
        Self::Sending { request: Hash::of(request), model: model.into(), attempt, at, body }
    }

    /// The final snapshot. Unless prompts are kept, it is without everything that may quote one.
    pub(crate) fn finished(mut generation: Generation, keep_prompts: bool) -> Self {
        let category = match (&generation.status, &generation.error) {
            (Status::Failed, Some(error)) => Some(error.category()),
            (Status::Failed, None) => Some(FailureCategory::Other),
            _ => None,
        };
        if !keep_prompts {
            remove_prompts(&mut generation);
        }
        Self::Finished { generation: Box::new(generation), category }
    }

    /// The create was given up with this error, and certainly made nothing.
    pub(crate) fn given_up(error: &Error) -> Self {
        Self::NotCreated {
            error: Some(CreateError {
                kind: error.kind(),
                message: error.message().to_owned(),
                status: error.status(),
            }),
        }
    }
}

fn remove_prompts(generation: &mut Generation) {
    generation.output = None;
    generation.extra.clear();
    if let Some(usage) = &mut generation.usage {
        usage.extra.clear();
    }
    if let Some(error) = &mut generation.error {
        error.message = None;
        error.extra.clear();
        // A code is a word; a sentence in its place may quote the prompt.
        let code = error.code.take();
        error.code = code.filter(|code| Redactor::default().identifier(code).is_some());
    }
}

/// A video on the disk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Download {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: Hash,
}

/// The error with which a create was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CreateError {
    #[serde(with = "kind")]
    pub(crate) kind: ErrorKind,
    /// This library's text, which is safe to log.
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
}

/// A SHA-256, in hexadecimal digits on the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) [u8; 32]);

impl Hash {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first half, for a map: also keys that are made to collide do not.
    pub(crate) fn short(text: &str) -> u128 {
        let Self(hash) = Self::of(text.as_bytes());
        hash.iter().take(16).fold(0, |short, byte| short << 8 | u128::from(*byte))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut hash = [0; 32];
        if pairs.len() != hash.len() || !rest.is_empty() {
            return Err(D::Error::custom("not a SHA-256"));
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let value = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low);
            let value = value.and_then(|value| u8::try_from(value).ok());
            *byte = value.ok_or_else(|| D::Error::custom("not hexadecimal"))?;
        }
        Ok(Self(hash))
    }
}

/// The JSON of a request. `Debug` does not show it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Body(Box<RawValue>);

impl Body {
    fn new(json: &[u8]) -> Option<Self> {
        // Within JSON's texts line breaks are escaped; between its values they are spaces.
        let text = std::str::from_utf8(json).ok()?.replace(['\n', '\r'], " ");
        RawValue::from_string(text).ok().map(Self)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.get().len())
    }
}

/// A line as it is in the file.
#[derive(Default, Serialize, Deserialize)]
struct Line {
    fact: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CreateError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<Box<Generation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Hash>,
}

/// The facts of this version.
const FACTS: [&str; 6] =
    ["sending", "not_created", "created", "finished", "downloaded", "uncertain"];

/// A fact about the request with a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) fact: Fact,
}

/// Why a line has no fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum BadLine {
    /// It is not JSON, or has no end: what a lost process or power leaves.
    Torn,
    /// It is JSON of another shape.
    Invalid,
    /// It has a fact that this version does not know.
    Newer,
}

impl Record {
    pub(super) fn encode(self) -> Vec<u8> {
        encode(&Line::from(self))
    }

    pub(super) fn decode(line: &[u8]) -> Result<Self, BadLine> {
        #[derive(Deserialize)]
        struct Tag {
            fact: String,
        }

        let Some(line) = line.strip_suffix(b"\n") else { return Err(BadLine::Torn) };
        let record = serde_json::from_slice(line).ok().and_then(Line::into_record);
        record.ok_or_else(|| match serde_json::from_slice::<Tag>(line) {
            Ok(Tag { fact }) if !FACTS.contains(&fact.as_str()) => BadLine::Newer,
            Err(_) if serde_json::from_slice::<IgnoredAny>(line).is_err() => BadLine::Torn,
            _ => BadLine::Invalid,
        })
    }
}

impl Line {
    fn into_record(self) -> Option<Record> {
        let fact = match self.fact.as_str() {
            "sending" => Fact::Sending {
                request: self.request?,
                model: self.model?,
                attempt: self.attempt?,
                at: self.at?.0,
                body: self.body,
            },
            "not_created" => Fact::NotCreated { error: self.error },
            "created" => Fact::Created { id: self.id? },
            "finished" => Fact::Finished {
                generation: self.generation.filter(|generation| generation.is_final())?,
                category: self.category.map(|name| category(&name)),
            },
            "downloaded" => Fact::Downloaded(Download {
                path: self.path?,
                bytes: self.bytes?,
                sha256: self.sha256?,
            }),
            "uncertain" => Fact::Uncertain,
            _ => return None,
        };
        Some(Record { key: self.key, fact })
    }
}

impl From<Record> for Line {
    fn from(Record { key, fact }: Record) -> Self {
        let line = |fact: &str| Self { fact: fact.to_owned(), key, ..Self::default() };
        match fact {
            Fact::Sending { request, model, attempt, at, body } => Self {
                request: Some(request),
                model: Some(model),
                attempt: Some(attempt),
                at: Some(Timestamp(at)),
                body,
                ..line("sending")
            },
            Fact::NotCreated { error } => Self { error, ..line("not_created") },
            Fact::Created { id } => Self { id: Some(id), ..line("created") },
            Fact::Finished { generation, category } => Self {
                generation: Some(generation),
                category: category.map(|category| category.as_str().to_owned()),
                ..line("finished")
            },
            Fact::Downloaded(Download { path, bytes, sha256 }) => Self {
                path: Some(path),
                bytes: Some(bytes),
                sha256: Some(sha256),
                ..line("downloaded")
            },
            Fact::Uncertain => line("uncertain"),
        }
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("texts, numbers and JSON are valid JSON");
    line.push(b'\n');
    line
}

/// The category with a name; one of a newer version is another than all of these.
fn category(name: &str) -> FailureCategory {
    use FailureCategory::{InsufficientCredits, InvalidPrompt, Other, Provider, Unavailable};
    let known = [InsufficientCredits, Provider, Unavailable, InvalidPrompt];
    known.into_iter().find(|category| category.as_str() == name).unwrap_or(Other)
}

/// The name of an error's kind.
mod kind {
    use super::*;

    pub(super) fn serialize<S: Serializer>(kind: &ErrorKind, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(kind.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ErrorKind, D::Error> {
        let name = String::deserialize(from)?;
        let kind = ErrorKind::ALL.iter().find(|kind| kind.as_str() == name);
        kind.copied().ok_or_else(|| D::Error::custom("an error of an unknown kind"))
    }
}

/// A time in Unix seconds with milliseconds.
struct Timestamp(SystemTime);

/// The milliseconds since the Unix epoch.
fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(millis(self.0) as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = (f64::deserialize(deserializer)? * 1000.0).round();
        // A cast saturates: what is negative or too late for a time is rejected below.
        let at = (millis >= 0.0).then(|| fields::time(Duration::from_millis(millis as u64)));
        at.flatten().map(Self).ok_or_else(|| D::Error::custom("not a time"))
    }
}
