//! The direct calls that wait for room in the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::budget::{Budget, Class, Denial};

/// Identifies a call in the queue. Later calls have greater ids.
pub(crate) type TicketId = u64;

/// Grants room in the budget to waiting calls, in the order of their arrival.
///
/// A grant belongs to the queue until the call claims it. The future of a call may never be polled
/// again, for instance one in a `buffer_unordered` while the loop's body waits for something else.
/// Its grant is withdrawn after [`CLAIM_TIMEOUT`] and goes to the next call; it is back in the queue
/// as soon as it is polled.
#[derive(Default)]
pub(crate) struct Queue {
    next: TicketId,
    waiting: BTreeSet<TicketId>,
    /// The calls that have room and have not claimed it, with the time at which it is withdrawn.
    granted: BTreeMap<TicketId, Duration>,
    /// The calls that have to be woken.
    woken: Vec<TicketId>,
}

/// The position of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may be sent. The budget has been charged.
    Granted,
    /// It waits. Call again at this time, or when it is among the [`woken`](Queue::take_woken).
    Waiting(Duration),
}

/// How long a call may take to claim its grant. A runtime polls a woken future within microseconds,
/// and within some milliseconds on a busy machine; one that takes longer only loses its place for
/// a moment.
pub(crate) const CLAIM_TIMEOUT: Duration = Duration::from_millis(50);
/// How many of the next calls are woken with each grant, to see to it that it is claimed: any of them
/// may be a call that is not polled.
const WITNESSES: usize = 8;

impl Queue {
    /// Charges the budget for a call that need not wait: there is room, and no other call waits.
    pub(crate) fn acquire_unqueued(&self, now: Duration, budget: &mut Budget) -> bool {
        self.waiting.is_empty() && budget.acquire(now, Class::Direct).is_ok()
    }

    /// Adds a call at the end of the queue.
    pub(crate) fn push(&mut self) -> TicketId {
        let ticket = self.next;
        self.next += 1;
        self.waiting.insert(ticket);
        ticket
    }

    /// Whether the call may be sent now. It has left the queue if it may.
    pub(crate) fn turn(&mut self, now: Duration, ticket: TicketId, budget: &mut Budget) -> Turn {
        if self.granted.remove(&ticket).is_some() {
            return Turn::Granted;
        }
        // Its grant was withdrawn, but the call is polled again: it goes back into the queue.
        self.waiting.insert(ticket);
        let denial = self.serve(now, budget);
        if self.granted.remove(&ticket).is_some() {
            return Turn::Granted;
        }
        let next = self.next_event(denial);
        Turn::Waiting(next.saturating_add(CLAIM_TIMEOUT.saturating_mul(self.calls_before(ticket))))
    }

    /// At most how many calls wait before this one. Each sees to the room that there is a little later
    /// than the one before it: the first would do, but it may be a call that is not polled, and if all
    /// did so at once, n calls would take n² steps.
    fn calls_before(&self, ticket: TicketId) -> u32 {
        let first = self.waiting.first().map_or(ticket, |first| *first);
        let numbers = ticket.saturating_sub(first).min(self.waiting.len() as u64);
        u32::try_from(numbers).unwrap_or(u32::MAX)
    }

    /// Removes a call that no longer waits, or returns its grant if it has one. Returns whether it has
    /// left room to others.
    pub(crate) fn leave(&mut self, now: Duration, ticket: TicketId, budget: &mut Budget) -> bool {
        let is_granted = self.granted.remove(&ticket).is_some();
        if is_granted {
            budget.release_unsent(Class::Direct);
        }
        let has_left = self.waiting.remove(&ticket) || is_granted;
        if has_left {
            self.serve(now, budget);
        }
        has_left
    }

    /// Withdraws grants that were not claimed in time, and grants the room that there is. Returns why
    /// the next call has to wait, if one does.
    pub(crate) fn serve(&mut self, now: Duration, budget: &mut Budget) -> Option<Denial> {
        self.granted.retain(|_, withdrawn_at| {
            let in_time = now < *withdrawn_at;
            if !in_time {
                budget.release_unsent(Class::Direct);
            }
            in_time
        });
        let (mut denial, mut has_granted) = (None, false);
        while let Some(ticket) = self.waiting.first().copied() {
            if let Err(denied) = budget.acquire(now, Class::Direct) {
                denial = Some(denied);
                break;
            }
            self.waiting.remove(&ticket);
            self.granted.insert(ticket, now.saturating_add(CLAIM_TIMEOUT));
            self.woken.push(ticket);
            has_granted = true;
        }
        if has_granted {
            self.woken.extend(self.waiting.iter().take(WITNESSES));
        }
        budget.set_waiting(self.waiting.len());
        denial
    }

    /// Takes the calls that have to be woken: those that were granted room, and some of the next.
    pub(crate) fn take_woken(&mut self) -> Vec<TicketId> {
        std::mem::take(&mut self.woken)
    }

    /// When something changes for the calls that wait, if nothing else happens.
    pub(crate) fn next_event(&self, denial: Option<Denial>) -> Duration {
        let room_at = match denial {
            Some(Denial::Until(at)) => at,
            Some(Denial::UntilChange) | None => Duration::MAX,
        };
        self.granted.values().copied().fold(room_at, Duration::min)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::budget::RateLimit;
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn budget(requests: u32) -> Budget {
        Budget::new(Some(RateLimit::new(requests, S * 60)))
    }

    #[test]
    fn room_is_granted_in_the_order_of_arrival() {
        let (mut queue, mut budget) = (Queue::default(), budget(1));
        let (first, second) = (queue.push(), queue.push());
        assert_eq!(queue.turn(S, second, &mut budget), Turn::Waiting(S + CLAIM_TIMEOUT));
        assert_eq!(queue.turn(S, first, &mut budget), Turn::Granted);
        budget.release(S * 2, Class::Direct);
        assert_eq!(queue.turn(S * 2, second, &mut budget), Turn::Waiting(S * 62));
        assert!(!queue.acquire_unqueued(S * 62, &mut budget), "the second call waits for it");
        assert_eq!(queue.turn(S * 62, second, &mut budget), Turn::Granted);
    }

    #[test]
    fn a_call_takes_its_room_at_once_unless_another_one_waits() {
        let (mut queue, mut budget) = (Queue::default(), budget(2));
        assert!(queue.acquire_unqueued(S, &mut budget));
        assert_eq!(budget.left(S), Some(1));
        let waiting = queue.push();
        assert!(!queue.acquire_unqueued(S, &mut budget));
        assert_eq!(budget.left(S), Some(1));
        assert!(queue.leave(S, waiting, &mut budget));
        assert!(queue.acquire_unqueued(S, &mut budget));
        assert!(!queue.acquire_unqueued(S, &mut budget), "there is no more");
    }

    #[test]
    fn those_that_have_room_and_the_next_eight_are_woken() {
        let (mut queue, mut budget) = (Queue::default(), budget(2));
        let tickets: Vec<_> = (0..12).map(|_| queue.push()).collect();
        let denial = queue.serve(S, &mut budget);
        assert_eq!(denial, Some(Denial::Until(S * 61)));
        assert_eq!(queue.take_woken(), tickets[..2 + WITNESSES]);
        assert_eq!(queue.next_event(denial), S + CLAIM_TIMEOUT, "the grants are withdrawn then");
        assert_eq!(queue.serve(S, &mut budget), denial);
        assert_eq!(queue.take_woken(), [] as [TicketId; 0], "nothing has changed");
    }

    #[test]
    fn a_grant_that_is_not_claimed_goes_to_the_next_call() {
        let (mut queue, mut budget) = (Queue::default(), budget(1));
        let (silent, second) = (queue.push(), queue.push());
        assert_eq!(queue.turn(S, second, &mut budget), Turn::Waiting(S + CLAIM_TIMEOUT));
        assert_eq!(queue.turn(S + CLAIM_TIMEOUT, second, &mut budget), Turn::Granted);
        budget.release_unsent(Class::Direct);
        let later = S * 5;
        assert_eq!(queue.turn(later, silent, &mut budget), Turn::Granted, "polled after all");
    }

    #[test]
    fn leaving_returns_the_grant() {
        let (mut queue, mut budget) = (Queue::default(), budget(1));
        let (first, second) = (queue.push(), queue.push());
        queue.serve(S, &mut budget);
        queue.leave(S, first, &mut budget);
        assert_eq!(queue.turn(S, second, &mut budget), Turn::Granted);
    }

    /// Each call waits for its timer, or until it is woken. Some are never polled again. Returns how
    /// often calls asked for their turn, and how long the last of those that are polled waited.
    fn steps(calls: u64, limit: RateLimit, dead: impl Fn(TicketId) -> bool) -> (usize, Duration) {
        let (mut queue, mut budget) = (Queue::default(), Budget::new(Some(limit)));
        let mut timers: BTreeSet<(Duration, TicketId)> =
            (0..calls).map(|_| (S, queue.push())).collect();
        let mut timer_of: BTreeMap<TicketId, Duration> =
            timers.iter().map(|(at, ticket)| (*ticket, *at)).collect();
        let (mut steps, mut now) = (0, S);
        while let Some((at, ticket)) = timers.pop_first() {
            now = now.max(at);
            if dead(ticket) {
                continue;
            }
            steps += 1;
            match queue.turn(now, ticket, &mut budget) {
                Turn::Granted => {
                    timer_of.remove(&ticket);
                    budget.release(now, Class::Direct);
                    queue.leave(now, ticket, &mut budget);
                }
                Turn::Waiting(until) => {
                    assert!(until > now);
                    timers.insert((until, ticket));
                    timer_of.insert(ticket, until);
                }
            }
            for woken in queue.take_woken() {
                if let Some(timer) = timer_of.get_mut(&woken) {
                    timers.remove(&(*timer, woken));
                    *timer = now;
                    timers.insert((now, woken));
                }
            }
        }
        let left = timer_of.keys().filter(|ticket| !dead(**ticket)).count();
        assert_eq!(left, 0, "calls that are polled are left over");
        (steps, now - S)
    }

    #[test]
    fn calls_that_have_left_do_not_delay_those_behind_them() {
        let (mut queue, mut budget) = (Queue::default(), budget(1));
        budget.acquire(S, Class::Direct).unwrap();
        budget.release(S, Class::Direct);
        let tickets: Vec<_> = (0..1000).map(|_| queue.push()).collect();
        for ticket in &tickets[1..999] {
            queue.leave(S, *ticket, &mut budget);
        }
        let last = queue.turn(S, tickets[999], &mut budget);
        assert_eq!(last, Turn::Waiting(S * 61 + CLAIM_TIMEOUT * 2));
        assert_eq!(queue.turn(S, tickets[0], &mut budget), Turn::Waiting(S * 61));
    }

    #[test]
    fn n_calls_take_about_n_steps() {
        for calls in [500, 4000] {
            let (steps, took) = steps(calls, RateLimit::new(100, S), |_| false);
            assert!(steps < 25 * calls as usize, "{steps} for {calls}");
            assert_eq!(took, S * (calls as u32 / 100 - 1), "and no slot is lost");
        }
    }

    #[test]
    fn calls_that_are_not_polled_cost_the_others_some_moments() {
        let limit = RateLimit::new(10, S);
        let alive = steps(50, limit, |_| false).1;
        // The first eight, as in a `buffer_unordered(8)`, and every second one.
        for dead in [|ticket| ticket < 8, |ticket| ticket % 2 == 0] {
            let took = steps(50, limit, dead).1;
            assert!(took <= alive + S, "{took:?} and not {alive:?}");
        }
    }

    proptest! {
        /// However calls come, go and stop being polled, the ones that are polled get their room, and
        /// none is lost.
        #[test]
        fn every_call_that_is_polled_is_served(
            calls in prop::collection::vec((0..3u8, 0..500u64), 1..40),
            requests in 1u32..5,
        ) {
            let (mut queue, mut budget) = (Queue::default(), budget(requests));
            let mut now = S;
            let mut polled = Vec::new();
            for (kind, pause) in &calls {
                now += Duration::from_millis(*pause);
                let ticket = queue.push();
                match kind {
                    0 => {}
                    1 => assert!(queue.leave(now, ticket, &mut budget)),
                    _ => polled.push(ticket),
                }
            }
            let mut wakes = 0;
            while !polled.is_empty() {
                wakes += 1;
                prop_assert!(wakes < 10_000, "calls wait forever");
                let mut next = Duration::MAX;
                polled.retain(|ticket| match queue.turn(now, *ticket, &mut budget) {
                    Turn::Granted => {
                        budget.release(now, Class::Direct);
                        false
                    }
                    Turn::Waiting(at) => {
                        next = next.min(at);
                        true
                    }
                });
                // A release changes the budget, and wakes all.
                now = if next == Duration::MAX { now } else { next.max(now) };
            }
            // The calls that are never polled are skipped, one grant after another.
            for _ in 0..=calls.len() {
                now += S * 100;
                queue.serve(now, &mut budget);
            }
            prop_assert_eq!(queue.granted.len() + queue.waiting.len(), 0);
            prop_assert_eq!(budget.left(now), Some(requests as usize));
        }
    }
}
