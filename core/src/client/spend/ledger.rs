//! The ledger of a key behind a lock, and how a create reserves its cost in it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use futures_channel::oneshot;
use rust_decimal::Decimal;

use super::Fetched;
use crate::client::clock;
use crate::client::submission::Submission;
use crate::error::Error;
use crate::lock::lock;
use crate::model::{Generation, GenerationRequest, Spend};
use crate::spend::ledger::{EntryNumber, Ledger};
use crate::spend::prices::Prices;
use crate::spend::shared::{Commit, Decision, Reserve, SharedView};

/// What a key has spent, and what this process knows about prices.
pub(crate) struct SharedLedger {
    accounts: Mutex<Accounts>,
    pub(super) fetched: Mutex<Fetched>,
}

struct Accounts {
    prices: Prices,
    view: SharedView,
    /// The creates that wait until a commit has decided on them.
    waiting: HashMap<EntryNumber, oneshot::Sender<Result<(), Error>>>,
    links: Vec<Notify>,
}

/// Notifies a link that there is something to commit, and returns false once the link has ended. It
/// must return at once, and call nothing of the ledger.
pub(crate) type Notify = Box<dyn Fn() -> bool + Send + Sync>;

impl Default for SharedLedger {
    fn default() -> Self {
        let accounts = Accounts {
            prices: Prices::default(),
            view: SharedView::new(clock::process_number()),
            waiting: HashMap::new(),
            links: Vec::new(),
        };
        Self { accounts: Mutex::new(accounts), fetched: Mutex::default() }
    }
}

impl SharedLedger {
    pub(crate) fn on_snapshot(&self, generation: &Generation) {
        self.change(|Accounts { prices, view, .. }| {
            view.change(|ledger| {
                if let Some(route) = ledger.on_snapshot(prices, generation) {
                    prices.learn(route, generation);
                    ledger.estimate_anew(prices);
                }
            });
        });
    }

    /// An uncertain create may have made one of these generations: one that is seen next is taken for
    /// it, so that it does not count twice.
    pub(crate) fn on_candidates<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        self.change_ledger(|ledger| ledger.on_candidates(ids));
    }

    /// Calls a function with what is known about prices.
    pub(crate) fn with_prices<T>(&self, function: impl FnOnce(&mut Prices) -> T) -> T {
        function(&mut lock(&self.accounts).prices)
    }

    /// Whether anything was counted.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.accounts).view.ledger().is_empty()
    }

    /// The amounts, beside this limit.
    pub(super) fn spend(&self, limit: Option<Decimal>) -> Spend {
        lock(&self.accounts).view.ledger().spend(limit)
    }

    fn change_ledger(&self, function: impl FnOnce(&mut Ledger)) {
        self.change(|accounts| accounts.view.change(function));
    }

    /// Calls a function that may change something, and then the links if there is something to commit.
    fn change<T>(&self, function: impl FnOnce(&mut Accounts) -> T) -> T {
        let mut accounts = lock(&self.accounts);
        let result = function(&mut accounts);
        if accounts.view.needs_commit() {
            accounts.links.retain(|notify| notify());
        }
        result
    }

    /// Reserves the cost of a create that is about to be sent, and waits this long for Redis to decide.
    ///
    /// # Errors
    /// [`ErrorKind::SpendLimit`](crate::ErrorKind::SpendLimit) if it may not be sent.
    pub(super) async fn reserve<'a>(
        &'a self,
        request: &GenerationRequest,
        limit: Option<Decimal>,
        submission: &'a Submission,
        timeout: Duration,
    ) -> Result<Reservation<'a>, Error> {
        let reserved = self.change(|Accounts { prices, view, waiting, .. }| {
            Ok::<_, Error>(match view.reserve(prices, request, limit, now())? {
                Reserve::Now(number) => (number, None),
                Reserve::AtCommit(number) => {
                    let (sender, decision) = oneshot::channel();
                    waiting.insert(number, sender);
                    (number, Some(decision))
                }
            })
        });
        let (number, decision) = reserved?;
        // From now on it is released if this future is dropped.
        let mut reservation = Reservation { ledger: self, number: Some(number), submission };
        if let Some(decision) = decision {
            let began = clock::now();
            let decided = self.decision(number, decision, timeout).await;
            submission.on_waited(clock::now().saturating_sub(began));
            if let Err(error) = decided {
                reservation.number = None;
                return Err(error);
            }
        }
        Ok(reservation)
    }

    /// Waits for the decision on a create, which takes about a millisecond. If it takes too long, this
    /// process decides.
    async fn decision(
        &self,
        number: EntryNumber,
        mut decision: oneshot::Receiver<Result<(), Error>>,
        timeout: Duration,
    ) -> Result<(), Error> {
        if let Some(Ok(decision)) = clock::within(timeout, &mut decision).await {
            return decision;
        }
        let decided = self.change(|accounts| {
            accounts.waiting.remove(&number);
            accounts.view.decide(number)
        });
        // A decision that came at this moment was sent before.
        decided.or_else(|| decision.try_recv().ok().flatten()).unwrap_or(Ok(()))
    }
}

/// What the link to the store of a shared ledger calls. It runs one commit at a time: while
/// [`needs_commit`](Self::needs_commit), it reads the document, calls [`prepare`](Self::prepare), writes
/// by compare-and-set, and calls [`on_committed`](Self::on_committed) if the write was done. If the
/// revision was another one, or the reply was lost, it begins again.
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "the link to Redis calls it"))]
impl SharedLedger {
    /// Shares the ledger from now on. Clients with different rate limits have a link each, to the same
    /// store.
    pub(crate) fn share(&self, notify: Notify) {
        self.change(|accounts| {
            // Those of clients that were dropped.
            accounts.links.retain(|notify| notify());
            accounts.links.push(notify);
            accounts.view.share();
        });
    }

    /// Sets the number of processes that share the ledger, this one included, and whether some of them
    /// are not back yet after a loss of the store.
    pub(crate) fn set_peers(&self, peers: usize, awaits_others: bool) {
        self.change(|accounts| accounts.view.set_peers(peers, awaits_others));
    }

    /// The store can be reached again. Call it after each reconnection: the store may have lost data.
    pub(crate) fn on_reachable(&self) {
        self.change(|accounts| accounts.view.set_reachable(true));
    }

    /// The store cannot be reached. This process decides on creates by its share of what is left.
    pub(crate) fn on_unreachable(&self) {
        self.decide(|view| view.set_reachable(false));
    }

    /// Whether the document is to be read, and a commit prepared.
    pub(crate) fn needs_commit(&self) -> bool {
        lock(&self.accounts).view.needs_commit()
    }

    /// Prepares a commit on the document that is stored. `None` if a later release has written it: it
    /// must be left alone, and the ledger acts as without a store until
    /// [`on_reachable`](Self::on_reachable).
    pub(crate) fn prepare(&self, document: Option<&[u8]>) -> Option<Commit> {
        let mut commit = None;
        self.decide(|view| match view.prepare(document, now()) {
            Some((prepared, decisions)) => {
                commit = Some(prepared);
                decisions
            }
            None => view.set_reachable(false),
        });
        commit
    }

    /// The document of a commit was written, or it had none.
    pub(crate) fn on_committed(&self, commit: Commit) {
        self.decide(|view| view.on_committed(commit));
    }

    /// Another process has written this document.
    pub(crate) fn on_stored(&self, document: &[u8]) {
        self.decide(|view| view.on_stored(document));
    }

    fn decide(&self, function: impl FnOnce(&mut SharedView) -> Vec<Decision>) {
        let accounts = &mut *lock(&self.accounts);
        for (number, decision) in function(&mut accounts.view) {
            if let Some(waiting) = accounts.waiting.remove(&number) {
                // The create may have been cancelled. Its reservation releases it.
                let _ = waiting.send(decision);
            }
        }
    }
}

/// The time in seconds since 1970.
fn now() -> u64 {
    let since = clock::wall().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The reserved cost of a create. Dropping it before the outcome is known counts the cost as
/// uncertain if the create may have been sent, and releases it otherwise.
pub(in crate::client) struct Reservation<'a> {
    ledger: &'a SharedLedger,
    number: Option<EntryNumber>,
    submission: &'a Submission,
}

impl Reservation<'_> {
    /// The create has made this generation.
    pub(in crate::client) fn on_created(mut self, generation: &Generation) {
        if let Some(number) = self.number.take() {
            self.ledger.change_ledger(|ledger| ledger.on_created(number, &generation.id));
            self.ledger.on_snapshot(generation);
        }
    }

    /// The create failed with this error, and may have been processed.
    pub(in crate::client) fn on_uncertain(mut self, error: &Error) {
        if let Some(number) = self.number.take() {
            let id = error.generation_id();
            self.ledger.change_ledger(|ledger| ledger.on_uncertain(number, id));
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number.take() else { return };
        let uncertain = self.submission.uncertain();
        self.ledger.change(|accounts| match uncertain {
            Some(uncertain) => {
                let id = uncertain.generation_id();
                accounts.view.change(|ledger| ledger.on_uncertain(number, id));
            }
            None => {
                accounts.waiting.remove(&number);
                accounts.view.release(number);
            }
        });
    }
}
