//! All schedules of a few calls up to some length, over the limiter itself and a paused clock.
//!
//! A step polls a call, drops it, ends its request, or lets time pass. Calls on several threads can
//! also interleave within a poll: `core/loom` checks that.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::polling::budget::Denial;
use crate::polling::queue::CLAIM_TIMEOUT;

const S: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(10);
/// Enough for the schedules below to have time pass between any two of their other steps.
const MAX_PAUSES: usize = 2;

/// Walks through all sequences of choices, one after another.
#[derive(Default)]
struct Choices {
    /// The number that was chosen at each point, and how many there were to choose from.
    taken: Vec<(usize, usize)>,
    position: usize,
}

impl Choices {
    fn choose(&mut self, options: usize) -> usize {
        if self.position == self.taken.len() {
            self.taken.push((0, options));
        }
        let (choice, of) = self.taken[self.position];
        assert_eq!(of, options, "a schedule that is repeated takes the same way");
        self.position += 1;
        choice
    }

    /// Goes on to the next sequence. Returns false after the last one.
    fn next(&mut self) -> bool {
        self.position = 0;
        while let Some((choice, options)) = self.taken.pop() {
            if choice + 1 < options {
                self.taken.push((choice + 1, options));
                return true;
            }
        }
        false
    }
}

/// Records that a call was woken.
struct Woken {
    is_set: AtomicBool,
    /// Notified as well, so that the runtime can wait for any call.
    any: Arc<Notify>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_set.store(true, Relaxed);
        self.any.notify_one();
    }
}

type Acquire = Pin<Box<dyn Future<Output = Permit>>>;

enum Stage {
    /// Not polled yet.
    New(Acquire),
    /// It has a place in the queue.
    Waiting(Acquire),
    Sending(Permit, Duration),
    Ended,
}

struct Call {
    stage: Stage,
    woken: Arc<Woken>,
    is_poll: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Poll(usize),
    Drop(usize),
    /// Ends a request, which was sent or not.
    End(usize, bool),
    Pause(Duration),
}

/// A limiter and its calls, of which the last one may be the driver that wants to poll.
struct World<'a> {
    runtime: &'a Runtime,
    limiter: Arc<Limiter>,
    limit: usize,
    calls: Vec<Call>,
    any_woken: Arc<Notify>,
    pauses: usize,
    /// Until when the requests that were sent and have ended count for the window.
    counted_until: Vec<Duration>,
    /// When the window is empty if nothing else is sent.
    empty_at: Duration,
    taken: Vec<Step>,
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("limit {}: {:?}", self.limit, self.taken);
        }
    }
}

/// Waits for the permit of a poll as the driver does.
async fn poll_permit(limiter: Arc<Limiter>) -> Permit {
    loop {
        let (granted, next_event, changed) =
            limiter.poll_with(|budget| budget.acquire(clock::now(), Class::Poll));
        let at = match granted {
            Ok(()) => return limiter.poll_permit(),
            Err(Denial::Until(at)) => at.min(next_event),
            Err(Denial::UntilChange) => next_event,
        };
        tokio::select! {
            () = changed => {}
            () = clock::sleep_until(at) => {}
        }
    }
}

impl<'a> World<'a> {
    fn new(runtime: &'a Runtime, limit: u32, calls: usize, with_poll: bool) -> Self {
        let limiter = Arc::new(Limiter::new(Some(RateLimit::new(limit, WINDOW))));
        let any_woken = Arc::new(Notify::new());
        let call = |is_poll| {
            let limiter = limiter.clone();
            let acquire: Acquire = if is_poll {
                Box::pin(poll_permit(limiter))
            } else {
                Box::pin(async move { limiter.acquire().await })
            };
            let woken = Woken { is_set: AtomicBool::new(true), any: any_woken.clone() };
            Call { stage: Stage::New(acquire), woken: Arc::new(woken), is_poll }
        };
        let calls = (0..calls).map(|_| call(false)).chain(with_poll.then(|| call(true))).collect();
        Self {
            runtime,
            limiter,
            limit: limit as usize,
            calls,
            any_woken,
            pauses: 0,
            counted_until: Vec::new(),
            empty_at: clock::now(),
            taken: Vec::new(),
        }
    }

    /// What may happen next.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        // Calls that are new are all the same, so only the first one may begin.
        let mut has_new = false;
        for (n, call) in self.calls.iter().enumerate() {
            match &call.stage {
                Stage::New(_) if has_new && !call.is_poll => {}
                Stage::New(_) => {
                    has_new = true;
                    steps.push(Step::Poll(n));
                }
                Stage::Waiting(_) => steps.extend([Step::Poll(n), Step::Drop(n)]),
                Stage::Sending(..) => steps.extend([Step::End(n, false), Step::End(n, true)]),
                Stage::Ended => {}
            }
        }
        if self.pauses < MAX_PAUSES {
            steps.extend([Step::Pause(CLAIM_TIMEOUT), Step::Pause(LEASE)]);
        }
        steps
    }

    fn run(&mut self, step: Step) {
        self.taken.push(step);
        match step {
            Step::Poll(n) => self.poll(n),
            Step::Drop(n) => self.calls[n].stage = Stage::Ended,
            Step::End(n, was_sent) => self.end(n, was_sent),
            Step::Pause(pause) => {
                self.pauses += 1;
                self.runtime.block_on(tokio::time::advance(pause));
            }
        }
    }

    fn poll(&mut self, n: usize) {
        let call = &mut self.calls[n];
        let (Stage::New(mut acquire) | Stage::Waiting(mut acquire)) =
            std::mem::replace(&mut call.stage, Stage::Ended)
        else {
            return;
        };
        call.woken.is_set.store(false, Relaxed);
        let waker = Waker::from(call.woken.clone());
        match acquire.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => call.stage = Stage::Waiting(acquire),
            Poll::Ready(permit) => {
                call.stage = Stage::Sending(permit, clock::now());
                self.check_permit(n);
            }
        }
    }

    /// A permit was given to this call.
    fn check_permit(&mut self, n: usize) {
        let now = clock::now();
        self.counted_until.retain(|until| *until > now);
        let in_flight = self
            .calls
            .iter()
            .filter(|call| matches!(&call.stage, Stage::Sending(_, since) if now < *since + LEASE));
        let used = in_flight.count() + self.counted_until.len();
        assert!(used <= self.limit, "{used} requests in a window");
        // With room for one, and no time for another call to lose its turn, the order is that of arrival.
        let ordered = self.limit == 1 && self.pauses == 0 && !self.calls[n].is_poll;
        let overtaken = self.calls[..n].iter().any(|c| matches!(c.stage, Stage::Waiting(_)));
        assert!(!(ordered && overtaken), "call {n} has overtaken another one");
    }

    fn end(&mut self, n: usize, was_sent: bool) {
        let stage = std::mem::replace(&mut self.calls[n].stage, Stage::Ended);
        let Stage::Sending(mut permit, since) = stage else { return };
        let now = clock::now();
        let has_expired = since + LEASE <= now;
        if was_sent {
            permit.start();
        }
        if was_sent || has_expired {
            self.counted_until.push(now.min(since + LEASE) + WINDOW);
            self.empty_at = now + WINDOW;
        }
        drop(permit);
    }

    /// Polls the calls that were woken, other than one, and has requests end unsent, until nothing
    /// changes without time.
    fn settle(&mut self, silent: Option<usize>) {
        for round in 0.. {
            assert!(round < 100, "calls are woken without end");
            let mut is_settled = true;
            for n in 0..self.calls.len() {
                let call = &self.calls[n];
                match call.stage {
                    Stage::Sending(..) => self.end(n, false),
                    Stage::New(_) | Stage::Waiting(_)
                        if silent != Some(n) && call.woken.is_set.load(Relaxed) =>
                    {
                        self.poll(n);
                    }
                    _ => continue,
                }
                is_settled = false;
            }
            if is_settled {
                return;
            }
        }
    }

    fn waiting(&self) -> impl Iterator<Item = usize> {
        let waiting = |n: &usize| matches!(self.calls[*n].stage, Stage::Waiting(_));
        (0..self.calls.len()).filter(waiting)
    }

    /// Chooses the call that is not polled again, or none.
    fn choose_silent(&self, choices: &mut Choices) -> Option<usize> {
        let waiting: Vec<_> = self.waiting().collect();
        waiting.get(choices.choose(waiting.len() + 1)).copied()
    }

    /// Every call that is polled when it is woken gets its permit, at once if there is room, and in the
    /// end everything was given back. One call may never be polled again.
    fn finish(mut self, silent: Option<usize>) {
        let began = clock::now();
        self.settle(silent);
        if silent.is_none() {
            let (waiting, left) = (self.waiting().count(), self.limiter.left());
            assert!(waiting == 0 || left == Some(0), "{waiting} calls sleep beside {left:?} slots");
        }
        while self.waiting().any(|n| silent != Some(n)) {
            self.pauses += 1;
            let woken = clock::within(S * 100, self.any_woken.notified());
            let woken = self.runtime.block_on(woken);
            assert!(woken.is_some(), "no timer wakes the calls that wait");
            self.settle(silent);
            // Each call may see to the room somewhat later than the one before it.
            let late = clock::now().saturating_sub(self.empty_at.max(began));
            assert!(late <= CLAIM_TIMEOUT * 5, "calls still wait {late:?} after the window");
        }
        self.calls.clear();
        self.runtime.block_on(tokio::time::advance(WINDOW));
        assert_eq!(self.limiter.left(), Some(self.limit), "slots are lost");
        let state = lock(&self.limiter.state);
        assert_eq!((state.leases.len(), state.wakers.len()), (0, 0));
    }
}

/// Runs all schedules of up to `length` steps. Returns how many there are.
fn run_all(limit: u32, calls: usize, with_poll: bool, length: usize) -> usize {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let (mut choices, mut schedules) = (Choices::default(), 0);
    loop {
        let mut world = World::new(&runtime, limit, calls, with_poll);
        for _ in 0..length {
            let steps = world.steps();
            // The last choice is to stop here.
            let Some(step) = steps.get(choices.choose(steps.len() + 1)) else { break };
            world.run(*step);
        }
        let silent = world.choose_silent(&mut choices);
        world.finish(silent);
        schedules += 1;
        if !choices.next() {
            return schedules;
        }
    }
}

// The lengths are the greatest that take about a second each, and find each mistake that was planted:
// a lost wake-up, a lost turn, a lost slot, one given back twice, one too many, and a call overtaken.

#[test]
fn all_schedules_of_three_calls_for_one_slot() {
    assert!(run_all(1, 3, false, 6) > 5_000);
}

#[test]
fn all_schedules_of_two_calls_and_a_poll_for_one_slot() {
    assert!(run_all(1, 2, true, 6) > 10_000);
}

#[test]
fn all_schedules_of_three_calls_and_a_poll_for_two_slots() {
    assert!(run_all(2, 3, true, 6) > 10_000);
}
