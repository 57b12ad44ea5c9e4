//! Which requests are sent again, and which never are.

use futures_util::future::join_all;
use serde_json::json;

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::client::submission::Submission;
use crate::client::{clock, reconcile_stored};
use crate::error::{Delivery, ErrorKind};
use crate::lock::lock;

#[tokio::test(start_paused = true)]
async fn a_create_without_a_response_is_sent_once_and_uncertain_after_the_timeout() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = client(&fake);
    let began = tokio::time::Instant::now();
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    // The timeout of 30 s, and 2 s in which a late response would still be accepted.
    assert_eq!(began.elapsed().as_secs(), 32);
    assert_eq!(fake.count("POST"), 1);
    assert_eq!(
        (error.model(), error.delivery()),
        (Some("moonshotai/kimi-k2.5"), Delivery::Unknown)
    );
    assert!(error.sent_at().is_some() && !error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_create_is_sent_again_only_if_it_was_certainly_not_processed() {
    let replies = [
        Reply::Refused,
        Reply::Respond(429, r#"{"message":"slow","data":{"retry_after":42}}"#.to_owned()),
        Reply::Refused,
        shows("queued"),
    ];
    let mut replies = replies.into_iter();
    let fake = Fake::new(move |_, _| replies.next().unwrap());
    let generation = client(&fake).responses().create(request()).await.unwrap();
    assert_eq!(generation.id, "gen_1");
    let times = fake.times("POST");
    assert_eq!(times.len(), 4);
    assert!(times[2] - times[1] >= S * 42, "{times:?}");

    for reply in
        [Reply::Lost, Reply::Respond(500, String::new()), Reply::Respond(200, "<p>".into())]
    {
        let mut reply = Some(reply);
        let fake = Fake::new(move |_, _| reply.take().expect("it is sent once"));
        let error = client(&fake).responses().create(request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    }
}

#[tokio::test(start_paused = true)]
async fn the_response_to_a_create_is_accepted_shortly_after_the_timeout() {
    let Reply::Respond(status, body) = shows("queued") else { unreachable!() };
    let fake = Fake::new(move |_, _| Reply::Late(S * 31, status, body.clone()));
    assert_eq!(client(&fake).responses().create(request()).await.unwrap().id, "gen_1");
    assert_eq!(fake.count("POST"), 1);
    // A read is sent again in place of that.
    let builder = Client::builder().max_retries(0);
    let error = build(&fake, builder).responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// A create with a body of a megabyte, which is 16 pieces.
fn large_request() -> GenerationRequest {
    GenerationRequest::new("m", "a".repeat(1_000_000))
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_slow_but_moving_does_not_time_out() {
    let Reply::Respond(status, body) = shows("queued") else { unreachable!() };
    let fake = Fake::new(move |_, _| Reply::Slow(S * 20, status, body.clone()));
    let began = tokio::time::Instant::now();
    assert!(client(&fake).responses().create(large_request()).await.is_ok());
    assert_eq!((began.elapsed(), fake.count("POST")), (S * 320, 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_large_upload_there_is_time_for_what_is_still_on_its_way() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let began = tokio::time::Instant::now();
    let error = client(&fake).responses().create(large_request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    // 15 s for a megabyte at 64 KiB/s.
    assert_eq!((began.elapsed().as_secs(), fake.count("POST")), (30 + 15 + 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_not_sent_completely_is_sent_again() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Unread,
        _ => shows("queued"),
    });
    assert!(client(&fake).responses().create(large_request()).await.is_ok());
    assert_eq!(fake.count("POST"), 2);

    let fake = Fake::new(|_, _| Reply::Unread);
    let error = client(&fake).responses().create(large_request()).await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::NotSent));
    assert_eq!((error.attempts(), fake.count("POST")), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn connections_are_retired_by_a_timeout_and_not_by_a_dropped_request() {
    let fake = Fake::new(|_, before| match before {
        0 | 1 => Reply::Silence,
        _ => shows("queued"),
    });
    let client = client(&fake);
    let retrieve = |client: Client| async move { client.responses().retrieve("gen_1").await };
    assert!(tokio::time::timeout(S * 5, retrieve(client.clone())).await.is_err());
    assert!(fake.retired().is_empty());
    assert!(retrieve(client).await.is_ok());
    assert_eq!(fake.retired(), [S * 5]);
}

#[tokio::test(start_paused = true)]
async fn reads_are_sent_again_with_growing_pauses_up_to_max_retries() {
    let fake = Fake::new(|_, _| Reply::Respond(503, String::new()));
    let error = client(&fake).responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 5));
    let times = fake.times("GET");
    for (n, pair) in times.windows(2).enumerate() {
        assert!(pair[1] - pair[0] <= Duration::from_millis(250 << n), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_function_is_called_before_each_request() {
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Lost,
        _ => shows("queued"),
    });
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = calls.clone();
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let client = Client::builder()
        .token(move || {
            let n = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move { if n < 2 { Ok(format!("token-{n}")) } else { Err("backend down".into()) } }
        })
        .build_with(base, fake.transport())
        .unwrap();
    client.responses().retrieve("gen_1").await.unwrap();
    assert_eq!(fake.headers(0)["authorization"], "Bearer token-0");
    assert_eq!(fake.headers(1)["authorization"], "Bearer token-1");
    let error = client.responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Authentication, Delivery::NotSent));
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "backend down");
    assert_eq!(fake.count("GET"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_create_frees_its_request() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = client(&fake);
    let create = client.inner.clone();
    let call = tokio::spawn(async move { create.create(&request(), &Submission::new()).await });
    tokio::time::sleep(S).await;
    assert_eq!(fake.open(), 1);
    call.abort();
    let _ = call.await;
    assert_eq!(fake.open(), 0);
    assert_eq!(client.budget_left(), Some(99), "the service may have counted it");
}

#[tokio::test(start_paused = true)]
async fn calls_can_be_made_concurrently() {
    let fake = Fake::new(|_, _| shows("queued"));
    let client = client(&fake);
    let calls = join_all([(); 2].map(|()| client.responses().retrieve("gen_1")));
    let create = client.responses().create(request());
    let (retrieved, created) = tokio::join!(calls, create);
    assert!(created.is_ok() && retrieved.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_of_a_megabyte_is_sent_whole_and_appears_in_no_error() {
    let prompt = "a cat on a beach, ".repeat(60_000);
    let echo = format!(r#"{{"message":"refused: {prompt}"}}"#);
    let fake = Fake::new(move |_, before| match before {
        0 => shows("queued"),
        _ => Reply::Respond(400, echo.clone()),
    });
    let client = client(&fake);
    let request = || GenerationRequest::new("m", prompt.as_str());
    assert!(client.responses().create(request()).await.is_ok());
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert!(!error.message().contains("cat") && error.message().len() < 1000, "{error}");
}

/// Polls a future once, for requests that never get a response, and drops it.
async fn cancelled<F: std::future::IntoFuture>(future: F) {
    let elapsed = tokio::time::timeout(S, future.into_future()).await;
    assert!(elapsed.is_err(), "it has no response");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_cancelled_in_flight_is_uncertain() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = client(&fake);
    let submission = Submission::new();
    cancelled(client.responses().create_with(request(), &submission)).await;
    let error = submission.uncertain().unwrap();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::SubmissionUncertain, Delivery::Unknown)
    );
    assert_eq!(error.model(), Some("moonshotai/kimi-k2.5"));
    assert!(error.sent_at().is_some() && error.generation_id().is_none());
    assert!(!error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_generate_that_is_cancelled_is_kept() {
    let fake =
        Fake::new(
            |request, _| {
                if request.starts_with("POST") { shows("queued") } else { shows("in_progress") }
            },
        );
    let submission = Submission::new();
    cancelled(client(&fake).generate(request()).submission(&submission)).await;
    assert_eq!(submission.generation_id().as_deref(), Some("gen_1"));
    let error = submission.uncertain().unwrap();
    assert_eq!(error.generation_id(), Some("gen_1"));
}

#[tokio::test(start_paused = true)]
async fn a_submission_has_the_id_while_the_generate_goes_on() {
    let fake = Fake::new(|request, _| {
        shows(if request.starts_with("POST") { "queued" } else { "in_progress" })
    });
    let submission = Submission::new();
    let created = tokio::spawn({
        let submission = submission.clone();
        async move { submission.created().await }
    });
    let generate = client(&fake).generate(request()).submission(&submission).into_future();
    tokio::select! {
        created = created => assert_eq!(created.unwrap().as_deref(), Some("gen_1")),
        ended = generate => panic!("{ended:?}"),
    }
    assert_eq!(submission.created().await.as_deref(), Some("gen_1"));
}

#[tokio::test(start_paused = true)]
async fn a_create_without_an_id_ends_the_wait_for_it() {
    let fake = Fake::new(|_, _| Reply::Respond(400, "{}".to_owned()));
    let submission = Submission::new();
    let generate = client(&fake).generate(request()).submission(&submission).into_future();
    let (created, ended) = tokio::join!(submission.created(), generate);
    assert_eq!((created, ended.unwrap_err().kind()), (None, ErrorKind::BadRequest));
    // Cancelled before it has begun.
    let submission = Submission::new();
    assert!(submission.cancel().is_none());
    assert_eq!(submission.created().await, None);
    // Dropped in flight.
    let fake = Fake::new(|_, _| Reply::Silence);
    let submission = Submission::new();
    let (created, ()) = tokio::join!(
        submission.created(),
        cancelled(client(&fake).generate(request()).submission(&submission))
    );
    assert_eq!(created, None);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_certainly_made_nothing_is_not_uncertain_when_cancelled() {
    // Refused, and cancelled in the pause before it is sent again.
    let refused = r#"{"message":"slow","data":{"retry_after":42}}"#;
    let fake = Fake::new(move |_, _| Reply::Respond(429, refused.to_owned()));
    let submission = Submission::new();
    cancelled(client(&fake).responses().create_with(request(), &submission)).await;
    assert_eq!(fake.count("POST"), 1);
    assert!(submission.uncertain().is_none());

    // Cancelled while its future is still polled, by another thread.
    let fake = Fake::new(|_, _| shows("queued"));
    let submission = Submission::new();
    assert!(submission.cancel().is_none());
    assert!(client(&fake).responses().create_with(request(), &submission).await.is_err());
    assert_eq!(fake.count("POST"), 0);

    // Failed: the error has said it all.
    let submission = Submission::new();
    let fake = Fake::new(|_, _| Reply::Lost);
    let error = client(&fake).responses().create_with(request(), &submission).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
    assert!(submission.uncertain().is_none());
}

#[tokio::test(start_paused = true)]
async fn reconcile_knows_what_this_process_has_created_and_seen_before() {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let listed = |id| json!({"id": id, "model_name": "kimi-k2.5", "created_at": at.as_millis()});
    let listed = ["own", "seen", "lost"].map(listed);
    let usage = json!({"recent_requests": listed});
    let shown = |id: &str| Reply::Respond(200, json!({"id": id, "status": "queued"}).to_string());
    let fake = Fake::new(move |name, before| match name {
        "POST /v1/responses" if before == 0 => shown("own"),
        "POST /v1/responses" => Reply::Lost,
        "GET /v1/usage" => Reply::Respond(200, usage.to_string()),
        retrieve => shown(retrieve.rsplit('/').next().unwrap()),
    });
    let client = client(&fake);
    client.responses().create(request()).await.unwrap();
    client.responses().retrieve("seen").await.unwrap();
    tokio::time::sleep(S).await;
    let uncertain = client.responses().create(request()).await.unwrap_err();
    let found = client.responses().reconcile(&uncertain).await.unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.id.as_str(), it.known_before)).collect();
    assert_eq!(found, [("lost", false), ("seen", true)]);
}

/// Stored times may be cut to whole milliseconds.
#[tokio::test(start_paused = true)]
async fn what_was_seen_within_a_millisecond_of_the_create_was_known_before_it() {
    let usage = json!({"recent_requests": [{"id": "before"}, {"id": "after"}]});
    let fake = Fake::new(move |_, _| Reply::Respond(200, usage.to_string()));
    let client = client(&fake);
    let now = clock::now();
    let just_before = now + Duration::from_millis(1) - Duration::from_nanos(1);
    let seen = &client.inner.state.seen;
    lock(seen).insert_first("before", just_before);
    lock(seen).insert_first("after", now + Duration::from_millis(1));
    // A time that has not come counts as now. Real time passes also while the clock is paused.
    let sent_at = clock::wall() + Duration::from_secs(60 * 60);
    let found = reconcile_stored(&client, "m", sent_at, None).await.unwrap();
    assert_eq!(clock::now(), now);
    let found: Vec<_> = found.iter().map(|it| (it.id.as_str(), it.known_before)).collect();
    assert_eq!(found, [("after", false), ("before", true)]);
}
