//! Waits that rely on webhooks, and survive a lost one.

use futures_util::TryStreamExt;
use futures_util::future::join_all;

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::client::clock;
use crate::error::ErrorKind;
use crate::webhook::{Webhook, WebhookEvent};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn relying(fake: &Fake) -> Client {
    build(fake, Client::builder().webhook_secrets([SECRET]))
}

/// Delivers a webhook that reports the end of a generation.
fn deliver(client: &Client, delivery: &str, generation: &str, status: &str) -> WebhookEvent {
    let body = format!(
        r#"{{"eventType":"video.generation.completed","generationId":"{generation}","status":"{status}"}}"#
    );
    let headers = Webhook::new([SECRET]).unwrap().sign(&body, delivery, clock::wall());
    client.webhooks().unwrap(&body, headers).unwrap()
}

fn times(fake: &Fake) -> Vec<u64> {
    fake.times("GET").iter().map(Duration::as_secs).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_makes_a_poll_due_at_once() {
    let fake = Fake::new(|_, before| shows(["in_progress", "completed"][before]));
    let client = relying(&fake);
    let updates = tokio::spawn(client.responses().watch("gen_1").try_collect::<Vec<_>>());
    tokio::time::sleep(S * 25).await;
    assert!(!deliver(&client, "msg_1", "gen_1", "completed").duplicate);
    let updates = updates.await.unwrap().unwrap();
    assert_eq!(times(&fake), [0, 25]);
    let via: Vec<_> = updates.iter().map(|update| update.via.as_str()).collect();
    assert_eq!(via, ["poll", "webhook"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_costs_one_safety_interval() {
    let fake = Fake::new(|_, before| shows(["in_progress", "in_progress", "completed"][before]));
    relying(&fake).responses().wait("gen_1").await.unwrap();
    assert_eq!(times(&fake), [0, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn a_safety_interval_of_zero_polls_at_the_minimum_interval() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let polling = Polling::default().safety_interval(Duration::ZERO);
    let client = build(&fake, Client::builder().webhook_secrets([SECRET]).polling(polling));
    client.responses().wait("gen_1").deadline(S * 5).await.unwrap_err();
    assert_eq!(times(&fake), [0, 2, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_arrives_before_its_wait_wakes_it() {
    let fake = Fake::new(|name, _| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows("completed"),
    });
    let client = relying(&fake);
    client.responses().create(request()).await.unwrap();
    deliver(&client, "msg_1", "gen_1", "completed");
    client.responses().wait("gen_1").await.unwrap();
    assert_eq!(times(&fake), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_wake_for_an_event_of_another_process_makes_a_poll_due() {
    let fake = Fake::new(|_, before| shows(["in_progress", "completed"][before]));
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S * 10).await;
    client.webhooks().wake("gen_2");
    tokio::time::sleep(S * 10).await;
    client.webhooks().wake("gen_1");
    wait.await.unwrap().unwrap();
    assert_eq!(times(&fake), [0, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_wake_that_arrives_before_its_wait_wakes_it() {
    let fake = Fake::new(|name, _| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows("completed"),
    });
    let client = relying(&fake);
    client.responses().create(request()).await.unwrap();
    client.webhooks().wake("gen_1");
    client.responses().wait("gen_1").await.unwrap();
    assert_eq!(times(&fake), [0]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_service_contradicts_ends_no_wait() {
    let fake = Fake::new(|_, before| shows(if before < 2 { "in_progress" } else { "completed" }));
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S * 10).await;
    deliver(&client, "msg_1", "gen_1", "failed");
    assert!(wait.await.unwrap().unwrap().is_final());
    assert_eq!(times(&fake), [0, 10, 70]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_of_an_acknowledged_event_changes_nothing() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").deadline(S * 50).into_future());
    for (pause, delivery, duplicate) in
        [(10, "msg_1", false), (10, "msg_1", true), (10, "msg_2", false)]
    {
        tokio::time::sleep(S * pause).await;
        let event = deliver(&client, delivery, "gen_1", "completed");
        assert_eq!(event.duplicate, duplicate);
        event.acknowledge();
    }
    assert_eq!(wait.await.unwrap().unwrap_err().kind(), ErrorKind::WaitTimeout);
    assert_eq!(times(&fake), [0, 10, 30, 50]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_not_acknowledged_is_no_duplicate_and_wakes_again() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").deadline(S * 50).into_future());
    for _ in 0..2 {
        tokio::time::sleep(S * 10).await;
        assert!(!deliver(&client, "msg_1", "gen_1", "completed").duplicate);
    }
    wait.await.unwrap().unwrap_err();
    assert_eq!(times(&fake), [0, 10, 20, 50]);
}

#[tokio::test]
async fn clients_of_one_key_share_what_is_acknowledged() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let build = |key: &str| {
        let builder = Client::builder().webhook_secrets([SECRET]).api_key(key);
        let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
        builder.build_with(base, fake.transport()).unwrap()
    };
    let [one, same, other] = ["pv_acknowledges", "pv_acknowledges", "pv_other"].map(build);
    let is_duplicate = |client: &Client| deliver(client, "msg_1", "gen_1", "completed").duplicate;
    let event = deliver(&one, "msg_1", "gen_1", "completed");
    assert!(!is_duplicate(&same), "it is still being handled");
    assert!(event.acknowledge());
    assert!(is_duplicate(&one) && is_duplicate(&same) && is_duplicate(&one.clone()));
    assert!(!is_duplicate(&other));
    drop((one, same));
    assert!(event.acknowledge(), "an event may outlive its client");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_after_an_event_is_soon_repeated() {
    let fake = Fake::new(|_, before| match before {
        0 => shows("in_progress"),
        1 => Reply::Respond(503, String::new()),
        _ => shows("completed"),
    });
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S * 10).await;
    deliver(&client, "msg_1", "gen_1", "completed");
    wait.await.unwrap().unwrap();
    assert_eq!(times(&fake), [0, 10, 12]);
}

#[tokio::test(start_paused = true)]
async fn an_event_during_a_poll_makes_another_one_due() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Silence,
        _ => shows("completed"),
    });
    let client = relying(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S).await;
    deliver(&client, "msg_1", "gen_1", "completed");
    wait.await.unwrap().unwrap();
    assert_eq!(times(&fake), [0, 32], "the silent poll ends with the request timeout");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_waits_cost_a_poll_each() {
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_ended = ended.clone();
    let created = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::new(move |name, _| {
        let ended = has_ended.load(std::sync::atomic::Ordering::Relaxed);
        let status = if ended { "completed" } else { "queued" };
        let id = match name.strip_prefix("GET /v1/responses/") {
            Some(id) => id.to_owned(),
            None => format!("gen_{}", created.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        };
        Reply::Respond(200, format!(r#"{{"id":"{id}","status":"{status}"}}"#))
    });
    let client = relying(&fake);
    let waits = tokio::spawn(join_all((0..100).map(|_| client.generate(request()).into_future())));
    tokio::time::sleep(S * 50).await;
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    for n in 0..100 {
        deliver(&client, &format!("msg_{n}"), &format!("gen_{n}"), "completed");
    }
    assert!(waits.await.unwrap().iter().all(Result::is_ok));
    assert_eq!((fake.count("POST"), fake.count("GET")), (100, 100));
}

#[test]
fn without_secrets_no_event_is_unwrapped() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = build(&fake, Client::builder().webhook_secrets(Vec::<String>::new()));
    let error = client.webhooks().unwrap(b"{}", &http::HeaderMap::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    for secret in ["", "whsec_", "whsec_not base64", "garbage!"] {
        let builder = Client::builder().api_key("pv_x").webhook_secrets([secret]);
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Configuration, "{secret}");
    }
}

#[test]
fn a_trailing_comma_in_the_environment_is_not_a_secret() {
    let secrets = format!("{SECRET}, ,");
    let variables = [("PIPEVIDEO_API_KEY", "pv_x"), ("PIPEVIDEO_WEBHOOK_SECRET", &secrets)];
    let client = Client::builder().environment(variables).build().unwrap();
    assert!(client.inner.webhook.is_some());
}

#[test]
fn webhooks_for_a_runtime_that_nothing_drives_do_not_pile_up() {
    let fake = Fake::new(|_, before| shows(["in_progress", "completed"][before.min(1)]));
    let client = relying(&fake);
    let paused = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap()
    };
    let idle = paused();
    let wait = idle.spawn(client.responses().wait("gen_1").into_future());
    idle.block_on(async { tokio::time::sleep(S).await });
    paused().block_on(async {
        for nth in 0..100_000 {
            client.webhooks().wake(&format!("gen_{nth}"));
        }
    });
    assert_eq!(client.inner.state.drivers.pending_webhooks(), 1000);
    assert!(idle.block_on(wait).unwrap().unwrap().is_final());
    assert_eq!(client.inner.state.drivers.pending_webhooks(), 0);
}
