//! The poll driver: the task that executes what the watchlist decides.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinError, JoinSet};
use tracing::Instrument;

use super::client_state::ClientState;
use super::clock;
use super::events::{Log, Subject};
use super::limiter::Hold;
use super::subscription::{Command, DriverId, Event, Inputs, Waiter};
use crate::barrier;
use crate::error::Error;
use crate::lock::lock;
use crate::model::GenerationId;
use crate::polling::budget::PlannerNumber;
use crate::polling::tracked::PollId;
use crate::polling::wait_state::Snapshot;
use crate::polling::watchlist::{Action, PollOutcome, Watchlist};
use crate::wire;

pub(crate) struct Driver {
    state: Arc<ClientState>,
    inputs: Inputs,
    watchlist: Watchlist<Waiter>,
    polls: JoinSet<PollResult>,
    in_flight: HashMap<PollId, AbortHandle>,
    /// Since when the budget has held all polls, and the log that says so.
    hold: Option<(Duration, Log)>,
}

/// How long polls have to wait for room before that is reported. Under load polls are always further apart than
/// without; this is for a window that other requests have used up, or a 429, during which nothing is polled.
const HOLD_NOTICE: Duration = Duration::from_secs(5);

/// A poll that has returned.
struct PollResult {
    waiter: Waiter,
    id: GenerationId,
    poll: PollId,
    result: Result<Snapshot, Error>,
}

impl Driver {
    /// Starts the task. It ends when it has nothing left to do.
    pub(crate) fn spawn(
        state: Arc<ClientState>,
        inputs: Inputs,
        id: DriverId,
        number: PlannerNumber,
        typical: Duration,
        panicked: Arc<OnceLock<Error>>,
    ) {
        let forecast = state.forecast(typical);
        let mut driver = Self {
            state,
            inputs,
            watchlist: Watchlist::new(number, forecast),
            polls: JoinSet::new(),
            in_flight: HashMap::new(),
            hold: None,
        };
        #[allow(clippy::disallowed_methods, reason = "the one task that is spawned")]
        tokio::spawn(async move {
            if let Err(error) = barrier::catch_async(driver.run(id)).await {
                // Set before the driver is dropped, which ends its waits: they take their error from here.
                let _ = panicked.set(error);
            }
            drop(driver);
        });
    }

    async fn run(&mut self, id: DriverId) {
        let state = self.state.clone();
        loop {
            self.handle_all();
            let (timeout, next_grant, budget_changed) = state
                .limiter
                .poll_with(|budget| self.watchlist.handle_timeout(clock::now(), budget));
            self.report_hold(timeout.denied_until);
            self.execute();
            let forecast = self.watchlist.forecast();
            if self.watchlist.is_empty() && state.end_driver(&self.inputs.commands, &id, forecast) {
                return;
            }
            tokio::select! {
                Some(command) = self.inputs.commands.recv() => self.handle_command(command),
                Some(id) = self.inputs.webhooks.recv() => self.watchlist.handle_webhook(&id),
                Some(polled) = self.polls.join_next() => self.handle_poll_result(polled),
                () = budget_changed, if timeout.on_budget_change => {}
                () = clock::sleep_until(timeout.at.min(next_grant)) => {}
            }
        }
    }

    /// Handles what has arrived by now: a response must not lose against its wait's deadline.
    fn handle_all(&mut self) {
        while let Ok(command) = self.inputs.commands.try_recv() {
            self.handle_command(command);
        }
        while let Ok(id) = self.inputs.webhooks.try_recv() {
            self.watchlist.handle_webhook(&id);
        }
        while let Some(polled) = self.polls.try_join_next() {
            self.handle_poll_result(polled);
        }
    }

    fn handle_command(&mut self, command: Command) {
        // Read here and not by the caller: a webhook that arrives in between is either in the inbox
        // by now, or is received after this command.
        let ended = match &command {
            Command::Watch(watch) => lock(&self.state.inbox)
                .has_ended(watch.id.as_str(), clock::now())
                .then(|| watch.id.clone()),
            _ => None,
        };
        self.watchlist.handle_command(clock::now(), clock::wall(), command);
        if let Some(id) = ended {
            self.watchlist.handle_webhook(&id);
        }
    }

    fn handle_poll_result(&mut self, polled: Result<PollResult, JoinError>) {
        // An aborted poll has no result, and the watchlist expects none.
        let Ok(PollResult { waiter, id, poll, result }) = polled else { return };
        self.in_flight.remove(&poll);
        let (now, wall) = (clock::now(), clock::wall());
        let error = result.as_ref().err().cloned();
        let list = &mut self.watchlist;
        let outcome = list.handle_poll_result(now, wall, &id, poll, result, clock::entropy());
        let Waiter { client, span, .. } = waiter;
        span.in_scope(|| match outcome {
            Some(PollOutcome::RepeatAfter(pause)) => {
                if let Some(error) = error {
                    client.log.retry(&Subject::of(&wire::retrieve(&id)), &error, pause);
                }
            }
            Some(PollOutcome::WebhookUnconfirmed) => client.log.webhook_unconfirmed(&id),
            None => {}
        });
    }

    fn report_hold(&mut self, denied_until: Option<Duration>) {
        let now = clock::now();
        let room_in = denied_until.map(|at| at.saturating_sub(now));
        match (&self.hold, room_in) {
            (None, Some(room_in)) if room_in >= HOLD_NOTICE => {
                let Some(waiter) = self.watchlist.any_handle() else { return };
                let log = waiter.client.log.clone();
                log.hold(&Subject::of_polls(), Hold::Begun { room_in: Some(room_in) });
                self.hold = Some((now, log));
            }
            (Some((since, log)), None) => {
                let waited = now.saturating_sub(*since);
                log.hold(&Subject::of_polls(), Hold::Ended { waited });
                self.hold = None;
            }
            _ => {}
        }
    }

    fn execute(&mut self) {
        for action in self.watchlist.take_actions() {
            match action {
                Action::Poll { id, poll, handle } => self.poll(id, poll, handle),
                Action::Abort(poll) => {
                    if let Some(task) = self.in_flight.remove(&poll) {
                        task.abort();
                    }
                }
                Action::Update { handle, update, shape } => {
                    // A wait that was dropped meanwhile has sent its command to leave.
                    let _ = handle.events.unbounded_send(Event::Update(update, shape));
                }
                Action::End { handle, end, polls } => {
                    let _ = handle.events.unbounded_send(Event::End(end, polls));
                }
            }
        }
    }

    fn poll(&mut self, id: GenerationId, poll: PollId, waiter: Waiter) {
        // The budget was charged for it already. A task that is aborted before it begins gives the
        // permit back unused.
        let permit = self.state.limiter.poll_permit();
        let span = waiter.span.clone();
        let task = async move {
            let polled = barrier::catch_async(waiter.client.poll(&id, permit)).await;
            let result = polled.flatten().map_err(|error| error.with_generation_id(id.as_str()));
            PollResult { waiter, id, poll, result }
        };
        self.in_flight.insert(poll, self.polls.spawn(task.instrument(span)));
    }
}
