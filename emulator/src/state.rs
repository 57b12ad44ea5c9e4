//! The state that the [`Emulator`](crate::Emulator), the servers and the delivery worker share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::api;
use crate::bounded_log::BoundedLog;
use crate::clock::{Clock, Now};
use crate::control::{ControlError, NewGeneration, Settlement};
use crate::deliveries::{Deliveries, Endpoint, SentDelivery, WebhookEndpoint, WebhookEvent};
use crate::faults::{Fault, Faults};
use crate::http::{Origin, Origins, ReceivedRequest, Request, Response, decoded};
use crate::options::Options;
use crate::page::{Exchange, PageLog, Seen, event};
use crate::service::{Money, Service};
use crate::videos::{self, Canvas};

/// The state of an emulator.
#[derive(Debug)]
pub(crate) struct EmulatorState {
    origins: Origins,
    clock: Clock,
    video_bytes: Option<u64>,
    /// Notified when time is advanced.
    advanced: Notify,
    pub(crate) deliveries: Deliveries,
    changing: Mutex<ChangingState>,
}

/// The part of the state that changes.
#[derive(Debug)]
struct ChangingState {
    service: Service,
    /// How far time was advanced.
    advanced: Duration,
    faults: Faults,
    log: BoundedLog<ReceivedRequest>,
    page: PageLog,
    /// How many responses the API has made, for their request ids.
    responses: u64,
}

impl EmulatorState {
    pub(crate) fn new(options: Options, endpoint: Endpoint, origins: Origins) -> Self {
        Self {
            clock: Clock::start(options.speed),
            video_bytes: options.video_bytes,
            advanced: Notify::new(),
            deliveries: Deliveries::new(endpoint, options.seed),
            changing: Mutex::new(ChangingState {
                service: Service::new(options, origins.clone()),
                advanced: Duration::ZERO,
                faults: Faults::default(),
                log: BoundedLog::default(),
                page: PageLog::default(),
                responses: 0,
            }),
            origins,
        }
    }

    /// A panic of another thread leaves nothing half-changed here that would matter to a test.
    fn lock(&self) -> MutexGuard<'_, ChangingState> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state after everything that is due by now, and the time.
    fn lock_advanced(&self) -> (MutexGuard<'_, ChangingState>, Now) {
        let mut state = self.lock();
        let now = self.clock.now(state.advanced);
        state.service.advance(now);
        (state, now)
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(crate) fn api_key(&self) -> String {
        self.lock().service.api_key().to_owned()
    }

    pub(crate) fn receive(&self, head: &Parts, origin: Origin) -> ReceivedRequest {
        let state = self.lock();
        ReceivedRequest::new(head, origin, state.service.api_key(), self.clock.uptime())
    }

    pub(crate) fn log_request(&self, request: ReceivedRequest) {
        self.lock().log.push(request);
    }

    pub(crate) fn log_exchange(&self, exchange: &Exchange) {
        self.lock().page.add_exchange(exchange);
    }

    pub(crate) fn log_delivery(&self, sent: SentDelivery) {
        self.lock().page.add_delivery(&sent);
        self.deliveries.log(sent);
    }

    /// The events that are new to a page.
    pub(crate) fn page_events(&self, seen: &mut Seen) -> String {
        let (mut state, now) = self.lock_advanced();
        let mut events = seen.start(&self.origins.base_url).unwrap_or_default();
        events += &state.service.generation_events(seen, now, self.clock.epoch());
        events += &seen.new_entries(&state.page);
        let mut account = state.service.account(now);
        account["now"] = now.real.saturating_sub(self.clock.epoch()).as_secs_f64().into();
        account["advanced"] = state.advanced.as_secs_f64().into();
        account["faults"] = state.faults.pending().into();
        events + &event("account", &account)
    }

    pub(crate) fn take_fault(&self, head: &Parts, origin: Origin) -> Option<Fault> {
        self.lock().faults.take(head.method.as_str(), head.uri.path(), origin)
    }

    /// The regular response to a request.
    pub(crate) fn respond(&self, origin: Origin, request: &Request) -> Response {
        let (mut state, now) = self.lock_advanced();
        match origin {
            Origin::Video => {
                let canvas = canvas(&state.service, &request.path);
                let signer = &state.service.url_signer;
                videos::respond(signer, request, canvas, self.video_bytes, now.expiry)
            }
            Origin::Api => {
                let mut response = api::respond(&mut state.service, request, now);
                state.responses = state.responses.wrapping_add(1);
                api::add_request_id(&mut response, state.responses);
                self.wake_delivery_worker(&state);
                response
            }
        }
    }

    /// The video at this path of the video host, for the page. It is no request of a client: it is not in the
    /// log, and no fault applies to it.
    pub(crate) fn preview(&self, path: &str, request: &Request) -> Response {
        let canvas = canvas(&self.lock().service, path);
        videos::preview(path, request, canvas, self.video_bytes)
    }

    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.lock().log.entries()
    }

    pub(crate) fn clear_requests(&self) {
        self.lock().log.clear();
    }

    pub(crate) fn add_generation(&self, new: NewGeneration) -> Result<String, ControlError> {
        let (mut state, now) = self.lock_advanced();
        let added = state.service.add(new, now);
        self.wake_delivery_worker(&state);
        added
    }

    /// Sets the status of a generation and returns its response.
    pub(crate) fn settle(&self, id: &str, settlement: Settlement) -> Result<Value, ControlError> {
        let (mut state, now) = self.lock_advanced();
        let settled = state.service.settle(id, settlement, now).map(Value::Object);
        self.wake_delivery_worker(&state);
        settled
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    pub(crate) fn set_balance(&self, cents: i64) {
        let (mut state, _) = self.lock_advanced();
        state.service.ledger.set_balance(Money::cents(cents));
    }

    /// Wakes the delivery worker: a generation may have ended, or may now end earlier than the worker
    /// expects.
    fn wake_delivery_worker(&self, state: &ChangingState) {
        if state.service.sends_webhooks() {
            self.deliveries.wake_worker.notify_one();
        }
    }

    pub(crate) fn set_webhook(&self, endpoint: &WebhookEndpoint) -> Result<(), ControlError> {
        let (mut state, _) = self.lock_advanced();
        self.deliveries.set_endpoint(endpoint)?;
        state.service.set_sends_webhooks(endpoint.url.is_some());
        self.wake_delivery_worker(&state);
        Ok(())
    }

    /// Sends a webhook that claims a status for the generation in a response.
    pub(crate) fn claim(&self, response: &Response, status: &str) {
        let body = response.body.buffered().and_then(|body| serde_json::from_slice(&body).ok());
        let Some(body) = body else { return };
        let mut state = self.lock();
        state.service.add_event(WebhookEvent::claim(&body, status));
        self.wake_delivery_worker(&state);
    }

    /// Takes the events to deliver, and the time until time itself may cause the next one.
    pub(crate) fn take_events(&self) -> (Vec<WebhookEvent>, Option<Duration>) {
        let (mut state, now) = self.lock_advanced();
        let moves = state.service.sends_webhooks() && !self.clock.stands_still();
        let next = state.service.next_move().filter(|_| moves);
        (state.service.take_events(), next.map(|at| at.saturating_sub(now.progress)))
    }

    /// Moves the generations' time forward.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.advanced = state.advanced.saturating_add(by);
        let now = self.clock.now(state.advanced);
        state.service.advance(now);
        self.wake_delivery_worker(&state);
        drop(state);
        self.advanced.notify_waiters();
    }

    /// When so many seconds of the service's time will have passed, in the time by which generations progress.
    pub(crate) fn after(&self, seconds: u64) -> Duration {
        self.now().progress.saturating_add(self.clock.progress_in(seconds))
    }

    /// Waits for a moment in the time by which generations progress.
    pub(crate) async fn sleep_until(&self, end: Duration) {
        loop {
            // Created before the time is read, so that an advance in between is not missed.
            let advanced = self.advanced.notified();
            let left = end.saturating_sub(self.now().progress);
            if left.is_zero() {
                return;
            }
            if self.clock.stands_still() {
                advanced.await;
            } else {
                // The timeout is expected: it is when the time has passed by itself.
                let _ = timeout(left, advanced).await;
            }
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Now {
        self.clock.now(self.lock().advanced)
    }

    /// The time since the start of the emulator.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.uptime()
    }
}

/// The canvas of the generation of which this is a video's path.
fn canvas(service: &Service, path: &str) -> Option<Canvas> {
    service.canvas(&decoded(videos::file(path)?.0))
}
