//! The state that the handle shares with the servers and the courier.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::Value;

use crate::answer::Answer;
use crate::api::{self, Call};
use crate::clock::Clock;
use crate::deliveries::{Deliveries, Notice};
use crate::faults::{Fault, Faults, Origin};
use crate::ledger::Money;
use crate::log::{Log, ReceivedRequest};
use crate::options::Options;
use crate::places::Places;
use crate::script::{NewGeneration, Refused, Settlement};
use crate::service::Service;
use crate::video::{self, Assets};
use crate::webhook::{Endpoint, WebhookEndpoint};

/// What the handle, the two servers and the courier have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    places: Places,
    clock: Clock,
    assets: Assets,
    speed: f64,
    pub(crate) deliveries: Deliveries,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    service: Service,
    faults: Faults,
    log: Log,
    answers: u64,
}

impl State {
    fn new(options: Options, places: Places) -> Self {
        let listening = options.webhook_url.is_some();
        let mut service = Service::new(options, places);
        service.listen(listening);
        Self { service, faults: Faults::default(), log: Log::default(), answers: 0 }
    }
}

impl Shared {
    pub(crate) fn new(options: Options, endpoint: Endpoint, places: Places) -> Self {
        Self {
            clock: Clock::start(),
            assets: Assets::new(options.video_bytes),
            speed: options.speed,
            deliveries: Deliveries::new(endpoint, options.seed),
            state: Mutex::new(State::new(options, places.clone())),
            places,
        }
    }

    /// A panic of another thread leaves nothing half-done here that would matter to a test.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// The state as it is by now.
    fn now(&self) -> (MutexGuard<'_, State>, Duration) {
        let mut state = self.state();
        let now = self.clock.now();
        state.service.advance(now);
        (state, now)
    }

    pub(crate) fn receive(&self, head: &Parts, origin: Origin) -> ReceivedRequest {
        let state = self.state();
        ReceivedRequest::new(head, origin, state.service.api_key(), self.clock.running())
    }

    pub(crate) fn log(&self, request: ReceivedRequest) {
        self.state().log.push(request);
    }

    pub(crate) fn take_fault(&self, head: &Parts, origin: Origin) -> Option<Fault> {
        self.state().faults.take(head.method.as_str(), head.uri.path(), origin)
    }

    /// The ordinary answer.
    pub(crate) fn answer(&self, origin: Origin, call: &Call) -> Answer {
        let (mut state, now) = self.now();
        match origin {
            Origin::Video => video::answer(&self.assets, &state.service.signer, call, now),
            Origin::Api => {
                let mut answer = api::answer(&mut state.service, call, now);
                state.answers += 1;
                api::number(&mut answer, state.answers);
                self.tell(&state);
                answer
            }
        }
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.state().log.entries()
    }

    pub(crate) fn clear_requests(&self) {
        self.state().log.clear();
    }

    pub(crate) fn add_generation(&self, new: NewGeneration) -> Result<String, Refused> {
        let (mut state, now) = self.now();
        let added = state.service.add(new, now);
        self.tell(&state);
        added
    }

    pub(crate) fn settle(&self, id: &str, settlement: Settlement) -> Result<Value, Refused> {
        let (mut state, now) = self.now();
        let settled = state.service.settle(id, settlement, now).map(Value::Object);
        self.tell(&state);
        settled
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(crate) fn set_balance(&self, cents: i64) {
        let (mut state, _) = self.now();
        state.service.ledger.set_balance(Money::cents(cents));
    }

    /// Has the courier look: something may have ended, or will sooner than it thought.
    fn tell(&self, state: &State) {
        if state.service.is_listening() {
            self.deliveries.news.notify_one();
        }
    }

    pub(crate) fn set_webhook(&self, endpoint: &WebhookEndpoint) -> Result<(), Refused> {
        let (mut state, _) = self.now();
        self.deliveries.set_endpoint(endpoint)?;
        state.service.listen(endpoint.url.is_some());
        self.tell(&state);
        Ok(())
    }

    /// Has a webhook claim something of the generation in this answer.
    pub(crate) fn claim(&self, answer: &Answer, status: &str) {
        let body = answer.payload.whole().and_then(|body| serde_json::from_slice(&body).ok());
        let Some(body) = body else { return };
        let mut state = self.state();
        state.service.add_notice(Notice::claim(&body, status));
        self.tell(&state);
    }

    /// What there is to deliver, and the time until there may be more by itself.
    pub(crate) fn take_notices(&self) -> (Vec<Notice>, Option<Duration>) {
        let (mut state, now) = self.now();
        let next = state.service.moves_at().filter(|_| state.service.is_listening());
        (state.service.take_notices(), next.map(|at| at.saturating_sub(now)))
    }

    /// So many seconds of the service's time; None if it stands still.
    pub(crate) fn sped_up(&self, seconds: u64) -> Option<Duration> {
        if seconds == 0 {
            return Some(Duration::ZERO);
        }
        Duration::try_from_secs_f64(seconds as f64 / self.speed).ok()
    }

    /// Since the Unix epoch.
    pub(crate) fn wall(&self) -> Duration {
        self.clock.now()
    }

    /// Seconds since the start.
    pub(crate) fn running(&self) -> f64 {
        self.clock.running().as_secs_f64()
    }
}
