//! What earlier runs with the same journal have done.

use std::path::Path;

use super::context::Context;
use crate::batch::journal::{Entry, State};
use crate::lock::lock;
use crate::spend::ledger::Ledger;
use crate::spend::prices::{PricedRoute, Prices};

/// Counts in the ledger what the journal has, so that a limit holds for all runs together. Returns
/// whether there are creates with an unknown outcome.
pub(super) fn count(context: &Context) -> bool {
    let mut has_lost = false;
    context.with_ledger(|ledger, prices| {
        for entry in lock(&context.replay).entries() {
            has_lost |= count_entry(context, entry, ledger, prices);
        }
    });
    has_lost
}

fn count_entry(context: &Context, entry: &Entry, ledger: &mut Ledger, prices: &Prices) -> bool {
    let route = PricedRoute { model: entry.model.to_string(), engine: None };
    ledger.add_ended(Some(entry.earlier_cost), true);
    if let Some(stored) = &entry.download {
        lock(&context.names).reserve(Path::new(&stored.path));
    }
    match (&entry.state, entry.id(), &entry.key, entry.sent_at) {
        (State::Finished { is_failed, cost, .. }, ..) => ledger.add_ended(*cost, *is_failed),
        (State::Created, Some(id), ..) => ledger.resume(prices, route, id),
        (State::Sending { .. }, _, Some(key), Some(sent_at)) => {
            let number = ledger.add_uncertain(prices, route);
            context.lost.add_earlier(key, &entry.model, sent_at, number);
            return true;
        }
        _ => {}
    }
    false
}
