//! The state of the service: generations, balance, rate limit. Pure: time is an argument. Call `advance`
//! before any other method, so that everything due has happened.

#![warn(clippy::arithmetic_side_effects, reason = "amounts and times come from outside")]

pub(crate) mod catalogue;
mod course;
mod generation;
mod ledger;
mod rate_limit;
mod usage;
mod view;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::api::Create;
use crate::clock::Now;
use crate::control::{ControlError, NewGeneration, PollStep, Settlement};
use crate::deliveries::WebhookEvent;
use crate::http::{Origin, Origins};
use crate::options::Options;
use crate::videos::{Canvas, UrlSigner};
use course::Course;
use generation::{Generation, Progress, Stage};
use ledger::Ledger;
pub(crate) use ledger::Money;
use rate_limit::RateLimiter;

/// The prompt tokens of a generation that was added without a prompt: those of a short sentence.
const ADDED_PROMPT_TOKENS: u64 = 10;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    options: Options,
    api_key: String,
    origins: Origins,
    generations: Vec<Generation>,
    by_id: HashMap<String, usize>,
    /// When time moves which generation next. An entry is stale, and ignored, if the generation has
    /// moved otherwise since.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    ids: fastrand::Rng,
    /// Whether a receiver of webhooks is set. Without one, no events are recorded.
    sends_webhooks: bool,
    /// Events that the delivery worker has not taken yet.
    events: Vec<WebhookEvent>,
    pub(crate) ledger: Ledger,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) url_signer: UrlSigner,
}

impl Service {
    pub(crate) fn new(options: Options, origins: Origins) -> Self {
        Self {
            generations: Vec::new(),
            by_id: HashMap::new(),
            due: BinaryHeap::new(),
            ids: fastrand::Rng::with_seed(options.seed),
            sends_webhooks: options.webhook_url.is_some(),
            events: Vec::new(),
            ledger: Ledger::new(Money::cents(options.balance_cents)),
            rate_limiter: RateLimiter::new(options.rate_limit),
            url_signer: UrlSigner::new(origins.video_base.clone(), options.url_ttl_seconds),
            api_key: options.api_key(),
            options,
            origins,
        }
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Carries out everything that is due by now, in the order of time.
    pub(crate) fn advance(&mut self, now: Now) {
        while let Some(&Reverse((at, index))) =
            self.due.peek().filter(|due| due.0.0 <= now.progress)
        {
            self.due.pop();
            let generation = &mut self.generations[index];
            if generation.next_move() == Some(at) {
                let had_ended = generation.ended.is_some();
                generation.tick(at, &mut self.ledger);
                self.record_end(index, had_ended, now);
                self.schedule(index);
            }
        }
    }

    fn schedule(&mut self, index: usize) {
        if let Some(at) = self.generations[index].next_move() {
            self.due.push(Reverse((at, index)));
        }
    }

    /// Creates a generation and returns its response, in which it is queued.
    pub(crate) fn create(&mut self, create: &Create, now: Now) -> Map<String, Value> {
        let id = self.new_id();
        let polls = self.options.polls.clone();
        let index = self.insert(id, create, polls, now);
        self.response(index, now)
    }

    /// Adds a generation without a create request.
    pub(crate) fn add(&mut self, new: NewGeneration, now: Now) -> Result<String, ControlError> {
        let unknown = |what: &str, name: &str| ControlError(format!("There is no {what} {name}"));
        let model = match &new.model {
            Some(id) => catalogue::find_model(id).ok_or_else(|| unknown("model", id))?,
            None => catalogue::first_model(),
        };
        let engine = new.engine.as_deref().unwrap_or("hyperframes");
        let engine = catalogue::find_engine(engine).ok_or_else(|| unknown("engine", engine))?;
        let id = new.id.unwrap_or_else(|| self.new_id());
        if self.by_id.contains_key(&id) {
            return Err(ControlError(format!("The id {id} is taken by another generation")));
        }
        let provider = catalogue::default_provider();
        let prompt_tokens = ADDED_PROMPT_TOKENS;
        let create = Create { model, engine, provider, canvas: None, prompt: None, prompt_tokens };
        let polls = new.polls.or_else(|| self.options.polls.clone());
        self.insert(id.clone(), &create, polls, now);
        Ok(id)
    }

    fn insert(
        &mut self,
        id: String,
        create: &Create,
        polls: Option<Vec<PollStep>>,
        now: Now,
    ) -> usize {
        let index = self.generations.len();
        let progress = match polls {
            Some(steps) => Progress::ByPolls { steps, next: 0 },
            None => Progress::Timed,
        };
        self.by_id.insert(id.clone(), index);
        self.generations.push(Generation {
            id,
            model: create.model,
            engine: create.engine,
            provider: create.provider,
            canvas: create.canvas,
            prompt: create.prompt.clone(),
            created: now.real,
            started: now.progress,
            ended: None,
            stage: Stage::Queued,
            charged: None,
            course: Course::draw(&self.options, index as u64, create.prompt_tokens),
            progress,
            error: None,
            overrides: Map::new(),
        });
        self.schedule(index);
        index
    }

    fn new_id(&mut self) -> String {
        let mut id = "gen_".to_owned();
        id.extend(std::iter::repeat_with(|| self.ids.alphanumeric()).take(16));
        id
    }

    /// Returns the response of a poll, which takes the generation's next poll step if it has any.
    pub(crate) fn poll(&mut self, id: &str, now: Now) -> Option<Map<String, Value>> {
        let index = *self.by_id.get(id)?;
        let had_ended = self.generations[index].ended.is_some();
        self.generations[index].poll(now.real, &mut self.ledger);
        self.record_end(index, had_ended, now);
        Some(self.response(index, now))
    }

    /// Sets the status of a generation.
    pub(crate) fn settle(
        &mut self,
        id: &str,
        settlement: Settlement,
        now: Now,
    ) -> Result<Map<String, Value>, ControlError> {
        let index = *self
            .by_id
            .get(id)
            .ok_or_else(|| ControlError(format!("There is no generation {id}")))?;
        let had_ended = self.generations[index].ended.is_some();
        self.generations[index].settle(settlement, now.real, &mut self.ledger);
        self.record_end(index, had_ended, now);
        Ok(self.response(index, now))
    }

    /// Sets whether a receiver of webhooks is set.
    pub(crate) fn set_sends_webhooks(&mut self, sends_webhooks: bool) {
        self.sends_webhooks = sends_webhooks;
    }

    pub(crate) fn sends_webhooks(&self) -> bool {
        self.sends_webhooks
    }

    fn record_end(&mut self, index: usize, had_ended: bool, now: Now) {
        if self.sends_webhooks && !had_ended && self.generations[index].ended.is_some() {
            let event = WebhookEvent::of_response(&self.response(index, now));
            self.events.push(event);
        }
    }

    pub(crate) fn add_event(&mut self, event: WebhookEvent) {
        self.events.extend(self.sends_webhooks.then_some(event));
    }

    pub(crate) fn take_events(&mut self) -> Vec<WebhookEvent> {
        std::mem::take(&mut self.events)
    }

    /// When time may move a generation next, in the time by which generations progress.
    pub(crate) fn next_move(&self) -> Option<Duration> {
        self.due.peek().map(|due| due.0.0)
    }

    fn response(&self, index: usize, now: Now) -> Map<String, Value> {
        let generation = &self.generations[index];
        let sign = || self.url_signer.sign(&generation.path(), now.expiry);
        let mut response = generation.response(sign);
        self.origins.expand_members(&mut response, Origin::Api);
        response
    }

    /// The canvas that a generation was requested with.
    pub(crate) fn canvas(&self, id: &str) -> Option<Canvas> {
        self.generations[*self.by_id.get(id)?].canvas
    }

    /// The response of `GET /v1/usage`.
    pub(crate) fn usage(&self) -> Value {
        usage::report(self.ledger.balance(), &self.generations)
    }
}

#[cfg(test)]
mod tests;
