//! The webhooks that were received, kept for waits that begin later.

use std::time::Duration;

use super::recent_ids::RecentIds;

/// The webhooks of the last minutes: for waits that begin later, and to recognize a delivery that
/// is repeated.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(super) deliveries: RecentIds,
    /// The generations that a webhook has reported, and until when the report counts.
    pub(super) ended: RecentIds,
}

impl Inbox {
    /// Whether a webhook has reported the end of this generation.
    pub(crate) fn has_ended(&self, id: &str, now: Duration) -> bool {
        self.ended.get(id).is_some_and(|until| now <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_until_its_time() {
        let mut inbox = Inbox::default();
        inbox.ended.insert("gen_1", Duration::from_secs(9));
        assert!(inbox.has_ended("gen_1", Duration::from_secs(9)));
        assert!(!inbox.has_ended("gen_1", Duration::from_secs(10)));
        assert!(!inbox.has_ended("gen_2", Duration::ZERO));
    }
}
