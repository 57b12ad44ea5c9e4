//! A bounded map of the most recent ids.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The [`CAPACITY`] most recent ids, each with a value.
#[derive(Default)]
pub(crate) struct RecentIds<V> {
    values: HashMap<Arc<str>, V>,
    order: VecDeque<Arc<str>>,
}

/// More than a key can create in an hour and a half at 100 requests a minute, in about 1 MB.
const CAPACITY: usize = 10_000;

impl<V: Copy> RecentIds<V> {
    /// Inserts an id with its value. One that was there keeps its place, and has its value replaced.
    pub(crate) fn insert(&mut self, id: &str, value: V) {
        if let Some(known) = self.values.get_mut(id) {
            *known = value;
            return;
        }
        let id: Arc<str> = id.into();
        self.values.insert(id.clone(), value);
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }

    /// Inserts an id with its value, unless it is there.
    pub(crate) fn insert_first(&mut self, id: &str, value: V) {
        if self.get(id).is_none() {
            self.insert(id, value);
        }
    }

    /// The value of an id, if it is there.
    pub(crate) fn get(&self, id: &str) -> Option<V> {
        self.values.get(id).copied()
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
            recent.insert(&id, 0);
            recent.insert(&id, n);
        }
        assert_eq!((recent.values.len(), recent.order.len()), (CAPACITY, CAPACITY));
        assert_eq!(recent.get("0"), None);
        recent.insert_first("0", 7);
        recent.insert_first("0", 8);
        assert_eq!(recent.get("0"), Some(7));
        assert_eq!(recent.get(&(3 * CAPACITY - 1).to_string()), Some(3 * CAPACITY - 1));
    }
}
