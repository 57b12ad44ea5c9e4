//! The spend limit of several processes, over a store in memory. Clients with different keys stand for
//! the processes: they share nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fake::{Fake, Reply};
use super::{S, build, request};
use crate::Decimal;
use crate::client::Client;
use crate::error::ErrorKind;
use crate::lock::lock;

/// The document, as a link writes it.
type Store = Arc<Mutex<Option<Vec<u8>>>>;

fn usd(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// A service on which each create costs 0.10, which is in its response.
fn service() -> Fake {
    Fake::new(|request, before| match request {
        "POST /v1/responses" => {
            let usage = json!({"cost_usd": "0.10"});
            let id = format!("gen_{}_{before}", fastrand::u64(..));
            let model = "moonshotai/kimi-k2.5";
            let body = json!({"id": id, "status": "completed", "model": model, "usage": usage});
            Reply::Respond(200, body.to_string())
        }
        _ => Reply::Respond(200, "{}".to_owned()),
    })
}

/// A process of which the link does nothing yet.
fn process(fake: &Fake, limit: &str) -> (Client, Arc<Notify>) {
    share(build(fake, Client::builder().spend_limit(usd(limit))))
}

fn share(client: Client) -> (Client, Arc<Notify>) {
    let changed = Arc::new(Notify::new());
    let notified = changed.clone();
    let notify = move || {
        notified.notify_one();
        true
    };
    client.inner.state.ledger.share(Box::new(notify));
    (client, changed)
}

/// A process with a link to the store, which loses the reply to every second write.
fn linked(fake: &Fake, limit: &str, store: &Store) -> Client {
    let (client, changed) = process(fake, limit);
    let (ledger, store) = (client.inner.state.ledger.clone(), store.clone());
    tokio::spawn(async move {
        let mut writes = 0;
        loop {
            changed.notified().await;
            while ledger.needs_commit() {
                let commit = ledger.prepare(lock(&store).as_deref()).unwrap();
                if let Some(document) = &commit.document {
                    *lock(&store) = Some(document.clone());
                    writes += 1;
                    if writes % 2 == 0 {
                        continue;
                    }
                }
                ledger.on_committed(commit);
            }
        }
    });
    client
}

#[tokio::test(start_paused = true)]
async fn processes_share_one_limit() {
    let (fake, store) = (service(), Store::default());
    let clients = [linked(&fake, "0.35", &store), linked(&fake, "0.35", &store)];
    let began = Instant::now();
    let mut sent = 0;
    for n in 0..6 {
        match clients[n % 2].responses().create(request()).await {
            Ok(_) => sent += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::SpendLimit, "{error}"),
        }
    }
    assert_eq!((sent, fake.count("POST")), (3, 3));
    assert_eq!(began.elapsed(), Duration::ZERO);
    for client in &clients {
        let ledger = &client.inner.state.ledger;
        assert!(!ledger.needs_commit());
        ledger.on_stored(lock(&store).as_ref().unwrap());
        assert_eq!(client.spend().spent, usd("0.3"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_a_process_decides_after_a_quarter_of_a_second() {
    let fake = service();
    let (client, _) = process(&fake, "0.15");
    let began = Instant::now();
    client.responses().create(request()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_millis(250));
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SpendLimit);
    assert_eq!(client.spend().spent, usd("0.1"));
}

#[cfg(feature = "redis")]
#[tokio::test(start_paused = true)]
async fn a_create_waits_once_for_the_ledger_and_the_window() {
    let fake = service();
    let (client, _) = process(&fake, "0.45");
    let _ = client.estimate(request()).await;
    client.inner.state.limiter.share();
    let ledger = client.inner.state.ledger.clone();
    let answer = async {
        tokio::time::sleep(S / 5).await;
        ledger.on_committed(ledger.prepare(None).unwrap());
    };
    let began = Instant::now();
    let (created, ()) = tokio::join!(client.responses().create(request()), answer);
    created.unwrap();
    assert_eq!(began.elapsed(), Duration::from_millis(250));
}

#[cfg(feature = "redis")]
#[tokio::test(start_paused = true)]
async fn a_create_that_needs_prices_waits_once_for_a_silent_redis() {
    let fake = service();
    let (client, _) = process(&fake, "0.45");
    client.inner.state.limiter.share();
    let began = Instant::now();
    client.responses().create(request()).await.unwrap();
    assert_eq!((began.elapsed(), fake.count("GET")), (Duration::from_millis(250), 2));
}

#[tokio::test(start_paused = true)]
async fn without_the_store_a_process_decides_at_once() {
    let fake = service();
    let (client, _) = process(&fake, "0.45");
    let ledger = client.inner.state.ledger.clone();
    ledger.set_peers(2, false);
    let began = Instant::now();
    let waiting = client.responses().create(request());
    let (created, ()) = tokio::join!(waiting, async { ledger.on_unreachable() });
    created.unwrap();
    client.responses().create(request()).await.unwrap();
    let error = client.responses().create(request()).await.unwrap_err();
    assert!(error.message().contains("divided among 2 processes"), "{error}");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(!ledger.needs_commit());
    ledger.on_reachable();
    let commit = ledger.prepare(None).unwrap();
    assert!(commit.document.is_some(), "it is stored later");
}

#[tokio::test(start_paused = true)]
async fn a_create_without_a_limit_does_not_wait() {
    let fake = service();
    let (client, _) = share(build(&fake, Client::builder()));
    let began = Instant::now();
    client.responses().create(request()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_dropped_while_it_waits_counts_as_nothing() {
    let (fake, store) = (service(), Store::default());
    let (client, _) = process(&fake, "0.15");
    let create = client.responses().create(request());
    assert!(tokio::time::timeout(S / 10, create).await.is_err());
    let ledger = &client.inner.state.ledger;
    let commit = async {
        let commit = ledger.prepare(lock(&store).as_deref()).unwrap();
        *lock(&store) = commit.document.clone();
        ledger.on_committed(commit);
    };
    let (created, ()) = tokio::join!(client.responses().create(request()), commit);
    created.unwrap();
    assert_eq!((client.spend().spent, client.spend().in_flight_count), (usd("0.1"), 0));
}
