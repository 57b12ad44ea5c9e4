//! Runs the limiter under loom: all interleavings of a few threads with up to three preemptions.
//!
//! The tests of the limiter run all schedules of whole polls. Between the locks within a poll, threads
//! interleave in further ways: a slot may become free after a call has seen that there is none, and
//! before it listens for that. Here time stands still, so that no timer makes up for a lost wake-up,
//! and loom reports a deadlock.
//!
//! The files of the limiter are compiled here with loom's mutex, and with a [`Notify`](sync::Notify)
//! over it: tokio's own uses loom in tokio's tests only.
#![allow(dead_code, reason = "the client uses more of these files")]

extern crate self as tokio;

mod sync;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::thread;
pub(crate) use real_tokio::select;

use budget::{Class, RateLimit};
use limiter::{Limiter, Permit};

#[path = "../../src/polling/budget.rs"]
mod budget;
#[path = "../../src/client/limiter.rs"]
mod limiter;
#[path = "../../src/polling/queue.rs"]
mod queue;
#[path = "../../src/polling/throttle.rs"]
mod throttle;

mod polling {
    pub(crate) use crate::{budget, queue};
}

/// Time that stands still.
mod clock {
    use std::time::Duration;

    pub(crate) fn now() -> Duration {
        Duration::from_secs(1)
    }

    pub(crate) async fn sleep_until(_: Duration) {
        std::future::pending().await
    }
}

mod retry {
    pub(crate) const DEFAULT_RATE_LIMIT_PAUSE: std::time::Duration =
        std::time::Duration::from_secs(1);
}

mod lock {
    pub(crate) use loom::sync::Mutex;
    use loom::sync::MutexGuard;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("loom's mutexes are not poisoned")
    }
}

/// A limiter of one slot, and the number of permits that are held.
#[derive(Clone)]
struct World {
    limiter: Arc<Limiter>,
    held: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        let limit = RateLimit::new(1, Duration::from_secs(60));
        Self { limiter: Arc::new(Limiter::new(Some(limit))), held: Arc::default() }
    }

    /// Makes a call that is not sent in the end, so that its slot is free again.
    fn call(&self) {
        self.give_back(block_on(self.limiter.acquire()));
    }

    /// Polls a call once and drops it.
    fn cancelled_call(&self) {
        let mut call = pin!(self.limiter.acquire());
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let std::task::Poll::Ready(permit) = polled {
            self.give_back(permit);
        }
    }

    /// Waits for the permit of a poll as the driver does.
    fn poll(&self) {
        let permit = block_on(async {
            loop {
                let (granted, _, changed) =
                    self.limiter.poll_with(|budget| budget.acquire(clock::now(), Class::Poll));
                if granted.is_ok() {
                    return self.limiter.poll_permit();
                }
                changed.await;
            }
        });
        self.give_back(permit);
    }

    fn give_back(&self, permit: Permit) {
        assert_eq!(self.held.fetch_add(1, SeqCst), 0, "two permits for one slot");
        self.held.fetch_sub(1, SeqCst);
        permit.not_sent();
    }
}

/// Runs these, each on a thread of its own, in all interleavings. Each ends, and no slot is lost.
fn check(name: &str, threads: &'static [fn(&World)]) {
    let mut model = loom::model::Builder::new();
    // With four it takes nearly a minute. Two find each mistake that was planted.
    model.preemption_bound = Some(3);
    let interleavings = Arc::new(AtomicUsize::new(0));
    let counter = interleavings.clone();
    model.check(move || {
        counter.fetch_add(1, SeqCst);
        let world = World::new();
        let held = block_on(world.limiter.acquire());
        let threads: Vec<_> = threads
            .iter()
            .map(|run| {
                let world = world.clone();
                thread::spawn(move || run(&world))
            })
            .collect();
        held.not_sent();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread panicked"));
        assert_eq!(world.limiter.left(), Some(1), "a slot is lost");
    });
    println!("{name}: {} interleavings", interleavings.load(SeqCst));
}

fn main() {
    check("two calls", &[World::call, World::call]);
    check("a call and one that is dropped", &[World::call, World::cancelled_call]);
    check("a call and a poll", &[World::call, World::poll]);
    check("a dropped call and a poll", &[World::cancelled_call, World::poll]);
}
