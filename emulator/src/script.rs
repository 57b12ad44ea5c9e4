//! What a test says about generations: their script by polls, a new one, an end by hand.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one poll of a scripted generation shows: a status, or members that replace those of the
/// ordinary answer (an object with `status` moves the generation there as well).
///
/// ```
/// use pipevideo_emulator::PollStep;
///
/// let script: Vec<PollStep> = serde_json::from_str(
///     r#"["queued", {"status": "in_progress", "progress": 0.4}, "completed"]"#,
/// ).unwrap();
/// assert_eq!(script[0], PollStep::from("queued"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PollStep {
    /// The ordinary answer in this status. One that the service does not have is shown as it is.
    Status(String),
    /// The ordinary answer with these members in place of its own.
    Answer(Map<String, Value>),
}

impl PollStep {
    pub(crate) fn status(&self) -> Option<&str> {
        match self {
            Self::Status(status) => Some(status),
            Self::Answer(members) => members.get("status")?.as_str(),
        }
    }

    /// The members that replace the ordinary ones.
    pub(crate) fn members(&self) -> Map<String, Value> {
        match self {
            Self::Status(status) => Map::from_iter([("status".to_owned(), status.as_str().into())]),
            Self::Answer(members) => members.clone(),
        }
    }
}

impl From<&str> for PollStep {
    fn from(status: &str) -> Self {
        Self::Status(status.to_owned())
    }
}

/// A generation that exists without having been asked for over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewGeneration {
    /// Its id; made up if there is none.
    pub id: Option<String>,
    /// What its polls show. None: the [`Options`](crate::Options) say.
    pub polls: Option<Vec<PollStep>>,
    /// The orchestration model; the catalogue's first if there is none.
    pub model: Option<String>,
    /// The engine; `hyperframes` if there is none.
    pub engine: Option<String>,
}

/// Where a generation is moved by hand.
///
/// It stays there: neither time nor a script moves it from then on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// `queued`, `in_progress`, `completed`, `failed`, or any other text.
    pub status: String,
    /// Why it `failed`; a failure of the render if nothing is said.
    #[serde(default)]
    pub error: Option<GenerationError>,
    /// The tokens it took. None: what the seed says.
    #[serde(default)]
    pub usage: Option<Tokens>,
}

impl Settlement {
    /// The generation has its video.
    pub fn completed() -> Self {
        Self { status: "completed".to_owned(), ..Self::default() }
    }

    /// The generation has failed.
    pub fn failed(code: &str, message: &str) -> Self {
        let error = GenerationError { code: code.to_owned(), message: message.to_owned() };
        Self { status: "failed".to_owned(), error: Some(error), usage: None }
    }
}

/// Why a generation failed, as its answer shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What the orchestration model read and wrote; the bill follows from it and the model's rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// The emulator cannot do what it was asked for: no such generation, an id that is taken, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub(crate) String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}
