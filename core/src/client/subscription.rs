//! Where a wait meets the poll driver: what it asks for, and the events that it receives.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_channel::mpsc as events;
use futures_util::StreamExt;
use tokio::runtime::{Handle, Id};
use tokio::sync::mpsc;
use tracing::Span;

use super::driver::Driver;
use super::events::Log;
use super::spans::Seen;
use super::{ClientInner, RequestRoute, clock, closing};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::model::{Generation, GenerationId, Update};
use crate::polling::forecast::Shape;
use crate::polling::tracked::WaitId;
use crate::polling::wait_state::Snapshot;
use crate::polling::watchlist::{self, Watch};

/// The poll drivers of one key.
#[derive(Default)]
pub(crate) struct Drivers {
    running: Mutex<HashMap<DriverId, RunningDriver>>,
    next_wait: AtomicU64,
}

/// The other end of a driver.
#[derive(Clone)]
struct RunningDriver {
    commands: mpsc::UnboundedSender<Command>,
    /// The generations that webhooks report.
    webhooks: mpsc::Sender<GenerationId>,
    /// Set if the driver has panicked.
    panicked: Arc<OnceLock<Error>>,
}

/// How many webhooks may await a driver. Those of a runtime that nothing drives would pile up
/// otherwise; what is lost is found by the next poll.
const MAX_WEBHOOKS: usize = 1000;

/// What the waits of one driver have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DriverId {
    /// A task ends when the runtime that it runs on is shut down.
    runtime: Id,
    /// A poll goes through the client of one wait and serves all of them, so the requests of their
    /// clients have to be the same.
    route: RequestRoute,
}

/// What a wait receives.
pub(crate) enum Event {
    Update(Box<Update>, Shape),
    /// The end, and the number of polls since the wait began.
    End(Result<Arc<Generation>, Error>, u32),
}

/// The driver's end of a wait.
#[derive(Clone)]
pub(crate) struct Waiter {
    pub(crate) client: Arc<ClientInner>,
    /// The span of the call that waits: polls are its children.
    pub(crate) span: Span,
    pub(crate) events: events::UnboundedSender<Event>,
}

/// What is sent to a driver.
pub(crate) type Command = watchlist::Command<Waiter>;

/// What a driver receives.
pub(crate) struct Inputs {
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    pub(crate) webhooks: mpsc::Receiver<GenerationId>,
}

/// What a wait asks for.
pub(crate) struct WaitOptions {
    /// How long it lasts at most.
    pub(crate) deadline: Duration,
    /// What the generation's create has just returned.
    pub(crate) created: Option<Snapshot>,
    /// Whether it wants updates, or only the end.
    pub(crate) updates: bool,
    /// The span of the call that waits.
    pub(crate) span: Span,
}

/// The receiving end of a wait. Dropping it ends the wait, and aborts a poll that no other wait
/// needs.
pub(crate) struct Subscription {
    events: events::UnboundedReceiver<Event>,
    driver: RunningDriver,
    id: GenerationId,
    wait: WaitId,
    log: Log,
    span: Span,
    seen: Option<Box<Seen>>,
    began: Duration,
    has_ended: bool,
}

impl Subscription {
    /// The next event. Nothing follows the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let event = match ready!(self.events.poll_next_unpin(cx)) {
            Some(event) => event,
            None => Event::End(Err(self.dropped()), 0),
        };
        match &event {
            Event::Update(update, _) => {
                if let Some(seen) = &mut self.seen {
                    seen.on_update(update);
                }
            }
            Event::End(end, polls) => {
                self.has_ended = true;
                if let (Some(seen), Ok(generation)) = (&mut self.seen, end) {
                    seen.on_end(generation);
                }
                let duration = self.duration();
                self.span.in_scope(|| self.log.wait_ended(&self.id, end, duration, *polls));
            }
        }
        Poll::Ready(event)
    }

    fn duration(&self) -> Duration {
        clock::now().saturating_sub(self.began)
    }

    /// The error of a wait that its driver has dropped without an end.
    fn dropped(&self) -> Error {
        let error = match self.driver.panicked.get() {
            Some(error) => error.clone(),
            None => Error::new(
                ErrorKind::Connection,
                "the runtime on which the wait began has been shut down.",
            ),
        };
        error
            .with_advice("The generation is still running; call wait with its id again.")
            .with_generation_id(self.id.as_str())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // A driver that is gone has dropped its waits.
        let _ = self.driver.commands.send(Command::Leave { id: self.id.clone(), wait: self.wait });
        if !self.has_ended {
            self.span.in_scope(|| self.log.wait_cancelled(&self.id, self.duration()));
        }
    }
}

impl Drivers {
    /// Whether no driver runs.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.running).is_empty()
    }

    /// How many webhooks await the drivers.
    #[cfg(test)]
    pub(crate) fn pending_webhooks(&self) -> usize {
        let pending = |driver: &RunningDriver| MAX_WEBHOOKS - driver.webhooks.capacity();
        lock(&self.running).values().map(pending).sum()
    }

    /// Removes a driver that has nothing left to do. Returns false if a command has just arrived,
    /// and the driver has to go on.
    pub(crate) fn remove(
        &self,
        commands: &mpsc::UnboundedReceiver<Command>,
        id: &DriverId,
    ) -> bool {
        // Commands are sent under the same lock, so none arrives between the two conditions.
        let mut all = lock(&self.running);
        commands.is_empty() && all.remove(id).is_some()
    }

    /// Makes the polls of a generation due: a webhook says that it has ended.
    pub(crate) fn wake(&self, id: &GenerationId) {
        for driver in lock(&self.running).values() {
            // A driver that is gone has no waits to wake.
            let _ = driver.webhooks.try_send(id.clone());
        }
    }

    /// Ends the waits for which the function returns an error.
    pub(crate) fn end(&self, error: fn(&Waiter) -> Option<Error>) {
        for driver in lock(&self.running).values() {
            // A driver that is gone has no waits to end.
            let _ = driver.commands.send(Command::End(error));
        }
    }

    /// Starts a wait on the driver for this runtime and route, and starts the driver if there is none.
    ///
    /// # Errors
    /// The client is closed.
    pub(crate) fn subscribe(
        &self,
        client: &Arc<ClientInner>,
        id: GenerationId,
        options: WaitOptions,
    ) -> Result<Subscription, Error> {
        let (sender, events) = events::unbounded();
        let began = clock::now();
        let (log, limit, span) = (client.log.clone(), options.deadline, options.span);
        // The span shows the updates, too.
        let updates = options.updates || !span.is_disabled();
        let handle = Waiter { client: client.clone(), span: span.clone(), events: sender };
        let begin = |driver: RunningDriver, wait| {
            span.in_scope(|| log.wait_begun(&id, limit));
            let (id, log, seen) = (id.clone(), log.clone(), Seen::by(&span));
            Subscription { events, driver, id, wait, log, span, seen, began, has_ended: false }
        };
        let created = options.created.is_some();
        let wait = self.next_wait.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::Watch(Box::new(Watch {
            id: id.clone(),
            wait,
            handle,
            deadline: began.saturating_add(options.deadline),
            polling: client.config.polling,
            relies_on_webhooks: client.webhook.is_some(),
            created_at: lock(&client.state.created).get(id.as_str()),
            created: options.created,
            updates,
        }));
        let key = DriverId { runtime: Handle::current().id(), route: client.route.clone() };
        let mut all = lock(&self.running);
        // Under the lock, so that a wait either is not begun or is ended by the client's closing.
        if client.closed.is_cancelled() {
            // What a generate has just created exists.
            let error = if created { closing::wait_ended() } else { closing::not_sent() };
            return Err(error.with_generation_id(id.as_str()));
        }
        // The drivers of runtimes that were shut down.
        all.retain(|_, driver| !driver.commands.is_closed());
        if let Some(driver) = all.get(&key) {
            match driver.commands.send(command) {
                Ok(()) => return Ok(begin(driver.clone(), wait)),
                Err(mpsc::error::SendError(unsent)) => command = unsent,
            }
        }
        let (commands, received) = mpsc::unbounded_channel();
        let (webhooks, reported) = mpsc::channel(MAX_WEBHOOKS);
        let inputs = Inputs { commands: received, webhooks: reported };
        let driver = RunningDriver { commands, webhooks, panicked: Arc::default() };
        if driver.commands.send(command).is_ok() {
            all.insert(key.clone(), driver.clone());
        }
        let (typical, panicked) = (client.config.polling.typical, driver.panicked.clone());
        // The number of its first wait is one that no other driver has.
        Driver::spawn(client.state.clone(), inputs, key, wait, typical, panicked);
        Ok(begin(driver, wait))
    }
}
