//! Estimates and the spend limit: what a create may cost, and what the key has spent.

mod ledger;

use std::borrow::Borrow;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared, join};

pub(crate) use self::ledger::SharedLedger;

use self::ledger::Reservation;
use super::call_options::call_options;
use super::submission::Submission;
use super::{CallOptions, Client, ClientInner, clock};
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::model::{CostEstimate, GenerationRequest, Spend};
use crate::spend::prices::PricedRoute;
use crate::wire;

/// The account's usage and the catalogue's rates: when they were fetched, and the fetch in progress.
#[derive(Default)]
struct Fetched {
    at: Option<Duration>,
    fetch: Option<WeakShared<Fetch>>,
}

type Fetch = BoxFuture<'static, Result<(), Error>>;

/// For how long the account's usage and the rates are used. Both are averages that change by the
/// day; with five minutes they cost less than one request in a thousand.
const PRICES_MAX_AGE: Duration = Duration::from_secs(300);

impl Client {
    /// Estimates what generations like this one cost, before anything is paid. See [`Estimate`].
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// use pipevideo::GenerationRequest;
    ///
    /// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
    /// let estimate = client.estimate(&request).count(100).await?;
    /// match estimate.cost_usd {
    ///     Some(cost) => println!("about {cost} USD"),
    ///     None => println!("not known: nothing like it was made before"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn estimate(&self, request: impl Borrow<GenerationRequest>) -> Estimate {
        let request = request.borrow();
        let (client, route) = (self.clone(), PricedRoute::of(request));
        Estimate { client, route, count: 1, options: CallOptions::new() }
    }

    /// Returns what the key has spent in this process, or with Redis in all processes. All clients with
    /// the same key and base URL share it.
    pub fn spend(&self) -> Spend {
        self.inner.state.wait_until_linked();
        self.inner.state.ledger.spend(self.inner.config.spend_limit)
    }
}

/// An estimate of what generations cost. Await it, or set their number first.
///
/// Made by [`estimate`](Client::estimate). Only the model and the engine of the request count. What
/// this process has seen complete is the first source and needs no request. Otherwise the account's
/// usage by route is requested, and the rates of the catalogue, at most every five minutes. Dropping
/// the future cancels the requests.
///
/// # Errors
/// The errors of any call, if a request was needed and nothing is known without its response.
#[must_use = "an estimate does nothing unless it is awaited"]
pub struct Estimate {
    client: Client,
    route: PricedRoute,
    count: u64,
    options: CallOptions,
}

impl Estimate {
    /// Sets the number of generations; 1 by default.
    pub fn count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    call_options!();
}

impl IntoFuture for Estimate {
    type Output = Result<CostEstimate, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, route, count, options } = self;
        async move {
            let client = client.with_options(&options)?;
            if count == 0 {
                let message = "an estimate for 0 generations has no meaning. Ask for 1 or more.";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            let fetched = client.inner.fetch_prices(&route).await;
            let ledger = &client.inner.state.ledger;
            let estimate = ledger.with_prices(|prices| prices.estimate(&route, count));
            // A failed request matters only if nothing is known without its response.
            if estimate.cost_usd.is_none() { fetched.map(|()| estimate) } else { Ok(estimate) }
        }
        .boxed()
    }
}

impl fmt::Debug for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PricedRoute { model, engine } = &self.route;
        let mut out = f.debug_struct("Estimate");
        out.field("model", model).field("engine", engine).field("count", &self.count).finish()
    }
}

impl ClientInner {
    /// Reserves the cost of a create that is about to be sent.
    ///
    /// # Errors
    /// [`ErrorKind::SpendLimit`] if it may not be sent.
    pub(super) async fn reserve<'a>(
        self: &'a Arc<Self>,
        request: &GenerationRequest,
        submission: &'a Submission,
    ) -> Result<Reservation<'a>, Error> {
        let limit = self.config.spend_limit;
        let ledger = &*self.state.ledger;
        if limit.is_some() || request.max_cost_usd.is_some() {
            // A limit that is reached admits nothing, whatever the price.
            if limit.is_none() || ledger.spend(limit).remaining > Some(0.into()) {
                // Without the account's prices the first create finds out what it costs.
                let _ = self.fetch_prices(&PricedRoute::of(request)).await;
            }
        }
        ledger.reserve(request, limit, submission, self.state.limiter.redis_timeout()).await
    }

    /// Fetches the account's usage and the catalogue's rates, unless the cost of such a generation
    /// was seen already or they were fetched not long ago.
    pub(crate) async fn fetch_prices(self: &Arc<Self>, route: &PricedRoute) -> Result<(), Error> {
        if self.state.ledger.with_prices(|prices| prices.has_seen(route)) {
            return Ok(());
        }
        match self.prices_fetch() {
            Some(fetch) => fetch.await,
            None => Ok(()),
        }
    }

    /// The fetch that is in progress, or a new one, or `None` if the last one is recent.
    ///
    /// It is shared: whichever call is polled drives it, so that a call which is not polled delays no
    /// other. When all calls that await it are dropped, so is the fetch.
    fn prices_fetch(self: &Arc<Self>) -> Option<Shared<Fetch>> {
        let mut fetched = lock(&self.state.ledger.fetched);
        if fetched.at.is_some_and(|at| clock::now().saturating_sub(at) < PRICES_MAX_AGE) {
            return None;
        }
        // A call that is not polled may hold one that has ended.
        let running = fetched.fetch.as_ref().and_then(WeakShared::upgrade);
        if let Some(running) = running.filter(|fetch| fetch.peek().is_none()) {
            return Some(running);
        }
        let client = self.clone();
        let fetch = async move {
            let (usage, rates) = (wire::usage(), wire::engines());
            let (usage, catalog) = join(client.read(&usage), client.read(&rates)).await;
            let shared = &client.state.ledger;
            let both = shared.with_prices(|prices| {
                let usage = usage.map(|usage| prices.set_account(&usage));
                let catalog = catalog.map(|catalog| prices.set_rates(&catalog));
                usage.and(catalog)
            });
            if both.is_ok() {
                lock(&shared.fetched).at = Some(clock::now());
            }
            both
        };
        let fetch = fetch.boxed().shared();
        fetched.fetch = fetch.downgrade();
        Some(fetch)
    }
}
