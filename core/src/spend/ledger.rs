//! The ledger of a key: what its generations have cost, and what those in flight will.

#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

use super::amounts::{Amount, Reserved, Totals};
use super::fact::{Create, End, Entry, Fact, Generated, Key};
use super::facts::{Capacity, Facts};
use super::prices::{PricedRoute, Prices, is_amount};
use crate::error::{Error, ErrorKind};
use crate::model::{FailureCategory, Generation, GenerationRequest, Spend, Status};

pub(crate) use super::fact::EntryNumber;

/// What the generations of a key cost, as far as this process knows.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(super) facts: Facts,
    /// The number of the process, and of its next create.
    next: EntryNumber,
    /// The facts that were changed, and whether they were there before: for other processes. `None`
    /// while there are none, and facts beyond [`LOCAL`] are folded at once.
    pub(super) changed: Option<Vec<(Key, bool)>>,
}

/// Programs that create and never see an end would fill the ledger. Beyond this number the oldest
/// entry is counted as uncertain, and no longer followed.
pub(super) const MAX_OPEN: usize = 10_000;

/// How much a process keeps. Ended generations are known for more than an hour and a half at 100
/// requests a minute, in a few MB.
pub(super) const LOCAL: Capacity = Capacity { open: MAX_OPEN, closed: 10_000 };

impl Ledger {
    /// The ledger of a process with this number. Creates of two processes are never confused if their
    /// numbers differ.
    pub(crate) fn new(process: u64) -> Self {
        Self { next: EntryNumber(process, 0), ..Self::default() }
    }

    /// Reserves the cost of a create that is about to be sent.
    ///
    /// # Errors
    /// [`ErrorKind::SpendLimit`] if it would exceed the limit, or if even the low estimate is more
    /// than the request's maximum.
    pub(crate) fn reserve(
        &mut self,
        prices: &Prices,
        request: &GenerationRequest,
        limit: Option<Decimal>,
    ) -> Result<EntryNumber, Error> {
        check_maximum(prices, request)?;
        let entry = entry_of(prices, request, limit);
        if let Some(limit) = limit {
            self.facts.totals().check_limit(entry.reserved, limit)?;
        }
        let number = self.number();
        self.open(number, entry, 0);
        Ok(number)
    }

    /// A number for a create.
    pub(super) fn number(&mut self) -> EntryNumber {
        let number = self.next;
        self.next.1 = number.1.wrapping_add(1);
        number
    }

    /// Counts a create that is about to be sent, at this time in seconds since 1970.
    pub(super) fn open(&mut self, number: EntryNumber, entry: Entry, at: u64) {
        self.set(Key::Create(number), Fact::Create(Create::InFlight(entry, at)));
    }

    /// Whether anything was counted.
    pub(crate) fn is_empty(&self) -> bool {
        let Totals { spent, in_flight, uncertain, .. } = self.facts.totals();
        spent.is_zero() && in_flight.count == 0 && uncertain.count == 0
    }

    /// The create was not processed, or its generation was not charged.
    pub(crate) fn release(&mut self, number: EntryNumber) {
        if self.unresolved(number).is_some() {
            self.resolve(number, None);
        }
    }

    /// The create has made this generation, also if that was uncertain before.
    pub(crate) fn on_created(&mut self, number: EntryNumber, id: &str) {
        self.on_made(number, id, false);
    }

    /// What the create has made is unknown, or known by its id only.
    pub(crate) fn on_uncertain(&mut self, number: EntryNumber, id: Option<&str>) {
        if let Some(id) = id {
            return self.on_created(number, id);
        }
        if let Some(entry) = self.unresolved(number).cloned() {
            self.set(Key::Create(number), Fact::Create(Create::Uncertain(entry)));
        }
    }

    /// The service has described a generation. Returns its route if its cost teaches something.
    pub(crate) fn on_snapshot(
        &mut self,
        prices: &Prices,
        generation: &Generation,
    ) -> Option<PricedRoute> {
        let id = &generation.id;
        let is_final = generation.is_final();
        // A stale snapshot must not begin a second entry.
        if self.facts.is_new(id) {
            match self.uncertain_create_of(generation) {
                Some(number) => self.on_made(number, id, true),
                // Another process has made it.
                None if !is_final => self.resume(prices, route_of(generation), id),
                // It has ended before this process saw it: its cost was not spent here, but is known
                // now.
                None => {}
            }
        }
        let mut fact = self.facts.generation(id).cloned().unwrap_or_default();
        let end = if is_final { end_of(generation) } else { End::No };
        // The service reports the cost later than the end.
        if end <= fact.end {
            return None;
        }
        let route = match fact.entry.as_mut().filter(|_| fact.end == End::No) {
            Some(entry) => {
                let PricedRoute { model, engine } = std::mem::take(&mut entry.route);
                PricedRoute { model, engine: generation.engine.clone().or(engine) }
            }
            None => route_of(generation),
        };
        fact.end = end;
        self.set_generation(id, fact);
        Some(route)
    }

    /// An uncertain create may have made one of these generations.
    pub(crate) fn on_candidates<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            if self.facts.generation(id).is_none() {
                self.set_generation(id, Generated::default());
            }
        }
    }

    /// The uncertain create that has made a generation, if the caller has taken it for one.
    ///
    /// Of several for one model any will do: they count alike.
    fn uncertain_create_of(&self, generation: &Generation) -> Option<EntryNumber> {
        self.facts.generation(&generation.id)?;
        let route = route_of(generation);
        self.facts.open().find_map(|(key, fact)| match (key, fact) {
            (Key::Create(number), Fact::Create(Create::Uncertain(entry))) => {
                entry.route.has_model_of(&route).then_some(*number)
            }
            _ => None,
        })
    }

    /// Counts a generation that exists already as in flight.
    pub(crate) fn resume(&mut self, prices: &Prices, route: PricedRoute, id: &str) {
        let reserved = Reserved::at(prices.estimate(&route, 1).cost_usd);
        if self.facts.generation(id).is_none_or(|known| known.end == End::No) {
            let entry = Some(Entry { route, reserved });
            self.set_generation(id, Generated { entry, end: End::No });
        }
    }

    /// Counts a create with an unknown outcome.
    pub(crate) fn add_uncertain(&mut self, prices: &Prices, route: PricedRoute) -> EntryNumber {
        let reserved = Reserved::at(prices.estimate(&route, 1).cost_usd);
        let number = self.number();
        let fact = Fact::Create(Create::Uncertain(Entry { route, reserved }));
        self.set(Key::Create(number), fact);
        number
    }

    /// Counts a generation that has ended, at its cost if that is known. For ledgers of one process.
    pub(crate) fn add_ended(&mut self, cost: Option<Decimal>, is_failed: bool) {
        let totals = match cost.filter(is_amount) {
            Some(cost) => Totals::charged(cost, is_failed),
            None => Totals { uncertain: Amount::of(Reserved::default()), ..Totals::default() },
        };
        self.facts.fold_totals(&totals);
    }

    /// Estimates those anew that had no estimate. Called when a cost was learned.
    pub(crate) fn estimate_anew(&mut self, prices: &Prices) {
        let Totals { in_flight, uncertain, .. } = self.facts.totals();
        if in_flight.not_estimated == 0 && uncertain.not_estimated == 0 {
            return;
        }
        let estimated = |(key, fact): (&Key, &Fact)| {
            let mut fact = fact.clone();
            let entry = fact.entry_mut().filter(|entry| !entry.reserved.is_estimate)?;
            entry.reserved = Reserved::at(prices.estimate(&entry.route, 1).cost_usd);
            entry.reserved.is_estimate.then(|| (key.clone(), fact))
        };
        let estimated: Vec<_> = self.facts.open().filter_map(estimated).collect();
        for (key, fact) in estimated {
            self.set(key, fact);
        }
    }

    /// The amounts, beside this limit.
    pub(crate) fn spend(&self, limit: Option<Decimal>) -> Spend {
        self.facts.totals().spend(limit)
    }

    /// What a create counts as, until it is known what it has made.
    pub(super) fn unresolved(&self, number: EntryNumber) -> Option<&Entry> {
        self.facts.get(&Key::Create(number))?.entry()
    }

    fn on_made(&mut self, number: EntryNumber, id: &str, is_candidate: bool) {
        let Some(entry) = self.unresolved(number).cloned() else { return };
        self.resolve(number, is_candidate.then(|| (id.to_owned(), entry.clone())));
        // A generation counts once: a poll may have found it before its create was resolved.
        let mut fact = self.facts.generation(id).cloned().unwrap_or_default();
        fact.entry = Some(entry);
        self.set_generation(id, fact);
    }

    pub(super) fn resolve(&mut self, number: EntryNumber, candidate: Option<(String, Entry)>) {
        let key = Key::Create(number);
        match self.changed {
            Some(_) => self.set(key, Fact::Create(Create::Resolved { candidate })),
            // Only other processes could take it for one that is in flight.
            None => self.facts.drop_fact(&key),
        }
    }

    fn set_generation(&mut self, id: &str, fact: Generated) {
        self.set(Key::Generation(id.to_owned()), Fact::Generation(fact.compact()));
    }

    fn set(&mut self, key: Key, fact: Fact) {
        let existed = self.facts.get(&key).is_some();
        self.facts.put(key.clone(), fact);
        match &mut self.changed {
            Some(changed) => changed.push((key, existed)),
            None => drop(self.facts.fold(LOCAL, |_| false)),
        }
    }
}

/// What a create counts as. Under a limit one of unknown cost counts at a bound, if there is one.
pub(super) fn entry_of(
    prices: &Prices,
    request: &GenerationRequest,
    limit: Option<Decimal>,
) -> Entry {
    let route = PricedRoute::of(request);
    let mut reserved = Reserved::at(prices.estimate(&route, 1).cost_usd);
    if limit.is_some() && reserved.cost.is_none() {
        reserved.cost = prices.generous(&route);
    }
    Entry { route, reserved }
}

/// Compares the low estimate of a request with its maximum.
///
/// # Errors
/// [`ErrorKind::SpendLimit`] if it is more.
pub(crate) fn check_maximum(prices: &Prices, request: &GenerationRequest) -> Result<(), Error> {
    let low = prices.estimate(&PricedRoute::of(request), 1).low;
    let (Some(maximum), Some(low)) = (request.max_cost_usd, low) else { return Ok(()) };
    if low <= maximum {
        return Ok(());
    }
    let statement = format!(
        "such a generation costs at least {low} USD by estimate, which is more than max_cost_usd, {}. \
         Nothing was sent.",
        maximum.normalize()
    );
    Err(Error::new(ErrorKind::SpendLimit, statement)
        .with_advice("Raise max_cost_usd, or choose another model."))
}

fn route_of(generation: &Generation) -> PricedRoute {
    let model = generation.model.clone().unwrap_or_default();
    PricedRoute { model, engine: generation.engine.clone() }
}

/// How a generation has ended that is final.
fn end_of(generation: &Generation) -> End {
    let cost = generation.usage.as_ref().and_then(|usage| usage.cost_usd).filter(is_amount);
    match cost {
        Some(cost) => End::Charged(cost, generation.status == Status::Failed),
        None if may_be_charged(generation) => End::Unpriced,
        None => End::Free,
    }
}

/// Whether a generation that ended without a cost may have been charged: the model is billed once it
/// has composed the video, before the render.
fn may_be_charged(generation: &Generation) -> bool {
    if generation.status != Status::Failed {
        return true;
    }
    let category =
        generation.error.as_ref().map_or(FailureCategory::Other, |error| error.category());
    matches!(category, FailureCategory::Provider | FailureCategory::Other)
}
