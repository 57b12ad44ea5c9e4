//! A budget that other processes with the same key share: the window is kept elsewhere, and grants
//! room to this process.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Class, Denial, RateLimit};

/// One value for direct calls and one for polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ByClass<T> {
    pub(crate) direct: T,
    pub(crate) poll: T,
}

impl<T> ByClass<T> {
    pub(crate) fn of(&mut self, class: Class) -> &mut T {
        match class {
            Class::Direct => &mut self.direct,
            Class::Poll => &mut self.poll,
        }
    }
}

/// Where the requests of the key are counted.
pub(super) enum Sharing {
    /// In this process.
    Alone,
    /// In a window that all processes share.
    Linked(Link),
    /// In this process, which has its share while the shared window cannot be reached.
    CutOff(Share),
}

/// What this process knows of the shared window.
#[derive(Default)]
pub(super) struct Link {
    /// The room that was granted and is not used yet, and until when it may be.
    granted: ByClass<usize>,
    granted_until: Duration,
    /// When to ask again after a denial.
    denied_until: ByClass<Duration>,
    wants_poll: bool,
    /// Since when a request waits for the window.
    pub(super) asked_at: Option<Duration>,
    pub(super) others: Others,
}

/// The other processes, as the window last described them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Others {
    /// Their requests in the window.
    pub(super) used: ByClass<usize>,
    /// What their planners ask for, in polls a second.
    pub(super) demand: f64,
    pub(super) processes: usize,
}

/// How long a request waits for the shared window before its process goes on alone. A round trip
/// takes less than a hundredth of it.
pub(crate) const MAX_SILENCE: Duration = Duration::from_millis(250);
/// The longest round trip of a window that this process relies on. A call may wait for two, that of
/// another exchange and its own, and twice that for a busy machine.
pub(super) const MAX_ROUND_TRIP: Duration = Duration::from_millis(60);
/// How long room may stay unused before it is given back. A driver takes it as soon as it runs.
const CLAIM_TIMEOUT: Duration = Duration::from_millis(50);
/// How much room is asked for at a time, so that one process with many calls leaves some to others.
const MAX_WANTED: usize = 8;
/// A denial is checked after this part of the window at the latest: a request of another process
/// that was not sent, for instance, leaves room without notice.
const RECHECKS: u32 = 8;
/// And after this part, a second of a minute, if calls that wait are before it: they may be gone soon.
const RECHECKS_OF_CALLS: u32 = 60;
/// And no sooner than this, so that a window of some milliseconds is not asked without pause.
const MIN_RECHECK: Duration = Duration::from_millis(1);

impl Link {
    /// Takes room that was granted.
    pub(super) fn take(&mut self, now: Duration, class: Class) -> Result<(), Denial> {
        self.drop_expired(now);
        let granted = self.granted.of(class);
        if *granted > 0 {
            *granted -= 1;
            return Ok(());
        }
        let denied_until = *self.denied_until.of(class);
        if now < denied_until {
            return Err(Denial::Until(denied_until));
        }
        self.wants_poll |= class == Class::Poll;
        let asked_at = *self.asked_at.get_or_insert(now);
        Err(Denial::Until(asked_at.saturating_add(MAX_SILENCE)))
    }

    /// A process that was frozen must not use what it was granted before.
    fn drop_expired(&mut self, now: Duration) {
        if self.granted_until <= now {
            self.granted = ByClass::default();
        }
    }

    /// What to ask the window for, with so many calls that wait.
    pub(super) fn wanted(&self, now: Duration, waiting: usize) -> ByClass<usize> {
        let may = |denied_until: Duration| denied_until <= now;
        ByClass {
            direct: if may(self.denied_until.direct) { waiting.min(MAX_WANTED) } else { 0 },
            poll: usize::from(self.wants_poll && may(self.denied_until.poll)),
        }
    }

    /// The room that was granted and is not used.
    pub(super) fn unused(&mut self, now: Duration) -> ByClass<usize> {
        self.drop_expired(now);
        self.granted
    }

    /// The window has answered to what was wanted, while this process had so many requests in it.
    pub(super) fn on_reply(
        &mut self,
        now: Duration,
        (mut wanted, own): (ByClass<usize>, ByClass<usize>),
        limit: RateLimit,
        mut reply: Reply,
    ) {
        self.granted.direct += reply.granted.direct;
        self.granted.poll += reply.granted.poll;
        if reply.granted != ByClass::default() {
            self.granted_until = now.saturating_add(CLAIM_TIMEOUT);
        }
        for class in [Class::Direct, Class::Poll] {
            if *reply.granted.of(class) < *wanted.of(class) {
                let denied = match reply.denied.of(class) {
                    Some(ms) => Duration::from_millis(*ms).min(limit.per / RECHECKS),
                    None => limit.per / RECHECKS_OF_CALLS,
                };
                *self.denied_until.of(class) = now.saturating_add(denied.max(MIN_RECHECK));
            }
        }
        self.wants_poll &= reply.granted.poll == 0;
        self.asked_at = None;
        self.others.demand = reply.demand;
        self.others.processes = reply.others;
        self.on_used(own, reply.used);
    }

    /// The window holds so many requests, of which so many are this process's.
    pub(super) fn on_used(&mut self, own: ByClass<usize>, used: ByClass<usize>) {
        let own = ByClass {
            direct: own.direct + self.granted.direct,
            poll: own.poll + self.granted.poll,
        };
        self.others.used = ByClass {
            direct: used.direct.saturating_sub(own.direct),
            poll: used.poll.saturating_sub(own.poll),
        };
    }
}

/// What a process may use while it cannot reach the shared window: the processes that are cut off
/// stay within the limit together.
pub(super) struct Share {
    /// Requests in the window until the requests of the others that were in it have left.
    first: usize,
    first_until: Duration,
    /// Requests in the window after that.
    then: usize,
    pub(super) processes: usize,
    /// Until when this process waits for the others to be back in the window.
    awaits_until: Option<Duration>,
    /// Whether the window can be reached, but answers too late to rely on it.
    pub(super) is_slow: bool,
}

/// For how long the processes that were there before may need to come back to a window: a pause of
/// a second between two attempts, and some round trips.
const RETURN_TIMEOUT: Duration = Duration::from_secs(2);

impl Share {
    /// The share of a process with so many requests in a window.
    pub(super) fn new(now: Duration, limit: RateLimit, own: usize, others: Others) -> Self {
        let (limit_of_all, processes) = (limit.requests as usize, others.processes + 1);
        let used = own + others.used.direct + others.used.poll;
        // Each takes its part of what is left, and none more than its share: those that have used more
        // than theirs leave it to the others within the window.
        let then = (limit_of_all / processes).max(1);
        let first = then.min(own + limit_of_all.saturating_sub(used) / processes);
        let first_until = now.saturating_add(limit.per);
        Self { first, first_until, then, processes, awaits_until: None, is_slow: false }
    }

    /// The window has answered, and names so many others. Returns whether those that were there
    /// before are missing: a server that has lost its data does not know what they have used.
    pub(super) fn awaits_others(&mut self, now: Duration, others: usize) -> bool {
        let until = *self.awaits_until.get_or_insert(now.saturating_add(RETURN_TIMEOUT));
        others + 1 < self.processes && now < until
    }

    /// Whether others are missing, as the window has last answered.
    pub(super) fn is_awaiting(&self) -> bool {
        self.awaits_until.is_some()
    }

    /// The window cannot be reached once more.
    pub(super) fn on_lost_again(&mut self) {
        self.awaits_until = None;
        self.is_slow = false;
    }

    /// How many requests this process may have in the window.
    pub(super) fn allowance(&self, now: Duration) -> usize {
        if now < self.first_until { self.first } else { self.then }
    }
}

/// The rules of a budget, for the window that grants room by them.
#[derive(Serialize)]
pub(crate) struct Rules {
    reserve: f64,
    guaranteed_to_polls: f64,
    calls_per_poll: usize,
    regained: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            reserve: super::RESERVE,
            guaranteed_to_polls: super::GUARANTEED_TO_POLLS,
            calls_per_poll: super::CALLS_PER_POLL,
            regained: super::REGAINED,
        }
    }
}

/// What a process tells the shared window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    /// The requests in flight, and the room that is granted and not used.
    pub(crate) in_flight: ByClass<usize>,
    /// The room that is asked for.
    pub(crate) wanted: ByClass<usize>,
    /// The direct calls that wait, those that ask for room included.
    pub(crate) waiting: usize,
    /// What the planners ask for, in polls a second.
    pub(crate) demand: f64,
    /// The requests that have got their response since the last report.
    pub(crate) released: Vec<Released>,
    /// Whether those are all that this process has in the window.
    pub(crate) is_complete: bool,
    /// The 429s since the last report.
    pub(crate) refusals: Vec<Refusal>,
}

/// A request that has got its response.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Released {
    /// Its number among those of this process.
    pub(crate) number: u64,
    pub(crate) is_poll: bool,
    /// How long ago that was, in milliseconds.
    pub(crate) age: u64,
}

/// A 429.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) is_poll: bool,
    /// Whether the same call was refused before.
    pub(crate) again: bool,
    /// How long ago the request was sent, in milliseconds.
    pub(crate) sent_ago: u64,
    /// For how long requests stop from now on, in milliseconds.
    pub(crate) pause: u64,
}

/// What the shared window answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Reply {
    /// The version of the report that it is the answer to.
    pub(crate) version: u64,
    /// The window has lost what was reported before, and has granted nothing.
    pub(crate) is_lost: bool,
    pub(crate) granted: ByClass<usize>,
    /// After how many milliseconds a class that was denied may have room.
    pub(crate) denied: ByClass<Option<u64>>,
    /// The requests of all processes in the window.
    pub(crate) used: ByClass<usize>,
    /// What the planners of the other processes ask for.
    pub(crate) demand: f64,
    /// The other processes.
    pub(crate) others: usize,
    /// What 429s have left of the limit.
    pub(crate) throttled: ByClass<Throttled>,
    /// How long this process has waited for the answer.
    #[serde(skip)]
    pub(crate) took: Duration,
}

/// More requests and processes than there are. Sums of it are within any number.
const MAX_COUNT: usize = 1 << 28;

impl Reply {
    /// Whether it may be the answer to a report. Another program may answer.
    pub(crate) fn is_plausible(&self, report: &Report) -> bool {
        let Self { granted, used, others, .. } = *self;
        granted.direct <= report.wanted.direct
            && granted.poll <= report.wanted.poll
            && used.is_plausible()
            && others < MAX_COUNT
    }
}

impl ByClass<usize> {
    /// Whether a window may hold so many requests.
    pub(crate) fn is_plausible(&self) -> bool {
        self.direct.max(self.poll) < MAX_COUNT
    }
}

/// What 429s have left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(crate) struct Throttled {
    /// The share of the limit that is left now.
    pub(crate) share: f64,
    /// For how many milliseconds nothing may be sent.
    pub(crate) frozen: u64,
}

impl Default for Throttled {
    fn default() -> Self {
        Self { share: 1.0, frozen: 0 }
    }
}
