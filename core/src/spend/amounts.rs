//! Sums of costs, and the limit that they are compared with.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::model::Spend;

/// What a create or a generation counts as towards a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reserved {
    #[serde(rename = "usd", default, skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<Decimal>,
    /// Whether the cost is an estimate, and not a bound or unknown.
    #[serde(rename = "est", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_estimate: bool,
}

impl Reserved {
    /// An estimated cost, or an unknown one.
    pub(super) fn at(cost: Option<Decimal>) -> Self {
        Self { cost, is_estimate: cost.is_some() }
    }
}

/// The sum of some creates and generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) usd: Decimal,
    pub(super) count: u64,
    /// How many of them have no known cost, and how many no estimate.
    pub(super) unknown: u64,
    pub(super) not_estimated: u64,
}

impl Amount {
    pub(super) fn of(reserved: Reserved) -> Self {
        Self {
            usd: reserved.cost.unwrap_or_default(),
            count: 1,
            unknown: reserved.cost.is_none().into(),
            not_estimated: (!reserved.is_estimate).into(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.usd = self.usd.saturating_add(other.usd);
        self.count = self.count.saturating_add(other.count);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.not_estimated = self.not_estimated.saturating_add(other.not_estimated);
    }

    fn subtract(&mut self, other: &Self) {
        self.usd = self.usd.saturating_sub(other.usd);
        self.count = self.count.saturating_sub(other.count);
        self.unknown = self.unknown.saturating_sub(other.unknown);
        self.not_estimated = self.not_estimated.saturating_sub(other.not_estimated);
    }
}

/// All amounts of a ledger, or a part of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) spent: Decimal,
    pub(super) failed_but_charged: Decimal,
    pub(super) in_flight: Amount,
    pub(super) uncertain: Amount,
}

impl Totals {
    /// What a generation was charged.
    pub(super) fn charged(cost: Decimal, is_failed: bool) -> Self {
        let failed_but_charged = if is_failed { cost } else { Decimal::ZERO };
        Self { spent: cost, failed_but_charged, ..Self::default() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.spent = self.spent.saturating_add(other.spent);
        self.failed_but_charged = self.failed_but_charged.saturating_add(other.failed_but_charged);
        self.in_flight.add(&other.in_flight);
        self.uncertain.add(&other.uncertain);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.spent = self.spent.saturating_sub(other.spent);
        self.failed_but_charged = self.failed_but_charged.saturating_sub(other.failed_but_charged);
        self.in_flight.subtract(&other.in_flight);
        self.uncertain.subtract(&other.uncertain);
    }

    /// These amounts of something that is not followed any longer: what was in flight is uncertain.
    pub(super) fn abandoned(mut self) -> Self {
        let in_flight = std::mem::take(&mut self.in_flight);
        self.uncertain.add(&in_flight);
        self
    }

    /// What counts towards a limit.
    pub(super) fn committed(&self) -> Decimal {
        self.spent.saturating_add(self.in_flight.usd).saturating_add(self.uncertain.usd)
    }

    /// The amounts, beside this limit.
    pub(super) fn spend(&self, limit: Option<Decimal>) -> Spend {
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

    /// Compares a further create with a limit.
    ///
    /// # Errors
    /// [`ErrorKind::SpendLimit`] if it would exceed it.
    pub(super) fn check_limit(&self, reserved: Reserved, limit: Decimal) -> Result<(), Error> {
        if self.admits(reserved, limit) { Ok(()) } else { Err(self.limit_reached(reserved, limit)) }
    }

    /// Whether a further create fits a limit.
    pub(super) fn admits(&self, reserved: Reserved, limit: Decimal) -> bool {
        let committed = self.committed();
        let fits = |cost: Decimal| committed.saturating_add(cost) <= limit;
        // Zero is no cost that a generation has: a limit that is reached admits nothing more.
        let has_room = committed < limit;
        match reserved.cost {
            Some(cost) if reserved.is_estimate => has_room && fits(cost),
            // The first one of unknown cost finds out what it is. Others only if all of them fit by
            // any reasonable measure.
            cost => has_room && (self.in_flight.not_estimated == 0 || cost.is_some_and(fits)),
        }
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
}
