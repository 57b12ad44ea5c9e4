//! What a generation is expected to cost, from what is known about others.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountUsage, CostEstimate, EngineCatalog, EstimateBasis, Generation, GenerationRequest, Status,
};

/// What costs are estimated for: an orchestration model, which is what is billed, and an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct PricedRoute {
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub(crate) model: String,
    /// `None` for any engine.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<String>,
}

impl PricedRoute {
    pub(crate) fn of(request: &GenerationRequest) -> Self {
        Self { model: request.model.clone(), engine: request.engine.clone() }
    }

    pub(super) fn has_model_of(&self, other: &Self) -> bool {
        same_name(&self.model, &other.model)
    }

    /// Whether what is known about the other route applies to this one.
    fn covers(&self, other: &Self) -> bool {
        self.has_model_of(other) && (self.engine.is_none() || self.engine == other.engine)
    }
}

/// Whether two names are of one model at one price: the service's usage leaves out the provider,
/// `moonshotai/` for instance. A variant after a colon has a price of its own.
fn same_name(a: &str, b: &str) -> bool {
    let name = |text: &str| text.rsplit('/').next().unwrap_or_default().to_lowercase();
    name(a) == name(b)
}

/// Everything that is known about costs.
#[derive(Debug, Default)]
pub(crate) struct Prices {
    seen: HashMap<PricedRoute, Samples>,
    account: Vec<(PricedRoute, Samples)>,
    rates: Vec<(PricedRoute, Rates)>,
}

/// A catalogue has a handful of engines and models. A route beyond this number is not learned.
const MAX_ROUTES: usize = 64;

/// Completed generations of one route. Their number, costs and tokens are sums of those that the
/// service has reported.
#[derive(Clone, Copy, Debug, Default)]
struct Samples {
    priced: u64,
    cost: Decimal,
    /// The sums of the logarithms of costs greater than zero, and of their squares; and how many.
    logs: (f64, f64, f64),
    counted: u64,
    input_tokens: Decimal,
    output_tokens: Decimal,
}

/// The prices of a million tokens.
#[derive(Clone, Copy, Debug)]
struct Rates {
    input: Decimal,
    output: Decimal,
}

impl Samples {
    fn add(self, other: &Self) -> Self {
        let (a, b) = (self.logs, other.logs);
        Self {
            priced: self.priced.saturating_add(other.priced),
            cost: self.cost.saturating_add(other.cost),
            logs: (a.0 + b.0, a.1 + b.1, a.2 + b.2),
            counted: self.counted.saturating_add(other.counted),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }

    fn with_cost(mut self, cost: Decimal) -> Self {
        self.priced = 1;
        self.cost = cost;
        if let Ok(cost) = f64::try_from(cost)
            && cost > 0.0
        {
            self.logs = (cost.ln(), cost.ln() * cost.ln(), 1.0);
        }
        self
    }

    fn with_tokens(mut self, count: u64, input: u64, output: u64) -> Self {
        self.counted = count;
        self.input_tokens = input.into();
        self.output_tokens = output.into();
        self
    }

    /// The standard deviation of the logarithm of a cost. A few equal costs in a row must not make
    /// the next one seem certain.
    fn sigma(&self) -> f64 {
        let (sum, squares, count) = self.logs;
        let spread = if count > 0.0 { (squares - sum * sum / count).max(0.0) } else { 0.0 };
        ((PRIOR_WEIGHT * PRIOR_VARIANCE + spread) / (PRIOR_WEIGHT + count)).sqrt()
    }
}

/// The spread that is assumed before any is seen: a sigma of 0.5, as for durations, since both grow
/// with the length of what the model writes. It outweighs one generation, but not three.
const PRIOR_VARIANCE: f64 = 0.25;
const PRIOR_WEIGHT: f64 = 2.0;
/// Nine of ten values of a normal distribution are below its mean plus this many sigma.
const NINE_OF_TEN: f64 = 1.2816;

impl Prices {
    /// A generation of this route has completed.
    pub(crate) fn learn(&mut self, route: PricedRoute, generation: &Generation) {
        if generation.status != Status::Completed {
            return;
        }
        let Some(usage) = &generation.usage else { return };
        let mut sample = Samples::default();
        if let Some(cost) = usage.cost_usd.filter(is_amount) {
            sample = sample.with_cost(cost);
        }
        if let (Some(input), Some(output)) = (usage.input_tokens, usage.output_tokens) {
            sample = sample.with_tokens(1, input, output);
        }
        if self.seen.len() < MAX_ROUTES || self.seen.contains_key(&route) {
            let known = self.seen.entry(route).or_default();
            *known = known.add(&sample);
        }
    }

    /// Takes the usage by route, in place of an earlier one.
    pub(crate) fn set_account(&mut self, usage: &AccountUsage) {
        let routes = usage.daily_usage_by_route.iter().flat_map(|day| &day.routes);
        self.account = routes
            .filter_map(|usage| {
                let model = usage.model.clone()?;
                let completed = usage.completed_count.filter(|count| *count > 0)?;
                let mut samples = Samples::default();
                if let Some(cents) = usage.total_cost_cents.filter(is_amount) {
                    samples.cost = cents.checked_div(Decimal::ONE_HUNDRED)?;
                    samples.priced = completed;
                }
                if let (Some(input), Some(output)) =
                    (usage.total_prompt_tokens, usage.total_completion_tokens)
                {
                    samples = samples.with_tokens(completed, input, output);
                }
                Some((PricedRoute { model, engine: usage.engine.clone() }, samples))
            })
            .collect();
    }

    /// Takes the rates of the catalogue, in place of earlier ones.
    pub(crate) fn set_rates(&mut self, catalog: &EngineCatalog) {
        let models = catalog
            .engines
            .iter()
            .flat_map(|engine| engine.models.iter().map(move |model| (engine.id.clone(), model)));
        self.rates = models
            .filter_map(|(engine, model)| {
                let route = PricedRoute { model: model.id.clone(), engine: Some(engine) };
                let input = model.input_per_million_usd.filter(is_amount)?;
                let output = model.output_per_million_usd.filter(is_amount)?;
                Some((route, Rates { input, output }))
            })
            .collect();
    }

    /// Whether this process has seen the cost of such a generation.
    pub(crate) fn has_seen(&self, route: &PricedRoute) -> bool {
        self.seen_of(route).priced > 0
    }

    /// What this many generations cost.
    pub(crate) fn estimate(&self, route: &PricedRoute, count: u64) -> CostEstimate {
        let (seen, account) = (self.seen_of(route), self.account_of(route));
        let estimate = if seen.priced > 0 {
            of_costs(&seen, count, EstimateBasis::Seen)
        } else if account.priced > 0 {
            of_costs(&account, count, EstimateBasis::Account)
        } else {
            self.of_rates(route, count)
        };
        estimate.unwrap_or_default()
    }

    /// What one generation costs at most, by any reasonable measure, if only rates are known.
    pub(crate) fn generous(&self, route: &PricedRoute) -> Option<Decimal> {
        let tokens = Samples::default().with_tokens(1, GENEROUS_TOKENS, GENEROUS_TOKENS);
        cost_of_tokens(&tokens, self.rates_of(route)?)
    }

    fn of_rates(&self, route: &PricedRoute, count: u64) -> Option<CostEstimate> {
        let rates = self.rates_of(route)?;
        let any =
            |samples: Vec<&Samples>| samples.into_iter().fold(Samples::default(), Samples::add);
        // Tokens of the same model say more than those of others, and what is seen more than the past.
        let tokens = [
            self.seen_of(route),
            self.account_of(route),
            any(self.seen.values().collect()),
            any(self.account.iter().map(|(_, samples)| samples).collect()),
        ];
        let mut tokens = tokens.into_iter().find(|tokens| tokens.counted > 0)?;
        tokens.cost = cost_of_tokens(&tokens, rates)?;
        tokens.priced = tokens.counted;
        // The spread of the costs of other models is that of this one too.
        of_costs(&tokens, count, EstimateBasis::Rates)
    }

    fn seen_of(&self, route: &PricedRoute) -> Samples {
        let known = self.seen.iter().filter(|(seen, _)| route.covers(seen));
        known.fold(Samples::default(), |sum, (_, samples)| sum.add(samples))
    }

    fn account_of(&self, route: &PricedRoute) -> Samples {
        let known = self.account.iter().filter(|(known, _)| route.covers(known));
        known.fold(Samples::default(), |sum, (_, samples)| sum.add(samples))
    }

    fn rates_of(&self, route: &PricedRoute) -> Option<Rates> {
        // An engine of `auto` is in no catalogue.
        let of_model = |engine: Option<&String>| {
            let any = PricedRoute { model: route.model.clone(), engine: engine.cloned() };
            self.rates.iter().find(|(listed, _)| any.covers(listed)).map(|(_, rates)| *rates)
        };
        of_model(route.engine.as_ref()).or_else(|| of_model(None))
    }
}

/// More tokens than a generation has in either direction: contexts of today's models are of this
/// order. It bounds a cost of which only the rates are known.
const GENEROUS_TOKENS: u64 = 100_000;

/// The estimate for this many generations, from the costs of others.
fn of_costs(samples: &Samples, count: u64, based_on: EstimateBasis) -> Option<CostEstimate> {
    let cost = samples.cost.checked_mul(count.into())?.checked_div(samples.priced.into())?;
    // The relative spread of a sum shrinks with the square root of the number.
    let sigmas = NINE_OF_TEN * samples.sigma() / (count.max(1) as f64).sqrt();
    let scaled = |factor: f64| Some(rounded(cost.checked_mul(Decimal::try_from(factor).ok()?)?));
    Some(CostEstimate {
        cost_usd: Some(rounded(cost)),
        low: Some(scaled((-sigmas).exp())?),
        high: Some(scaled(sigmas.exp())?),
        based_on: Some(based_on),
        samples: samples.priced,
    })
}

fn cost_of_tokens(tokens: &Samples, rates: Rates) -> Option<Decimal> {
    let input = tokens.input_tokens.checked_mul(rates.input)?;
    let output = tokens.output_tokens.checked_mul(rates.output)?;
    input.checked_add(output)?.checked_div(Decimal::from(1_000_000))
}

/// The service's costs have whole millionths of a dollar.
fn rounded(cost: Decimal) -> Decimal {
    cost.round_dp(6).normalize()
}

/// Whether a number from outside can be an amount of money that was charged.
pub(crate) fn is_amount(amount: &Decimal) -> bool {
    !amount.is_sign_negative() || amount.is_zero()
}
