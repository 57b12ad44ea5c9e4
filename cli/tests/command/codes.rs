//! The exit code and the JSON of each kind of error.

use serde_json::json;

use super::{KEY, Ran, Service, command_in, run};

/// Checks the code of a run with `--json`, and the kind of its error.
fn assert_failed(ran: &Ran, code: i32, kind: &str) {
    assert_eq!(ran.code, Some(code), "{} {}", ran.stdout, ran.stderr);
    let error = &ran.json()["error"];
    assert_eq!(error["kind"], kind, "{error}");
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(!ran.stderr.is_empty(), "a person sees the error as well");
}

#[test]
fn a_generation_that_fails_is_3() {
    let service = Service::immediate("failed");
    let id = service.json(&["create", "A cat"])["id"].as_str().unwrap().to_owned();
    let ran = service.run(&["--json", "wait", &id]);
    assert_failed(&ran, 3, "generation_failed");
    assert_eq!(ran.json()["error"]["generation"]["status"], "failed");
    assert!(ran.stderr.contains("The service says:"), "{}", ran.stderr);
}

#[test]
fn a_deadline_is_4_and_the_wait_can_be_continued() {
    let service = Service::slow();
    let ran = service.run(&["--json", "generate", "A cat", "--deadline", "0.01", "-o", "cat.mp4"]);
    assert_failed(&ran, 4, "wait_timeout");
    let id = ran.json()["error"]["generation_id"].as_str().unwrap().to_owned();
    assert_eq!(command_in(&ran.stderr, "wait"), ["wait", &id, "-o", "cat.mp4"]);
}

#[test]
fn a_refused_key_is_5() {
    let service = Service::slow();
    let mut command = service.command(&["--json", "usage"]);
    command.env("PIPEVIDEO_API_KEY", "pv_another");
    assert_failed(&run(command, ""), 5, "authentication");
}

#[test]
fn too_little_money_is_6() {
    let service = Service::immediate("completed");
    // An estimate needs a generation that was paid.
    let id = service.json(&["create", "A cat"])["id"].as_str().unwrap().to_owned();
    service.json(&["wait", &id]);
    for option in ["--max-cost-usd", "--spend-limit"] {
        let ran = service.run(&["--json", "create", "A cat", option, "0.000001"]);
        assert_failed(&ran, 6, "spend_limit");
    }
    assert_eq!(service.creates(), 1);
    service.emulator.set_balance(0);
    assert_failed(&service.run(&["--json", "create", "A cat"]), 6, "insufficient_credits");
}

#[test]
fn an_uncertain_create_is_7_and_is_found_again() {
    let service = Service::slow();
    let create = json!({"method": "POST", "path": "/v1/responses"});
    service.fault(json!({"match": create, "drop": "after_reading"}));
    let ran = service.run(&["--json", "create", "A cat"]);
    assert_failed(&ran, 7, "submission_uncertain");
    assert_eq!(service.creates(), 1);
    let advice = command_in(&ran.stderr, "reconcile");
    let advice: Vec<_> = advice.iter().map(String::as_str).collect();
    let found = service.json(&advice);
    assert_eq!(found["candidates"][0]["id"], service.json(&["list"])[0]["id"]);
    assert_eq!(found["candidates"][0]["same_model"], true);
    assert_eq!(found["covers_create"], true);
}

#[test]
fn an_unknown_generation_is_8() {
    let service = Service::slow();
    assert_failed(&service.run(&["--json", "retrieve", "gen_unknown"]), 8, "not_found");
}

#[test]
fn a_request_that_the_service_refuses_is_9() {
    let service = Service::slow();
    let ran = service.run(&["--json", "create", "A cat", "--model", "no/such-model"]);
    assert_failed(&ran, 9, "bad_request");
    assert_eq!(ran.json()["error"]["status"], 400);
}

#[test]
fn a_service_that_cannot_be_reached_is_10() {
    let service = Service::slow();
    let (url, command) = {
        let stopped = Service::slow();
        stopped.emulator.stop();
        (stopped.emulator.base_url().to_owned(), ["--json", "create", "A cat"])
    };
    let mut command = service.command(&command);
    command.env("PIPEVIDEO_BASE_URL", url);
    assert_failed(&run(command, ""), 10, "connection");
}

#[test]
fn a_failed_download_is_11_and_can_be_resumed() {
    let service = Service::immediate("completed");
    service.fault(json!({"match": {"origin": "video"}, "status": 400, "times": null}));
    let id = service.json(&["create", "A cat"])["id"].as_str().unwrap().to_owned();
    let ran = service.run(&["--json", "wait", &id, "-o", "cat.mp4"]);
    assert_failed(&ran, 11, "download");
    service.emulator.clear_faults();
    let again = command_in(&ran.stderr, "download");
    service.json(&again.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(service.path("cat.mp4").exists());
    assert_eq!(service.creates(), 1);
}

#[test]
fn wrong_arguments_and_a_missing_key_are_2() {
    let service = Service::slow();
    assert_eq!(service.run(&["genrate", "A cat"]).code, Some(2));
    assert_failed(
        &service.run(&["--json", "create", "A cat", "--width", "0"]),
        2,
        "invalid_request",
    );
    let mut command = service.command(&["--json", "usage"]);
    command.env_remove("PIPEVIDEO_API_KEY");
    let ran = run(command, "");
    assert_failed(&ran, 2, "configuration");
    assert!(ran.stderr.contains("PIPEVIDEO_API_KEY") && !ran.stderr.contains(KEY));
}
