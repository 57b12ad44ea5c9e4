//! When requests are sent.

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn one_generation_is_polled_more_often_when_its_end_is_near() {
    let fake = Fake::new(|name, before| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows(if before < 30 { "in_progress" } else { "completed" }),
    });
    client(&fake).generate(request()).await.unwrap();
    let times = fake.times("GET");
    let gaps: Vec<f64> = times.windows(2).map(|p| (p[1] - p[0]).as_secs_f64()).collect();
    assert_eq!(times[0], S * 5, "no generation ends at once");
    assert!(gaps.iter().all(|gap| (1.999..=5.002).contains(gap)), "{gaps:?}");
    let near = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(near < 4.0, "around the typical time the polls are closer: {gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn polls_at_a_fixed_interval_are_sent_exactly_then() {
    let fake = Fake::new(|name, before| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows(["queued", "in_progress", "in_progress", "completed"][before]),
    });
    let client = build(&fake, Client::builder().polling(every(3)));
    client.generate(request()).await.unwrap();
    assert_eq!(seconds(fake.times("GET")), [3, 6, 9, 12]);
}

#[tokio::test(start_paused = true)]
async fn an_id_from_elsewhere_is_polled_at_once() {
    let fake = Fake::new(|_, before| shows(["in_progress", "completed"][before]));
    let client = build(&fake, Client::builder().polling(every(3)));
    client.responses().wait("gen_1").await.unwrap();
    assert_eq!(seconds(fake.times("GET")), [0, 3]);
}

#[tokio::test(start_paused = true)]
async fn creates_fill_the_window_and_precede_polls() {
    let fake = Fake::new(|name, _| match name {
        "POST /v1/responses" => shows("queued"),
        _ => shows("completed"),
    });
    let client = client(&fake);
    let creates = (0..130).map(|_| {
        let client = client.clone();
        async move { client.responses().create(request()).await }
    });
    let created = join_all(creates).await;
    assert!(created.iter().all(Result::is_ok));
    let times = seconds(fake.times("POST"));
    assert_eq!(times.iter().filter(|at| **at == 0).count(), 100);
    assert_eq!(times.iter().filter(|at| **at == 60).count(), 30);
}

#[tokio::test(start_paused = true)]
async fn clients_of_one_key_share_one_budget_others_do_not() {
    let fake = Fake::new(|_, _| shows("queued"));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let with = |key: &str| {
        Client::builder().api_key(key).build_with(base.clone(), fake.transport()).unwrap()
    };
    let (first, second, other) = (with("pv_same"), with("pv_same"), with("pv_other"));
    first.responses().retrieve("gen_1").await.unwrap();
    assert_eq!(second.budget_left(), Some(99));
    assert_eq!(other.budget_left(), Some(100));
}

#[tokio::test(start_paused = true)]
async fn after_a_429_nothing_goes_out_before_its_time() {
    let fake = Fake::new(|name, before| match (name, before) {
        ("GET /v1/responses/gen_1", 0) => {
            Reply::Respond(429, r#"{"message":"slow","data":{"retry_after":42}}"#.to_owned())
        }
        _ => shows("completed"),
    });
    let client = client(&fake);
    let wait = client.responses().wait("gen_1").into_future();
    let other = async {
        tokio::time::sleep(S).await;
        client.responses().retrieve("gen_1").await
    };
    let (waited, other) = tokio::join!(wait, other);
    assert!(waited.is_ok() && other.is_ok());
    let times = fake.times("GET");
    assert_eq!(times.len(), 3);
    assert!(times[1..].iter().all(|at| *at >= S * 42), "{times:?}");
}

/// Five 429s of one create once halved the budget five times, and a wait for a generation that had
/// already ended then took 56 s.
#[tokio::test(start_paused = true)]
async fn a_create_that_is_refused_does_not_slow_waits_down() {
    let fake = Fake::new(|name, before| match name {
        "POST /v1/responses" => Reply::RetryAfter(429, "5", String::new()),
        _ => shows(if before % 10 < 9 { "in_progress" } else { "completed" }),
    });
    let client = build(&fake, Client::builder().polling(every(3)));
    let refused = tokio::spawn({
        let client = client.clone();
        async move { client.responses().create(request()).await.map(drop) }
    });
    tokio::task::yield_now().await;
    for _ in 0..3 {
        assert!(client.responses().wait("gen_1").await.unwrap().is_final());
    }
    let polls: Vec<u64> = seconds(fake.times("GET"));
    let expected: Vec<u64> =
        (0..3).flat_map(|wait| (0..10).map(move |n| wait * 27 + n * 3)).collect();
    assert_eq!(polls, expected, "each three seconds");
    let error = refused.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::RateLimited, 5));
    assert!(client.budget_left() >= Some(50 - 5), "one refusal: {:?}", client.budget_left());
}

#[tokio::test(start_paused = true)]
async fn thousands_of_calls_wait_in_order_and_lose_no_slot() {
    let fake = Fake::new(|_, _| shows("queued"));
    let client = build(&fake, Client::builder().rate_limit(crate::RateLimit::new(100, S)));
    let calls = (0..4000).map(|_| client.responses().retrieve("gen_1"));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    let times = seconds(fake.times("GET"));
    assert!((0..40).all(|second| times.iter().filter(|at| **at == second).count() == 100));
}

/// The creates of the stream are not polled while the loop's body waits for its own call.
#[tokio::test(start_paused = true)]
async fn calls_that_are_not_polled_do_not_hold_others_up() {
    let fake = Fake::new(|_, _| shows("queued"));
    let client = build(&fake, Client::builder().rate_limit(crate::RateLimit::new(5, S)));
    let creates = (0..12).map(|_| client.responses().create(request()));
    let mut created = futures_util::stream::iter(creates).buffer_unordered(8);
    let mut done = 0;
    while let Some(generation) = created.next().await {
        client.responses().retrieve(generation.unwrap().id).await.unwrap();
        done += 1;
    }
    assert_eq!(done, 12);

    // Nor waits: a create that is polled once and then kept holds nothing that a poll needs.
    let mut creates: Vec<_> =
        (0..20).map(|_| Box::pin(client.responses().create(request()))).collect();
    creates.iter_mut().for_each(|create| drop(create.as_mut().now_or_never()));
    let wait = client.responses().wait("gen_1").deadline(S * 20);
    assert_eq!(wait.await.unwrap_err().polls(), Some(4), "one each five seconds");
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_starve_a_wait() {
    let fake = Fake::new(|_, _| shows("completed"));
    let client = build(&fake, Client::builder().rate_limit(crate::RateLimit::new(10, S)));
    for _ in 0..40 {
        let client = client.clone();
        tokio::spawn(async move { while client.responses().retrieve("gen_1").await.is_ok() {} });
    }
    tokio::time::sleep(S * 5).await;
    let began = tokio::time::Instant::now();
    assert!(client.responses().wait("gen_1").deadline(S * 20).await.unwrap().is_final());
    assert!(began.elapsed() <= S * 2, "{:?}", began.elapsed());
}

/// A request of which the future is not polled again gives its slot back after a minute.
#[tokio::test(start_paused = true)]
async fn requests_that_are_not_polled_do_not_keep_their_slots() {
    let fake = Fake::new(|_, before| match before {
        0..5 => Reply::Late(S, 200, r#"{"id":"gen_1","status":"queued"}"#.to_owned()),
        _ => shows("queued"),
    });
    let client = build(&fake, Client::builder().rate_limit(crate::RateLimit::new(5, S)));
    let mut creates: Vec<_> =
        (0..5).map(|_| Box::pin(client.responses().create(request()))).collect();
    creates.iter_mut().for_each(|create| drop(create.as_mut().now_or_never()));
    let retrieved = tokio::time::timeout(S * 62, client.responses().retrieve("gen_1")).await;
    assert!(retrieved.expect("the slots are given back").is_ok());
    let polls = client.responses().wait("gen_1").deadline(S * 10).await.unwrap_err().polls();
    assert!(polls >= Some(2), "{polls:?}");
}

/// A connection is refused after five seconds, long before the window ends.
#[tokio::test(start_paused = true)]
async fn room_that_unsent_requests_leave_is_used_at_once() {
    let limiter = std::sync::Arc::new(crate::client::limiter::Limiter::new(Some(
        crate::RateLimit::new(1, S * 60),
    )));
    let held = limiter.acquire().await;
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { drop(limiter.acquire().await) }
    });
    tokio::time::sleep(S * 5).await;
    let began = tokio::time::Instant::now();
    held.not_sent();
    waiting.await.unwrap();
    assert!(began.elapsed() < S);
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_at_once_if_it_is_asked_to_wait_for_long_and_the_key_stops_for_two_minutes() {
    let fake = Fake::new(|_, _| {
        Reply::Respond(429, r#"{"message":"slow","data":{"retry_after":500}}"#.to_owned())
    });
    let client = client(&fake);
    for _ in 0..2 {
        let error = client.responses().create(request()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::RateLimited, 1));
        assert_eq!(error.retry_after(), Some(S * 500));
    }
    assert_eq!(seconds(fake.times("POST")), [0, 120]);
}

fn seconds(times: Vec<Duration>) -> Vec<u64> {
    times.iter().map(Duration::as_secs).collect()
}
