//! A log that takes a bounded amount of memory.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

/// The memory that a log may take, 64 MiB: about 50,000 polls. Beyond it, the oldest entries are
/// dropped. The newest one is always kept.
const MAX_BYTES: usize = 64 << 20;

/// An entry of a log.
pub(crate) trait Weigh {
    /// About how many bytes of memory the entry takes.
    fn weight(&self) -> usize;
}

/// The newest entries, the oldest first.
#[derive(Debug)]
pub(crate) struct BoundedLog<T> {
    entries: VecDeque<(usize, T)>,
    bytes: usize,
}

impl<T> Default for BoundedLog<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0 }
    }
}

impl<T: Weigh + Clone> BoundedLog<T> {
    pub(crate) fn push(&mut self, entry: T) {
        let weight = entry.weight();
        self.bytes = self.bytes.saturating_add(weight);
        self.entries.push_back((weight, entry));
        while self.bytes > MAX_BYTES
            && self.entries.len() > 1
            && let Some((weight, _)) = self.entries.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(weight);
        }
    }

    pub(crate) fn entries(&self) -> Vec<T> {
        self.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// About how many bytes of memory a JSON value takes. Small numbers take sixteen times their text.
pub(crate) fn value_weight(value: &Value) -> usize {
    let content = match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(value_weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + size_of::<String>() + value_weight(value))
            .sum(),
        _ => 0,
    };
    size_of::<Value>() + content
}

/// About how many bytes of memory a map of headers takes.
pub(crate) fn headers_weight(headers: &BTreeMap<String, String>) -> usize {
    let texts = |(name, value): (&String, &String)| name.len() + value.len();
    headers.iter().map(|header| texts(header) + 2 * size_of::<String>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Entry(usize);

    impl Weigh for Entry {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn the_oldest_entries_are_dropped_when_there_are_too_many_bytes() {
        let mut log = BoundedLog::default();
        for weight in [MAX_BYTES / 2, MAX_BYTES / 2, 1] {
            log.push(Entry(weight));
        }
        assert_eq!(log.entries(), [Entry(MAX_BYTES / 2), Entry(1)]);
        log.push(Entry(usize::MAX));
        assert_eq!(log.entries(), [Entry(usize::MAX)], "the newest is kept");
        log.push(Entry(3));
        assert_eq!(log.entries(), [Entry(3)]);
        log.clear();
        assert_eq!(log.entries(), []);
    }

    #[test]
    fn values_weigh_what_they_take() {
        let ones: Value = serde_json::from_str(&format!("[{}1]", "1,".repeat(999))).unwrap();
        assert!(value_weight(&ones) >= 1000 * size_of::<Value>());
        let text: Value = "x".repeat(5000).into();
        assert!((5000..5100).contains(&value_weight(&text)));
    }
}
