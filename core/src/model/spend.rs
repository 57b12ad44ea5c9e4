//! What generations are expected to cost, and what a key has spent.

use std::fmt;

use rust_decimal::Decimal;

/// What generations of one kind are expected to cost, in US dollars.
///
/// Made by [`estimate`](crate::Client::estimate). A cost that is not known is `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct CostEstimate {
    /// The expected cost of all of them, rounded to a millionth of a dollar.
    pub cost_usd: Option<Decimal>,
    /// The cost that nine of ten such batches exceed.
    pub low: Option<Decimal>,
    /// The cost that nine of ten such batches stay below.
    pub high: Option<Decimal>,
    /// Where the estimate comes from; `None` if nothing is known.
    pub based_on: Option<EstimateBasis>,
    /// The number of completed generations that it is based on.
    pub samples: u64,
}

/// Where an estimate comes from, the best source first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EstimateBasis {
    /// The costs of generations that this process has seen complete.
    Seen,
    /// The account's usage by route of the last days.
    Account,
    /// The tokens of other generations, at the rates of this model.
    Rates,
}

impl EstimateBasis {
    /// The name that every language uses, such as `seen`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Account => "account",
            Self::Rates => "rates",
        }
    }
}

impl fmt::Display for EstimateBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the generations of one key have cost in this process, in US dollars.
///
/// Made by [`spend`](crate::Client::spend). It covers the generations that this process has created,
/// and those that it has seen before their end. An amount in flight or uncertain is an estimate.
///
/// ```
/// # fn example(client: pipevideo::Client) {
/// let spend = client.spend();
/// println!("{} USD spent, {} USD in flight", spend.spent, spend.in_flight);
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Spend {
    /// The cost of the generations that have ended, failed ones included.
    pub spent: Decimal,
    /// The part of `spent` that failed generations were charged. One that fails in the render has
    /// been composed, and is billed for that.
    pub failed_but_charged: Decimal,
    /// The estimated cost of the generations that have not ended, as far as one is known.
    pub in_flight: Decimal,
    /// The estimated cost of what may have been charged and is not known: creates with an unknown
    /// outcome, and generations that ended without a cost.
    pub uncertain: Decimal,
    /// The client's spend limit, if it has one.
    pub limit: Option<Decimal>,
    /// What is left of the limit: zero if it is reached or exceeded.
    pub remaining: Option<Decimal>,
    /// The number of generations in flight.
    pub in_flight_count: u64,
    /// The number of creates and generations with an uncertain cost.
    pub uncertain_count: u64,
    /// The number of those in flight or uncertain for which no estimate is known. They add nothing to
    /// the amounts.
    pub unknown_count: u64,
}
