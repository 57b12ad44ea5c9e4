//! What the processes share while the server is there.

use std::future::IntoFuture;
use std::time::Instant;

use futures_util::TryStreamExt;
use pipevideo::{Decimal, ErrorKind, Status, Via};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn all_processes_take_from_one_budget() {
    let Some(world) =
        World::start(json!({"rate_limit": {"requests": 20, "window_seconds": 600}})).await
    else {
        return;
    };
    let limit = RateLimit::new(20, S * 600);
    let client = |n| world.process(n).rate_limit(limit).build().unwrap();
    let clients: Vec<_> = (0..4).map(client).collect();
    until(|| clients.iter().all(|client| client.peers() == 4)).await;
    for n in 0..20 {
        clients[n % 4].usage().retrieve().await.unwrap();
        until(|| clients.iter().all(|client| client.budget_left() == Some(19 - n))).await;
    }
    assert_eq!(clients[3].budget_left(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_stops_all_processes() {
    // Also a process without a limit of its own: the service has the last word.
    for limit in [Some(RateLimit::default()), None] {
        let Some(world) = World::start(json!({})).await else { return };
        let (a, b) = (world.process(0), world.process(1));
        let (a, b) = (a.build().unwrap(), b.rate_limit(limit).build().unwrap());
        b.usage().retrieve().await.unwrap();
        let refused = json!({"status": 429, "headers": {"retry-after": "2"}, "times": 1});
        world.emulator.fault(serde_json::from_value(refused).unwrap());
        let error = a.usage().retrieve().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        // The other process knows it some moments later, and then stops for the rest of the time.
        let stopped = || {
            let at: Vec<f64> = world.emulator.requests().iter().map(|request| request.at).collect();
            at.windows(2).any(|pair| pair[1] - pair[0] > 1.5)
        };
        let began = Instant::now();
        while !stopped() {
            assert!(began.elapsed() < S * 20, "it never stops with {limit:?}");
            b.usage().retrieve().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_to_one_process_wakes_the_waits_of_all() {
    let Some(world) = World::start(json!({})).await else { return };
    let [a, b] = world.receivers();
    // No process has created it, so that each polls it once when its wait begins.
    let id = world.emulator.add_generation(Default::default()).unwrap();
    let waits = [a.responses().wait(&id), b.responses().wait(&id)]
        .map(|wait| tokio::spawn(wait.into_future()));
    until(|| world.emulator.requests().len() >= 2).await;
    assert!(!deliver(&a, "msg_1", &id).duplicate);
    for wait in waits {
        assert_eq!(wait.await.unwrap().unwrap().status, Status::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_kept_for_a_process_that_begins_later() {
    let Some(world) = World::start(json!({"polls": ["completed"]})).await else { return };
    let a = world.receiver(0);
    let id = a.responses().create(request("A cat")).await.unwrap().id;
    deliver(&a, "msg_1", &id);
    let b = world.receiver(1);
    until(|| b.peers() == 2).await;
    let updates: Vec<_> = b.responses().watch(&id).try_collect().await.unwrap();
    assert_eq!(updates[0].via, Via::Webhook);
}

/// They are read in parts, so that none takes too long.
#[tokio::test(flavor = "multi_thread")]
async fn many_kept_messages_are_read_to_the_last() {
    let Some(world) = World::start(json!({})).await else { return };
    let a = world.receiver(0);
    deliver(&a, "msg_1", "gen_1").acknowledge();
    let feed = world.key("feed").await;
    let mut add = redis::cmd("ZADD");
    add.arg(feed);
    for n in 0..5_000 {
        // Some in the same millisecond.
        add.arg(1_700_000_000_000_u64 + n / 50).arg(format!("acknowledged older_{n}"));
    }
    let mut connection = world.redis.connection();
    add.query::<()>(&mut connection).unwrap();
    let b = world.receiver(1);
    let is_known = |id: &str| deliver(&b, id, "gen_1").duplicate;
    until(|| is_known("msg_1") && is_known("older_0") && is_known("older_4999")).await;
    for n in (0..5_000).step_by(7) {
        assert!(is_known(&format!("older_{n}")), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_one_process_has_acknowledged_is_a_duplicate_in_all() {
    let Some(world) = World::start(json!({})).await else { return };
    let [a, b] = world.receivers();
    assert!(!deliver(&b, "msg_1", "gen_1").duplicate);
    assert!(!deliver(&a, "msg_1", "gen_1").duplicate, "it was not acknowledged");
    deliver(&a, "msg_1", "gen_1").acknowledge();
    until(|| deliver(&b, "msg_1", "gen_1").duplicate).await;
    // One that begins now has to know it at its first delivery.
    assert!(deliver(&world.receiver(2), "msg_1", "gen_1").duplicate);
    assert!(!deliver(&b, "msg_2", "gen_1").duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_has_created_is_no_candidate() {
    let Some(world) = World::start(json!({})).await else { return };
    let [a, b] = world.clients();
    let other = a.responses().create(request("A dog")).await.unwrap();
    let lost = json!({"match": {"method": "POST"}, "drop": "after_reading", "times": 1});
    world.emulator.fault(serde_json::from_value(lost).unwrap());
    let error = b.responses().create(request("A cat")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    let candidates = b.responses().reconcile(&error).await.unwrap();
    assert_eq!(candidates.len(), 1, "{candidates:?}");
    assert_ne!(candidates[0].id, other.id);
}

/// As in a task of a queue, which has a client of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_dropped_right_after_a_call_has_told_of_it() {
    let Some(world) = World::start(json!({})).await else { return };
    let first = world.receiver(0);
    for n in 1..=10 {
        let other = world.receiver(n);
        let id = other.responses().create(request("A cat")).await.unwrap().id;
        deliver(&other, &id, &id).acknowledge();
    }
    until(|| first.budget_left() == Some(90) && first.peers() == 1).await;
    until(|| first.spend().in_flight_count == 10).await;
    let feed = world.key("feed").await;
    let kept = || world.redis.run::<Vec<String>>(&format!("ZRANGE {feed} 0 -1"));
    let of = |kind: &str| kept().iter().filter(|message| message.starts_with(kind)).count();
    until(|| of("created ") == 10 && of("ended ") == 10 && of("acknowledged ") == 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_without_a_rate_limit_count_too() {
    let Some(world) = World::start(json!({})).await else { return };
    let client = |n| world.process(n).rate_limit(None).build().unwrap();
    let (a, b) = (client(0), client(1));
    until(|| a.peers() == 2 && b.peers() == 2).await;
    assert_eq!(a.budget_left(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_may_have_any_length() {
    let Some(world) = World::start(json!({})).await else { return };
    for (n, per) in [MS / 1000, MS * 10, S * 86_400, Duration::MAX].into_iter().enumerate() {
        let limit = RateLimit::new(100, per);
        // A service for each.
        let client = |process_number| {
            let url = format!("{}/v{n}", world.emulator.base_url());
            let client = world.process(process_number).base_url(url);
            client.rate_limit(limit).build().unwrap()
        };
        let (a, b) = (client(0), client(1));
        until(|| a.peers() == 2 && b.peers() == 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_no_longer_counts() {
    let Some(world) = World::start(json!({})).await else { return };
    let [a, b] = world.clients();
    until(|| a.peers() == 2).await;
    drop(b);
    until(|| a.peers() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_redis_holds_the_key_and_everything_expires() {
    let Some(world) = World::start(json!({})).await else { return };
    let client = world.receiver(0);
    let id = client.responses().create(request("A cat")).await.unwrap().id;
    deliver(&client, "msg_1", &id).acknowledge();
    until(|| world.redis.run::<u64>("DBSIZE") >= 4).await;
    let keys: Vec<String> = world.redis.run("KEYS *");
    for key in keys {
        assert!(key.starts_with("pipevideo:{") && !key.contains(world.emulator.api_key()), "{key}");
        assert!(world.redis.run::<i64>(&format!("TTL {key}")) > 0, "{key} stays for ever");
        let stored: Vec<u8> = world.redis.run(&format!("DUMP {key}"));
        let key_in = stored
            .windows(world.emulator.api_key().len())
            .any(|part| part == world.emulator.api_key().as_bytes());
        assert!(!key_in, "{key} holds the API key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_may_have_a_password_databases_and_a_socket() {
    let settings = ["--requirepass secret"];
    let Some(world) = World::start_with(json!({}), &settings).await else { return };
    let port = world.redis.port();
    let socket = world.redis.socket();
    let shares = async |urls: [String; 2], peers| {
        let clients = urls.map(|url| world.process(0).redis(url).build().unwrap());
        until(|| clients.iter().all(|client| client.peers() == peers)).await;
    };
    let url = |number: usize| format!("redis://:secret@127.0.0.1:{port}/{number}");
    shares([url(1), format!("redis://default:secret@localhost:{port}/1")], 2).await;
    shares([url(2), url(3)], 1).await;
    shares([url(0), format!("redis+unix://{}?pass=secret", socket.display())], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_may_have_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let port = server::free_port();
    let files =
        format!("--tls-cert-file {} --tls-key-file {}", certificate.display(), key.display());
    let settings = format!("--tls-port {port} {files} --tls-auth-clients no");
    let Some(world) = World::start_with(json!({}), &[&settings]).await else { return };
    let client = |n| {
        let url = format!("rediss://localhost:{port}/0?process={n}");
        world.process(0).redis(url).ca_file(&certificate).build().unwrap()
    };
    let (a, b) = (client(0), client(1));
    until(|| a.peers() == 2 && b.peers() == 2).await;
    // Without the certificate the server is not trusted, and the client goes on alone.
    let url = format!("rediss://localhost:{port}/0?process=2");
    let stranger = world.process(0).redis(url).build().unwrap();
    stranger.usage().retrieve().await.unwrap();
    assert_eq!((stranger.peers(), a.peers()), (1, 2));
}

#[test]
fn a_wrong_url_is_refused_and_not_shown() {
    for url in
        ["localhost", "http://:secret@localhost", "redis://:secret@", "redis://:secret@h:port"]
    {
        let built = Client::builder().api_key("pv_example").redis(url).build();
        let error = built.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_processes_spend_from_one_limit() {
    let Some(world) = World::start(json!({"polls": ["completed"], "seed": 3})).await else {
        return;
    };
    let limit = Decimal::new(25, 2);
    let client = |n| world.process(n).spend_limit(limit).build().unwrap();
    let clients: Vec<_> = (0..3).map(client).collect();
    let (mut created, mut refused) = (0, 0);
    for n in 0..60 {
        // All at once, and each watched by another process than the one that has created it.
        let creates =
            clients.iter().map(|client| client.responses().create(request(&format!("Cat {n}"))));
        for (n, result) in futures_util::future::join_all(creates).await.into_iter().enumerate() {
            match result {
                Ok(generation) => {
                    created += 1;
                    clients[(n + 1) % 3].responses().wait(&generation.id).await.unwrap();
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::SpendLimit, "{error}");
                    refused += 1;
                }
            }
        }
        until(|| clients.iter().all(|client| client.spend() == clients[0].spend())).await;
    }
    let spend = clients[2].spend();
    assert!(created >= 3 && refused > 0, "{created} created, {refused} refused");
    assert_eq!((spend.in_flight_count, spend.uncertain_count), (0, 0), "{spend:?}");
    assert!(spend.spent > Decimal::ZERO && spend.spent <= limit + Decimal::new(5, 2), "{spend:?}");
    let later = client(4);
    assert_eq!(later.spend(), spend);
    assert_eq!(
        world.emulator.requests().iter().filter(|request| request.method == "POST").count(),
        created
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_a_later_release_is_left_alone_and_everything_else_is_shared() {
    let Some(world) = World::start(json!({"polls": ["completed"]})).await else { return };
    let a = world.client(0);
    a.generate(request("A cat")).await.unwrap();
    let key = world.key("ledger").await;
    let later = r#"{"format":99,"revision":"x"}"#;
    world.redis.run::<()>(&format!("SET {key} {later}"));
    let b = world.client(1);
    b.generate(request("A dog")).await.unwrap();
    until(|| a.peers() == 2 && b.peers() == 2 && a.budget_left() == b.budget_left()).await;
    assert!(b.spend().spent > Decimal::ZERO);
    assert_eq!(world.redis.run::<String>(&format!("GET {key}")), later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_none_is_replaced() {
    let Some(world) = World::start(json!({"polls": ["completed"]})).await else { return };
    let a = world.client(0);
    a.generate(request("A cat")).await.unwrap();
    let spent = a.spend().spent;
    let key = world.key("ledger").await;
    for garbage in ["x", r#"{"format":1,"revision":"x"}"#] {
        world.redis.run::<()>(&format!("SET {key} {garbage}"));
        a.generate(request("A dog")).await.unwrap();
        until(|| world.redis.run::<String>(&format!("GET {key}")).len() > 200).await;
    }
    let b = world.client(1);
    until(|| b.spend() == a.spend()).await;
    assert!(b.spend().spent > spent);
}
