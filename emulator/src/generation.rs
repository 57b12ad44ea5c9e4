//! One generation: where it stands, what moves it, what its answer looks like. Pure; time is an
//! argument, counted from the Unix epoch.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::catalogue::{Engine, Model, Provider};
use crate::ledger::{Ledger, Money};
use crate::plan::Plan;
use crate::script::{GenerationError, PollStep, Settlement};

/// How far a generation has come. Its orchestration is charged between the second and the third.
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

/// What moves a generation.
#[derive(Debug)]
pub(crate) enum Course {
    Time,
    Polls { steps: Vec<PollStep>, next: usize },
    Hand,
}

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: String,
    pub(crate) model: &'static Model,
    pub(crate) engine: &'static Engine,
    pub(crate) provider: &'static Provider,
    pub(crate) created: Duration,
    pub(crate) ended: Option<Duration>,
    pub(crate) stage: Stage,
    pub(crate) charged: Option<Money>,
    pub(crate) plan: Plan,
    pub(crate) course: Course,
    pub(crate) error: Option<GenerationError>,
    /// What a script or a hand shows in place of the ordinary members.
    pub(crate) shown: Map<String, Value>,
}

impl Generation {
    /// When time moves it next.
    pub(crate) fn moves_at(&self) -> Option<Duration> {
        let Course::Time = self.course else {
            return None;
        };
        let after = match self.stage {
            Stage::Queued => self.plan.starts(),
            Stage::Orchestrating => self.plan.is_orchestrated(),
            Stage::Rendering => self.plan.duration,
            Stage::Completed | Stage::Failed => None,
        };
        Some(self.created.saturating_add(after?))
    }

    /// Time moves it, one stage.
    pub(crate) fn tick(&mut self, at: Duration, ledger: &mut Ledger) {
        let failure = self.plan.failure.clone();
        match (self.stage, failure) {
            (Stage::Queued, _) => self.stage = Stage::Orchestrating,
            (Stage::Orchestrating, Some(failure)) if !failure.charged => {
                self.fail(failure.error, at)
            }
            (Stage::Orchestrating, _) if self.charge(ledger) => self.stage = Stage::Rendering,
            (Stage::Orchestrating, _) => self.fail(no_credit(), at),
            (Stage::Rendering, Some(failure)) => self.fail(failure.error, at),
            (Stage::Rendering, None) => self.end(Stage::Completed, at),
            (Stage::Completed | Stage::Failed, _) => {}
        }
    }

    /// A poll looks at it: a script goes on by one entry.
    pub(crate) fn look(&mut self, at: Duration, ledger: &mut Ledger) {
        let Course::Polls { steps, next } = &mut self.course else {
            return;
        };
        let Some(step) = steps.get(*next).or(steps.last()).cloned() else {
            return;
        };
        *next += 1;
        self.shown = step.members();
        if let Some(status) = step.status() {
            self.move_to(status, at, ledger);
        }
    }

    /// A hand moves it, and from then on nothing else does.
    pub(crate) fn settle(&mut self, settlement: Settlement, at: Duration, ledger: &mut Ledger) {
        self.course = Course::Hand;
        self.shown = Map::from_iter([("status".to_owned(), settlement.status.as_str().into())]);
        if let Some(tokens) = settlement.usage.filter(|_| self.charged.is_none()) {
            self.plan.tokens = tokens;
            self.charge_anyway(ledger);
        }
        self.move_to(&settlement.status, at, ledger);
        if settlement.error.is_some() {
            self.error = settlement.error;
        }
    }

    /// To the stage of this status, forwards or back; an unknown one leaves it where it is.
    fn move_to(&mut self, status: &str, at: Duration, ledger: &mut Ledger) {
        match status {
            "queued" => self.go_back(Stage::Queued),
            "in_progress" if self.charged.is_some() => self.go_back(Stage::Rendering),
            "in_progress" => self.go_back(Stage::Orchestrating),
            "completed" => {
                self.charge_anyway(ledger);
                self.end(Stage::Completed, at);
            }
            "failed" => {
                if self.stage != Stage::Queued {
                    self.charge_anyway(ledger);
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
        let cost = self.model.cost(self.plan.tokens);
        let paid = ledger.charge(cost);
        if paid {
            self.charged = Some(cost);
        }
        paid
    }

    fn charge_anyway(&mut self, ledger: &mut Ledger) {
        if self.charged.is_none() {
            let cost = self.model.cost(self.plan.tokens);
            ledger.charge_anyway(cost);
            self.charged = Some(cost);
        }
    }

    /// The status that its last answer showed.
    pub(crate) fn status(&self) -> &str {
        self.shown.get("status").and_then(Value::as_str).unwrap_or(self.stage.status())
    }

    pub(crate) fn latency_ms(&self) -> Option<u64> {
        let latency = self.ended?.saturating_sub(self.created);
        u64::try_from(latency.as_millis()).ok()
    }

    /// The answer of `GET /v1/responses/{id}`, with a signed URL for its video.
    pub(crate) fn answer(&self, sign: impl FnOnce() -> String) -> Map<String, Value> {
        let completed = self.stage == Stage::Completed;
        let mut answer = members(json!({
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
            answer.insert("usage".to_owned(), self.usage(cost));
        }
        if let (Stage::Failed, Some(error)) = (self.stage, &self.error) {
            answer.insert("error".to_owned(), json!(error));
        }
        if completed {
            answer.insert("latency_ms".to_owned(), json!(self.latency_ms()));
        }
        answer.extend(self.shown.clone());
        answer
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
        let tokens = self.plan.tokens;
        json!({
            "input_tokens": tokens.input_tokens,
            "output_tokens": tokens.output_tokens,
            "total_tokens": tokens.input_tokens + tokens.output_tokens,
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

fn no_credit() -> GenerationError {
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
