//! How waits end, and what they share.

use futures_util::future::join_all;
use futures_util::{FutureExt, TryStreamExt};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn waits_for_one_id_share_their_polls() {
    let fake = Fake::new(|_, before| shows(["queued", "in_progress", "completed"][before]));
    let client = build(&fake, Client::builder().polling(every(3)));
    let waits = (0..1000).map(|_| client.responses().wait("gen_1").into_future());
    let ends = join_all(waits).await;
    assert!(ends.iter().all(|end| end.as_ref().is_ok_and(|generation| generation.is_final())));
    assert_eq!(fake.count("GET"), 3);
}

/// A poll goes through the client of one wait, so another client's proxy or headers must not matter.
#[tokio::test(start_paused = true)]
async fn waits_share_polls_only_if_their_clients_send_the_same_requests() {
    let dead = Fake::new(|_, _| Reply::Refused);
    let alive = Fake::new(|_, _| shows("completed"));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let client = |fake: &Fake, proxy: &str| {
        let builder = Client::builder().api_key("pv_two_proxies").proxy(proxy);
        builder.build_with(base.clone(), fake.transport()).unwrap()
    };
    let (first, second) = (client(&dead, "http://dead:1"), client(&alive, "http://alive:1"));
    let doomed = tokio::spawn(first.responses().wait("gen_1").deadline(S * 30).into_future());
    tokio::time::sleep(S).await;
    assert!(second.responses().wait("gen_1").deadline(S * 10).await.unwrap().is_final());
    assert_eq!(doomed.await.unwrap().unwrap_err().kind(), ErrorKind::WaitTimeout);
}

#[tokio::test(start_paused = true)]
async fn the_request_timeout_of_one_wait_does_not_bound_the_polls_of_another() {
    let body = r#"{"id":"gen_1","status":"completed"}"#;
    let fake = Fake::new(move |_, _| Reply::Late(S, 200, body.to_owned()));
    let client = client(&fake);
    let hasty = client.with_request_timeout(S / 2).unwrap();
    let doomed = tokio::spawn(hasty.responses().wait("gen_1").deadline(S * 60).into_future());
    tokio::task::yield_now().await;
    assert!(client.responses().wait("gen_1").deadline(S * 60).await.unwrap().is_final());
    assert!(doomed.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_wait_survives_transient_failures() {
    let fake = Fake::new(|_, before| match before {
        0..=3 => Reply::Respond(503, String::new()),
        4 => Reply::Refused,
        5 => Reply::Lost,
        6 => Reply::Respond(200, "<html>".to_owned()),
        7 => Reply::Silence,
        8 => Reply::Respond(408, String::new()),
        9 => shows("rendering"),
        _ => shows("completed"),
    });
    let generation = client(&fake).responses().wait("gen_1").await.unwrap();
    assert!(generation.is_final());
    assert_eq!(fake.count("GET"), 11);
    let times = fake.times("GET");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= S * 2), "never more often: {times:?}");
}

#[tokio::test(start_paused = true)]
async fn no_odd_status_ends_a_wait() {
    let odd = (300..400).chain(402..600).filter(|s| ![403, 404, 410, 422].contains(s));
    let odd: Vec<u16> = odd.chain([100, 199, 204, 600, 999]).collect();
    let count = odd.len();
    let fake = Fake::new(move |_, before| match odd.get(before) {
        Some(status) => Reply::Respond(*status, String::new()),
        None => shows("completed"),
    });
    let wait = client(&fake).responses().wait("gen_1").deadline(Duration::MAX);
    assert!(wait.await.unwrap().is_final());
    assert_eq!(fake.count("GET"), count + 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_ends_a_wait_and_a_doubtful_status_when_it_is_repeated() {
    for (status, kind, polls) in [
        (401, ErrorKind::Authentication, 1),
        (403, ErrorKind::PermissionDenied, 1),
        (404, ErrorKind::NotFound, 2),
        (400, ErrorKind::BadRequest, 2),
        (410, ErrorKind::ApiStatus, 2),
        (422, ErrorKind::ApiStatus, 2),
    ] {
        let fake = Fake::new(move |_, _| Reply::Respond(status, String::new()));
        let error = client(&fake).responses().wait("gen_1").await.unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (kind, Some("gen_1")));
        assert_eq!(fake.count("GET"), polls);
        let fake = Fake::new(move |_, before| match before {
            0 if polls == 2 => Reply::Respond(status, String::new()),
            _ => shows("completed"),
        });
        assert!(client(&fake).responses().wait("gen_1").await.is_ok(), "one {status} alone");
    }
}

/// The header may come from any proxy, and the number from a mistake.
#[tokio::test(start_paused = true)]
async fn no_retry_after_blinds_a_wait() {
    let by_service = r#"{"message":"slow","data":{"retry_after":86400}}"#;
    for (status, body, seconds) in [
        (503, r#"{"message":"down"}"#, 60..62),
        (503, by_service, 120..123),
        (429, by_service, 120..123),
    ] {
        let fake = Fake::new(move |_, before| match before {
            0 => Reply::RetryAfter(status, "3600", body.to_owned()),
            _ => shows("completed"),
        });
        let began = tokio::time::Instant::now();
        client(&fake).responses().wait("gen_1").deadline(S * 600).await.unwrap();
        let took = began.elapsed().as_secs();
        assert!(seconds.contains(&took), "{status} {body}: {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_there_is_one_final_poll() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = build(&fake, Client::builder().polling(every(30)));
    let began = tokio::time::Instant::now();
    let wait = client.responses().wait("gen_1").deadline(S * 45);
    let error = wait.await.unwrap_err();
    assert_eq!((error.kind(), error.polls()), (ErrorKind::WaitTimeout, Some(3)));
    assert_eq!(error.generation().unwrap().status.as_str(), "in_progress");
    assert_eq!(began.elapsed().as_secs(), 45);
    assert_eq!(fake.times("GET").last(), Some(&(S * 45)));
}

/// More waits than there may be polls in flight end at one deadline.
#[tokio::test(start_paused = true)]
async fn every_wait_gets_its_final_poll() {
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_ended = ended.clone();
    let fake = Fake::new(move |name, _| {
        let ended = has_ended.load(std::sync::atomic::Ordering::Relaxed);
        let status = if ended { "completed" } else { "in_progress" };
        let id = name.trim_start_matches("GET /v1/responses/");
        Reply::Respond(200, format!(r#"{{"id":"{id}","status":"{status}"}}"#))
    });
    let client = build(&fake, Client::builder().polling(every(60)).rate_limit(None));
    let wait = |n| client.responses().wait(format!("gen_{n}")).deadline(S * 30).into_future();
    let waits = tokio::spawn(join_all((0..200).map(wait)));
    tokio::time::sleep(S * 20).await;
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(waits.await.unwrap().iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_silent_service_does_not_hold_a_wait_past_its_deadline() {
    // A poll is in flight at the deadline, or is sent only then; another wait continues with it.
    for (deadline, silent_from) in [(S, 0), (S * 45, 2)] {
        let fake = Fake::new(move |_, before| match before {
            _ if before == silent_from => Reply::Silence,
            _ if before > silent_from => shows("completed"),
            _ => shows("in_progress"),
        });
        let client = build(&fake, Client::builder().polling(every(30)));
        let began = tokio::time::Instant::now();
        let other = tokio::spawn(client.responses().wait("gen_1").into_future());
        let error = client.responses().wait("gen_1").deadline(deadline).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WaitTimeout);
        assert_eq!(began.elapsed(), deadline + S * 2);
        assert!(other.await.unwrap().unwrap().is_final(), "its poll was not aborted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_retryable_and_a_generate_would_pay_again() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = client(&fake);
    let wait = client.responses().wait("gen_1").deadline(S).await.unwrap_err();
    let generate = client.generate(request()).deadline(S).await.unwrap_err();
    assert_eq!((wait.kind(), generate.kind()), (ErrorKind::WaitTimeout, ErrorKind::WaitTimeout));
    assert!(wait.is_retryable() && !generate.is_retryable());
    assert_eq!(generate.generation_id(), Some("gen_1"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_error_has_the_last_failure() {
    let fake = Fake::new(|_, _| Reply::Refused);
    let error = client(&fake).responses().wait("gen_1").deadline(S * 20).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::WaitTimeout, crate::Delivery::NotSent)
    );
    assert!(error.message().contains("no connection could be made"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_while_the_key_is_stopped() {
    let fake = Fake::new(|_, _| {
        Reply::Respond(429, r#"{"message":"slow","data":{"retry_after":500}}"#.to_owned())
    });
    let client = client(&fake);
    let began = tokio::time::Instant::now();
    let error = client.responses().wait("gen_1").deadline(S * 20).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    assert_eq!((began.elapsed().as_secs(), fake.count("GET")), (20, 1));
}

#[tokio::test(start_paused = true)]
async fn each_wait_has_its_own_deadline() {
    let fake = Fake::new(|_, before| shows(if before < 6 { "in_progress" } else { "completed" }));
    let client = build(&fake, Client::builder().polling(every(10)));
    let short = client.responses().wait("gen_1").deadline(S * 25).into_future();
    let long = client.responses().wait("gen_1").into_future();
    let none = client.responses().wait("gen_1").deadline(Duration::ZERO).into_future();
    let for_ever = client.responses().wait("gen_1").deadline(Duration::MAX).into_future();
    let (short, long, none, for_ever) = tokio::join!(short, long, none, for_ever);
    assert_eq!(short.unwrap_err().kind(), ErrorKind::WaitTimeout);
    assert_eq!(none.unwrap_err().polls(), Some(1));
    assert!(long.is_ok() && for_ever.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_aborts_its_poll_and_the_driver_ends_with_the_last_wait() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = client(&fake);
    let wait = tokio::spawn(client.responses().wait("gen_1").into_future());
    tokio::time::sleep(S).await;
    assert_eq!(fake.open(), 1);
    wait.abort();
    let _ = wait.await;
    tokio::time::sleep(S).await;
    assert_eq!(fake.open(), 0, "no wait needs the poll");
    assert!(client.inner.state.drivers.is_idle());

    // Another wait starts a new driver.
    let wait = client.responses().wait("gen_1").deadline(S);
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::WaitTimeout);
}

/// With two threads a wait can be dropped after its poll was charged and before it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_is_aborted_before_it_began_gives_its_permit_back() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let limit = crate::RateLimit { requests: 100_000, per: Duration::from_millis(1) };
    let client = build(&fake, Client::builder().rate_limit(limit));
    for n in 0..3000 {
        let mut wait = client.responses().wait(format!("gen_{n}")).into_future();
        assert!((&mut wait).now_or_never().is_none());
        (0..n % 400).for_each(|_| std::hint::spin_loop());
        drop(wait);
    }
    let all_back = async {
        while client.budget_left() != Some(100_000) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(S * 10, all_back).await.expect("every permit is given back");
}

#[tokio::test(start_paused = true)]
async fn a_watch_yields_each_change_once_and_then_ends() {
    let statuses = ["queued", "queued", "in_progress", "queued", "rendering", "failed"];
    let fake = Fake::new(move |_, before| shows(statuses[before]));
    let client = build(&fake, Client::builder().polling(every(3)));
    let updates: Vec<_> = client.responses().watch("gen_1").try_collect().await.unwrap();
    let statuses: Vec<_> = updates.iter().map(|u| u.generation.status.as_str()).collect();
    assert_eq!(statuses, ["queued", "in_progress", "rendering", "failed"]);
    assert_eq!(updates[1].elapsed.as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_watch_stops_polling() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = build(&fake, Client::builder().polling(every(3)));
    let mut watch = client.responses().watch("gen_1");
    watch.next().await.unwrap().unwrap();
    drop(watch);
    tokio::time::sleep(S * 60).await;
    assert_eq!(fake.count("GET"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_update_of_generate_is_what_the_create_returned() {
    let fake = Fake::new(|name, _| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows("completed"),
    });
    let shown = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let shown_here = shown.clone();
    client(&fake)
        .generate(request())
        .on_update(move |update| {
            let status = update.generation.status.to_string();
            shown_here.lock().unwrap().push((status, update.elapsed.as_secs()));
        })
        .await
        .unwrap();
    let mut shown = shown.lock().unwrap();
    // The forecast in between repeats the last change.
    shown.dedup_by(|next, last| next.0 == last.0);
    assert_eq!(*shown, [("queued".to_owned(), 0), ("completed".to_owned(), 5)]);
}

#[tokio::test(start_paused = true)]
async fn what_one_wait_has_learned_is_there_for_the_next() {
    let fake = Fake::new(|name, before| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows(if before % 2 == 0 { "in_progress" } else { "completed" }),
    });
    let client = build(&fake, Client::builder().polling(every(10)));
    let expected = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for _ in 0..3 {
        let expected = expected.clone();
        let generate = client.generate(request());
        let note = move |update: &crate::Update| expected.lock().unwrap().push(update.expected);
        generate.on_update(note).await.unwrap();
    }
    let expected = expected.lock().unwrap();
    assert_eq!(expected[0], Duration::from_secs(90));
    assert!(expected[expected.len() - 1] < Duration::from_secs(60), "{expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_404_right_after_a_create_is_polled_again() {
    let fake = Fake::new(|name, before| match (name, before) {
        ("POST /v1/responses", _) => shows("queued"),
        (_, 0) => Reply::Respond(404, String::new()),
        _ => shows("completed"),
    });
    let client = build(&fake, Client::builder().polling(every(2)));
    assert!(client.generate(request()).await.is_ok());

    let fake = Fake::new(|name, _| match name {
        "POST /v1/responses" => shows("queued"),
        _ => Reply::Respond(404, String::new()),
    });
    let client = build(&fake, Client::builder().polling(every(2)));
    assert_eq!(client.generate(request()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fake.count("GET"), 2);
}

#[test]
fn a_wait_outlives_the_runtime_of_another_wait() {
    let fake = Fake::new(|_, before| shows(if before < 3 { "in_progress" } else { "completed" }));
    let client = build(&fake, Client::builder().polling(every(1)));
    let paused = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let first = paused();
    let wait = client.responses().wait("gen_1").deadline(S);
    assert!(first.block_on(wait.into_future()).is_err());
    let begun = first.spawn(client.responses().wait("gen_1").into_future());
    first.block_on(async { tokio::time::sleep(S).await });
    drop(first);
    drop(begun);
    let wait = client.responses().wait("gen_1").into_future();
    assert!(paused().block_on(wait).unwrap().is_final());
}
