//! The webhooks that were received, kept for waits that begin later.

use std::time::Duration;

use super::recent_ids::RecentIds;

/// What webhooks have told: for waits that begin later, and to know a delivery that comes again.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(super) deliveries: RecentIds,
    /// The generations that have been told of, and until when that counts.
    pub(super) told: RecentIds,
}

impl Inbox {
    /// Whether a webhook has told of this generation's end.
    pub(crate) fn has_told(&self, id: &str, now: Duration) -> bool {
        self.told.get(id).is_some_and(|until| now <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_for_a_time() {
        let mut inbox = Inbox::default();
        inbox.told.insert("gen_1", Duration::from_secs(9));
        assert!(inbox.has_told("gen_1", Duration::from_secs(9)));
        assert!(!inbox.has_told("gen_1", Duration::from_secs(10)));
        assert!(!inbox.has_told("gen_2", Duration::ZERO));
    }
}
