//! The webhooks that were received, kept for waits that begin later.

use std::time::Duration;

use crate::recent_ids::RecentIds;

/// The generations that a webhook has reported, and until when the report counts.
#[derive(Default)]
pub(crate) struct Inbox(RecentIds<Duration>);

impl Inbox {
    /// Records that a webhook has reported the end of this generation.
    pub(crate) fn insert(&mut self, id: &str, until: Duration) {
        self.0.insert(id, until);
    }

    /// Whether a webhook has reported the end of this generation.
    pub(crate) fn has_ended(&self, id: &str, now: Duration) -> bool {
        self.0.get(id).is_some_and(|until| now <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_until_its_time() {
        let mut inbox = Inbox::default();
        inbox.insert("gen_1", Duration::from_secs(9));
        assert!(inbox.has_ended("gen_1", Duration::from_secs(9)));
        assert!(!inbox.has_ended("gen_1", Duration::from_secs(10)));
        assert!(!inbox.has_ended("gen_2", Duration::ZERO));
    }
}
