//! What the clients of one key share within a process.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::followers::Followers;
use super::inbox::Inbox;
use super::limiter::Limiter;
use super::recent_ids::RecentIds;
use crate::polling::budget::RateLimit;
use crate::wire::BaseUrl;

/// What all clients with the same key, base URL and rate limit share.
pub(crate) struct Shared {
    pub(crate) limiter: Arc<Limiter>,
    /// The generations that this process has created, and when.
    pub(crate) created: Mutex<RecentIds>,
    pub(crate) inbox: Mutex<Inbox>,
    pub(crate) followers: Followers,
}

/// Who shares: the same key at the same place, with the same limit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) base_url: BaseUrl,
    pub(crate) key: String,
    pub(crate) rate_limit: Option<RateLimit>,
}

static SHARED: LazyLock<Mutex<HashMap<Identity, Weak<Shared>>>> = LazyLock::new(Mutex::default);

impl Shared {
    /// What the clients of this identity share; without one (the key is a function) nothing is.
    pub(crate) fn of(identity: Option<Identity>, rate_limit: Option<RateLimit>) -> Arc<Self> {
        let new = || {
            Arc::new(Self {
                limiter: Arc::new(Limiter::new(rate_limit)),
                created: Mutex::default(),
                inbox: Mutex::default(),
                followers: Followers::default(),
            })
        };
        let Some(identity) = identity else { return new() };
        let mut all = lock(&SHARED);
        all.retain(|_, shared| shared.strong_count() > 0);
        let slot = all.entry(identity).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let shared = new();
            *slot = Arc::downgrade(&shared);
            shared
        })
    }
}

/// Forgets what the clients of this process share: those built from now on share anew.
///
/// For a child that has come out of a `fork`. It inherits what its parent's calls were in the middle
/// of, places in a queue and requests that nobody will answer here. Clients of the parent are to be
/// neither used nor dropped in the child, since their connections are the parent's too.
///
/// ```
/// // In the child:
/// pipevideo::forget_shared_state();
/// let client = pipevideo::Client::builder().api_key("pv_example").build()?;
/// # let _ = client;
/// # Ok::<(), pipevideo::Error>(())
/// ```
pub fn forget_shared_state() {
    lock(&SHARED).clear();
}

/// The mutexes here are held for a few lines that do not panic; if one did, its state is sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
