//! The ledger of a key: what its generations have cost, and what those in flight will.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rust_decimal::Decimal;

use super::prices::{PricedRoute, Prices, is_amount};
use crate::error::{Error, ErrorKind};
use crate::model::{FailureCategory, Generation, GenerationRequest, Spend, Status};
use crate::recent_ids::RecentIds;

/// What the generations of a key cost in this process.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: HashMap<EntryNumber, Entry>,
    /// The entries of generations with an id.
    by_id: HashMap<String, EntryNumber>,
    next: EntryNumber,
    spent: Decimal,
    failed_but_charged: Decimal,
    in_flight: Amount,
    uncertain: Amount,
    /// The generations that have ended, each with what it is held to have cost if the service did not
    /// say.
    ended: RecentIds<Option<Reserved>>,
    /// The generations that an uncertain create may have made.
    candidates: RecentIds<()>,
}

/// Identifies a generation or create in the ledger.
pub(crate) type EntryNumber = u64;

/// A create that is in flight, or a generation that has not ended.
struct Entry {
    route: PricedRoute,
    reserved: Reserved,
    id: Option<String>,
    is_uncertain: bool,
}

/// What an entry counts as towards a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Reserved {
    cost: Option<Decimal>,
    /// Whether the cost is an estimate, and not a bound or unknown.
    is_estimate: bool,
}

/// The sum of some entries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Amount {
    usd: Decimal,
    count: u64,
    /// How many of them have no known cost, and how many no estimate.
    unknown: u64,
    not_estimated: u64,
}

impl Reserved {
    /// An estimated cost, or an unknown one.
    fn at(cost: Option<Decimal>) -> Self {
        Self { cost, is_estimate: cost.is_some() }
    }
}

impl Amount {
    fn add(&mut self, reserved: Reserved) {
        self.usd = self.usd.saturating_add(reserved.cost.unwrap_or_default());
        self.count = self.count.saturating_add(1);
        self.unknown = self.unknown.saturating_add(reserved.cost.is_none().into());
        self.not_estimated = self.not_estimated.saturating_add((!reserved.is_estimate).into());
    }

    fn subtract(&mut self, reserved: Reserved) {
        self.usd = self.usd.saturating_sub(reserved.cost.unwrap_or_default());
        self.count = self.count.saturating_sub(1);
        self.unknown = self.unknown.saturating_sub(reserved.cost.is_none().into());
        self.not_estimated = self.not_estimated.saturating_sub((!reserved.is_estimate).into());
    }
}

/// Programs that create and never see an end would fill the ledger. Beyond this number the oldest
/// entry is counted as uncertain, and no longer followed. As many ids are remembered elsewhere.
const MAX_ENTRIES: usize = 10_000;

impl Ledger {
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
        let route = PricedRoute::of(request);
        check_maximum(prices, request)?;
        let estimate = prices.estimate(&route, 1);
        let mut reserved = Reserved::at(estimate.cost_usd);
        if let Some(limit) = limit {
            if reserved.cost.is_none() {
                reserved.cost = prices.generous(&route);
            }
            self.check_limit(reserved, limit)?;
        }
        Ok(self.insert(Entry { route, reserved, id: None, is_uncertain: false }))
    }

    /// Whether anything was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.spent.is_zero() && self.uncertain.count == 0
    }

    /// The create was not processed, or its generation was not charged.
    pub(crate) fn release(&mut self, number: EntryNumber) {
        self.remove(number);
    }

    /// The create has made this generation, also if that was uncertain before.
    pub(crate) fn on_created(&mut self, number: EntryNumber, id: &str) {
        let Some(mut entry) = self.remove(number) else { return };
        // A generation counts once: a poll may have found it before its create was resolved.
        if let Some(other) = self.by_id.get(id).copied() {
            self.remove(other);
        }
        if self.ended.get(id).is_none() {
            entry.id = Some(id.to_owned());
            entry.is_uncertain = false;
            self.by_id.insert(id.to_owned(), number);
            self.in_flight.add(entry.reserved);
            self.entries.insert(number, entry);
        }
    }

    /// What the create has made is unknown, or known by its id only.
    pub(crate) fn on_uncertain(&mut self, number: EntryNumber, id: Option<&str>) {
        if let Some(id) = id {
            return self.on_created(number, id);
        }
        if let Some(entry) = self.entries.get_mut(&number)
            && !entry.is_uncertain
        {
            entry.is_uncertain = true;
            self.in_flight.subtract(entry.reserved);
            self.uncertain.add(entry.reserved);
        }
    }

    /// The service has described a generation. Returns its route if its cost teaches something.
    pub(crate) fn on_snapshot(
        &mut self,
        prices: &Prices,
        generation: &Generation,
    ) -> Option<PricedRoute> {
        let ended = self.ended.get(&generation.id);
        if !generation.is_final() {
            // A stale snapshot must not begin a second entry.
            if ended.is_none() && !self.by_id.contains_key(&generation.id) {
                match self.uncertain_create_of(generation) {
                    Some(number) => self.on_created(number, &generation.id),
                    // Another process has made it.
                    None => self.resume(prices, route_of(generation), &generation.id),
                }
            }
            return None;
        }
        if ended.is_none()
            && !self.by_id.contains_key(&generation.id)
            && let Some(number) = self.uncertain_create_of(generation)
        {
            self.on_created(number, &generation.id);
        }
        match (ended, self.by_id.get(&generation.id).copied()) {
            (None, Some(number)) => self.end(number, generation),
            // It has ended before this process saw it: its cost was not spent here, but is known now.
            (None, None) => {
                self.ended.insert(&generation.id, None);
                Some(route_of(generation))
            }
            // The service reports the cost later than the end.
            (Some(Some(reserved)), _) => {
                let cost = cost_of(generation)?;
                self.uncertain.subtract(reserved);
                self.charge(generation, cost);
                self.ended.insert(&generation.id, None);
                Some(route_of(generation))
            }
            (Some(None), _) => None,
        }
    }

    /// An uncertain create may have made one of these generations.
    pub(crate) fn on_candidates<'a>(&mut self, ids: impl Iterator<Item = &'a str>) {
        for id in ids {
            self.candidates.insert(id, ());
        }
    }

    /// The uncertain create that has made a generation, if the caller has taken it for one.
    ///
    /// Of several for one model any will do: they count alike.
    fn uncertain_create_of(&self, generation: &Generation) -> Option<EntryNumber> {
        self.candidates.get(&generation.id)?;
        let route = route_of(generation);
        let is_its = |entry: &Entry| entry.is_uncertain && entry.route.has_model_of(&route);
        let creates = self.entries.iter().filter(|(_, entry)| is_its(entry));
        creates.map(|(number, _)| *number).min()
    }

    /// Counts a generation that exists already as in flight.
    pub(crate) fn resume(&mut self, prices: &Prices, route: PricedRoute, id: &str) {
        let reserved = Reserved::at(prices.estimate(&route, 1).cost_usd);
        let number = self.insert(Entry { route, reserved, id: None, is_uncertain: false });
        self.on_created(number, id);
    }

    /// Counts a create with an unknown outcome.
    pub(crate) fn add_uncertain(&mut self, prices: &Prices, route: PricedRoute) -> EntryNumber {
        let reserved = Reserved::at(prices.estimate(&route, 1).cost_usd);
        let number = self.insert(Entry { route, reserved, id: None, is_uncertain: false });
        self.on_uncertain(number, None);
        number
    }

    /// Counts a generation that has ended, at its cost if that is known.
    pub(crate) fn add_ended(&mut self, cost: Option<Decimal>, is_failed: bool) {
        match cost.filter(is_amount) {
            Some(cost) => {
                self.spent = self.spent.saturating_add(cost);
                if is_failed {
                    self.failed_but_charged = self.failed_but_charged.saturating_add(cost);
                }
            }
            None => self.uncertain.add(Reserved::default()),
        }
    }

    /// Estimates those anew that had no estimate. Called when a cost was learned.
    pub(crate) fn estimate_anew(&mut self, prices: &Prices) {
        if self.in_flight.not_estimated == 0 && self.uncertain.not_estimated == 0 {
            return;
        }
        for entry in self.entries.values_mut().filter(|entry| !entry.reserved.is_estimate) {
            let estimate = Reserved::at(prices.estimate(&entry.route, 1).cost_usd);
            if estimate.is_estimate {
                let amount =
                    if entry.is_uncertain { &mut self.uncertain } else { &mut self.in_flight };
                amount.subtract(entry.reserved);
                amount.add(estimate);
                entry.reserved = estimate;
            }
        }
    }

    /// The amounts, beside this limit.
    pub(crate) fn spend(&self, limit: Option<Decimal>) -> Spend {
        let remaining =
            limit.map(|limit| limit.saturating_sub(self.committed()).max(Decimal::ZERO));
        Spend {
            spent: self.spent.normalize(),
            failed_but_charged: self.failed_but_charged.normalize(),
            in_flight: self.in_flight.usd.normalize(),
            uncertain: self.uncertain.usd.normalize(),
            limit,
            remaining: remaining.map(|remaining| remaining.normalize()),
            in_flight_count: self.in_flight.count,
            uncertain_count: self.uncertain.count,
            unknown_count: self.in_flight.unknown.saturating_add(self.uncertain.unknown),
        }
    }

    /// What counts towards a limit.
    fn committed(&self) -> Decimal {
        self.spent.saturating_add(self.in_flight.usd).saturating_add(self.uncertain.usd)
    }

    fn check_limit(&self, reserved: Reserved, limit: Decimal) -> Result<(), Error> {
        let committed = self.committed();
        let fits = |cost: Decimal| committed.saturating_add(cost) <= limit;
        // Zero is no cost that a generation has: a limit that is reached admits nothing more.
        let has_room = committed < limit;
        let admitted = match reserved.cost {
            Some(cost) if reserved.is_estimate => has_room && fits(cost),
            // The first one of unknown cost finds out what it is. Others only if all of them fit by
            // any reasonable measure.
            cost => has_room && (self.in_flight.not_estimated == 0 || cost.is_some_and(fits)),
        };
        if admitted { Ok(()) } else { Err(self.limit_reached(reserved, limit)) }
    }

    fn limit_reached(&self, reserved: Reserved, limit: Decimal) -> Error {
        let next = match reserved.cost {
            Some(cost) if reserved.is_estimate => format!("this one would cost about {cost}"),
            _ => "the cost of this one is not known yet".to_owned(),
        };
        let Spend { spent, in_flight, uncertain, .. } = self.spend(None);
        let limit = limit.normalize();
        let statement = format!(
            "the create would exceed the spend limit of {limit} USD: {spent} are spent, {in_flight} \
             in flight, {uncertain} uncertain, and {next}. Nothing was sent."
        );
        Error::new(ErrorKind::SpendLimit, statement)
            .with_advice("Wait for generations in flight to end, or raise the limit.")
    }

    fn insert(&mut self, entry: Entry) -> EntryNumber {
        if self.entries.len() >= MAX_ENTRIES
            && let Some(oldest) = self.entries.keys().min().copied()
            && let Some(oldest) = self.remove(oldest)
        {
            self.uncertain.add(oldest.reserved);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.in_flight.add(entry.reserved);
        self.entries.insert(number, entry);
        number
    }

    fn remove(&mut self, number: EntryNumber) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        if let Some(id) = &entry.id {
            self.by_id.remove(id);
        }
        let amount = if entry.is_uncertain { &mut self.uncertain } else { &mut self.in_flight };
        amount.subtract(entry.reserved);
        Some(entry)
    }

    fn end(&mut self, number: EntryNumber, generation: &Generation) -> Option<PricedRoute> {
        let entry = self.remove(number)?;
        let mut unpriced = None;
        if let Some(cost) = cost_of(generation) {
            self.charge(generation, cost);
        } else if may_be_charged(generation) {
            self.uncertain.add(entry.reserved);
            unpriced = Some(entry.reserved);
        }
        self.ended.insert(&generation.id, unpriced);
        let engine = generation.engine.clone().or(entry.route.engine);
        Some(PricedRoute { model: entry.route.model, engine })
    }

    fn charge(&mut self, generation: &Generation, cost: Decimal) {
        self.add_ended(Some(cost), generation.status == Status::Failed);
    }
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

/// What the service has charged, if it says so.
fn cost_of(generation: &Generation) -> Option<Decimal> {
    generation.usage.as_ref()?.cost_usd.filter(is_amount)
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
