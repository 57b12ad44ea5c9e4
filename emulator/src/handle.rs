//! The emulator as its user holds it, and the state that it shares with its servers.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::api::{self, Call};
use crate::clock::Clock;
use crate::faults::{Fault, Faults, Origin};
use crate::ledger::Money;
use crate::log::{Log, ReceivedRequest};
use crate::options::Options;
use crate::places::Places;
use crate::script::{NewGeneration, Refused, Settlement};
use crate::server::serve;
use crate::service::Service;
use crate::video::{self, Assets, VIDEO};

/// The service on loopback, from [`start`](Self::start) until it is stopped or dropped.
///
/// It runs on the tokio runtime in which it was started.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    api_key: String,
    servers: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts the API and the videos' host, each on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn start(options: Options) -> io::Result<Self> {
        let api = listen(options.port).await?;
        let videos = listen(0).await?;
        let places = Places {
            base_url: format!("http://{}", api.local_addr()?),
            video_base: format!("http://{}", videos.local_addr()?),
        };
        let api_key = options.api_key.clone();
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            assets: Assets::new(options.video_bytes),
            state: Mutex::new(State::new(options, places.clone())),
            places,
        });
        let servers = vec![
            tokio::spawn(serve(api, Arc::clone(&shared), Origin::Api)),
            tokio::spawn(serve(videos, Arc::clone(&shared), Origin::Video)),
        ];
        Ok(Self { shared, api_key, servers })
    }

    /// The API's origin, `http://127.0.0.1:PORT`, without `/v1`.
    pub fn base_url(&self) -> &str {
        &self.shared.places.base_url
    }

    /// The videos' origin, `http://127.0.0.1:PORT`.
    pub fn video_base(&self) -> &str {
        &self.shared.places.video_base
    }

    /// The key that is accepted.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The requests that have arrived at either origin, the oldest first.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.requests()
    }

    /// Forgets the requests that have arrived.
    pub fn clear_requests(&self) {
        self.shared.clear_requests();
    }

    /// Adds a generation that nobody has asked for, and gives its id.
    ///
    /// # Errors
    /// When its id is taken, or its model or engine does not exist.
    pub fn add_generation(&self, new: NewGeneration) -> Result<String, Refused> {
        self.shared.add_generation(new)
    }

    /// Moves a generation by hand, now. Nothing else moves it from then on.
    ///
    /// # Errors
    /// When there is no such generation.
    pub fn settle(&self, id: &str, settlement: Settlement) -> Result<(), Refused> {
        self.shared.settle(id, settlement).map(drop)
    }

    /// Adds a fault behind those that are set.
    pub fn fault(&self, fault: Fault) {
        self.shared.add_fault(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Sets the prepaid credit.
    pub fn set_balance(&self, cents: i64) {
        self.shared.set_balance(cents);
    }

    /// The video that every generation yields (as long as [`Options::video_bytes`] is not set).
    pub fn video(&self) -> &'static [u8] {
        VIDEO
    }

    /// Stops the servers and closes their connections; when it returns their ports are free.
    pub async fn stop(mut self) {
        for server in std::mem::take(&mut self.servers) {
            server.abort();
            // It ends as cancelled, which is what was asked for.
            let _ = server.await;
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on 127.0.0.1:{port}: {error}"))
    })
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// What the handle and the two servers have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    places: Places,
    clock: Clock,
    assets: Assets,
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
        let service = Service::new(options, places);
        Self { service, faults: Faults::default(), log: Log::default(), answers: 0 }
    }
}

impl Shared {
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
        state.service.add(new, now)
    }

    pub(crate) fn settle(&self, id: &str, settlement: Settlement) -> Result<Value, Refused> {
        let (mut state, now) = self.now();
        state.service.settle(id, settlement, now).map(Value::Object)
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
}
