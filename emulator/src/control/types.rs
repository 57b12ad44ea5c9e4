//! The types with which a test controls generations.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one poll of a generation returns.
///
/// As JSON it is a status, or an object with members that replace those of the regular response. A
/// status also moves the generation there.
///
/// ```
/// use pipevideo_emulator::PollStep;
///
/// let polls: Vec<PollStep> = serde_json::from_str(
///     r#"["queued", {"status": "in_progress", "progress": 0.4}, "completed"]"#,
/// ).unwrap();
/// assert_eq!(polls[0], PollStep::from("queued"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PollStep {
    /// The regular response in this status. A status that the service does not have is returned as it
    /// is.
    Status(String),
    /// The regular response with these members in place of its own.
    Members(Map<String, Value>),
}

impl PollStep {
    pub(crate) fn status(&self) -> Option<&str> {
        match self {
            Self::Status(status) => Some(status),
            Self::Members(members) => members.get("status")?.as_str(),
        }
    }

    /// The members that replace those of the regular response.
    pub(crate) fn members(&self) -> Map<String, Value> {
        match self {
            Self::Status(status) => Map::from_iter([("status".to_owned(), status.as_str().into())]),
            Self::Members(members) => members.clone(),
        }
    }
}

impl From<&str> for PollStep {
    fn from(status: &str) -> Self {
        Self::Status(status.to_owned())
    }
}

/// A generation to be added without a create request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewGeneration {
    /// The id. None: a random one.
    pub id: Option<String>,
    /// What its first, second, … poll returns; the last entry repeats. None: as in
    /// [`Options::polls`](crate::Options::polls).
    pub polls: Option<Vec<PollStep>>,
    /// The orchestration model. None: the first of the catalogue.
    pub model: Option<String>,
    /// The engine. None: `hyperframes`.
    pub engine: Option<String>,
}

/// The status that a generation is set to.
///
/// The generation keeps it: neither time nor polls change it afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// `queued`, `in_progress`, `completed`, `failed`, or a status that the service does not have.
    pub status: String,
    /// Why it `failed`. None: the render failed.
    #[serde(default)]
    pub error: Option<GenerationError>,
    /// The tokens that it used. None: as drawn from the seed.
    #[serde(default)]
    pub usage: Option<Tokens>,
}

impl Settlement {
    /// A completed generation with a video.
    pub fn completed() -> Self {
        Self { status: "completed".to_owned(), ..Self::default() }
    }

    /// A failed generation with this error.
    pub fn failed(code: &str, message: &str) -> Self {
        let error = GenerationError { code: code.to_owned(), message: message.to_owned() };
        Self { status: "failed".to_owned(), error: Some(error), usage: None }
    }
}

/// Why a generation failed, as in its response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationError {
    /// A machine-readable code.
    pub code: String,
    /// A message for people.
    pub message: String,
}

/// The tokens that the orchestration model read and wrote. With the model's rates they make the cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Tokens that the model read.
    pub input_tokens: u64,
    /// Tokens that the model wrote.
    pub output_tokens: u64,
}

/// The emulator cannot do what was requested: the generation does not exist, the id is taken, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError(pub(crate) String);

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ControlError {}
