//! What the processes do while the server is not there.

use std::future::IntoFuture;
use std::time::Instant;

use futures_util::future::join_all;
use pipevideo::{Decimal, Status};

use super::*;

/// Makes a call with each client. None waits for the server.
async fn call(clients: &[Client]) {
    let began = Instant::now();
    for result in join_all(clients.iter().map(|client| client.usage().retrieve())).await {
        result.unwrap();
    }
    // A quarter of a second, on a machine that is busy.
    assert!(began.elapsed() < S * 4, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_without_a_server_and_share_once_it_is_there() {
    let Some(mut world) = World::start(json!({})).await else { return };
    world.redis.kill();
    let clients: [_; 2] = world.clients();
    call(&clients).await;
    assert_eq!(clients.each_budget(), [Some(99), Some(99)]);
    world.redis.start_again();
    until(|| clients.each_budget() == [Some(98), Some(98)]).await;
}

/// The server is frozen, ends without a trace, loses its data, or can no longer be written to.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_whatever_happens_to_the_server() {
    let Some(mut world) = World::start(json!({})).await else { return };
    let clients: [_; 2] = world.clients();
    let mut left = 100;
    let shared = async |left: usize| {
        until(|| clients.each_budget() == [Some(left); 2] && clients[0].peers() == 2).await;
    };
    for fault in ["freeze", "kill", "flush", "empty", "memory", "replica", "freeze"] {
        shared(left).await;
        match fault {
            "freeze" => world.redis.freeze(),
            "kill" => world.redis.kill(),
            "flush" => world.redis.run("SCRIPT FLUSH"),
            // Its connections stay.
            "empty" => world.redis.run("FLUSHALL"),
            "memory" => world.redis.run("CONFIG SET maxmemory 1"),
            _ => world.redis.run("REPLICAOF 127.0.0.1 1"),
        }
        for _ in 0..3 {
            call(&clients).await;
            left -= 2;
        }
        match fault {
            "freeze" => world.redis.go_on(),
            "kill" => world.redis.start_again(),
            "memory" => world.redis.run("CONFIG SET maxmemory 0"),
            "replica" => world.redis.run("REPLICAOF NO ONE"),
            _ => {}
        }
    }
    shared(left).await;
    assert_eq!(world.emulator.requests().len(), 100 - left);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_cut_off_stay_within_the_limit_together() {
    // After 7 requests of one process, 8 of the other 33 are left to each, but 3 to that one, which has
    // used the rest of its quarter.
    for (used, more) in [(0, 40), (7, 27), (30, 6), (39, 0)] {
        let limit = json!({"rate_limit": {"requests": 40, "window_seconds": 3600}});
        let Some(mut world) = World::start(limit).await else { return };
        let client = |n| {
            let limit = RateLimit::new(40, S * 3600);
            world.process(n).rate_limit(limit).build().unwrap()
        };
        let clients: Vec<_> = (0..4).map(client).collect();
        until(|| clients.iter().all(|client| client.peers() == 4)).await;
        for _ in 0..used {
            clients[0].usage().retrieve().await.unwrap();
        }
        until(|| clients.iter().all(|client| client.budget_left() == Some(40 - used))).await;
        world.redis.kill();
        let calls = clients.iter().flat_map(|client| {
            (0..20).map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.usage().retrieve().await.map(drop) })
            })
        });
        let calls: Vec<_> = calls.collect();
        until(|| clients.each_budget() == [Some(0); 4]).await;
        until(|| world.emulator.requests().len() >= used + more).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            if let Ok(result) = call.await {
                assert!(result.is_ok(), "{result:?}");
            }
        }
        assert_eq!(world.emulator.requests().len(), used + more);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_survives_the_server() {
    let Some(mut world) = World::start(json!({"polls": ["completed"]})).await else { return };
    let clients: [_; 2] = world.clients();
    let mut costs = Decimal::ZERO;
    for round in 0..3 {
        if round == 1 {
            world.redis.kill();
        }
        for client in &clients {
            let generation = client.generate(request("A cat")).await.unwrap();
            costs += generation.usage.unwrap().cost_usd.unwrap();
        }
        if round == 1 {
            world.redis.start_again();
        }
    }
    until(|| clients.iter().all(|client| client.spend().spent == costs)).await;
}

/// As in a task of a queue, which has a client of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_has_done_is_reported_also_if_it_is_dropped_while_the_server_is_away() {
    let Some(mut world) = World::start(json!({})).await else { return };
    let [first, other] = world.receivers();
    until(|| first.peers() == 2).await;
    world.redis.kill();
    let id = other.responses().create(request("A cat")).await.unwrap().id;
    deliver(&other, "msg_1", &id).acknowledge();
    drop(other);
    world.redis.start_again();
    until(|| first.budget_left() == Some(99) && first.peers() == 1).await;
    until(|| deliver(&first, "msg_1", &id).duplicate).await;
    assert_eq!(first.spend().in_flight_count, 1);
}

/// A delivery that only one process knows keeps no other from its polls, and wakes it later.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_goes_on_when_its_delivery_reaches_another_process_without_the_server() {
    let polls = json!({"polls": ["queued", "completed"]});
    let Some(mut world) = World::start(polls).await else { return };
    for returns in [false, true] {
        let [a, b] = [0, 1].map(|number| {
            let interval = if returns { S * 3600 } else { MS * 200 };
            let polling = Polling::default().safety_interval(interval);
            let receiver = world.process(number).webhook_secrets([SECRET]);
            receiver.polling(polling.min_interval(Duration::ZERO)).build().unwrap()
        });
        until(|| a.peers() == 2 && b.peers() == 2).await;
        // No process has created it, so that it is polled once when the wait begins.
        let id = world.emulator.add_generation(Default::default()).unwrap();
        let wait = tokio::spawn(b.responses().wait(&id).into_future());
        let requests = world.emulator.requests().len();
        until(|| world.emulator.requests().len() > requests).await;
        world.redis.kill();
        assert!(!deliver(&a, &id, &id).duplicate);
        if returns {
            world.redis.start_again();
        }
        assert_eq!(wait.await.unwrap().unwrap().status, Status::Completed);
        if !returns {
            world.redis.start_again();
        }
    }
}

/// The server answers nothing for 5 s, in the midst of generations that use the whole limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_five_seconds_loses_nothing_and_passes_no_limit() {
    const PER_PROCESS: usize = 15;
    let limit = json!({"requests": 50, "window_seconds": 3});
    let options =
        json!({"rate_limit": limit, "polls": null, "speed": 20, "balance_cents": 1_000_000});
    let settings = ["--enable-debug-command yes"];
    let Some(world) = World::start_with(options, &settings).await else { return };
    let polling =
        Polling::default().min_interval(MS * 100).max_interval(MS * 250).typical(MS * 4500);
    let client = |n| {
        let builder = world.process(n).rate_limit(RateLimit::new(50, S * 3));
        builder.polling(polling).build().unwrap()
    };
    let clients: Vec<_> = (0..3).map(client).collect();
    until(|| clients.iter().all(|client| client.peers() == 3)).await;
    let generations = clients.iter().flat_map(|client| {
        let one = |n| tokio::spawn(client.generate(request(&format!("Cat {n}"))).into_future());
        (0..PER_PROCESS).map(one).collect::<Vec<_>>()
    });
    let generations: Vec<_> = generations.collect();
    until(|| world.emulator.requests().len() >= 60).await;
    let url = world.redis.url();
    let freeze = tokio::task::spawn_blocking(move || {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        redis::cmd("DEBUG").arg("SLEEP").arg(5).exec(&mut connection).unwrap();
    });
    for generation in generations {
        generation.await.unwrap().unwrap();
    }
    freeze.await.unwrap();
    let requests = world.emulator.requests();
    let creates = requests.iter().filter(|request| request.method == "POST").count();
    assert_eq!(creates, 3 * PER_PROCESS);
    // The emulator responds with 429 from the 51st request in a window on.
    for first in requests.windows(51) {
        let took = first[50].at - first[0].at;
        assert!(took >= 3.0, "51 requests in {took} s");
    }
    until(|| clients.iter().all(|client| client.peers() == 3)).await;
}

/// What is stored of the ledger and the messages was written by another program, or a later release.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_keeps_nothing_else_from_being_shared() {
    let Some(world) = World::start(json!({})).await else { return };
    let first = world.client(0);
    first.responses().create(request("A cat")).await.unwrap();
    let ledger = world.key("ledger").await;
    world.redis.run::<()>(&format!(r#"SET {ledger} {{"format":2,"revision":"x"}}"#));
    let feed = ledger.replace(":ledger", ":feed");
    let mut connection = world.redis.connection();
    let text: &[u8] = b"created \xff";
    redis::cmd("ZADD").arg(feed).arg(1).arg(text).query::<()>(&mut connection).unwrap();
    let channel = ledger.replace(":ledger", ":channel");
    redis::cmd("PUBLISH").arg(channel).arg(text).query::<()>(&mut connection).unwrap();
    let clients = [first, world.client(1)];
    for n in 0..3 {
        call(&clients).await;
        let left = Some(97 - 3 * n);
        until(|| clients.each_budget() == [left, left] && clients[0].peers() == 2).await;
        clients[n % 2].responses().create(request("A dog")).await.unwrap();
    }
}

trait Budgets {
    fn each_budget(&self) -> Vec<Option<usize>>;
}

impl Budgets for [Client] {
    fn each_budget(&self) -> Vec<Option<usize>> {
        self.iter().map(Client::budget_left).collect()
    }
}
