//! One generation: its status, what changes it, and its response. Pure: time is an argument.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::catalogue::{Engine, Model, Provider};
use super::course::Course;
use super::ledger::{Ledger, Money};
use crate::control::{GenerationError, PollStep, Settlement};
use crate::http::encoded;
use crate::videos::Canvas;

/// The stage of a generation. It is charged between `Orchestrating` and `Rendering`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Queued,
    Orchestrating,
    Rendering,
    Completed,
    Failed,
}

impl Stage {
    fn status(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Orchestrating | Self::Rendering => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// What moves a generation from stage to stage.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Time, by the generation's course.
    Timed,
    /// Its polls. Each returns the next step, and the last step repeats.
    ByPolls { steps: Vec<PollStep>, next: usize },
    /// Nothing: a test has set the status.
    Settled,
}

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: String,
    pub(crate) model: &'static Model,
    pub(crate) engine: &'static Engine,
    pub(crate) provider: &'static Provider,
    /// What the request asks for. None: the service's default.
    pub(crate) canvas: Option<Canvas>,
    /// The beginning of its prompt. None: it was added without a create request.
    pub(crate) prompt: Option<String>,
    /// When it was created, in real time since the Unix epoch.
    pub(crate) created: Duration,
    /// When it was created, in the time by which generations progress.
    pub(crate) started: Duration,
    /// When it ended, in real time. If time was advanced, the end may still be to come.
    pub(crate) ended: Option<Duration>,
    pub(crate) stage: Stage,
    pub(crate) charged: Option<Money>,
    pub(crate) course: Course,
    pub(crate) progress: Progress,
    pub(crate) error: Option<GenerationError>,
    /// Members of the response that poll steps or a settlement have replaced.
    pub(crate) overrides: Map<String, Value>,
}

impl Generation {
    /// When time moves the generation to the next stage, in the time by which generations progress.
    pub(crate) fn next_move(&self) -> Option<Duration> {
        let Progress::Timed = self.progress else {
            return None;
        };
        let after = match self.stage {
            Stage::Queued => self.course.orchestration_starts(),
            Stage::Orchestrating => self.course.orchestration_ends(),
            Stage::Rendering => self.course.duration,
            Stage::Completed | Stage::Failed => return None,
        };
        Some(self.started.saturating_add(after))
    }

    /// When time ends the generation, unless it has ended, in the time by which generations progress.
    pub(crate) fn end_of_course(&self) -> Option<Duration> {
        self.next_move().map(|_| self.started.saturating_add(self.course.duration))
    }

    /// The path of its video.
    pub(crate) fn path(&self) -> String {
        format!("/videos/{}.{}", encoded(&self.id), self.engine.output)
    }

    /// Moves the generation on by one stage, because its time `due` has come.
    pub(crate) fn tick(&mut self, due: Duration, ledger: &mut Ledger) {
        let at = self.created.saturating_add(due.saturating_sub(self.started));
        let failure = self.course.failure.clone();
        match (self.stage, failure) {
            (Stage::Queued, _) => self.stage = Stage::Orchestrating,
            (Stage::Orchestrating, Some(failure)) if !failure.charged => {
                self.fail(failure.error, at)
            }
            (Stage::Orchestrating, _) if self.charge(ledger) => self.stage = Stage::Rendering,
            (Stage::Orchestrating, _) => self.fail(insufficient_credits(), at),
            (Stage::Rendering, Some(failure)) => self.fail(failure.error, at),
            (Stage::Rendering, None) => self.end(Stage::Completed, at),
            (Stage::Completed | Stage::Failed, _) => {}
        }
    }

    /// Takes the next poll step, if polls move the generation.
    pub(crate) fn poll(&mut self, at: Duration, ledger: &mut Ledger) {
        let Progress::ByPolls { steps, next } = &mut self.progress else {
            return;
        };
        let Some(step) = steps.get(*next).or(steps.last()).cloned() else {
            return;
        };
        *next = next.saturating_add(1);
        self.overrides = step.members();
        if let Some(status) = step.status() {
            self.move_to(status, at, ledger);
        }
    }

    /// Sets the status, which nothing changes afterwards.
    pub(crate) fn settle(&mut self, settlement: Settlement, at: Duration, ledger: &mut Ledger) {
        self.progress = Progress::Settled;
        self.overrides = Map::from_iter([("status".to_owned(), settlement.status.as_str().into())]);
        if let Some(tokens) = settlement.usage.filter(|_| self.charged.is_none()) {
            self.course.tokens = tokens;
            self.force_charge(ledger);
        }
        self.move_to(&settlement.status, at, ledger);
        if settlement.error.is_some() {
            self.error = settlement.error;
        }
    }

    /// Moves to the stage of a status, forwards or back. An unknown status does not change the stage.
    fn move_to(&mut self, status: &str, at: Duration, ledger: &mut Ledger) {
        match status {
            "queued" => self.go_back(Stage::Queued),
            "in_progress" if self.charged.is_some() => self.go_back(Stage::Rendering),
            "in_progress" => self.go_back(Stage::Orchestrating),
            "completed" => {
                self.force_charge(ledger);
                self.end(Stage::Completed, at);
            }
            "failed" => {
                if self.stage != Stage::Queued {
                    self.force_charge(ledger);
                }
                self.fail(self.error.clone().unwrap_or_else(render_failed), at);
            }
            _ => {}
        }
    }

    fn go_back(&mut self, stage: Stage) {
        self.stage = stage;
        self.ended = None;
        self.error = None;
    }

    fn fail(&mut self, error: GenerationError, at: Duration) {
        self.error = Some(error);
        self.end(Stage::Failed, at);
    }

    fn end(&mut self, stage: Stage, at: Duration) {
        self.stage = stage;
        self.ended.get_or_insert(at);
    }

    fn charge(&mut self, ledger: &mut Ledger) -> bool {
        let cost = self.model.cost(self.course.tokens);
        let paid = ledger.charge(cost);
        if paid {
            self.charged = Some(cost);
        }
        paid
    }

    fn force_charge(&mut self, ledger: &mut Ledger) {
        if self.charged.is_none() {
            let cost = self.model.cost(self.course.tokens);
            ledger.force_charge(cost);
            self.charged = Some(cost);
        }
    }

    /// The status in the last response.
    pub(crate) fn status(&self) -> &str {
        self.overrides.get("status").and_then(Value::as_str).unwrap_or(self.stage.status())
    }

    pub(crate) fn latency_ms(&self) -> Option<u64> {
        let latency = self.ended?.saturating_sub(self.created);
        u64::try_from(latency.as_millis()).ok()
    }

    /// The response of `GET /v1/responses/{id}`. `sign` makes the signed URL of the video.
    pub(crate) fn response(&self, sign: impl FnOnce() -> String) -> Map<String, Value> {
        let completed = self.stage == Stage::Completed;
        let mut response = members(json!({
            "id": self.id,
            "object": "response",
            "status": self.stage.status(),
            "model": self.model.id,
            "engine": self.engine.id,
            "provider": self.provider.id,
            "created_at": self.created.as_secs(),
            "output": [self.message()],
            "output_video_url": completed.then(sign),
        }));
        if let Some(cost) = self.charged {
            response.insert("usage".to_owned(), self.usage(cost));
        }
        if let (Stage::Failed, Some(error)) = (self.stage, &self.error) {
            response.insert("error".to_owned(), json!(error));
        }
        if completed {
            response.insert("latency_ms".to_owned(), json!(self.latency_ms()));
        }
        response.extend(self.overrides.clone());
        response
    }

    fn message(&self) -> Value {
        let (status, content) = match self.stage {
            Stage::Completed => (
                "completed",
                json!([
                    { "type": "output_text", "text": "The video is ready.", "annotations": [] }
                ]),
            ),
            Stage::Failed => ("incomplete", json!([])),
            _ => ("in_progress", json!([])),
        };
        json!({
            "type": "message",
            "id": format!("{}_msg", self.id),
            "role": "assistant",
            "status": status,
            "content": content,
        })
    }

    fn usage(&self, cost: Money) -> Value {
        let tokens = self.course.tokens;
        json!({
            "input_tokens": tokens.input_tokens,
            "output_tokens": tokens.output_tokens,
            "total_tokens": tokens.input_tokens.saturating_add(tokens.output_tokens),
            "cost_usd": cost.as_usd(),
        })
    }
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn insufficient_credits() -> GenerationError {
    GenerationError {
        code: "insufficient_credits".to_owned(),
        message: "Insufficient credits to pay for this generation".to_owned(),
    }
}

fn render_failed() -> GenerationError {
    GenerationError {
        code: "provider_error".to_owned(),
        message: "The render pipeline failed".to_owned(),
    }
}
