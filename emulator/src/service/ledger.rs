//! Money, counted in millionths of a dollar so that all sums are exact. Amounts come from outside, so
//! sums stop at the largest amount, nine trillion dollars, instead of overflowing.

use serde_json::Value;

/// An amount in whole millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Money(i64);

impl Money {
    pub(crate) const fn micros(micros: i64) -> Self {
        Self(micros)
    }

    pub(crate) const fn cents(cents: i64) -> Self {
        Self(cents.saturating_mul(10_000))
    }

    pub(crate) const fn as_micros(self) -> i64 {
        self.0
    }

    pub(crate) const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount in dollars, with at most six decimals.
    pub(crate) fn as_usd(self) -> Value {
        decimal(self.0, 1_000_000)
    }

    /// The amount in cents, with at most four decimals. An integer if it is whole.
    pub(crate) fn as_cents(self) -> Value {
        decimal(self.0, 10_000)
    }
}

/// The quotient as a JSON number. Up to a `count` of 2^53, the nearest float prints exactly it.
fn decimal(count: i64, unit: i64) -> Value {
    match (count.checked_div(unit), count.checked_rem(unit)) {
        (Some(whole), Some(0)) => whole.into(),
        _ => (count as f64 / unit as f64).into(),
    }
}

/// The prepaid credit.
#[derive(Debug)]
pub(crate) struct Ledger {
    balance: Money,
}

impl Ledger {
    pub(crate) fn new(balance: Money) -> Self {
        Self { balance }
    }

    pub(crate) fn balance(&self) -> Money {
        self.balance
    }

    pub(crate) fn set_balance(&mut self, balance: Money) {
        self.balance = balance;
    }

    /// Whether any credit is left, which a create requires.
    pub(crate) fn has_credit(&self) -> bool {
        self.balance > Money::default()
    }

    /// Charges the cost if the balance covers it. Returns whether it does.
    pub(crate) fn charge(&mut self, cost: Money) -> bool {
        let enough = self.balance >= cost;
        if enough {
            self.balance = self.balance.saturating_sub(cost);
        }
        enough
    }

    /// Charges the cost even if the balance becomes negative: a status that a test has set counts as a
    /// fact.
    pub(crate) fn force_charge(&mut self, cost: Money) {
        self.balance = self.balance.saturating_sub(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let text = |value: Value| value.to_string();
        assert_eq!(text(Money::micros(12_345).as_usd()), "0.012345");
        assert_eq!(text(Money::micros(12_345).as_cents()), "1.2345");
        assert_eq!(text(Money::cents(100).as_cents()), "100");
        assert_eq!(text(Money::micros(99_999_987_655).as_cents()), "9999998.7655");
        assert_eq!(text(Money::micros(-1).as_usd()), "-1e-6");
    }

    #[test]
    fn sums_stop_at_the_largest_amount() {
        let mut ledger = Ledger::new(Money::cents(i64::MIN));
        ledger.force_charge(Money::micros(i64::MAX));
        assert_eq!(ledger.balance(), Money::micros(i64::MIN));
        assert!(!ledger.charge(Money::micros(1)));
        let largest = Money::micros(i64::MAX);
        assert_eq!(largest.saturating_add(largest), largest);
        assert_eq!(Money::micros(i64::MIN).as_cents().to_string(), "-922337203685477.6");
    }

    #[test]
    fn a_charge_needs_enough_balance() {
        let mut ledger = Ledger::new(Money::cents(1));
        assert!(!ledger.charge(Money::micros(10_001)));
        assert!(ledger.charge(Money::micros(10_000)));
        assert!(!ledger.has_credit());
    }
}
