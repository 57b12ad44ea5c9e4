//! One connection to Redis after another, and what goes over it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, RedisError};

use super::feed::{Feed, Message};
use super::window::{self, Window};
use super::{Link, RedisUrl, ledger};
use crate::barrier;
use crate::client::client_state::ClientState;
use crate::client::clock;
use crate::client::events::Log;
use crate::client::limiter::Limiter;
use crate::client::spend::SharedLedger;
use crate::lock::lock;
use crate::polling::budget::shared::{ByClass, MAX_SILENCE};

/// The pause between two attempts to reach the server, at first and at most. A server that restarts
/// is back within a second.
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How long connecting may take, for which no call waits: with TLS, it is five round trips.
const MAX_CONNECT: Duration = Duration::from_secs(1);

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("it could not be connected to within {MAX_CONNECT:?}")]
    Unreachable,
    #[error("it has not answered within {MAX_SILENCE:?}")]
    Silent,
    #[error("it has closed the connection")]
    Closed,
    #[error("its answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("it has lost its data")]
    Emptied,
    #[error("it has answered something else than it was asked")]
    Confused,
    #[error(transparent)]
    Panicked(crate::Error),
}

/// The names of a key's data. The braces keep them on one node of a cluster.
pub(super) struct Keys {
    pub(super) calls: String,
    pub(super) polls: String,
    pub(super) processes: String,
    pub(super) feed: String,
    pub(super) ledger: String,
    pub(super) channel: String,
}

impl Keys {
    pub(super) fn new(account: &str) -> Self {
        let of = |name: &str| format!("pipevideo:{{{account}}}:{name}");
        Self {
            calls: of("calls"),
            polls: of("polls"),
            processes: of("processes"),
            feed: of("feed"),
            ledger: of("ledger"),
            channel: of("channel"),
        }
    }

    /// Deletes what another program has stored under these names, if its type keeps the commands from
    /// running. A server that does not allow that may still do.
    async fn drop_foreign(
        &self,
        connection: &mut MultiplexedConnection,
        log: &Log,
    ) -> Result<(), LinkError> {
        let types = [
            (&self.calls, "zset"),
            (&self.polls, "zset"),
            (&self.processes, "hash"),
            (&self.feed, "zset"),
            (&self.ledger, "string"),
        ];
        let mut found = redis::pipe();
        for (key, _) in types {
            found.cmd("TYPE").arg(key);
        }
        let found: Vec<String> = match in_time(found.query_async(connection)).await {
            Err(LinkError::Redis(_)) => return Ok(()),
            found => found?,
        };
        for ((key, of_ours), found) in types.into_iter().zip(found) {
            if found != of_ours && found != "none" {
                log.redis_warning(
                    "another program has stored something in Redis under a name of ours: it is deleted",
                    None,
                    None,
                );
                in_time(redis::cmd("DEL").arg(key).query_async::<()>(connection)).await?;
            }
        }
        Ok(())
    }

    /// The channel of one process.
    pub(super) fn channel_of(&self, process: &str) -> String {
        format!("{}:{process}", self.channel)
    }
}

/// Keeps a state linked until it has no clients left.
pub(super) async fn run(state: Weak<ClientState>, link: Arc<Link>, account: String, url: RedisUrl) {
    let shared = state.upgrade().map(|state| (state.limiter.clone(), state.ledger.clone()));
    let Some((limiter, ledger)) = shared else { return };
    let process = link.name();
    let mut session = Session {
        window: Window::new(limiter.limit(), process.clone()),
        feed: Feed::new(process),
        keys: Keys::new(&account),
        reach: Reach::default(),
        state,
        link,
        limiter,
        ledger,
        is_ledger_stale: false,
    };
    let mut over_since = None;
    loop {
        let served = barrier::catch_async(session.serve(&url)).await;
        let Err(error) = served.map_err(LinkError::Panicked).flatten() else { return };
        session.on_lost(&error);
        clock::sleep(session.reach.pause).await;
        if session.is_over() {
            let now = clock::now();
            let over_for = now.saturating_sub(*over_since.get_or_insert(now));
            if over_for > MAX_FAREWELL || !session.has_news() {
                return;
            }
        }
    }
}

/// For how long a state without clients tries to report what they did. Its requests are in the usual
/// window for as long.
const MAX_FAREWELL: Duration = Duration::from_secs(60);

/// Whether the server can be reached, for the log and the pause.
#[derive(Default)]
struct Reach {
    is_lost: bool,
    pause: Duration,
    /// When it was reached last.
    reached_at: Duration,
}

struct Session {
    state: Weak<ClientState>,
    link: Arc<Link>,
    limiter: Arc<Limiter>,
    ledger: Arc<SharedLedger>,
    /// Whether another process has changed the ledger.
    is_ledger_stale: bool,
    keys: Keys,
    window: Window,
    feed: Feed,
    reach: Reach,
}

impl Session {
    /// Whether the state has no clients left.
    fn is_over(&self) -> bool {
        self.state.strong_count() == 0
    }

    /// Whether this process has done anything that may be new to the others.
    fn has_news(&self) -> bool {
        let report = self.limiter.report();
        self.link.has_messages() || !report.released.is_empty() || !self.ledger.is_empty()
    }

    fn on_lost(&mut self, error: &LinkError) {
        self.limiter.cut_off();
        self.ledger.on_unreachable();
        self.link.set_ready();
        let Reach { is_lost, pause, reached_at } = &mut self.reach;
        if !*is_lost {
            *is_lost = true;
            // A server that can be reached, and fails at once each time, is not tried more often.
            if clock::now().saturating_sub(*reached_at) > MAX_PAUSE {
                *pause = Duration::ZERO;
            }
            let processes = self.limiter.processes();
            self.link.log.redis_warning(
                "Redis cannot be used: until it can, this process goes on with its share of the budget",
                Some(error),
                Some(processes),
            );
        }
        *pause = pause.saturating_mul(2).clamp(MIN_PAUSE, MAX_PAUSE);
    }

    fn on_reached(&mut self) {
        self.link.set_ready();
        if self.reach.is_lost {
            self.link.log.redis_reached();
        }
        self.reach.is_lost = false;
        self.reach.reached_at = clock::now();
    }

    /// Serves one connection. Returns when the state has no clients left.
    async fn serve(&mut self, url: &RedisUrl) -> Result<(), LinkError> {
        let connected = clock::within(MAX_CONNECT, self.connect(url)).await;
        let (mut connection, subscribed) = connected.ok_or(LinkError::Unreachable)??;
        let (mut subscription, mut messages) = subscribed.split();
        self.keys.drop_foreign(&mut connection, &self.link.log).await?;
        // Read once it is subscribed, so that no message is missed.
        self.read_feed(&mut connection).await?;
        self.exchange(&mut connection).await?;
        self.ledger.on_reachable();
        self.share_ledger(&mut connection).await?;
        self.on_reached();
        self.attend(&mut connection, &mut subscription, &mut messages).await
    }

    async fn connect(&self, url: &RedisUrl) -> Result<(MultiplexedConnection, PubSub), LinkError> {
        let client = url.client()?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(MAX_CONNECT))
            .set_response_timeout(Some(MAX_CONNECT));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut subscribed = client.get_async_pubsub().await?;
        // Nothing is sent on the second channel. Others see by it that this process is running.
        let own = self.keys.channel_of(&self.window.process);
        subscribed.subscribe(&[&self.keys.channel, &own]).await?;
        Ok((connection, subscribed))
    }

    /// Sends what this process has to publish, and takes what the others do.
    async fn attend(
        &mut self,
        connection: &mut MultiplexedConnection,
        subscription: &mut PubSubSink,
        messages: &mut PubSubStream,
    ) -> Result<(), LinkError> {
        let (link, limiter) = (self.link.clone(), self.limiter.clone());
        let mut report_at = clock::now().saturating_add(self.report_interval());
        loop {
            if self.is_over() {
                return self.leave(connection).await;
            }
            // Taken first, so that what they wait for is sent below.
            let flushes = link.take_flushes();
            let is_all_sent = self.feed.send(connection, &self.keys, &link).await?;
            let refreshes = link.take_refreshes();
            if !refreshes.is_empty() {
                self.read_feed(connection).await?;
                // A server that does not say so may still be of use for everything else.
                let running = self.window.running(connection, &self.keys).await;
                let running = running.unwrap_or_default();
                for refreshed in refreshes {
                    // A call that was dropped does not wait for it.
                    let _ = refreshed.send(running.clone());
                }
            }
            let is_all_shared = self.share_ledger(connection).await?;
            if is_all_sent && is_all_shared {
                for flushed in flushes {
                    // A call that was dropped does not wait for it.
                    let _ = flushed.send(());
                }
            } else {
                lock(&link.flushes).extend(flushes);
                // The window and the subscription have their turn in between.
                link.notify();
            }
            let now = clock::now();
            if report_at <= now {
                // Without it, a subscription with a dead connection would only be silent.
                in_time(subscription.ping::<redis::Value>()).await?;
                self.exchange(connection).await?;
                report_at = now.saturating_add(self.report_interval());
            } else if limiter.is_report_due() {
                self.exchange(connection).await?;
            }
            tokio::select! {
                message = messages.next() => {
                    let message = message.ok_or(LinkError::Closed)?;
                    // Nothing of this library's is another text.
                    let text = message.get_payload::<String>().unwrap_or_default();
                    if self.on_published(&text) {
                        report_at = clock::now();
                    }
                }
                () = link.changed.notified() => {}
                () = limiter.report_due.notified() => {}
                () = clock::sleep_until(report_at) => {}
            }
        }
    }

    /// Sends what is left to tell, and withdraws this process. A client may be dropped right after
    /// its last call.
    async fn leave(&mut self, connection: &mut MultiplexedConnection) -> Result<(), LinkError> {
        let link = self.link.clone();
        link.publish(&Message::Left(&link.name()));
        while !self.feed.send(connection, &self.keys, &link).await? {}
        while !self.share_ledger(connection).await? {}
        self.exchange(connection).await?;
        self.window.leave(connection, &self.keys).await
    }

    fn report_interval(&self) -> Duration {
        // The others are expected back in the window at any moment.
        if self.limiter.is_out_of_reach() {
            return window::MIN_REPORT_INTERVAL;
        }
        window::report_interval(self.limiter.limit())
    }

    /// Reports to the window, and takes what it grants.
    async fn exchange(&mut self, connection: &mut MultiplexedConnection) -> Result<(), LinkError> {
        let report = self.limiter.report();
        let reply = self.window.exchange(connection, &self.keys, &report).await?;
        self.limiter.on_reply(&report, &reply);
        self.ledger.set_peers(self.limiter.processes(), self.limiter.awaits_others());
        Ok(())
    }

    /// Takes what other processes have spent, and tells what this one has. Returns whether that
    /// was all.
    async fn share_ledger(
        &mut self,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, LinkError> {
        if std::mem::take(&mut self.is_ledger_stale) {
            ledger::refresh(connection, &self.keys, &self.ledger).await?;
        }
        let (process, log) = (&self.window.process, &self.link.log);
        ledger::commit(connection, &self.keys, process, &self.ledger, log).await
    }

    /// Takes the messages that were kept since the last time.
    async fn read_feed(&mut self, connection: &mut MultiplexedConnection) -> Result<(), LinkError> {
        loop {
            let (messages, has_more) = self.feed.read(connection, &self.keys).await?;
            if let Some(state) = self.state.upgrade() {
                messages.iter().for_each(|(message, age)| state.on_message(message, *age));
            }
            if !has_more {
                return Ok(());
            }
        }
    }

    /// A process has published something. Returns whether the window may have more to say.
    fn on_published(&mut self, message: &str) -> bool {
        let Some((process, message)) = message.split_once(' ') else { return false };
        if process == self.window.process {
            return false;
        }
        if let Some(used) = message.strip_prefix("used ") {
            if let Some(used) = parse_used(used) {
                self.limiter.on_used(used);
            }
        } else if message == "spent" {
            self.is_ledger_stale = true;
        } else if let Some(state) = self.state.upgrade() {
            state.on_message(message, Duration::ZERO);
        }
        // Without a limit, this process would not ask before it sends.
        message == "refused"
    }
}

/// Reads how many calls and polls the window holds.
pub(super) fn parse_used(used: &str) -> Option<ByClass<usize>> {
    let (direct, poll) = used.split_once(' ')?;
    let used = ByClass { direct: direct.parse().ok()?, poll: poll.parse().ok()? };
    Some(used).filter(ByClass::is_plausible)
}

/// Awaits an answer of the server for as long as anything waits for it.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, LinkError> {
    let asked_at = clock::now();
    let answer = clock::within(MAX_SILENCE, answer).await.ok_or(LinkError::Silent)??;
    // A process that was frozen meanwhile would take old room for new.
    if clock::now().saturating_sub(asked_at) > MAX_SILENCE {
        return Err(LinkError::Silent);
    }
    Ok(answer)
}
