//! The budget and the window that other processes share: what it reports, and what it learns.

use std::time::Duration;

use super::shared::{
    ByClass, Link, MAX_ROUND_TRIP, MAX_SILENCE, Others, Refusal, Released, Reply, Report, Share,
    Sharing,
};
use super::{Budget, Class, RateLimit};

/// A 429 that the shared window does not know.
pub(super) struct Noted {
    sent: Duration,
    frozen_until: Duration,
    class: Class,
    again: bool,
}

impl Noted {
    fn refusal(&self, now: Duration) -> Refusal {
        Refusal {
            is_poll: self.class == Class::Poll,
            again: self.again,
            sent_ago: milliseconds(now.saturating_sub(self.sent)),
            pause: milliseconds(self.frozen_until.saturating_sub(now)),
        }
    }
}

impl Budget {
    /// Counts requests in a window that other processes share, from now on.
    pub(crate) fn share(&mut self) {
        self.sharing = Sharing::Linked(Link::default());
    }

    /// The shared window cannot be reached: goes on with this process's share.
    pub(crate) fn cut_off(&mut self, now: Duration) {
        let others = self.others();
        let Some(limit) = self.limit else { return };
        match &mut self.sharing {
            Sharing::Alone => return,
            Sharing::CutOff(share) => share.on_lost_again(),
            Sharing::Linked(_) => {
                self.evict_expired(now, limit);
                let own = self.direct + self.polls;
                self.sharing = Sharing::CutOff(Share::new(now, limit, own, others));
            }
        }
        // It may have lost everything when it is back.
        self.reported = 0;
    }

    /// Goes on alone if the window has been silent for too long.
    pub(super) fn check_link(&mut self, now: Duration) {
        if let Sharing::Linked(link) = &self.sharing
            && link.asked_at.is_some_and(|asked| asked.saturating_add(MAX_SILENCE) <= now)
        {
            self.cut_off(now);
        }
    }

    /// A request that waits for the shared window has waited since this time, for the window or for
    /// something else that the same server keeps.
    pub(crate) fn has_waited_since(&mut self, since: Duration) {
        if let Sharing::Linked(link) = &mut self.sharing
            && let Some(asked_at) = &mut link.asked_at
        {
            *asked_at = since.min(*asked_at);
        }
    }

    /// How many other processes share the window, as last known.
    pub(crate) fn other_processes(&self) -> usize {
        match &self.sharing {
            Sharing::Alone => 0,
            Sharing::Linked(link) => link.others.processes,
            Sharing::CutOff(share) => share.processes.saturating_sub(1),
        }
    }

    /// Whether this process goes on with its share, since the window cannot be reached or the others
    /// are not back in it.
    #[cfg(test)]
    pub(crate) fn is_cut_off(&self) -> bool {
        matches!(self.sharing, Sharing::CutOff(_))
    }

    /// Whether the window cannot be reached, and not only answers late.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        matches!(&self.sharing, Sharing::CutOff(share) if !share.is_slow)
    }

    /// Whether other processes are not back in the window after it was lost.
    pub(crate) fn awaits_others(&self) -> bool {
        matches!(&self.sharing, Sharing::CutOff(share) if share.is_awaiting())
    }

    /// Whether something cannot wait for the next regular report.
    pub(crate) fn is_report_due(&self, now: Duration) -> bool {
        let Sharing::Linked(link) = &self.sharing else { return !self.refusals.is_empty() };
        !self.refusals.is_empty() || link.wanted(now, self.waiting) != ByClass::default()
    }

    /// What the shared window does not know yet. [`on_reply`](Self::on_reply) takes what it answers.
    pub(crate) fn report(&mut self, now: Duration) -> Report {
        if let Some(limit) = self.limit {
            self.evict_expired(now, limit);
        }
        let in_window = self.released_by_class();
        let mut in_flight =
            ByClass { direct: self.direct - in_window.direct, poll: self.polls - in_window.poll };
        let mut wanted = ByClass::default();
        if let Sharing::Linked(link) = &mut self.sharing {
            let unused = link.unused(now);
            in_flight.direct += unused.direct;
            in_flight.poll += unused.poll;
            wanted = link.wanted(now, self.waiting);
        }
        let released = self.unreported(now);
        Report {
            in_flight,
            wanted,
            waiting: self.waiting,
            demand: self.demand(),
            is_complete: released.len() == self.released.len(),
            released,
            refusals: self.refusals.iter().map(|refusal| refusal.refusal(now)).collect(),
        }
    }

    fn unreported(&self, now: Duration) -> Vec<Released> {
        let first = self.released_count - self.released.len() as u64;
        let numbered = (first..).zip(&self.released);
        let new = numbered.skip_while(|(number, _)| *number < self.reported);
        new.map(|(number, (at, class))| Released {
            number,
            is_poll: *class == Class::Poll,
            age: milliseconds(now.saturating_sub(*at)),
        })
        .collect()
    }

    fn released_by_class(&self) -> ByClass<usize> {
        let polls = self.released.iter().filter(|(_, class)| *class == Class::Poll).count();
        ByClass { direct: self.released.len() - polls, poll: polls }
    }

    /// The shared window has answered a report.
    pub(crate) fn on_reply(&mut self, now: Duration, report: &Report, reply: &Reply) {
        if let Some(last) = report.released.last() {
            self.reported = last.number + 1;
        }
        self.refusals.drain(..report.refusals.len().min(self.refusals.len()));
        self.of_key.adopt(now, reply.throttled.poll);
        self.of_calls.adopt(now, reply.throttled.direct);
        let Some(limit) = self.limit else {
            // The spend limit is divided among the processes all the same.
            if let Sharing::Linked(link) = &mut self.sharing {
                link.others.processes = reply.others;
            }
            return;
        };
        if let Sharing::CutOff(share) = &mut self.sharing {
            if share.awaits_others(now, reply.others) {
                return;
            }
            if reply.took > MAX_ROUND_TRIP {
                // Back and forth, it would use its share and room of the window.
                return self.keep_to_share(now, limit, reply);
            }
            self.share();
        }
        let own = self.own();
        if let Sharing::Linked(link) = &mut self.sharing {
            link.on_reply(now, (report.wanted, own), limit, reply.clone());
        }
    }

    /// The window answers too late to rely on it. What it says is good for a share.
    fn keep_to_share(&mut self, now: Duration, limit: RateLimit, reply: &Reply) {
        let own = self.direct + self.polls;
        let used = ByClass {
            direct: reply.used.direct.saturating_sub(self.direct),
            poll: reply.used.poll.saturating_sub(self.polls),
        };
        let others = Others { used, demand: reply.demand, processes: reply.others };
        let mut share = Share::new(now, limit, own, others);
        share.is_slow = true;
        self.sharing = Sharing::CutOff(share);
    }

    /// Another process says how many requests the window holds.
    pub(crate) fn on_used(&mut self, used: ByClass<usize>) {
        let own = self.own();
        if let Sharing::Linked(link) = &mut self.sharing {
            link.on_used(own, used);
        }
    }

    /// A request that was sent at `sent` got a 429, whose pause is in the throttle.
    pub(super) fn note_refusal(&mut self, sent: Duration, class: Class, again: bool) {
        if let Sharing::Alone = &self.sharing {
            return;
        }
        let frozen_until = self.throttle(class).frozen_until();
        self.refusals.push(Noted { sent, frozen_until, class, again });
    }

    fn own(&self) -> ByClass<usize> {
        ByClass { direct: self.direct, poll: self.polls }
    }

    pub(super) fn others(&self) -> Others {
        match &self.sharing {
            Sharing::Linked(link) => link.others,
            Sharing::Alone | Sharing::CutOff(_) => Others::default(),
        }
    }

    /// What the planners of this process ask for, in polls a second.
    pub(super) fn demand(&self) -> f64 {
        self.demands.values().map(|(demand, _)| demand).sum()
    }

    /// How many requests of this process a window may hold, beside those of the others.
    pub(super) fn allowance(&self, now: Duration, limit: RateLimit) -> usize {
        let allowance = self.of_key.allowance(now, limit);
        match &self.sharing {
            Sharing::CutOff(share) => share.allowance(now).min(allowance),
            Sharing::Alone | Sharing::Linked(_) => allowance,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod link_tests;
