//! generate, create, wait, retrieve, download, and the commands about the account.

use std::fs;

use serde_json::{Value, json};

use super::{MODEL, Service, program, run};

#[test]
fn generate_downloads_the_video_and_prints_its_path() {
    let service = Service::quick();
    let ran = service.run(&["generate", "A cat walking on a beach", "-o", "cat.mp4"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "cat.mp4\n"), "{}", ran.stderr);
    let id = service.json(&["list"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(ran.stderr, format!("Created {id}\n"));
    assert_eq!(&fs::read(service.path("cat.mp4")).unwrap()[4..8], b"ftyp");
    assert_eq!(service.creates(), 1);
}

#[test]
fn each_step_of_a_generation_is_a_command_of_its_own() {
    let service = Service::immediate("completed");
    let ran = service.run(&["create", "A cat"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let id = ran.stdout.trim();
    assert!(id.starts_with("gen_"), "{id}");
    let waited = service.json(&["wait", id, "-o", "waited.mp4"]);
    assert_eq!((waited["id"].as_str(), &waited["status"]), (Some(id), &json!("completed")));
    assert!(waited["output_video_url"].as_str().unwrap().contains("signature="));
    assert_eq!(service.json(&["retrieve", id])["status"], "completed");
    assert_eq!(service.json(&["download", id, "-o", "again.mp4"]), json!({"path": "again.mp4"}));
    let file = |name| fs::read(service.path(name)).unwrap();
    assert_eq!(file("waited.mp4"), file("again.mp4"));
    // Without --json a result is one line.
    let ran = service.run(&["wait", id]);
    assert!(ran.stdout.starts_with("http://127.0.0.1") && ran.stdout.lines().count() == 1);
}

#[test]
fn every_argument_of_create_is_sent() {
    let service = Service::immediate("completed");
    // A PNG, as far as the library reads it.
    fs::write(service.path("cat.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let arguments = "create - --instructions Calmly --width 1920 --height 1080 --aspect-ratio 16:9 \
                     --provider framerate --engine hyperframes --expand-prompt=false --image cat.png \
                     --video https://example.com/cat.mp4 --max-cost-usd 2.50 --spend-limit 5";
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let ran = run(service.command(&arguments), "A cat from standard input");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let requests = service.emulator.requests();
    let body = &requests.iter().find(|request| request.method == "POST").unwrap().body;
    let parts = &body["input"][0]["content"];
    assert_eq!(parts[0]["text"], "A cat from standard input");
    assert!(parts[1]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert_eq!(parts[2]["video_url"]["url"], "https://example.com/cat.mp4");
    let Value::Object(mut rest) = body.clone() else { panic!("{body}") };
    rest.remove("input");
    let expected = json!({
        "model": MODEL, "instructions": "Calmly", "width": 1920, "height": 1080,
        "aspectRatio": "16:9", "provider": {"order": ["framerate"]}, "engine": "hyperframes",
        "expand_prompt": false,
    });
    assert_eq!(Value::Object(rest), expected);
}

#[test]
fn commands_about_the_account_print_the_services_json() {
    let service = Service::immediate("completed");
    let id = service.json(&["create", "A cat"])["id"].clone();
    service.json(&["wait", id.as_str().unwrap()]);
    assert_eq!(service.json(&["list"])[0]["id"], id);
    assert_eq!(service.json(&["usage"])["totals"]["total_requests"], 1);
    assert!(service.json(&["engines"]).to_string().contains(MODEL));
    let estimate = service.json(&["estimate", "--count", "10"]);
    assert_eq!(estimate["based_on"], "account");
    assert!(estimate["cost_usd"].as_f64().unwrap() > 0.0);
    for (command, word) in [
        ("list", id.as_str().unwrap()),
        ("usage", "balance"),
        ("engines", MODEL),
        ("estimate", "about"),
    ] {
        let ran = service.run(&[command]);
        assert!(ran.stdout.contains(word), "{command}: {}", ran.stdout);
    }
}

#[test]
fn the_emulator_of_the_process_needs_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--emulator", "generate", "A cat", "-m", MODEL, "-o", "cat.mp4"];
    let ran = run(program(folder.path(), &arguments), "");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("Using an emulator"), "{}", ran.stderr);
    assert!(folder.path().join("cat.mp4").exists());
}

#[test]
fn a_mistake_in_the_arguments_is_found_before_anything_is_paid() {
    let service = Service::immediate("completed");
    for (arguments, part) in [
        (&["generate", "A cat", "-o", "no/such/folder.mp4"][..], "no folder"),
        (&["generate", "A cat", "-o", "."], "is a folder"),
        (&["generate", "A cat", "--image", "missing.png"], "missing.png"),
        (&["generate", "A cat", "--width", "wide"], "--width"),
        (&["generate", " "], "no text"),
        (&["create", "A cat", "--deadline", "5"], "--deadline"),
    ] {
        let ran = service.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
    let mut without_model = service.command(&["generate", "A cat"]);
    without_model.env_remove("PIPEVIDEO_MODEL");
    let ran = run(without_model, "");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("pipevideo engines"), "{}", ran.stderr);
    assert_eq!(service.creates(), 0);
}

/// With secrets, waits would rely on webhooks, which nothing in this process receives.
#[test]
fn the_secrets_of_webhooks_are_not_read_for_a_wait() {
    let service = Service::immediate("completed");
    let id = service.json(&["create", "A cat"])["id"].as_str().unwrap().to_owned();
    let mut command = service.command(&["wait", &id]);
    // A client that read it would fail.
    command.env("PIPEVIDEO_WEBHOOK_SECRET", "not base64");
    let ran = run(command, "");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let service = Service::immediate("completed");
    let mut command = service.command(&["--json", "engines"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
