//! Webhooks: what a receiver gets, when, and what goes wrong with it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

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

/// What has arrived: its headers and raw body.
type Arrived = (HeaderMap, Bytes);

/// Answers with these statuses in turn, and 204 from then on.
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
                    let answer = Response::builder().status(status);
                    Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
                }
            });
            let io = TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    (url, arrivals)
}

/// Which of the secrets have signed this, by the headers of a family.
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

/// An emulator that signs with both secrets and tells this receiver.
async fn told(url: &str, options: Value) -> Bench {
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

fn about(sent: &[SentDelivery]) -> Vec<&str> {
    sent.iter().map(|sent| sent.body["generationId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn both_ends_are_told_of_by_hand() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = told(&url, json!({ "speed": 0 })).await;
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
    // An end that is settled once more is no other end.
    bench.emulator.settle("gen_2", Settlement::failed("other", "No")).unwrap();
    complete(&bench.emulator, "gen_3");
    assert_eq!(about(&bench.emulator.delivered(3).await), ["gen_1", "gen_2", "gen_3"]);
}

#[tokio::test]
async fn time_and_scripts_end_generations_too() {
    let (url, _arrivals) = receiver(&[]).await;
    let bench = told(&url, json!({ "speed": 3000 })).await;
    // Nobody asks.
    add(&bench.emulator, "gen_time");
    assert_eq!(about(&bench.emulator.delivered(1).await), ["gen_time"]);
    let script = json!({ "id": "gen_script", "polls": ["queued", "failed", "failed"] });
    bench.emulator.add_generation(serde_json::from_value(script).unwrap()).unwrap();
    for _ in 0..3 {
        bench.get("/v1/responses/gen_script").await;
    }
    let sent = bench.emulator.delivered(2).await;
    assert_eq!(
        (about(&sent), &sent[1].body["status"]),
        (vec!["gen_time", "gen_script"], &json!("failed"))
    );
}

#[tokio::test]
async fn tried_again_with_the_same_id_until_it_is_taken() {
    let (url, mut arrivals) = receiver(&[500, 302, 400]).await;
    // 5 s, 5 min and 30 min are 2, 100 and 600 ms.
    let bench = told(&url, json!({ "speed": 3000 })).await;
    complete(&bench.emulator, "gen_1");
    let sent = bench.emulator.delivered(4).await;
    let answers: Vec<_> = sent.iter().map(|sent| sent.answered.unwrap()).collect();
    assert_eq!(answers, [500, 302, 400, 204]);
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
async fn deliveries_go_wrong_on_request() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = told(&url, json!({ "speed": 0 })).await;
    let emulator = &bench.emulator;
    fault(emulator, json!({ "generation_id": "gen_lost", "lost": true }));
    fault(emulator, json!({ "generation_id": "gen_forged", "wrong_signature": true }));
    fault(emulator, json!({ "generation_id": "gen_twice", "twice": true }));
    fault(emulator, json!({ "generation_id": "gen_late", "delay_ms": 50, "after_deliveries": 5 }));
    for id in ["gen_late", "gen_lost"] {
        complete(emulator, id);
    }
    assert_eq!(emulator.delivered(1).await[0].answered, None);
    for (id, count) in [("gen_forged", 2), ("gen_twice", 4), ("gen_fine", 6)] {
        complete(emulator, id);
        emulator.delivered(count.min(5)).await;
    }
    let sent = emulator.delivered(6).await;
    assert_eq!(
        about(&sent),
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
async fn a_delivery_before_the_create_has_answered() {
    let (url, _arrivals) = receiver(&[]).await;
    let bench = told(&url, json!({ "speed": 100_000 })).await;
    let held = json!({ "match": { "method": "POST" }, "after_deliveries": 1 });
    bench.emulator.fault(serde_json::from_value(held).unwrap());
    let created: Value = bench.create().await.json().await.unwrap();
    // It is the answer of a generation in the queue, and it comes when its end has been told.
    assert_eq!(created["status"], "queued");
    assert_eq!(about(&bench.emulator.deliveries()), [created["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_claim_that_is_not_so() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = told(&url, json!({ "speed": 0 })).await;
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
async fn the_control_interface_has_all_of_it() {
    let (url, mut arrivals) = receiver(&[]).await;
    let bench = bench(json!({ "webhook_secrets": [SECRETS[0]] })).await;
    let control = |method: &str, path: &str, body: Value| {
        let url = format!("{}/_emulator/{path}", bench.emulator.base_url());
        let request = bench.http.request(method.parse().unwrap(), url).json(&body);
        async move { request.send().await.unwrap() }
    };
    // Nobody is listening yet, and is not told later.
    complete(&bench.emulator, "gen_0");
    for elsewhere in ["https://127.0.0.1/", "http://192.0.2.1/", "http://example.com/"] {
        let refused = control("PUT", "webhook", json!({ "url": elsewhere })).await;
        assert_eq!(refused.status(), 400, "{elsewhere}");
    }
    let refused = control("PUT", "webhook", json!({ "url": url, "secrets": ["whsec_!"] })).await;
    assert!(!refused.text().await.unwrap().contains("whsec_!"));
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

    bench.emulator.delivered(2).await;
    let listed: Value = control("GET", "deliveries", Value::Null).await.json().await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["attempt"], &listed[0]["answered"]), (&json!(1), &json!(204)));
    assert_eq!(listed[1]["headers"]["webhook-id"], listed[1]["id"]);
}

#[tokio::test]
async fn no_start_with_a_url_elsewhere() {
    let webhook_url = Some("http://example.com/".to_owned());
    let options = Options { webhook_url, ..Options::default() };
    assert!(Emulator::start(options).await.unwrap_err().to_string().contains("loopback"));
    let emulator = Emulator::start(Options::default()).await.unwrap();
    assert!(emulator.set_webhook(WebhookEndpoint::to("http://0.0.0.0:1/")).is_err());
}
