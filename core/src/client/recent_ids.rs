//! A bounded memory of ids.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Ids, each with a time: the newest [`REMEMBERED`] of them.
#[derive(Default)]
pub(crate) struct RecentIds {
    at: HashMap<Arc<str>, Duration>,
    order: VecDeque<Arc<str>>,
}

const REMEMBERED: usize = 10_000;

impl RecentIds {
    /// Remembers an id with its time; false if it was known, and only its time is new.
    pub(crate) fn insert(&mut self, id: &str, time: Duration) -> bool {
        if let Some(known) = self.at.get_mut(id) {
            *known = time;
            return false;
        }
        let id: Arc<str> = id.into();
        self.at.insert(id.clone(), time);
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.at.remove(&oldest);
        }
        true
    }

    pub(crate) fn get(&self, id: &str) -> Option<Duration> {
        self.at.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut recent = RecentIds::default();
        for n in 0..3 * REMEMBERED {
            let id = n.to_string();
            assert!(recent.insert(&id, Duration::ZERO));
            assert!(!recent.insert(&id, Duration::MAX));
        }
        assert_eq!((recent.at.len(), recent.order.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(recent.get("0"), None);
        assert_eq!(recent.get(&(3 * REMEMBERED - 1).to_string()), Some(Duration::MAX));
    }
}
