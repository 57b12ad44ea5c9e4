//! Webhooks: their content, their timing and their faults.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use common::{Bench, bench};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use pipevideo_emulator::{
    DeliveryFault, Emulator, NewGeneration, Options, SentDelivery, Settlement, WebhookEndpoint,
};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

/// The headers and the raw body of a received delivery.
type Arrived = (HeaderMap, Bytes);

/// A receiver that responds with these statuses in turn, and then with 204.
async fn receiver(statuses: &[u16]) -> (String, mpsc::UnboundedReceiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks?from=emulator", listener.local_addr().unwrap());
    let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
    let (arrived, arrivals) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (statuses, arrived) = (statuses.clone(), arrived.clone());
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (statuses, arrived) = (statuses.clone(), arrived.clone());
                async move {
                    assert_eq!(request.uri().to_string(), "/hooks?from=emulator");
                    assert_eq!(request.method(), "POST");
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let _ = arrived.send((head.headers, body));
                    let status = statuses.lock().unwrap().pop_front().unwrap_or(204);
                    let response = Response::builder().status(status);
                    Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
                }
            });
            let io = TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    (url, arrivals)
}

/// The indices of the secrets that have signed a delivery.
fn signers(family: &str, (headers, body): &Arrived) -> Vec<usize> {
    let get = |name: &str| headers[&format!("{family}-{name}")].to_str().unwrap();
    let signed = |secret: &str| {
        let key = BASE64_STANDARD.decode(&secret["whsec_".len()..]).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", get("id"), get("timestamp")).as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    };
    let given: Vec<&str> = get("signature").split(' ').collect();
    (0..2).filter(|n| given.contains(&signed(SECRETS[*n]).as_str())).collect()
}

/// An emulator that sends webhooks to this URL, signed with both secrets.
async fn with_receiver(url: &str, options: Value) -> Bench {
    let mut all = json!({ "webhook_url": url, "webhook_secrets": SECRETS });
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    bench(all).await
}

fn add(emulator: &Emulator, id: &str) {
    let new = NewGeneration { id: Some(id.to_owned()), ..NewGeneration::default() };
    emulator.add_generation(new).unwrap();
}

fn complete(emulator: &Emulator, id: &str) {
    add(emulator, id);
    emulator.settle(id, Settlement::completed()).unwrap();
}

fn fault(emulator: &Emulator, fault: Value) {
    emulator.delivery_fault(serde_json::from_value::<DeliveryFault>(fault).unwrap());
}

fn generation_ids(sent: &[SentDelivery]) -> Vec<&str> {
    sent.iter().map(|sent| sent.body["generationId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn advancing_time_ends_generations_and_retries_deliveries() {
    let (url, mut arrivals) = receiver(&[500, 500]).await;
    let bench = with_receiver(&url, json!({ "speed": 0, "sigma": 0 })).await;
    add(&bench.emulator, "gen_1");
    for (attempts, seconds) in [(1, 90), (2, 5), (3, 300)] {
        bench.emulator.advance(Duration::from_secs(seconds));
        arrivals.recv().await.unwrap();
        bench.emulator.wait_for_deliveries(attempts).await;
    }
    let sent = bench.emulator.deliveries();
    let answered: Vec<_> = sent.iter().map(|sent| (sent.attempt, sent.answered)).collect();
    assert_eq!(answered, [(1, Some(500)), (2, Some(500)), (3, Some(204))]);
}

#[tokio::test]
async fn settled_generations_send_webhooks() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = with_receiver(&url, json!({ "speed": 0 })).await;
    complete(&bench.emulator, "gen_1");
    let arrived = arrivals.recv().await.unwrap();
    assert_eq!(signers("svix", &arrived), [0, 1]);
    assert_eq!(arrived.0["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&arrived.1).unwrap();
    let url = body["outputUrl"].as_str().unwrap();
    assert_eq!(bench.http.get(url).send().await.unwrap().status(), 200);
    assert_eq!(
        body,
        json!({
            "eventType": "video.generation.completed", "generationId": "gen_1",
            "status": "completed", "outputUrl": url, "errorMessage": null,
        })
    );

    add(&bench.emulator, "gen_2");
    bench.emulator.settle("gen_2", Settlement::failed("invalid_prompt", "No")).unwrap();
    let body: Value = serde_json::from_slice(&arrivals.recv().await.unwrap().1).unwrap();
    let (status, message) = (&body["status"], &body["errorMessage"]);
    assert_eq!(
        (status, message, &body["outputUrl"]),
        (&json!("failed"), &json!("No"), &json!(null))
    );
    // Settling an ended generation again sends no second webhook.
    bench.emulator.settle("gen_2", Settlement::failed("other", "No")).unwrap();
    complete(&bench.emulator, "gen_3");
    assert_eq!(
        generation_ids(&bench.emulator.wait_for_deliveries(3).await),
        ["gen_1", "gen_2", "gen_3"]
    );
}

#[tokio::test]
async fn generations_that_end_by_time_or_polls_send_webhooks() {
    let (url, _arrivals) = receiver(&[]).await;
    let bench = with_receiver(&url, json!({ "speed": 3000 })).await;
    // Without any poll.
    add(&bench.emulator, "gen_time");
    assert_eq!(generation_ids(&bench.emulator.wait_for_deliveries(1).await), ["gen_time"]);
    let polled = json!({ "id": "gen_polled", "polls": ["queued", "failed", "failed"] });
    bench.emulator.add_generation(serde_json::from_value(polled).unwrap()).unwrap();
    for _ in 0..3 {
        bench.get("/v1/responses/gen_polled").await;
    }
    let sent = bench.emulator.wait_for_deliveries(2).await;
    assert_eq!(
        (generation_ids(&sent), &sent[1].body["status"]),
        (vec!["gen_time", "gen_polled"], &json!("failed"))
    );
}

#[tokio::test]
async fn deliveries_are_retried_with_the_same_id_until_accepted() {
    let (url, mut arrivals) = receiver(&[500, 302, 400]).await;
    // 5 s, 5 min and 30 min are 2, 100 and 600 ms.
    let bench = with_receiver(&url, json!({ "speed": 3000 })).await;
    complete(&bench.emulator, "gen_1");
    let sent = bench.emulator.wait_for_deliveries(4).await;
    let statuses: Vec<_> = sent.iter().map(|sent| sent.answered.unwrap()).collect();
    assert_eq!(statuses, [500, 302, 400, 204]);
    assert_eq!(sent.iter().map(|sent| sent.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(sent.iter().all(|other| other.id == sent[0].id));
    let pauses: Vec<_> = sent.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(pauses[0] > 0.001 && pauses[1] > 0.099 && pauses[2] > 0.599, "{pauses:?}");
    for _ in 0..4 {
        let arrived = arrivals.recv().await.unwrap();
        assert_eq!(arrived.0["svix-id"], *sent[0].id);
        assert_eq!(signers("svix", &arrived), [0, 1]);
    }
}

#[tokio::test]
async fn delivery_faults_are_applied() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = with_receiver(&url, json!({ "speed": 0 })).await;
    let emulator = &bench.emulator;
    fault(emulator, json!({ "generation_id": "gen_lost", "lost": true }));
    fault(emulator, json!({ "generation_id": "gen_forged", "wrong_signature": true }));
    fault(emulator, json!({ "generation_id": "gen_twice", "twice": true }));
    fault(emulator, json!({ "generation_id": "gen_late", "delay_ms": 50, "after_deliveries": 5 }));
    for id in ["gen_late", "gen_lost"] {
        complete(emulator, id);
    }
    assert_eq!(emulator.wait_for_deliveries(1).await[0].answered, None);
    for (id, count) in [("gen_forged", 2), ("gen_twice", 4), ("gen_fine", 6)] {
        complete(emulator, id);
        emulator.wait_for_deliveries(count.min(5)).await;
    }
    let sent = emulator.wait_for_deliveries(6).await;
    assert_eq!(
        generation_ids(&sent),
        ["gen_lost", "gen_forged", "gen_twice", "gen_twice", "gen_fine", "gen_late"]
    );
    assert_eq!(sent[2].id, sent[3].id);
    let mut genuine = Vec::new();
    for _ in 0..5 {
        genuine.push(signers("svix", &arrivals.recv().await.unwrap()).len());
    }
    assert_eq!(genuine, [0, 2, 2, 2, 2]);
}

#[tokio::test]
async fn a_webhook_can_arrive_before_the_create_responds() {
    let (url, _arrivals) = receiver(&[]).await;
    let bench = with_receiver(&url, json!({ "speed": 100_000 })).await;
    let fault = json!({ "match": { "method": "POST" }, "after_deliveries": 1 });
    bench.emulator.fault(serde_json::from_value(fault).unwrap());
    let created: Value = bench.create().await.json().await.unwrap();
    // The response is that of the create, although the generation ended before it was sent.
    assert_eq!(created["status"], "queued");
    assert_eq!(generation_ids(&bench.emulator.deliveries()), [created["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_webhook_can_claim_a_wrong_status() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = with_receiver(&url, json!({ "speed": 0 })).await;
    add(&bench.emulator, "gen_1");
    let claim = json!({ "match": { "path": "/v1/responses/*" }, "claim": "failed" });
    bench.emulator.fault(serde_json::from_value(claim).unwrap());
    assert_eq!(bench.get_json("/v1/responses/gen_1").await["status"], "queued");
    let arrived = arrivals.recv().await.unwrap();
    assert_eq!(signers("svix", &arrived), [0, 1]);
    let body: Value = serde_json::from_slice(&arrived.1).unwrap();
    assert_eq!((&body["generationId"], &body["status"]), (&json!("gen_1"), &json!("failed")));
}

#[tokio::test]
async fn webhooks_are_controlled_over_http() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = bench(json!({ "webhook_secrets": [SECRETS[0]] })).await;
    let control = |method: &str, path: &str, body: Value| {
        let url = format!("{}/_emulator/{path}", bench.emulator.base_url());
        let request = bench.http.request(method.parse().unwrap(), url).json(&body);
        async move { request.send().await.unwrap() }
    };
    // No receiver is set yet; this event is not delivered later either.
    complete(&bench.emulator, "gen_0");
    for elsewhere in ["https://127.0.0.1/", "http://192.0.2.1/", "http://example.com/"] {
        let rejected = control("PUT", "webhook", json!({ "url": elsewhere })).await;
        assert_eq!(rejected.status(), 400, "{elsewhere}");
    }
    let rejected = control("PUT", "webhook", json!({ "url": url, "secrets": ["whsec_!"] })).await;
    assert!(!rejected.text().await.unwrap().contains("whsec_!"));
    assert_eq!(control("PUT", "webhook", json!({ "url": url })).await.status(), 204);
    complete(&bench.emulator, "gen_1");
    assert_eq!(signers("svix", &arrivals.recv().await.unwrap()), [0]);

    let changed = json!({ "url": url, "secrets": [SECRETS[1]], "family": "webhook" });
    assert_eq!(control("PUT", "webhook", changed).await.status(), 204);
    let lost = json!({ "lost": true, "times": null });
    assert_eq!(control("POST", "deliveries/faults", lost).await.status(), 204);
    assert_eq!(control("DELETE", "deliveries/faults", Value::Null).await.status(), 204);
    complete(&bench.emulator, "gen_2");
    let arrived = arrivals.recv().await.unwrap();
    assert_eq!(signers("webhook", &arrived), [1]);
    assert!(!arrived.0.contains_key("svix-id"));

    bench.emulator.wait_for_deliveries(2).await;
    let listed: Value = control("GET", "deliveries", Value::Null).await.json().await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["attempt"], &listed[0]["answered"]), (&json!(1), &json!(204)));
    assert_eq!(listed[1]["headers"]["webhook-id"], listed[1]["id"]);
}

#[tokio::test]
async fn receivers_must_be_on_loopback() {
    let webhook_url = Some("http://example.com/".to_owned());
    let options = Options { webhook_url, ..Options::default() };
    assert!(Emulator::start(options).await.unwrap_err().to_string().contains("loopback"));
    let emulator = Emulator::start(Options::default()).await.unwrap();
    assert!(emulator.set_webhook(WebhookEndpoint::to("http://0.0.0.0:1/")).is_err());
}
