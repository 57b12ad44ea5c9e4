//! The only file that reads a clock, sleeps, or draws randomness.
#![allow(
    clippy::disallowed_methods,
    reason = "this is where the clock, sleep and entropy come from"
)]

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time at [`START`]. A generation that was created before this process needs a time too; a day
/// is longer than any generation runs.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// The current time. It counts from some start, and never goes back.
pub(crate) fn now() -> Duration {
    BEFORE + Instant::now().saturating_duration_since(*START)
}

/// The machine's wall clock, to compare with timestamps of the service.
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Sleeps until this time.
pub(crate) async fn sleep_until(time: Duration) {
    match START.checked_add(time.saturating_sub(BEFORE)) {
        Some(at) => tokio::time::sleep_until(at).await,
        // A deadline of Duration::MAX means never.
        None => std::future::pending().await,
    }
}

/// Sleeps for a duration.
pub(crate) async fn sleep(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Blocks the thread for a duration: on a thread for blocking work.
pub(crate) fn block(pause: Duration) {
    std::thread::sleep(pause);
}

/// The output of a future, or `None` if it takes longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// The output of a future, or `None` if it is not ready at this time.
pub(crate) async fn by<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep_until(time) => None,
    }
}

/// A number drawn evenly from 0 to 1.
pub(crate) fn entropy() -> f64 {
    fastrand::f64()
}

/// A number that no other process draws. A child of `fork` inherits the state of the generator, and
/// process ids are alike in containers.
pub(crate) fn process_number() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (fastrand::u64(..), std::process::id(), now.as_nanos()).hash(&mut hasher);
    hasher.finish()
}
