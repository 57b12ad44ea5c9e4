//! Tests of the service over time: stages, poll steps, settlements, and agreement of all amounts.

#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

use serde_json::json;

use super::*;
use crate::api::validate_create;

const START: Now = moment(Duration::from_secs(1_700_000_000));

/// A moment at which nothing was advanced.
const fn moment(at: Duration) -> Now {
    Now { real: at, progress: at, expiry: at }
}

fn service(options: Options) -> Service {
    let origins =
        Origins { base_url: "http://api".to_owned(), video_base: "http://video".to_owned() };
    Service::new(options, origins)
}

fn request(prompt: &str, model: &str) -> Create {
    let body = json!({ "model": model, "input": prompt }).to_string();
    validate_create(body.as_bytes()).unwrap()
}

fn cat() -> Create {
    request("A cat", "moonshotai/kimi-k2.5")
}

fn after(seconds: f64) -> Now {
    moment(START.real + Duration::from_secs_f64(seconds))
}

fn poll(service: &mut Service, id: &str, at: Now) -> Value {
    service.advance(at);
    Value::Object(service.poll(id, at).unwrap())
}

fn with_polls(polls: Value) -> (Service, String) {
    let mut service = service(Options::default());
    let polls = serde_json::from_value(polls).unwrap();
    let new = NewGeneration { polls: Some(polls), ..NewGeneration::default() };
    let id = service.add(new, START).unwrap();
    (service, id)
}

/// An amount of a response in millionths of a dollar. Panics if it has a smaller fraction.
fn micros(value: &Value, per_unit: f64) -> i64 {
    let exact = value.as_f64().unwrap() * per_unit;
    assert!(
        (exact - exact.round()).abs() < 1e-3,
        "{value} is not a whole number of millionths of a dollar"
    );
    exact.round() as i64
}

fn cents(value: &Value) -> i64 {
    micros(value, 10_000.0)
}

#[test]
fn a_create_returns_the_response_of_the_service_guide() {
    let mut service = service(Options::default());
    let answer = Value::Object(service.create(&cat(), START));
    let id = answer["id"].as_str().unwrap();
    assert!(id.starts_with("gen_"));
    let expected = json!({
        "id": id, "object": "response", "status": "queued", "model": "moonshotai/kimi-k2.5",
        "engine": "hyperframes", "provider": "framerate", "created_at": 1_700_000_000,
        "output": [{
            "type": "message", "id": format!("{id}_msg"), "role": "assistant",
            "status": "in_progress", "content": [],
        }],
        "output_video_url": null,
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_generation_progresses_with_time() {
    let mut service = service(Options { sigma: 0.0, ..Options::default() });
    let id = service.create(&cat(), START)["id"].as_str().unwrap().to_owned();
    let mut status = |seconds| poll(&mut service, &id, after(seconds))["status"].clone();
    assert_eq!(status(4.0), "queued");
    assert_eq!(status(5.0), "in_progress");
    assert_eq!(status(89.9), "in_progress");
    assert_eq!(status(90.1), "completed");
    let done = poll(&mut service, &id, after(500.0));
    assert_eq!(done["latency_ms"], 90_000);
    assert!(done["output_video_url"].as_str().unwrap().starts_with("http://video/videos/gen_"));
}

#[test]
fn the_charge_precedes_the_render() {
    let mut service = service(Options { sigma: 0.0, ..Options::default() });
    let id = service.create(&cat(), START)["id"].as_str().unwrap().to_owned();
    assert!(poll(&mut service, &id, after(31.0)).get("usage").is_none());
    assert_eq!(service.ledger.balance(), Money::cents(10_000));
    let rendering = poll(&mut service, &id, after(32.0));
    assert_eq!(rendering["status"], "in_progress");
    let cost = micros(&rendering["usage"]["cost_usd"], 1e6);
    assert!(cost > 0);
    assert_eq!(service.ledger.balance(), Money::micros(100_000_000 - cost));
}

#[test]
fn a_charge_without_credit_fails_the_generation() {
    let mut service = service(Options { balance_cents: 0, ..Options::default() });
    service.ledger.set_balance(Money::micros(1));
    let id = service.create(&cat(), START)["id"].as_str().unwrap().to_owned();
    let failed = poll(&mut service, &id, after(1e6));
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error"]["code"], "insufficient_credits");
    assert_eq!(service.ledger.balance(), Money::micros(1));
}

#[test]
fn a_settlement_moves_a_generation() {
    let mut service = service(Options::default());
    let id = service.create(&cat(), START)["id"].as_str().unwrap().to_owned();
    service.settle(&id, Settlement::completed(), START).unwrap();
    assert_eq!(poll(&mut service, &id, after(1e9))["status"], "completed");
    let tokens = Some(crate::Tokens { input_tokens: 10, output_tokens: 20 });
    let id = service.add(NewGeneration::default(), START).unwrap();
    let failed = Settlement { usage: tokens, ..Settlement::failed("invalid_prompt", "No") };
    let answer = Value::Object(service.settle(&id, failed, START).unwrap());
    assert_eq!(answer["error"], json!({ "code": "invalid_prompt", "message": "No" }));
    assert_eq!(answer["usage"]["cost_usd"], 0.000056);
}

#[test]
fn poll_steps_are_returned_in_turn_and_the_last_repeats() {
    let odd = json!({ "status": "polishing", "progress": 0.9, "usage": null });
    let (mut service, id) =
        with_polls(json!(["queued", "in_progress", odd, "in_progress", "completed", "queued"]));
    let mut next = || poll(&mut service, &id, START);
    assert_eq!(next()["status"], "queued");
    assert_eq!(next()["status"], "in_progress");
    let polishing = next();
    assert_eq!((&polishing["status"], &polishing["progress"]), (&json!("polishing"), &json!(0.9)));
    assert_eq!(polishing.get("usage"), Some(&Value::Null));
    assert_eq!(next()["status"], "in_progress");
    assert!(next()["output_video_url"].is_string());
    for _ in 0..3 {
        let back = next();
        assert_eq!((&back["status"], &back["output_video_url"]), (&json!("queued"), &Value::Null));
    }
}

#[test]
fn placeholders_in_poll_steps_are_replaced() {
    let entry = json!({ "status": "completed", "output_video_url": "{video_base}/x" });
    let (mut service, id) = with_polls(json!([entry]));
    assert_eq!(poll(&mut service, &id, START)["output_video_url"], "http://video/x");
}

#[test]
fn a_failure_by_poll_step_is_charged_if_it_was_in_progress() {
    let (mut service, id) = with_polls(json!(["queued", "failed"]));
    poll(&mut service, &id, START);
    assert!(poll(&mut service, &id, START).get("usage").is_none());
    let (mut service, id) = with_polls(json!(["in_progress", "failed"]));
    poll(&mut service, &id, START);
    let failed = poll(&mut service, &id, START);
    assert!(failed["usage"]["cost_usd"].as_f64().unwrap() > 0.0);
    assert_eq!(failed["error"]["code"], "provider_error");
}

#[test]
fn a_taken_id_is_rejected() {
    let mut service = service(Options::default());
    let new = || NewGeneration { id: Some("gen_x".to_owned()), ..NewGeneration::default() };
    assert_eq!(service.add(new(), START), Ok("gen_x".to_owned()));
    assert!(service.add(new(), START).is_err());
    assert!(service.settle("gen_y", Settlement::completed(), START).is_err());
}

/// The balance, the totals, each table of the usage report and the costs of the generations always
/// agree, to the millionth of a dollar.
#[test]
fn all_amounts_agree_over_random_histories() {
    for seed in 0..12 {
        random_history(seed);
    }
}

fn random_history(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let options = Options { seed, failure_rate: 0.3, balance_cents: 40, ..Options::default() };
    let mut service = service(options);
    let models = ["moonshotai/kimi-k2.5", "anthropic/claude-sonnet-4.5", "openai/gpt-5-mini"];
    let (mut now, mut ids, mut paid_in) = (START, Vec::new(), 400_000);
    for _ in 0..120 {
        now = moment(now.real + Duration::from_secs_f64(rng.f64() * 900.0));
        service.advance(now);
        match rng.u8(..10) {
            0..5 => {
                let create = request(&"x".repeat(rng.usize(1..999)), rng.choice(models).unwrap());
                ids.push(service.create(&create, now)["id"].as_str().unwrap().to_owned());
            }
            5 => {
                let polls =
                    vec!["in_progress".into(), rng.choice(["completed", "failed"]).unwrap().into()];
                let new = NewGeneration { polls: Some(polls), ..NewGeneration::default() };
                ids.push(service.add(new, now).unwrap());
            }
            6 if !ids.is_empty() => {
                let status = rng.choice(["queued", "in_progress", "completed", "failed"]).unwrap();
                let settlement = Settlement { status: status.to_owned(), ..Settlement::default() };
                service.settle(rng.choice(&ids).unwrap(), settlement, now).unwrap();
            }
            7 => {
                let before = service.ledger.balance().as_micros();
                service.ledger.set_balance(Money::cents(100));
                paid_in += 1_000_000 - before;
            }
            _ => {
                for id in &ids {
                    service.poll(id, now).unwrap();
                }
            }
        }
        check(&mut service, &ids, paid_in, now);
    }
}

fn check(service: &mut Service, ids: &[String], paid_in: i64, now: Now) {
    let report = service.usage();
    let sum = |rows: &Value, field: &str| -> i64 {
        rows.as_array().unwrap().iter().map(|row| cents(&row[field])).sum()
    };
    let total = cents(&report["totals"]["total_cost_cents"]);
    assert_eq!(paid_in - cents(&report["credit_balance"]), total);
    assert_eq!(sum(&report["daily_usage"], "total_cost_cents"), total);
    let by_route = report["daily_usage_by_route"].as_array().unwrap();
    assert_eq!(
        by_route.iter().map(|day| sum(&day["routes"], "total_cost_cents")).sum::<i64>(),
        total
    );
    assert_eq!(sum(&report["recent_requests"], "cost_cents"), total);
    let bills = ids.iter().map(|id| {
        let index = service.by_id[id];
        let answer = service.generations[index].response(String::new);
        answer.get("usage").map_or(0, |usage| micros(&usage["cost_usd"], 1e6))
    });
    assert_eq!(bills.sum::<i64>(), total, "at {now:?}");
    assert_eq!(report["totals"]["total_requests"], ids.len());
}
