//! The link to Redis, over which the processes of a key share its budget, webhooks, created ids and
//! spend.
//!
//! One task per key exchanges with the server, on a thread of its own: a program's runtimes may be
//! shut down, and none of its futures may hold others up. No call waits for the server longer than
//! [`MAX_SILENCE`]. While it cannot be reached, each process goes on alone, with its share.

mod feed;
mod ledger;
// The tests stop the server by signals.
#[cfg(test)]
#[cfg(unix)]
#[path = "../../../tests/support/redis.rs"]
mod server;
mod session;
#[cfg(test)]
#[cfg(unix)]
mod tests;
mod url;
mod window;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};

use feed::Message;
pub(crate) use url::RedisUrl;

use super::client_state::ClientState;
use super::clock;
use super::events::Log;
use crate::lock::lock;
use crate::polling::budget::shared::MAX_SILENCE;

/// The link of one key's state: what it has to tell the other processes.
pub(crate) struct Link {
    log: Log,
    outbox: Mutex<Outbox>,
    refreshes: Mutex<Vec<oneshot::Sender<HashSet<u64>>>>,
    flushes: Mutex<Vec<oneshot::Sender<()>>>,
    /// The number of this process among those of the key.
    process: u64,
    /// Notified when there is something to do.
    changed: Notify,
    /// Whether the first attempt to reach the server has ended.
    is_ready: Mutex<bool>,
    ready: Condvar,
    created_at: Duration,
}

/// What is kept for the other processes while the server cannot be reached.
#[derive(Default)]
struct Outbox {
    messages: VecDeque<String>,
    /// The number of the first of them among all that there ever were.
    first: u64,
}

/// As many ids are kept everywhere, the most recent ones.
const MAX_OUTBOX: usize = 10_000;

impl Outbox {
    fn push(&mut self, message: String) {
        self.messages.push_back(message);
        if self.messages.len() > MAX_OUTBOX {
            self.remove_before(self.first.saturating_add(1));
        }
    }

    /// Removes the messages before this number.
    fn remove_before(&mut self, number: u64) {
        while self.first < number && self.messages.pop_front().is_some() {
            self.first = self.first.saturating_add(1);
        }
    }
}

impl Link {
    pub(super) fn new(log: Log) -> Self {
        Self {
            log,
            outbox: Mutex::default(),
            refreshes: Mutex::default(),
            flushes: Mutex::default(),
            process: clock::process_number(),
            changed: Notify::new(),
            is_ready: Mutex::new(false),
            ready: Condvar::new(),
            created_at: clock::now(),
        }
    }

    /// Tells the other processes that a webhook has reported the end of a generation. A wait that
    /// begins within this time counts it.
    pub(crate) fn publish_ended(&self, id: &str, within: Duration) {
        self.publish(&Message::Ended(id, within));
    }

    /// Tells the other processes that this one has created a generation.
    pub(crate) fn publish_created(&self, id: &str) {
        self.publish(&Message::Created(&self.name(), id));
    }

    /// Tells the other processes that a webhook event with this id was handled.
    pub(crate) fn publish_acknowledged(&self, id: &str) {
        self.publish(&Message::Acknowledged(id));
    }

    /// The name of this process among those of the key.
    fn name(&self) -> String {
        format!("{:016x}", self.process)
    }

    fn publish(&self, message: &Message<'_>) {
        lock(&self.outbox).push(message.to_string());
        self.changed.notify_one();
    }

    /// Waits until what the other processes have published before is known, for a call that does not wait
    /// otherwise. After the first moments of a process it returns at once.
    pub(crate) fn wait_until_ready(&self) {
        let rest = MAX_SILENCE.saturating_sub(clock::now().saturating_sub(self.created_at));
        let is_ready = self.is_ready.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.ready.wait_timeout_while(is_ready, rest, |is_ready| !*is_ready);
    }

    /// Waits until everything that the other processes have published by now is known. Returns the
    /// processes that are running; none if the server does not say so in time.
    pub(crate) async fn refresh(&self) -> HashSet<u64> {
        let refreshed = self.ask(&self.refreshes);
        let running = clock::within(MAX_SILENCE, refreshed).await;
        running.and_then(Result::ok).unwrap_or_default()
    }

    /// Waits until the server has everything that this process has published and spent by now, but no
    /// longer than this.
    pub(crate) async fn flush(&self, timeout: Duration) {
        if timeout.is_zero() {
            return;
        }
        let flushed = self.ask(&self.flushes);
        // Without the server, it is sent once that is back.
        let _ = clock::within(timeout, flushed).await;
    }

    /// Adds a request to those that the session answers.
    fn ask<T>(&self, requests: &Mutex<Vec<oneshot::Sender<T>>>) -> oneshot::Receiver<T> {
        let (sender, answered) = oneshot::channel();
        let mut requests = lock(requests);
        // Without the server, none is answered for a long time.
        requests.retain(|request| !request.is_closed());
        requests.push(sender);
        drop(requests);
        self.changed.notify_one();
        answered
    }

    /// The first messages that were not sent yet, and the number of the next.
    fn first_messages(&self, count: usize) -> (Vec<String>, u64) {
        let outbox = lock(&self.outbox);
        let messages: Vec<_> = outbox.messages.iter().take(count).cloned().collect();
        let next = outbox.first.saturating_add(messages.len() as u64);
        (messages, next)
    }

    fn has_messages(&self) -> bool {
        !lock(&self.outbox).messages.is_empty()
    }

    /// The messages before this number were sent.
    fn remove_messages(&self, before: u64) {
        lock(&self.outbox).remove_before(before);
    }

    fn take_refreshes(&self) -> Vec<oneshot::Sender<HashSet<u64>>> {
        std::mem::take(&mut lock(&self.refreshes))
    }

    fn take_flushes(&self) -> Vec<oneshot::Sender<()>> {
        std::mem::take(&mut lock(&self.flushes))
    }

    /// The first attempt to reach the server has ended.
    fn set_ready(&self) {
        *lock(&self.is_ready) = true;
        self.ready.notify_all();
    }

    /// There is something to do.
    fn notify(&self) -> bool {
        self.changed.notify_one();
        true
    }

    /// The state has no clients left.
    pub(super) fn end(&self) {
        self.changed.notify_one();
    }
}

/// The runtime of all links, once there is one.
static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

/// Starts the link of a state.
pub(super) fn start(
    state: &Arc<ClientState>,
    link: &Arc<Link>,
    account: String,
    server: &RedisUrl,
) {
    state.limiter.share();
    let acknowledged = link.clone();
    state.acknowledged.publish_to(move |id| acknowledged.publish_acknowledged(id));
    let changed = Arc::downgrade(link);
    state.ledger.share(Box::new(move || changed.upgrade().is_some_and(|link| link.notify())));
    let session = session::run(Arc::downgrade(state), link.clone(), account, server.clone());
    match runtime() {
        Ok(runtime) => {
            runtime.spawn(session);
        }
        Err(error) => {
            let message = "no thread for Redis could be started: this process shares nothing";
            link.log.redis_warning(message, Some(&error), None);
            state.limiter.cut_off();
            link.set_ready();
        }
    }
}

/// The thread does not end: a link that is idle costs it one exchange a second.
fn runtime() -> std::io::Result<Handle> {
    let mut running = lock(&RUNTIME);
    if let Some(handle) = &*running {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("pipevideo-redis".to_owned());
    thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *running = Some(handle.clone());
    Ok(handle)
}

/// Has links start a thread of their own, in the child of a `fork`, which has none.
pub(super) fn reset() {
    // The handle is of a runtime that does not run here.
    std::mem::forget(lock(&RUNTIME).take());
}
