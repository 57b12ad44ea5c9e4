//! The ledger that all processes of a key share: one document, replaced by compare-and-set.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use redis::aio::ConnectionLike;

use super::session::{Keys, LinkError, in_time};
use super::window::milliseconds;
use crate::client::events::Log;
use crate::client::spend::SharedLedger;
use crate::spend::shared::BEGINNING;

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("ledger.lua")));

/// For how long the ledger is kept after the last process has changed it.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Stores what a process has changed, and learns what the others have. Returns false if another
/// process has written in between, and it is to be done again.
pub(super) async fn commit(
    connection: &mut impl ConnectionLike,
    keys: &Keys,
    process: &str,
    ledger: &SharedLedger,
    log: &Log,
) -> Result<bool, LinkError> {
    if ledger.needs_commit() {
        let stored = read(connection, keys).await?;
        let Some(commit) = ledger.prepare(stored.as_deref()) else {
            log.redis_warning(
                "later release of pipevideo has written the ledger in Redis: this process counts what it \
                 spends alone. Use the same release in all processes.",
                None,
                None,
            );
            return Ok(true);
        };
        if let Some(document) = &commit.document {
            let mut script = SCRIPT.key(&keys.ledger);
            script.arg(&commit.expected).arg(document).arg(BEGINNING);
            script.arg(milliseconds(KEPT_FOR)).arg(&keys.channel).arg(process);
            let was_written: bool = in_time(script.invoke_async(connection)).await?;
            if !was_written {
                return Ok(false);
            }
        }
        ledger.on_committed(commit);
    }
    Ok(!ledger.needs_commit())
}

/// Learns what the other processes have changed.
pub(super) async fn refresh(
    connection: &mut impl ConnectionLike,
    keys: &Keys,
    ledger: &SharedLedger,
) -> Result<(), LinkError> {
    if let Some(document) = read(connection, keys).await? {
        ledger.on_stored(&document);
    }
    Ok(())
}

async fn read(
    connection: &mut impl ConnectionLike,
    keys: &Keys,
) -> Result<Option<Vec<u8>>, LinkError> {
    let mut get = redis::cmd("GET");
    get.arg(&keys.ledger);
    in_time(get.query_async(connection)).await
}
