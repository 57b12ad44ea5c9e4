//! webhooks verify, and webhooks listen.

use std::fs;
use std::time::{Duration, SystemTime};

use pipevideo::Webhook;
use serde_json::json;

use super::{Ran, Service, run};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str =
    r#"{"eventType":"video.generation.completed","generationId":"gen_1","status":"completed"}"#;

fn verify(service: &Service, arguments: &[&str], body: &str) -> Ran {
    let mut command = service.command(&[&["--json", "webhooks", "verify"], arguments].concat());
    command.env("PIPEVIDEO_WEBHOOK_SECRET", SECRET);
    run(command, body)
}

#[test]
fn a_delivery_is_verified_from_standard_input_and_from_files() {
    let service = Service::slow();
    let webhook = Webhook::new([SECRET]).unwrap();
    let headers = webhook.sign(BODY, "msg_1", SystemTime::now());
    let headers = headers.map(|(name, value)| format!("{name}: {value}"));
    let [id, timestamp, signature] = headers.each_ref().map(String::as_str);
    let given = ["-H", id, "-H", timestamp, "-H", signature];
    let ran = verify(&service, &given, BODY);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        (&ran.json()["id"], &ran.json()["generation_id"]),
        (&json!("msg_1"), &json!("gen_1"))
    );

    fs::write(service.path("body"), BODY).unwrap();
    let recorded = format!("POST /hook HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
    fs::write(service.path("headers"), recorded).unwrap();
    assert_eq!(verify(&service, &["body", "--headers", "headers"], "").code, Some(0));

    let ran = verify(&service, &given, &BODY.replace("gen_1", "gen_2"));
    assert_eq!(ran.code, Some(12));
    assert_eq!(ran.json()["error"]["reason"], "no_match");
}

#[test]
fn an_old_delivery_is_verified_at_its_time() {
    let service = Service::slow();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
    let headers = Webhook::new([SECRET]).unwrap().sign(BODY, "msg_1", then);
    let headers = headers.map(|(name, value)| format!("{name}:{value}"));
    let given: Vec<_> = headers.iter().flat_map(|header| ["-H", header]).collect();
    let ran = verify(&service, &given, BODY);
    assert_eq!((ran.code, &ran.json()["error"]["reason"]), (Some(12), &json!("too_old")));
    let given = [&given[..], &["--at", "1614265330"]].concat();
    assert_eq!(verify(&service, &given, BODY).code, Some(0));
}

#[cfg(unix)]
#[test]
fn deliveries_are_printed_as_they_come() {
    use rustix::process::Signal;

    use crate::interrupts::Running;

    let service = Service::immediate("completed");
    // `command` has no secret, and the emulator signs with the default one.
    let secrets = pipevideo_emulator::Options::default().webhook_secrets;
    let mut running = Running::with(&service, &["--json", "webhooks", "listen"], |command| {
        command.env("PIPEVIDEO_WEBHOOK_SECRET", &secrets[0]);
    });
    let line = running.wait_for("Listening on http://127.0.0.1:");
    let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let endpoint = json!({ "url": url, "secrets": [SECRET] });
    service.emulator.set_webhook(serde_json::from_value(endpoint).unwrap()).unwrap();
    // The first is signed with another secret.
    let settled = || {
        let id = service.emulator.add_generation(Default::default()).unwrap();
        service.emulator.settle(&id, pipevideo_emulator::Settlement::completed()).unwrap();
        id
    };
    settled();
    running.wait_for("rejected:");
    let endpoint = json!({ "url": url, "secrets": secrets });
    service.emulator.set_webhook(serde_json::from_value(endpoint).unwrap()).unwrap();
    let id = settled();
    let printed = running.stdout_line();
    let event: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&event["generation_id"], &event["status"]), (&json!(id), &json!("completed")));
    // The delivery is recorded once its response has arrived.
    let answered = || {
        let deliveries = service.emulator.deliveries();
        deliveries.iter().map(|delivery| delivery.answered).collect::<Vec<_>>()
    };
    while answered().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(answered(), [Some(400), Some(204)]);
    running.signal(Signal::INT);
    assert_eq!(running.end().code, Some(130));
}
