//! What the processes do while the server is not there.

use std::time::Instant;

use futures_util::future::join_all;
use pipevideo::Decimal;

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

fn without_limit(emulator: &Emulator, redis: &RedisServer, count: usize) -> Vec<Client> {
    let client = |n| process(emulator, &redis.url(), n).build().unwrap();
    (0..count).map(client).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_without_a_server_and_share_once_it_is_there() {
    if !server::is_there() {
        return;
    }
    let mut redis = RedisServer::start();
    redis.kill();
    let emulator = emulator(json!({})).await;
    let clients = without_limit(&emulator, &redis, 2);
    call(&clients).await;
    assert_eq!(clients.each_budget(), [Some(99), Some(99)]);
    redis.start_again();
    until(|| clients.each_budget() == [Some(98), Some(98)]).await;
}

/// The server is frozen, ends without a trace, or can no longer be written to.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_whatever_happens_to_the_server() {
    if !server::is_there() {
        return;
    }
    let mut redis = RedisServer::start();
    let emulator = emulator(json!({})).await;
    let clients = without_limit(&emulator, &redis, 2);
    let mut left = 100;
    let shared = async |left: usize| {
        until(|| clients.each_budget() == [Some(left); 2] && clients[0].peers() == 2).await;
    };
    for fault in ["freeze", "kill", "flush", "memory", "replica", "freeze"] {
        shared(left).await;
        match fault {
            "freeze" => redis.freeze(),
            "kill" => redis.kill(),
            "flush" => redis.run("SCRIPT FLUSH"),
            "memory" => redis.run("CONFIG SET maxmemory 1"),
            _ => redis.run("REPLICAOF 127.0.0.1 1"),
        }
        for _ in 0..3 {
            call(&clients).await;
            left -= 2;
        }
        match fault {
            "freeze" => redis.go_on(),
            "kill" => redis.start_again(),
            "memory" => redis.run("CONFIG SET maxmemory 0"),
            "replica" => redis.run("REPLICAOF NO ONE"),
            _ => {}
        }
    }
    shared(left).await;
    assert_eq!(emulator.requests().len(), 100 - left);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_cut_off_stay_within_the_limit_together() {
    if !server::is_there() {
        return;
    }
    // After 7 requests of one process, 8 of the other 33 are left to each, but 3 to that one, which has
    // used the rest of its quarter.
    for (used, more) in [(0, 40), (7, 27), (30, 6), (39, 0)] {
        let mut redis = RedisServer::start();
        let limit = json!({"rate_limit": {"requests": 40, "window_seconds": 3600}});
        let emulator = emulator(limit).await;
        let client = |n| {
            let limit = RateLimit::new(40, S * 3600);
            process(&emulator, &redis.url(), n).rate_limit(limit).build().unwrap()
        };
        let clients: Vec<_> = (0..4).map(client).collect();
        until(|| clients.iter().all(|client| client.peers() == 4)).await;
        for _ in 0..used {
            clients[0].usage().retrieve().await.unwrap();
        }
        until(|| clients.iter().all(|client| client.budget_left() == Some(40 - used))).await;
        redis.kill();
        let calls = clients.iter().flat_map(|client| {
            (0..20).map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.usage().retrieve().await.map(drop) })
            })
        });
        let calls: Vec<_> = calls.collect();
        until(|| clients.each_budget() == [Some(0); 4]).await;
        until(|| emulator.requests().len() >= used + more).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        for call in calls {
            if let Ok(result) = call.await {
                assert!(result.is_ok(), "{result:?}");
            }
        }
        assert_eq!(emulator.requests().len(), used + more);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_survives_the_server() {
    if !server::is_there() {
        return;
    }
    let mut redis = RedisServer::start();
    let emulator = emulator(json!({"polls": ["completed"]})).await;
    let clients = without_limit(&emulator, &redis, 2);
    let mut costs = Decimal::ZERO;
    for round in 0..3 {
        if round == 1 {
            redis.kill();
        }
        for client in &clients {
            let generation = client.generate(request("A cat")).await.unwrap();
            costs += generation.usage.unwrap().cost_usd.unwrap();
        }
        if round == 1 {
            redis.start_again();
        }
    }
    until(|| clients.iter().all(|client| client.spend().spent == costs)).await;
}

trait Budgets {
    fn each_budget(&self) -> Vec<Option<usize>>;
}

impl Budgets for Vec<Client> {
    fn each_budget(&self) -> Vec<Option<usize>> {
        self.iter().map(Client::budget_left).collect()
    }
}
