//! batch run.

use std::fs;

use serde_json::{Value, json};

use super::{MODEL, Ran, Service};

const RUN: [&str; 5] = ["--json", "batch", "run", "requests.csv", "--journal"];

fn run(service: &Service, options: &[&str]) -> Ran {
    service.run(&[&RUN[..], &["run.jsonl"], options].concat())
}

/// The items by their keys, and the summary.
fn lines(ran: &Ran) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap()["summary"].clone();
    lines.sort_by_key(|item| item["key"].to_string());
    (lines, summary)
}

#[test]
fn the_rows_of_a_csv_file_are_created() {
    let service = Service::immediate("completed");
    let csv = "key,input,width,height,aspect_ratio,expand_prompt,provider,model\n\
               cat,\"A cat, walking\",1920,1080,16:9,true,framerate,\n\
               dog,A dog,,,,,,openai/gpt-5-mini\n";
    fs::write(service.path("requests.csv"), csv).unwrap();
    let ran = run(&service, &["--download-to", "videos"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (items, summary) = lines(&ran);
    assert_eq!(items[0]["key"], "cat");
    assert_eq!(items[0]["status"], "completed");
    assert_eq!(summary["counts"]["downloaded"], 2);
    assert!(service.path("videos/cat.mp4").exists() && service.path("videos/dog.mp4").exists());
    let mut bodies: Vec<_> = service
        .emulator
        .requests()
        .into_iter()
        .filter(|request| request.method == "POST")
        .map(|request| request.body)
        .collect();
    bodies.sort_by_key(|body| body["input"].to_string());
    let cat = json!({
        "model": MODEL, "input": "A cat, walking", "width": 1920, "height": 1080,
        "aspectRatio": "16:9", "expand_prompt": true, "provider": {"order": ["framerate"]},
    });
    assert_eq!(bodies, [cat, json!({"model": "openai/gpt-5-mini", "input": "A dog"})]);

    // The next run takes everything from the journal.
    let ran = run(&service, &["--download-to", "videos"]);
    assert_eq!((ran.code, service.creates()), (Some(0), 2), "{}", ran.stderr);
    assert_eq!(lines(&ran).1["counts"]["from_journal"], 2);

    let written = service.json(&["batch", "report", "run.jsonl", "-o", "report.html"]);
    assert_eq!(written, json!({"path": "report.html"}));
    assert!(fs::read_to_string(service.path("report.html")).unwrap().contains("videos/dog.mp4"));
}

#[test]
fn a_file_with_a_mistake_in_its_last_row_is_refused_whole() {
    let service = Service::immediate("completed");
    fs::write(service.path("requests.csv"), "input,widht\nA cat,\nA dog,5\n").unwrap();
    let ran = run(&service, &[]);
    assert_eq!((ran.code, service.creates()), (Some(2), 0));
    assert!(ran.stderr.contains("line 3: widht"), "{}", ran.stderr);
    let rows = "{\"input\": \"A cat\", \"extra_body\": {\"fps\": 12}}\n\n{\"input\": 3}\n";
    fs::write(service.path("requests.jsonl"), rows).unwrap();
    let ran = service.run(&["batch", "run", "requests.jsonl", "--journal", "j"]);
    assert_eq!((ran.code, service.creates()), (Some(2), 0));
    assert!(ran.stderr.contains("line 3: input"), "{}", ran.stderr);
}

#[test]
fn a_batch_that_is_not_complete_says_so_in_its_code() {
    let service = Service::immediate("failed");
    fs::write(service.path("requests.csv"), "input\nA cat\n").unwrap();
    let ran = run(&service, &[]);
    assert_eq!(ran.code, Some(13), "{}", ran.stderr);
    assert_eq!(lines(&ran).0[0]["error"]["kind"], "generation_failed");
    // What it has cost is more than the limit.
    fs::write(service.path("requests.csv"), "input\nA cat\nA dog\n").unwrap();
    let ran = run(&service, &["--spend-limit", "0"]);
    assert_eq!((ran.code, service.creates()), (Some(6), 1), "{}", ran.stderr);

    let service = Service::slow();
    fs::write(service.path("requests.csv"), "input\nA cat\n").unwrap();
    let create = json!({"method": "POST", "path": "/v1/responses"});
    service.fault(json!({"match": create, "drop": "after_reading", "taken": false}));
    let ran = run(&service, &["--deadline", "0.1"]);
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert_eq!(lines(&ran).0[0]["status"], "uncertain");
}

#[cfg(unix)]
mod stopped {
    use rustix::process::Signal;

    use super::*;
    use crate::interrupts::Running;

    /// Starts a batch of which two generations are under way and cannot end, and waits for them.
    fn start(service: &Service) -> Running {
        let polls = json!({"method": "GET", "path": "/v1/responses/*"});
        service.fault(json!({"match": polls, "status": 503, "times": null}));
        let rows: String = (0..5).map(|n| format!("{n},Cat number {n}\n")).collect();
        fs::write(service.path("requests.csv"), format!("key,input\n{rows}")).unwrap();
        let running =
            Running::start(service, &[&RUN[..], &["run.jsonl", "--max-in-flight", "2"]].concat());
        let journal = || fs::read_to_string(service.path("run.jsonl")).unwrap_or_default();
        while journal().matches(r#""fact":"created""#).count() < 2 {
            std::thread::yield_now();
        }
        running
    }

    fn finish(service: &Service) {
        service.emulator.clear_faults();
        let ran = run(service, &["--download-to", "videos"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(service.creates(), 5, "no request is created twice");
        assert_eq!(fs::read_dir(service.path("videos")).unwrap().count(), 5);
    }

    #[test]
    fn a_batch_that_is_killed_is_continued() {
        let service = Service::quick();
        let running = start(&service);
        running.signal(Signal::KILL);
        assert_eq!(running.end().code, None);
        finish(&service);
    }

    #[test]
    fn a_batch_that_is_interrupted_is_continued() {
        let service = Service::quick();
        let running = start(&service);
        running.signal(Signal::INT);
        let ran = running.end();
        assert_eq!(ran.code, Some(130), "{}", ran.stderr);
        assert!(ran.stderr.contains("Run the same command again"), "{}", ran.stderr);
        finish(&service);
    }
}
