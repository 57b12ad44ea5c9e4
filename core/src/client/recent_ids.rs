//! A bounded map of the most recent ids.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The [`CAPACITY`] most recent ids, each with a time.
#[derive(Default)]
pub(crate) struct RecentIds {
    at: HashMap<Arc<str>, Duration>,
    order: VecDeque<Arc<str>>,
}

/// More than a key can create in an hour and a half at 100 requests a minute, in about 1 MB.
const CAPACITY: usize = 10_000;

impl RecentIds {
    /// Inserts an id with its time. Returns false if it was there and only its time has changed.
    pub(crate) fn insert(&mut self, id: &str, time: Duration) -> bool {
        if let Some(known) = self.at.get_mut(id) {
            *known = time;
            return false;
        }
        let id: Arc<str> = id.into();
        self.at.insert(id.clone(), time);
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.at.remove(&oldest);
        }
        true
    }

    /// The time of an id, if it is there.
    pub(crate) fn get(&self, id: &str) -> Option<Duration> {
        self.at.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ids_are_evicted() {
        let mut recent = RecentIds::default();
        for n in 0..3 * CAPACITY {
            let id = n.to_string();
            assert!(recent.insert(&id, Duration::ZERO));
            assert!(!recent.insert(&id, Duration::MAX));
        }
        assert_eq!((recent.at.len(), recent.order.len()), (CAPACITY, CAPACITY));
        assert_eq!(recent.get("0"), None);
        assert_eq!(recent.get(&(3 * CAPACITY - 1).to_string()), Some(Duration::MAX));
    }
}
