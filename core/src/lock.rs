//! Mutexes without poisoning.

// `core/loom` puts loom's mutex in its place.
pub(crate) use std::sync::Mutex;
use std::sync::{MutexGuard, PoisonError};

/// Locks a mutex. Those of this crate are held for a few lines that do not panic; if one did panic,
/// the state would still be sound.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
