//! The options of single calls.

use futures_util::future::join;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;
use crate::model::GenerationRequest;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
}

fn cat() -> GenerationRequest {
    GenerationRequest::new("m", "A cat")
}

#[tokio::test(start_paused = true)]
async fn headers_of_a_call_go_with_that_call_only() {
    let fake = Fake::new(|_, _| shows("completed"));
    let of_client = headers(&[("x-team", "video"), ("x-app", "client")]);
    let client = build(&fake, Client::builder().headers(of_client));
    let of_call = headers(&[("x-app", "call"), ("accept-encoding", "br")]);
    client.responses().retrieve("gen_1").headers(of_call.clone()).await.unwrap();
    client.responses().retrieve("gen_1").await.unwrap();
    client.responses().wait("gen_1").headers(of_call.clone()).await.unwrap();
    client.generate(cat()).headers(of_call.clone()).await.unwrap();
    client.estimate(cat()).headers(of_call).await.unwrap();
    let sent = |index: usize, name: &str| fake.headers(index)[name].to_str().unwrap().to_owned();
    let expected = ["call", "client", "call", "call", "call"];
    for (index, app) in expected.into_iter().enumerate() {
        assert_eq!((sent(index, "x-app").as_str(), sent(index, "x-team").as_str()), (app, "video"));
        assert!(sent(index, "accept-encoding").contains("gzip"), "the library reads the response");
    }
}

#[tokio::test(start_paused = true)]
async fn an_option_that_a_client_would_not_take_ends_the_call_before_it_is_sent() {
    let fake = Fake::new(|_, _| shows("completed"));
    let client = client(&fake);
    for name in ["authorization", "host", "content-length", "content-type"] {
        let of_call = headers(&[(name, "Bearer other")]);
        let error = client.responses().create(cat()).headers(of_call.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.is_retryable() && !error.message().contains("other"), "{error}");
        let error = client.responses().wait("gen_1").headers(of_call.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let first = client.responses().watch("gen_1").headers(of_call).next().await.unwrap();
        assert_eq!(first.unwrap_err().kind(), ErrorKind::Configuration);
    }
    let error = client.usage().retrieve().request_timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(fake.count(""), 0);
}

#[tokio::test(start_paused = true)]
async fn retries_of_a_call_are_those_that_it_asks_for() {
    let fake = Fake::new(|_, _| Reply::Respond(503, String::new()));
    let client = build(&fake, Client::builder().max_retries(1));
    for (retries, requests) in [(0, 1), (3, 4)] {
        let before = fake.count("GET");
        let error = client.responses().retrieve("gen_1").max_retries(retries).await.unwrap_err();
        assert_eq!((error.attempts(), fake.count("GET") - before), (requests, requests as usize));
    }
}

#[tokio::test(start_paused = true)]
async fn no_number_of_retries_sends_a_create_again_that_may_have_been_processed() {
    for lost in [503, 0] {
        let fake = Fake::new(move |_, _| match lost {
            0 => Reply::Lost,
            status => Reply::Respond(status, String::new()),
        });
        let client = client(&fake);
        let error = client.responses().create(cat()).max_retries(9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
        let error = client.generate(cat()).max_retries(9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SubmissionUncertain);
        assert_eq!(fake.count("POST"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_call_bounds_its_requests() {
    let body = r#"{"id":"gen_1","status":"completed"}"#;
    let fake = Fake::new(move |_, _| Reply::Late(S, 200, body.to_owned()));
    let client = client(&fake);
    let hasty = client.responses().retrieve("gen_1").request_timeout(S / 2).max_retries(0);
    assert_eq!(hasty.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(client.responses().retrieve("gen_1").await.is_ok());
}

/// Or one trace id for each call would have each wait poll by itself.
#[tokio::test(start_paused = true)]
async fn waits_with_other_headers_share_their_polls_which_have_those_of_the_first() {
    let fake = Fake::new(|_, before| shows(["queued", "in_progress", "completed"][before]));
    let client = client(&fake);
    let wait = |id| client.responses().wait("gen_1").headers(headers(&[("traceparent", id)]));
    let (first, second) = join(wait("first").into_future(), wait("second").into_future()).await;
    assert!(first.unwrap().is_final() && second.unwrap().is_final());
    assert_eq!(fake.count("GET"), 3);
    assert!((0..3).all(|index| fake.headers(index)["traceparent"] == "first"));
}
