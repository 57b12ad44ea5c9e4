//! A token function in place of a key, and what its failures and a 401 lead to.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::{Delivery, ErrorKind};

fn with_token<F, Fut>(fake: &Fake, token: F) -> Client
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, crate::TokenError>> + Send + 'static,
{
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    Client::builder().token(token).max_retries(1).build_with(base, fake.transport()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_function_that_hangs_times_out_and_nothing_is_sent() {
    let fake = Fake::new(|_, _| shows("queued"));
    let client = with_token(&fake, std::future::pending);
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery(), error.attempts()),
        (ErrorKind::Timeout, Delivery::NotSent, 2)
    );
    assert_eq!(fake.count("POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_function_without_a_token_fails_the_call_and_nothing_is_sent() {
    let fake = Fake::new(|_, _| shows("queued"));
    let empty = with_token(&fake, || async { Ok(String::new()) });
    let failing = with_token(&fake, || async { Err("no network".into()) });
    for (client, kind) in [(empty, ErrorKind::Configuration), (failing, ErrorKind::Authentication)]
    {
        let error = client.responses().create(request()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery(), error.attempts()),
            (kind, Delivery::NotSent, 0)
        );
    }
    assert_eq!(fake.count("POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_against_the_budget_once_it_has_its_token() {
    let fake = Fake::new(|_, _| Reply::Silence);
    let hanging = with_token(&fake, std::future::pending);
    let panicking = with_token(&fake, || async { panic!("a mistake of the caller") });
    let sending = with_token(&fake, || async { Ok("token".to_owned()) });
    // A call that is dropped meanwhile; the one that panics has ended by then.
    for (client, counted) in [(hanging, 0), (panicking, 0), (sending, 1)] {
        let mut call = Box::pin(client.responses().create(request()));
        let _ = call.as_mut().now_or_never();
        drop(call);
        assert_eq!(client.budget_left(), Some(100 - counted));
        assert_eq!(fake.count("POST"), counted);
    }
}

/// How a token function can fail.
async fn failing(how: usize) -> Result<String, crate::TokenError> {
    match how {
        0 => Err("no network".into()),
        1 => Ok(String::new()),
        2 => Ok("two words".to_owned()),
        3 => panic!("a mistake of the caller"),
        _ => std::future::pending().await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_outlives_a_token_function_that_fails() {
    let fake = Fake::new(|_, _| shows("completed"));
    let calls = AtomicUsize::new(0);
    let client = with_token(&fake, move || {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move { if call < 5 { failing(call).await } else { Ok("token".to_owned()) } }
    });
    assert!(client.responses().wait("gen_1").await.unwrap().is_final());
    assert_eq!(fake.count("GET"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_whose_token_function_always_fails_ends_at_its_deadline_and_says_why() {
    for (how, kind) in [
        (0, ErrorKind::Authentication),
        (1, ErrorKind::Configuration),
        (2, ErrorKind::Configuration),
        (3, ErrorKind::Authentication),
        (4, ErrorKind::Timeout),
    ] {
        let fake = Fake::new(|_, _| shows("completed"));
        let client = with_token(&fake, move || failing(how));
        let began = tokio::time::Instant::now();
        let error = client.responses().wait("gen_1").deadline(S * 100).await.unwrap_err();
        assert!((S * 100..=S * 102).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!((error.kind(), error.generation_id()), (ErrorKind::WaitTimeout, Some("gen_1")));
        assert!(error.polls().unwrap() >= 3, "the function is asked again: {:?}", error.polls());
        let cause: &crate::Error = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!(cause.kind(), kind, "{cause}");
        assert_eq!(
            cause.source().is_some_and(|source| source.to_string() == "no network"),
            how == 0
        );
        assert_eq!(fake.count("GET"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_401_asks_for_another_token_and_a_second_one_is_believed() {
    for denied in [1, 2] {
        let fake = Fake::new(move |name, before| match name {
            _ if before < denied => Reply::Respond(401, String::new()),
            "GET /v1/responses/gen_2" => {
                Reply::Respond(200, r#"{"id":"gen_2","status":"completed"}"#.to_owned())
            }
            _ => shows("completed"),
        });
        let calls = std::sync::Arc::new(AtomicUsize::new(0));
        let client = with_token(&fake, {
            let calls = calls.clone();
            move || {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                async move { Ok(format!("token_{call}")) }
            }
        });
        let ends = [
            client.responses().wait("gen_1").await.err(),
            client.responses().retrieve("gen_2").await.err(),
            client.responses().create(request()).await.err(),
        ];
        for (end, attempts) in ends.into_iter().zip([0, 2, 2]) {
            let end = end.map(|error| (error.kind(), error.attempts()));
            assert_eq!(end, (denied == 2).then_some((ErrorKind::Authentication, attempts)));
        }
        assert_eq!(calls.load(Ordering::Relaxed), 6);
        let tokens: Vec<_> = (0..6).map(|n| fake.headers(n)["authorization"].clone()).collect();
        assert!((0..6).all(|n| tokens[n] == format!("Bearer token_{n}")), "{tokens:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_to_a_fixed_key_or_without_retries_is_believed_at_once() {
    let fake = Fake::new(|_, _| Reply::Respond(401, String::new()));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let token = Client::builder().token(|| async { Ok("token".to_owned()) }).max_retries(0);
    for client in [client(&fake), token.build_with(base, fake.transport()).unwrap()] {
        let error = client.responses().retrieve("gen_1").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Authentication, 1));
        assert!(!error.is_retryable());
    }
}
