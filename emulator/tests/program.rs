//! The program: its output, its options and its end.

#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(feature = "cli")]

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

fn program(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pipevideo-emulator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn prints_one_line_and_ends_with_its_input() {
    let options = r#"{"api_key": "pv_json", "polls": ["completed"], "balance_cents": 7}"#;
    let mut child = program(&[
        "--port",
        "0",
        "--options",
        options,
        "--api-key",
        "pv_flag",
        "--rate-limit",
        "none",
    ]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    assert!(line.starts_with(r#"{"base_url":"http://127.0.0.1:"#), "{line}");
    let printed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(printed["api_key"], "pv_flag");
    let url = format!("{}/v1/usage", printed["base_url"].as_str().unwrap());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let usage = http.get(&url).bearer_auth("pv_flag").send().await.unwrap();
    assert_eq!(usage.json::<Value>().await.unwrap()["credit_balance"], 7);

    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
    assert!(http.get(&url).send().await.is_err());
}

#[tokio::test]
async fn invalid_options_are_reported() {
    for (arguments, part) in [
        (["--rate-limit", "lots"], "100/60"),
        (["--options", r#"{"sped": 2}"#], "sped"),
        (["--speed", "fast"], "fast"),
    ] {
        let output = program(&arguments).wait_with_output().await.unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(part));
    }
}

#[tokio::test]
async fn a_taken_port_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program(&["--port", &port]).wait_with_output().await.unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port));
}
