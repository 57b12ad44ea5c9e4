//! Reads the results of a batch from its journal.

use std::path::Path;

use super::item::{BatchItem, ItemStatus};
use super::journal::{self, Finished, State};
use crate::error::Error;

/// Reads what a journal has about each request of a batch, in the order in which the requests were
/// begun.
///
/// The items are those that a run would yield, except that the videos on the disk are not checked, and
/// that those under way are [`Pending`](ItemStatus::Pending). It may be called while a run writes the
/// journal. It blocks while it reads.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the file cannot be read or is not
/// a journal.
///
/// ```no_run
/// for item in pipevideo::read_journal("run.jsonl")? {
///     let item = item?;
///     println!("{} {} {:?}", item.key, item.status, item.cost_usd);
/// }
/// # Ok::<(), pipevideo::Error>(())
/// ```
pub fn read_journal(
    path: impl AsRef<Path>,
) -> Result<impl Iterator<Item = Result<BatchItem, Error>>, Error> {
    Ok(journal::read(path.as_ref())?.map(|item| item.map(batch_item)))
}

fn batch_item(read: journal::Item) -> BatchItem {
    let journal::Item { key, entry, finished } = read;
    let mut item = BatchItem::new(key, ItemStatus::Pending);
    item.attempts = entry.attempts();
    item.generation_id = entry.id().map(str::to_owned);
    item.from_journal = true;
    item.cost_usd = Some(entry.earlier_cost).filter(|cost| !cost.is_zero());
    match entry.state {
        State::Sending { .. } => item.status = ItemStatus::Uncertain,
        State::NotCreated(error) => {
            item.status = ItemStatus::Failed;
            item.error = error.map(|error| Error::new(error.kind, error.message));
        }
        State::Created | State::Finished { .. } => {}
    }
    if let Some(Finished { generation, category, .. }) = finished {
        item.set_ended(generation, category);
    }
    if let Some(stored) = entry.download {
        item.set_stored(&stored);
    }
    item
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;
    use crate::batch::journal::{Fact, Journal};
    use crate::client::events::Log;

    #[tokio::test]
    async fn an_item_that_has_not_ended_costs_what_its_earlier_attempts_have_cost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let failed = json!({"id": "gen_1", "status": "failed", "usage": {"cost_usd": 0.5}});
        let failed = Fact::finished(serde_json::from_value(failed).unwrap(), false);
        let sending = |attempt| Fact::sending(b"{}", "m", attempt, SystemTime::UNIX_EPOCH, false);
        let (journal, _) =
            Journal::open(&path, "https://api.pipevideo.co", "a", &Log::default()).await.unwrap();
        for (key, fact) in [("a", sending(1)), ("a", failed), ("a", sending(2)), ("b", sending(1))]
        {
            journal.record(key, fact).await.unwrap();
        }
        let items: Vec<_> = read_journal(&path).unwrap().map(Result::unwrap).collect();
        let shown = |item: &BatchItem| {
            (
                item.key.clone(),
                item.status,
                item.attempts,
                item.cost_usd.map(|cost| cost.to_string()),
            )
        };
        assert_eq!(
            items.iter().map(shown).collect::<Vec<_>>(),
            [
                ("a".to_owned(), ItemStatus::Uncertain, 2, Some("0.5".to_owned())),
                ("b".to_owned(), ItemStatus::Uncertain, 1, None),
            ]
        );
    }
}
