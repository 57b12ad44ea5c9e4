//! The window over a real server: it grants what the budget of one process does.

mod changes;

use std::time::Duration;

use proptest::prelude::*;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};

use super::server::{self, RedisServer};
use super::session::{Keys, LinkError, in_time, parse_used};
use super::window::Window;
use crate::polling::budget::shared::{ByClass, Reply};
use crate::polling::budget::{Budget, Class, RateLimit};

const MS: Duration = Duration::from_millis(1);
/// The server's time at the start, in milliseconds.
const START: u64 = 1_700_000_000_000;

struct World {
    runtime: Runtime,
    connection: MultiplexedConnection,
    number: u64,
    _server: RedisServer,
}

impl World {
    fn new() -> Self {
        let server = RedisServer::start();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = redis::Client::open(server.url()).unwrap();
        let connection = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
        Self { runtime, connection, number: 0, _server: server }
    }

    fn keys(&mut self) -> Keys {
        self.number += 1;
        Keys::new(&self.number.to_string())
    }

    /// Has a budget ask the window for room. A denial that it knows is not considered.
    fn ask(
        &mut self,
        window: (&Keys, &mut Window),
        now: Duration,
        budget: &mut Budget,
        class: Option<Class>,
    ) -> Reply {
        self.try_ask(window, now, budget, class).unwrap()
    }

    fn try_ask(
        &mut self,
        (keys, window): (&Keys, &mut Window),
        now: Duration,
        budget: &mut Budget,
        class: Option<Class>,
    ) -> Result<Reply, LinkError> {
        window.time = Some((now, START + now.as_millis() as u64));
        let mut report = budget.report(now);
        report.wanted = match class {
            Some(Class::Direct) => ByClass { direct: 1, poll: 0 },
            Some(Class::Poll) => ByClass { direct: 0, poll: 1 },
            None => ByClass::default(),
        };
        let asked = window.exchange(&mut self.connection, keys, &report);
        let reply = self.runtime.block_on(asked)?;
        budget.on_reply(now, &report, &reply);
        Ok(reply)
    }

    fn delete(&mut self, key: &str) {
        let mut delete = redis::cmd("DEL");
        let deleted = delete.arg(key).exec_async(&mut self.connection);
        self.runtime.block_on(deleted).unwrap();
    }
}

/// A budget that is shared, and its window.
fn process(limit: RateLimit, name: &str) -> (Budget, Window) {
    let mut budget = Budget::new(Some(limit));
    budget.share();
    (budget, Window::new(Some(limit), name.to_owned()))
}

#[derive(Clone, Debug)]
enum Step {
    Acquire(Class),
    Release(Class, bool),
    Refuse(Class, u64, Option<u64>),
    RefuseAgain(Class, Option<u64>),
    Waiting(usize),
    Pass(u64),
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Direct), Just(Class::Poll)]
}

fn step() -> impl Strategy<Value = Step> {
    let pause = || prop::option::of(0..3000u64);
    prop_oneof![
        8 => class().prop_map(Step::Acquire),
        4 => (class(), prop::bool::weighted(0.8)).prop_map(|(class, sent)| Step::Release(class, sent)),
        1 => (class(), 0..500u64, pause()).prop_map(|(class, ago, pause)| Step::Refuse(class, ago, pause)),
        1 => (class(), pause()).prop_map(|(class, pause)| Step::RefuseAgain(class, pause)),
        1 => (0..4usize).prop_map(Step::Waiting),
        4 => (1..2500u64).prop_map(Step::Pass),
    ]
}

/// Runs steps with a budget alone and one over the window. Both have to grant the same.
fn check(world: &mut World, limit: RateLimit, steps: &[Step]) {
    let keys = world.keys();
    let mut alone = Budget::new(Some(limit));
    let (mut linked, mut window) = process(limit, "a");
    let mut now = Duration::from_secs(10);
    let (mut calls, mut polls, mut waiting) = (0, 0, 0);
    for step in steps {
        match *step {
            Step::Acquire(class) => {
                let asking = usize::from(class == Class::Direct);
                alone.set_waiting(waiting);
                let granted = alone.acquire(now, class);
                // A call that asks is one of those that wait.
                linked.set_waiting(waiting + asking);
                let reply = world.ask((&keys, &mut window), now, &mut linked, Some(class));
                let linked_granted = linked.acquire(now, class);
                if granted.is_ok() != linked_granted.is_ok() {
                    // A limit that was cut grows back in floating-point numbers, which the script
                    // stores with fewer digits: one may have room a millisecond before the other.
                    now += MS;
                    let later = if granted.is_ok() {
                        world.ask((&keys, &mut window), now, &mut linked, Some(class));
                        linked.acquire(now, class)
                    } else {
                        alone.acquire(now, class)
                    };
                    assert!(later.is_ok(), "{step:?} at {now:?}: {granted:?} and {reply:?}");
                }
                if granted.is_ok() || linked_granted.is_ok() {
                    *(if asking > 0 { &mut calls } else { &mut polls }) += 1;
                }
            }
            Step::Release(class, sent) => {
                // That a call was not sent does not count for the polls that come in between, where a
                // fifth of the limit is less than one request. The window does not know such calls.
                let sent = sent || class == Class::Direct;
                let held = if class == Class::Direct { &mut calls } else { &mut polls };
                if *held > 0 {
                    *held -= 1;
                    for budget in [&mut alone, &mut linked] {
                        if sent { budget.release(now, class) } else { budget.release_unsent(class) }
                    }
                }
            }
            Step::Refuse(class, ago, pause) => {
                let (sent, pause) =
                    (now.saturating_sub(MS * ago as u32), pause.map(Duration::from_millis));
                alone.on_rate_limited(now, sent, class, pause);
                linked.on_rate_limited(now, sent, class, pause);
                world.ask((&keys, &mut window), now, &mut linked, None);
            }
            Step::RefuseAgain(class, pause) => {
                let pause = pause.map(Duration::from_millis);
                alone.on_refused_again(now, class, pause);
                linked.on_refused_again(now, class, pause);
                world.ask((&keys, &mut window), now, &mut linked, None);
            }
            Step::Waiting(calls) => waiting = calls,
            Step::Pass(ms) => now += Duration::from_millis(ms),
        }
    }
}

#[test]
fn the_window_grants_what_the_budget_of_one_process_does() {
    if !server::is_there() {
        return;
    }
    let world = std::cell::RefCell::new(World::new());
    let steps = prop::collection::vec(step(), 1..150);
    let limits = (1u32..12, 300u64..3000);
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    proptest!(config, |(steps in steps, (requests, per) in limits)| {
        let limit = RateLimit::new(requests, Duration::from_millis(per));
        check(&mut world.borrow_mut(), limit, &steps);
    });
}

/// A process, its requests in flight by class, and whether it is alive.
struct Process {
    budget: Budget,
    window: Window,
    in_flight: ByClass<usize>,
}

#[derive(Clone, Debug)]
enum Event {
    /// A process asks for room. The answer may be lost.
    Acquire(usize, Class, bool),
    Release(usize, Class),
    /// A process is killed, and another one begins in its place.
    Kill(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..3usize, class(), prop::bool::weighted(0.1)).prop_map(|(n, class, lost)| Event::Acquire(n, class, lost)),
        6 => (0..3usize, class()).prop_map(|(n, class)| Event::Release(n, class)),
        1 => (0..3usize).prop_map(Event::Kill),
        5 => (1..1500u64).prop_map(Event::Pass),
    ]
}

/// No window of the service's holds more than the limit, whatever the processes do.
fn check_processes(world: &mut World, limit: RateLimit, events: &[Event]) {
    let keys = world.keys();
    let mut names = 0;
    let mut process = || {
        names += 1;
        let (budget, window) = super::tests::process(limit, &names.to_string());
        Process { budget, window, in_flight: ByClass::default() }
    };
    let mut processes: Vec<_> = (0..3).map(|_| process()).collect();
    // Until when each request that has ended counts.
    let mut counted = Vec::new();
    let mut now = Duration::from_secs(10);
    for event in events {
        match *event {
            Event::Acquire(n, class, is_lost) => {
                let Process { budget, window, in_flight } = &mut processes[n];
                window.time = Some((now, START + now.as_millis() as u64));
                let mut report = budget.report(now);
                *report.wanted.of(class) = 1;
                let asked = window.exchange(&mut world.connection, &keys, &report);
                let reply = world.runtime.block_on(asked).unwrap();
                if !is_lost {
                    budget.on_reply(now, &report, &reply);
                    *in_flight.of(class) += usize::from(budget.acquire(now, class).is_ok());
                }
            }
            Event::Release(n, class) => {
                let Process { budget, in_flight, .. } = &mut processes[n];
                if *in_flight.of(class) > 0 {
                    *in_flight.of(class) -= 1;
                    budget.release(now, class);
                    counted.push(now + limit.per);
                }
            }
            Event::Kill(n) => {
                let killed = std::mem::replace(&mut processes[n], process());
                let left = killed.in_flight.direct + killed.in_flight.poll;
                counted.extend(std::iter::repeat_n(now + limit.per, left));
            }
            Event::Pass(ms) => {
                // Every process reports several times in a window.
                let step = (limit.per / 4).min(Duration::from_millis(ms));
                let until = now + Duration::from_millis(ms);
                while now < until {
                    now = until.min(now + step);
                    for Process { budget, window, .. } in &mut processes {
                        world.ask((&keys, window), now, budget, None);
                    }
                }
                counted.retain(|until| *until > now);
            }
        }
        let in_flight = |process: &Process| process.in_flight.direct + process.in_flight.poll;
        let used = processes.iter().map(in_flight).sum::<usize>() + counted.len();
        assert!(used <= limit.requests as usize, "{used} requests in a window after {event:?}");
    }
    // In the end everything was given back, also by those that were killed.
    for Process { budget, in_flight, .. } in &mut processes {
        (0..in_flight.direct).for_each(|_| budget.release(now, Class::Direct));
        (0..in_flight.poll).for_each(|_| budget.release(now, Class::Poll));
    }
    let mut last = Reply::default();
    for _ in 0..12 {
        now += limit.per.min(Duration::from_secs(1));
        for Process { budget, window, .. } in &mut processes {
            last = world.ask((&keys, window), now, budget, None);
        }
    }
    assert_eq!((last.used, last.others), (ByClass::default(), 2));
}

#[test]
fn processes_stay_within_the_limit_and_those_that_die_give_back_their_room() {
    if !server::is_there() {
        return;
    }
    let world = std::cell::RefCell::new(World::new());
    let events = prop::collection::vec(event(), 1..80);
    let limits = (1u32..12, 1000u64..6000);
    let config = ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() };
    proptest!(config, |(events in events, (requests, per) in limits)| {
        let limit = RateLimit::new(requests, Duration::from_millis(per));
        check_processes(&mut world.borrow_mut(), limit, &events);
    });
}

/// A report of a connection that was given up may arrive after later ones.
#[test]
fn a_report_that_arrives_late_changes_nothing() {
    if !server::is_there() {
        return;
    }
    let mut world = World::new();
    let keys = world.keys();
    let limit = RateLimit::new(10, Duration::from_secs(60));
    let window = |version| {
        let mut window = Window::new(Some(limit), "a".to_owned());
        window.skip_to(version);
        window
    };
    let mut budget = Budget::new(Some(limit));
    budget.share();
    let now = Duration::from_secs(10);
    let early = world.ask((&keys, &mut window(7)), now, &mut budget, Some(Class::Direct));
    assert_eq!((early.granted.direct, early.used.direct), (1, 1));
    let late = world.try_ask((&keys, &mut window(6)), now, &mut budget, Some(Class::Direct));
    assert!(matches!(late, Err(LinkError::Confused)), "{late:?}");
    let next = world.ask((&keys, &mut window(8)), now, &mut budget, None);
    assert_eq!(next.used.direct, 1);
}

/// Any program may publish on the channel.
#[test]
fn messages_of_more_requests_than_there_are_count_as_none() {
    assert_eq!(parse_used("3 40"), Some(ByClass { direct: 3, poll: 40 }));
    for other in ["18446744073709551615 1", "1 18446744073709551615", "-1 1", "1", "x y"] {
        assert_eq!(parse_used(other), None, "{other}");
    }
}
