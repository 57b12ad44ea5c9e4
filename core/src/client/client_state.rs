//! What the clients of one key share within a process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::clock;
use super::events::Log;
use super::inbox::Inbox;
use super::key::KeyIdentity;
use super::limiter::Limiter;
use super::redis::{self, Link, RedisUrl};
use super::spend::SharedLedger;
use super::subscription::{Command, DriverId, Drivers};
use crate::lock::lock;
use crate::polling::budget::RateLimit;
use crate::polling::forecast::Forecast;
use crate::recent_ids::RecentIds;
use crate::webhook::Acknowledged;
use crate::wire::BaseUrl;

/// The state that all clients with the same key, base URL and rate limit share.
pub(crate) struct ClientState {
    pub(crate) limiter: Arc<Limiter>,
    /// The generations that the processes of this key have created, and when.
    pub(crate) created: Mutex<RecentIds<Duration>>,
    /// The processes of those that other processes have created.
    pub(crate) created_by: Mutex<RecentIds<u64>>,
    /// The names of other processes that have ended as they should.
    pub(crate) left: Mutex<RecentIds<()>>,
    /// The generations that the service has described to this process, and when for the first time.
    pub(crate) seen: Mutex<RecentIds<Duration>>,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) acknowledged: Arc<Acknowledged>,
    pub(crate) drivers: Drivers,
    pub(crate) ledger: Arc<SharedLedger>,
    /// The link to the other processes, if there is one.
    pub(crate) link: Option<Arc<Link>>,
    /// What the last driver that ended has learned: waits often come one after another.
    forecast: Mutex<Option<Forecast>>,
}

/// What clients that share their state have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) account: Account,
    pub(crate) rate_limit: Option<RateLimit>,
}

/// A key of a service.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) base_url: BaseUrl,
    pub(crate) key: KeyIdentity,
    /// A hash of the URL of the Redis server over which its processes share it.
    pub(crate) redis: Option<[u8; 32]>,
}

impl Account {
    /// A name that says nothing about the key.
    fn name(&self, key: &[u8; 32]) -> String {
        let hash =
            Sha256::new().chain_update(self.base_url.to_string()).chain_update(key).finalize();
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The ledgers of all fixed keys. One that has counted something outlives the clients of its key:
/// a limit is for the process.
static LEDGERS: LazyLock<Mutex<HashMap<Account, Arc<SharedLedger>>>> =
    LazyLock::new(Mutex::default);

fn ledger_of(account: &Account) -> Arc<SharedLedger> {
    // The key of a token function is that of one client only, which has the ledger in its state.
    if let KeyIdentity::Function(_) = account.key {
        return Arc::default();
    }
    let mut all = lock(&LEDGERS);
    all.retain(|_, ledger| Arc::strong_count(ledger) > 1 || !ledger.is_empty());
    all.entry(account.clone()).or_default().clone()
}

/// The states in use. One without clients is dropped, and what it learned with it.
static STATES: LazyLock<Mutex<HashMap<Identity, Weak<ClientState>>>> =
    LazyLock::new(Mutex::default);

impl ClientState {
    /// The state of the clients with this identity, which is linked to this server. Events of the
    /// link go where those of its first client go.
    pub(crate) fn of(identity: Identity, server: Option<&RedisUrl>, log: &Log) -> Arc<Self> {
        let rate_limit = identity.rate_limit;
        let mut all = lock(&STATES);
        // Programs that make a client for each of their users would fill the map otherwise.
        all.retain(|_, state| state.strong_count() > 0);
        let account = identity.account.clone();
        let slot = all.entry(identity).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let state = Arc::new(Self {
                limiter: Arc::new(Limiter::new(rate_limit)),
                link: server.map(|_| Arc::new(Link::new(log.clone()))),
                created: Mutex::default(),
                created_by: Mutex::default(),
                left: Mutex::default(),
                seen: Mutex::default(),
                inbox: Mutex::default(),
                acknowledged: Arc::default(),
                drivers: Drivers::default(),
                ledger: ledger_of(&account),
                forecast: Mutex::default(),
            });
            *slot = Arc::downgrade(&state);
            // The tokens of a function do not show which key they belong to.
            if let (Some(link), Some(server), KeyIdentity::Fixed(key)) =
                (&state.link, server, &account.key)
            {
                redis::start(&state, link, account.name(key), server);
            }
            state
        })
    }

    /// This process has created a generation.
    pub(crate) fn on_created(&self, id: &str) {
        lock(&self.created).insert(id, clock::now());
        if let Some(link) = &self.link {
            link.publish_created(id);
        }
    }

    /// Whether a create that has received its response has made this generation. A process that was
    /// killed may have received it, and lost it before it was stored: what such a process has created
    /// may be what any lost create has made.
    pub(crate) fn is_of_known_create(&self, id: &str, running: &HashSet<u64>) -> bool {
        let is_safe = |process: u64| {
            running.contains(&process) || lock(&self.left).get(&format!("{process:016x}")).is_some()
        };
        lock(&self.created).get(id).is_some() && lock(&self.created_by).get(id).is_none_or(is_safe)
    }

    /// Waits until what other processes have published is known, in the first moments of a state.
    pub(crate) fn wait_until_linked(&self) {
        if let Some(link) = &self.link {
            link.wait_until_ready();
        }
    }
}

impl Drop for ClientState {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.end();
        }
    }
}

impl ClientState {
    /// The states of all clients with this base URL.
    pub(crate) fn all_of(base_url: &BaseUrl) -> Vec<Arc<Self>> {
        let all = lock(&STATES);
        let of_url = all.iter().filter(|(identity, _)| identity.account.base_url == *base_url);
        of_url.filter_map(|(_, state)| state.upgrade()).collect()
    }

    /// What is known about durations. What was learned from another first guess is not used.
    pub(crate) fn forecast(&self, typical: Duration) -> Forecast {
        let kept = lock(&self.forecast).clone().filter(|kept| kept.typical == typical);
        kept.unwrap_or_else(|| Forecast::new(typical))
    }

    /// Ends a driver that has nothing left to do, and keeps what it has learned. Returns false if a
    /// command has just arrived, and the driver has to go on.
    pub(crate) fn end_driver(
        &self,
        commands: &mpsc::UnboundedReceiver<Command>,
        id: &DriverId,
        forecast: &Forecast,
    ) -> bool {
        *lock(&self.forecast) = Some(forecast.clone());
        self.drivers.remove(commands, id)
    }
}

/// Drops the state that the clients of this process share. Clients that are built from now on share
/// a new one.
///
/// Call it in the child of a `fork`, which inherits the parent's state in the middle of its calls:
/// places in queues, and requests that only the parent receives the responses of. The child must
/// neither use nor drop the parent's clients, since their connections are the parent's too.
///
/// ```
/// // In the child:
/// pipevideo::reset_shared_state();
/// let client = pipevideo::Client::builder().api_key("pv_example").build()?;
/// # let _ = client;
/// # Ok::<(), pipevideo::Error>(())
/// ```
pub fn reset_shared_state() {
    lock(&STATES).clear();
    lock(&LEDGERS).clear();
    redis::reset();
}
