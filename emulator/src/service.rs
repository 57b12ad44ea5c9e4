//! The service's state: its generations, its books, its limits. Pure; time is an argument, counted
//! from the Unix epoch, and whoever asks something first lets time pass with `advance`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::catalogue;
use crate::deliveries::Notice;
use crate::faults::Origin;
use crate::generation::{Course, Generation, Stage};
use crate::ledger::{Ledger, Money};
use crate::options::Options;
use crate::places::Places;
use crate::plan::Plan;
use crate::rate::Limiter;
use crate::script::{NewGeneration, PollStep, Refused, Settlement};
use crate::signer::Signer;
use crate::usage;
use crate::validate::Create;

#[derive(Debug)]
pub(crate) struct Service {
    options: Options,
    places: Places,
    generations: Vec<Generation>,
    by_id: HashMap<String, usize>,
    /// When time moves which generation next. What has moved otherwise by then is passed over.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    ids: fastrand::Rng,
    /// Whether anybody wants to be told of ends.
    listening: bool,
    /// The ends that nobody has been told of.
    notices: Vec<Notice>,
    pub(crate) ledger: Ledger,
    pub(crate) limiter: Limiter,
    pub(crate) signer: Signer,
}

impl Service {
    pub(crate) fn new(options: Options, places: Places) -> Self {
        Self {
            generations: Vec::new(),
            by_id: HashMap::new(),
            due: BinaryHeap::new(),
            ids: fastrand::Rng::with_seed(options.seed),
            listening: false,
            notices: Vec::new(),
            ledger: Ledger::new(Money::cents(options.balance_cents)),
            limiter: Limiter::new(options.rate_limit),
            signer: Signer::new(places.video_base.clone(), options.url_ttl_seconds),
            options,
            places,
        }
    }

    pub(crate) fn api_key(&self) -> &str {
        &self.options.api_key
    }

    /// Lets time pass, in the order in which things happen.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some(&Reverse((at, index))) = self.due.peek().filter(|due| due.0.0 <= now) {
            self.due.pop();
            let generation = &mut self.generations[index];
            if generation.moves_at() == Some(at) {
                let had_ended = generation.ended.is_some();
                generation.tick(at, &mut self.ledger);
                self.note_end(index, had_ended, at);
                self.remember(index);
            }
        }
    }

    fn remember(&mut self, index: usize) {
        if let Some(at) = self.generations[index].moves_at() {
            self.due.push(Reverse((at, index)));
        }
    }

    /// Takes a create; the answer is that of a generation in the queue.
    pub(crate) fn create(&mut self, create: &Create, now: Duration) -> Map<String, Value> {
        let id = self.new_id();
        let polls = self.options.polls.clone();
        let index = self.insert(id, create, polls, now);
        self.show(index, now)
    }

    /// A generation that nobody asked for.
    pub(crate) fn add(&mut self, new: NewGeneration, now: Duration) -> Result<String, Refused> {
        let unknown = |what: &str, name: &str| Refused(format!("There is no {what} {name}"));
        let model = match &new.model {
            Some(id) => catalogue::find_model(id).ok_or_else(|| unknown("model", id))?,
            None => catalogue::first_model(),
        };
        let engine = new.engine.as_deref().unwrap_or("hyperframes");
        let engine = catalogue::find_engine(engine).ok_or_else(|| unknown("engine", engine))?;
        let id = new.id.unwrap_or_else(|| self.new_id());
        if self.by_id.contains_key(&id) {
            return Err(Refused(format!("There is a generation {id} already")));
        }
        let provider = catalogue::default_provider();
        let create = Create { model, engine, provider, prompt_tokens: 10 };
        let polls = new.polls.or_else(|| self.options.polls.clone());
        self.insert(id.clone(), &create, polls, now);
        Ok(id)
    }

    fn insert(
        &mut self,
        id: String,
        create: &Create,
        polls: Option<Vec<PollStep>>,
        now: Duration,
    ) -> usize {
        let index = self.generations.len();
        let course = match polls {
            Some(steps) => Course::Polls { steps, next: 0 },
            None => Course::Time,
        };
        self.by_id.insert(id.clone(), index);
        self.generations.push(Generation {
            id,
            model: create.model,
            engine: create.engine,
            provider: create.provider,
            created: now,
            ended: None,
            stage: Stage::Queued,
            charged: None,
            plan: Plan::draw(&self.options, index as u64, create.prompt_tokens),
            course,
            error: None,
            shown: Map::new(),
        });
        self.remember(index);
        index
    }

    fn new_id(&mut self) -> String {
        let mut id = "gen_".to_owned();
        id.extend(std::iter::repeat_with(|| self.ids.alphanumeric()).take(16));
        id
    }

    /// A poll: the generation's script, if it has one, goes on by one entry.
    pub(crate) fn look(&mut self, id: &str, now: Duration) -> Option<Map<String, Value>> {
        let index = *self.by_id.get(id)?;
        let had_ended = self.generations[index].ended.is_some();
        self.generations[index].look(now, &mut self.ledger);
        self.note_end(index, had_ended, now);
        Some(self.show(index, now))
    }

    /// Moves a generation by hand.
    pub(crate) fn settle(
        &mut self,
        id: &str,
        settlement: Settlement,
        now: Duration,
    ) -> Result<Map<String, Value>, Refused> {
        let index = *self.by_id.get(id).ok_or_else(|| Refused(format!("There is no {id}")))?;
        let had_ended = self.generations[index].ended.is_some();
        self.generations[index].settle(settlement, now, &mut self.ledger);
        self.note_end(index, had_ended, now);
        Ok(self.show(index, now))
    }

    /// From now on ends are noted, or no longer.
    pub(crate) fn listen(&mut self, listening: bool) {
        self.listening = listening;
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.listening
    }

    fn note_end(&mut self, index: usize, had_ended: bool, now: Duration) {
        if self.listening && !had_ended && self.generations[index].ended.is_some() {
            let notice = Notice::of(&self.show(index, now));
            self.notices.push(notice);
        }
    }

    pub(crate) fn add_notice(&mut self, notice: Notice) {
        self.notices.extend(self.listening.then_some(notice));
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// When time moves something next, at the earliest.
    pub(crate) fn moves_at(&self) -> Option<Duration> {
        self.due.peek().map(|due| due.0.0)
    }

    fn show(&mut self, index: usize, now: Duration) -> Map<String, Value> {
        let generation = &self.generations[index];
        let sign = || {
            let path = format!("/videos/{}.{}", generation.id, generation.engine.output);
            self.signer.sign(&path, now)
        };
        let mut answer = generation.answer(sign);
        self.places.fill_members(&mut answer, Origin::Api);
        answer
    }

    /// The answer of `GET /v1/usage`.
    pub(crate) fn usage(&self) -> Value {
        usage::report(self.ledger.balance(), &self.generations)
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
