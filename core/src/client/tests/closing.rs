//! What closing a client, or stopping the emulator, does to calls in progress.

use futures_util::FutureExt;

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::{Delivery, Error, ErrorKind};

/// Lets everything run that can run without the clock.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_waits_of_a_client_and_its_clones_with_the_id() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let client = build(&fake, Client::builder().polling(every(3)));
    let hasty = client.with_request_timeout(S).unwrap();
    let mut watch = client.responses().watch("gen_1");
    watch.next().await.unwrap().unwrap();
    let waits = [
        tokio::spawn(client.responses().wait("gen_1").into_future()),
        tokio::spawn(hasty.responses().wait("gen_1").into_future()),
        tokio::spawn(client.generate(request()).into_future()),
        tokio::spawn(async move { Err(watch.next().await.unwrap().unwrap_err()) }),
    ];
    settle().await;
    let began = tokio::time::Instant::now();
    hasty.clone().close();
    for wait in waits {
        let error = wait.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Connection, Some("gen_1")));
        assert!(error.message().contains("still running"), "{error}");
        assert!(!error.is_retryable() && error.delivery() != Delivery::NotSent);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    settle().await;
    assert!(client.inner.state.drivers.is_idle());
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_end_the_waits_of_another_client_with_the_same_key() {
    let fake = Fake::new(|_, before| shows(if before < 3 { "queued" } else { "completed" }));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let build = || {
        let builder = Client::builder().api_key("pv_closing_one_of_two").polling(every(3));
        builder.build_with(base.clone(), fake.transport()).unwrap()
    };
    let (closing, other) = (build(), build());
    let ended = tokio::spawn(closing.responses().wait("gen_1").into_future());
    let running = tokio::spawn(other.responses().wait("gen_1").into_future());
    settle().await;
    closing.close();
    assert!(ended.await.unwrap().is_err());
    assert!(running.await.unwrap().unwrap().is_final());
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_sends_nothing() {
    let fake = Fake::new(|_, _| shows("queued"));
    let client = client(&fake);
    client.close();
    let mut watch = client.responses().watch("gen_1");
    let errors = [
        client.responses().retrieve("gen_1").await.unwrap_err(),
        client.responses().create(request()).await.unwrap_err(),
        client.responses().wait("gen_1").await.unwrap_err(),
        client.responses().download("gen_1", "video.mp4").await.unwrap_err(),
        watch.next().await.unwrap().unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::InvalidRequest), "{errors:?}");
    assert_eq!(errors[2].generation_id(), Some("gen_1"));
    assert!(watch.next().await.is_none());
    assert_eq!(fake.count(""), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_a_read_at_once() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let client = client(&fake);
    let read = tokio::spawn({
        let client = client.clone();
        async move { client.responses().retrieve("gen_1").await }
    });
    settle().await;
    client.close();
    let error = read.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Connection, Some("gen_1")));
    assert!(!error.is_retryable());
    assert_eq!(fake.open(), 0);
}

/// The result of a create during which its client is closed.
async fn create_closed_after(fake: &Fake, time: Duration) -> Result<crate::Generation, Error> {
    let client = client(fake);
    let create = tokio::spawn({
        let client = client.clone();
        async move { client.responses().create(request()).await }
    });
    tokio::time::sleep(time).await;
    client.close();
    create.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_being_sent_runs_on_to_its_response() {
    let body = r#"{"id":"gen_paid","status":"queued"}"#;
    let fake = Fake::new(move |_, _| Reply::Late(S * 2, 200, body.to_owned()));
    assert_eq!(create_closed_after(&fake, S).await.unwrap().id, "gen_paid");

    let fake = Fake::new(|_, _| Reply::Silence);
    let error = create_closed_after(&fake, S).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_a_create_that_waits_for_its_token() {
    let fake = Fake::new(|_, _| shows("queued"));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let builder = Client::builder().token(std::future::pending);
    let client = builder.build_with(base, fake.transport()).unwrap();
    let create = tokio::spawn(client.generate(request()).into_future());
    settle().await;
    let began = tokio::time::Instant::now();
    client.close();
    let error = create.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert_eq!((began.elapsed(), fake.count("")), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_not_processed_is_not_sent_again_after_closing() {
    let fake = Fake::new(|_, _| Reply::Respond(429, r#"{"data":{"retry_after":42}}"#.to_owned()));
    let began = tokio::time::Instant::now();
    let error = create_closed_after(&fake, S).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::InvalidRequest, 1));
    assert_eq!((began.elapsed(), fake.count("POST")), (S, 1));
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_a_generate_that_was_closed_during_its_create_ends_with_the_id() {
    let fake = Fake::new(|_, _| {
        Reply::Late(S * 2, 200, r#"{"id":"gen_paid","status":"queued"}"#.to_owned())
    });
    let client = client(&fake);
    let generate = tokio::spawn(client.generate(request()).into_future());
    tokio::time::sleep(S).await;
    client.close();
    let error = generate.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Connection, Some("gen_paid")));
    assert_eq!(fake.count("GET"), 0);
}

#[tokio::test(start_paused = true)]
async fn stopping_the_emulator_ends_the_waits_of_its_base_url() {
    let fake = Fake::new(|_, _| shows("in_progress"));
    let at = |url: &str, builder: ClientBuilder| {
        let base = crate::wire::BaseUrl::parse(url, false).unwrap();
        builder.build_with(base, fake.transport()).unwrap()
    };
    let with_key = at("http://127.0.0.1:7", Client::builder().api_key("pv_stop"));
    let with_function =
        at("http://127.0.0.1:7", Client::builder().token(|| async { Ok("t".to_owned()) }));
    let elsewhere = at("http://127.0.0.1:8", Client::builder().api_key("pv_stop"));
    let waits = [&with_key, &with_function]
        .map(|client| tokio::spawn(client.responses().wait("gen_1").into_future()));
    let mut running = elsewhere.responses().wait("gen_1").into_future();
    assert!((&mut running).now_or_never().is_none());
    settle().await;
    crate::end_waits("http://127.0.0.1:7/v1");
    for wait in waits {
        let error = wait.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Connection, Some("gen_1")));
    }
    settle().await;
    assert!((&mut running).now_or_never().is_none(), "another service's wait goes on");
    // The clients stay usable: an emulator may be started again on the same port.
    assert!(with_key.responses().retrieve("gen_1").await.is_ok());
}
