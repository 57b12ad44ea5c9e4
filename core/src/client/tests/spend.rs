//! The spend limit and estimates over the transport.

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;

use super::fake::{Fake, Reply};
use super::{S, build, client, request};
use crate::client::Client;
use crate::error::ErrorKind;
use crate::model::EstimateBasis;
use crate::{Decimal, Submission};

fn usd(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn completed(id: usize, cost: &str) -> Reply {
    let usage = json!({"cost_usd": cost, "input_tokens": 1000, "output_tokens": 2000});
    let model = "moonshotai/kimi-k2.5";
    let body =
        json!({"id": format!("gen_{id}"), "status": "completed", "model": model, "usage": usage});
    Reply::Respond(200, body.to_string())
}

/// A service on which each create returns a completed generation of this cost.
fn service(cost: &'static str) -> Fake {
    Fake::new(move |request, before| match request {
        "POST /v1/responses" => completed(before, cost),
        _ => Reply::Respond(200, "{}".to_owned()),
    })
}

fn limited(fake: &Fake, limit: &str) -> Client {
    build(fake, Client::builder().spend_limit(usd(limit)))
}

#[tokio::test(start_paused = true)]
async fn a_create_beyond_the_limit_is_not_sent() {
    let fake = service("0.10");
    let client = limited(&fake, "0.25");
    for _ in 0..2 {
        client.responses().create(request()).await.unwrap();
    }
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::SpendLimit, 0));
    let error = client.generate(request()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::SpendLimit, false));
    assert_eq!(fake.count("POST"), 2);
    let spend = client.spend();
    assert_eq!((spend.spent, spend.remaining), (usd("0.2"), Some(usd("0.05"))));
}

#[tokio::test(start_paused = true)]
async fn creates_at_once_cannot_exceed_the_limit_together() {
    let fake = Fake::new(|request, before| match request {
        "POST /v1/responses" if before == 0 => completed(before, "0.10"),
        "POST /v1/responses" => {
            let body = json!({"id": format!("gen_{before}"), "status": "queued"});
            Reply::Late(S, 200, body.to_string())
        }
        _ => Reply::Respond(200, "{}".to_owned()),
    });
    let client = limited(&fake, "0.55");
    client.responses().create(request()).await.unwrap();
    let created = join_all((0..10).map(|_| client.responses().create(request()))).await;
    assert_eq!(created.iter().filter(|created| created.is_ok()).count(), 4);
    assert_eq!(fake.count("POST"), 5);
    assert_eq!(client.spend().in_flight, usd("0.4"));
}

#[tokio::test(start_paused = true)]
async fn all_clients_of_a_key_share_the_ledger_also_later_ones() {
    let fake = service("0.10");
    let key = format!("pv_test_{}", fastrand::u64(..));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let build = |limit: crate::RateLimit| {
        let builder = Client::builder().api_key(&key).rate_limit(limit);
        builder.build_with(base.clone(), fake.transport()).unwrap()
    };
    let first = build(crate::RateLimit::new(10, S));
    first.responses().create(request()).await.unwrap();
    let second = build(crate::RateLimit::new(20, S));
    assert_eq!(second.spend().spent, usd("0.1"));
    drop((first, second));
    assert_eq!(
        build(crate::RateLimit::new(30, S)).spend().spent,
        usd("0.1"),
        "after all were dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_dropped_or_lost_counts_as_uncertain_and_a_refused_one_as_nothing() {
    let fake = Fake::new(|request, before| match (request, before) {
        ("POST /v1/responses", 0) => completed(0, "0.10"),
        ("POST /v1/responses", 1) => Reply::Respond(400, "{}".to_owned()),
        ("POST /v1/responses", 2) => Reply::Lost,
        ("POST /v1/responses", 3..) => Reply::Silence,
        _ => Reply::Respond(200, "{}".to_owned()),
    });
    let client = client(&fake);
    client.responses().create(request()).await.unwrap();
    client.responses().create(request()).await.unwrap_err();
    assert_eq!(client.spend().uncertain_count, 0);
    client.responses().create(request()).await.unwrap_err();
    assert_eq!(client.spend().uncertain, usd("0.1"));
    let submission = Submission::new();
    let create = client.responses().create_with(request(), &submission);
    assert!(tokio::time::timeout(S, create).await.is_err());
    let spend = client.spend();
    assert_eq!((spend.uncertain, spend.in_flight_count), (usd("0.2"), 0));
}

#[tokio::test(start_paused = true)]
async fn one_request_for_prices_serves_all_calls_also_if_its_first_caller_is_not_polled() {
    let usage = json!({"daily_usage_by_route": [{"date": "d", "routes": [
        {"model": "kimi-k2.5", "completed_count": 2, "total_cost_cents": 20}]}]});
    let fake = Fake::new(move |request, _| match request {
        "GET /v1/usage" => Reply::Late(S, 200, usage.to_string()),
        _ => Reply::Respond(200, "{}".to_owned()),
    });
    let client = client(&fake);
    let mut stalled = client.estimate(request()).into_future();
    assert!((&mut stalled).now_or_never().is_none());
    let estimates =
        join_all((0..5).map(|_| client.estimate(request()).count(3).into_future())).await;
    for estimate in estimates {
        let estimate = estimate.unwrap();
        assert_eq!(estimate.cost_usd, Some(usd("0.3")));
        assert_eq!((estimate.based_on, estimate.samples), (Some(EstimateBasis::Account), 2));
    }
    assert_eq!((fake.count("GET /v1/usage"), fake.count("GET /v1/engines")), (1, 1));
    tokio::time::sleep(301 * S).await;
    client.estimate(request()).await.unwrap();
    assert_eq!(fake.count("GET /v1/usage"), 2, "the prices were old");
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_needs_no_request_and_a_failed_one_matters_only_if_nothing_is_known() {
    let fake = Fake::new(|request, before| match request {
        "POST /v1/responses" => completed(before, "0.10"),
        _ => Reply::Respond(401, "{}".to_owned()),
    });
    let client = client(&fake);
    let error = client.estimate(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let error = client.estimate(request()).count(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let asked = fake.count("GET");
    client.responses().create(request()).await.unwrap();
    let estimate = client.estimate(request()).count(2).await.unwrap();
    assert_eq!(
        (estimate.cost_usd, estimate.based_on),
        (Some(usd("0.2")), Some(EstimateBasis::Seen))
    );
    assert_eq!(fake.count("GET"), asked, "a client without a limit asks for no prices");
}

#[tokio::test(start_paused = true)]
async fn the_maximum_of_a_request_is_for_the_client_only() {
    let fake = service("0.10");
    let client = client(&fake);
    client.responses().create(request().max_cost_usd(usd("0.01"))).await.unwrap();
    let error = client.responses().create(request().max_cost_usd(usd("0.01"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SpendLimit);
    let error = client.responses().create(request().max_cost_usd(usd("-1"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(fake.count("POST"), 1);
    let written = serde_json::to_value(request().max_cost_usd(usd("0.01"))).unwrap();
    assert_eq!(written, serde_json::to_value(request()).unwrap());
    let read: crate::GenerationRequest =
        serde_json::from_value(json!({"model": "m", "input": "A cat", "max_cost_usd": "0.10"}))
            .unwrap();
    assert_eq!(read.max_cost_usd, Some(usd("0.10")));
}
