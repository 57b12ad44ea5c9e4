//! Runs each example as its users do: in a process, with its output and files.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use pipevideo_emulator::{Emulator, Fault, NewGeneration, Options, Settlement, WebhookEndpoint};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

/// An example, to be run in an empty directory of its own and without a key.
struct Example {
    command: Command,
    directory: PathBuf,
}

impl Example {
    fn new(name: &str, test: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        let mut command = Command::new(program(name));
        command
            .current_dir(&directory)
            .env_remove("PIPEVIDEO_API_KEY")
            .env_remove("PIPEVIDEO_BASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, directory }
    }

    fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.command.args(arguments);
        self
    }

    fn at(mut self, emulator: &Emulator) -> Self {
        self.command
            .env("PIPEVIDEO_BASE_URL", emulator.base_url())
            .env("PIPEVIDEO_API_KEY", emulator.api_key());
        self
    }

    /// Runs it to its end, on a thread of its own: the emulator may need this one.
    async fn run(mut self) -> (Said, PathBuf) {
        let output = tokio::task::spawn_blocking(move || self.command.output().unwrap());
        (Said::from(output.await.unwrap()), self.directory)
    }
}

/// The path of an example's program, which is next to the directory of this test's program.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = own.parent().unwrap().parent().unwrap().join("examples").join(file);
    assert!(program.exists(), "{} is missing: cargo build --examples", program.display());
    program
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

async fn emulator(options: Value) -> Emulator {
    Emulator::start(serde_json::from_value::<Options>(options).unwrap()).await.unwrap()
}

fn fault(fault: Value) -> Fault {
    serde_json::from_value(fault).unwrap()
}

/// The body of the first create.
fn created(emulator: &Emulator) -> Value {
    let requests = emulator.requests();
    requests.into_iter().find(|request| request.method == "POST").unwrap().body
}

/// Checks that the file is this whole video of the emulator, and that no other file is left.
fn assert_video(path: &Path, asset: &str) {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../emulator/assets");
    let video = fs::read(assets.join(asset)).unwrap();
    assert!(fs::read(path).unwrap() == video, "{} is another file", path.display());
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    let parts =
        files.filter(|file| file.as_ref().unwrap().path().extension() == Some(OsStr::new("part")));
    assert_eq!(parts.count(), 0);
}

/// Checks that ffprobe, if it is installed, reads the file.
fn probe(path: &Path) {
    let arguments = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"];
    match Command::new("ffprobe").args(arguments).arg(path).output() {
        Ok(output) => {
            let said = Said::from(output);
            assert!(said.code == Some(0) && said.out.contains("h264"), "{said:?}");
        }
        Err(error) => println!("ffprobe was not run: {error}"),
    }
}

#[tokio::test]
async fn a_batch_continues_from_its_journal() {
    let emulator = emulator(json!({"polls": ["completed"], "rate_limit": null})).await;
    let directory = Example::new("batch", "batch").directory;
    let rows = (0..5).map(|n| format!("{{\"key\": \"dog-{n}\", \"input\": \"Dog {n}\"}}\n"));
    fs::write(directory.join("dogs.jsonl"), rows.collect::<String>()).unwrap();
    for _ in 0..2 {
        let mut example = Example::new("batch", "batch_other").at(&emulator).args(["dogs.jsonl"]);
        example.command.current_dir(&directory);
        let (said, _) = example.run().await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains("dog-4      videos/dog-4.mp4"), "{said:?}");
        assert!(said.out.contains("5 completed for $0.0"), "{said:?}");
    }
    let posts = emulator.requests().into_iter().filter(|request| request.method == "POST");
    assert_eq!(posts.count(), 5);
    assert_video(&directory.join("videos/dog-4.mp4"), "video.mp4");
}

#[tokio::test]
async fn quickstart_needs_no_key() {
    let example = Example::new("quickstart", "quickstart").args(["A cat walking on a beach"]);
    let (said, directory) = example.run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("an emulator inside this program"), "{said:?}");
    assert!(said.err.contains("not made from the prompt"), "{said:?}");
    assert_eq!(said.err.matches("in_progress").count(), 1, "{said:?}");
    for status in ["queued", "in_progress after", "completed after"] {
        assert!(said.err.contains(status), "{said:?}");
    }
    for line in
        ["id       gen_", "video    generation.mp4", "tokens   ", "cost     $0.", "latency  "]
    {
        assert!(said.out.contains(line), "{said:?}");
    }
    assert_video(&directory.join("generation.mp4"), "video.mp4");
    probe(&directory.join("generation.mp4"));
}

#[tokio::test]
async fn hello_saves_the_video() {
    let emulator = emulator(json!({"polls": ["completed"]})).await;
    let (said, directory) = Example::new("hello", "hello").at(&emulator).run().await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), "cat.mp4\n"), "{said:?}");
    assert_video(&directory.join("cat.mp4"), "video.mp4");
}

#[tokio::test]
async fn quickstart_sends_its_options() {
    let emulator = emulator(json!({"polls": ["completed"]})).await;
    let example = Example::new("quickstart", "quickstart_options").at(&emulator).args([
        "A cat",
        "--image",
        "cat.png",
        "--video",
        "https://example.com/cat.mp4",
        "--width",
        "1280",
        "--height",
        "720",
        "--model",
        "moonshotai/kimi-k2.5",
        "--out",
        "cat.mp4",
    ]);
    fs::write(example.directory.join("cat.png"), PNG).unwrap();
    let (said, directory) = example.run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.err.contains("emulator"), "{said:?}");
    assert_video(&directory.join("cat.mp4"), "video-16x9.mp4");
    let body = created(&emulator);
    assert_eq!(body["width"], 1280);
    assert_eq!(body["height"], 720);
    assert_eq!(body["model"], "moonshotai/kimi-k2.5");
    let parts = &body["input"][0]["content"];
    assert_eq!(parts[0]["text"], "A cat");
    let image = parts[1]["image_url"]["url"].as_str().unwrap();
    assert!(image.starts_with("data:image/png;base64,"), "{image}");
    assert_eq!(parts[2]["video_url"]["url"], "https://example.com/cat.mp4");
}

#[tokio::test]
async fn quickstart_shows_errors_and_ends_with_1() {
    let emulator = emulator(json!({"polls": ["failed"]})).await;
    let run = |test, arguments: [&'static str; 2]| {
        Example::new("quickstart", test).at(&emulator).args(["A cat"]).args(arguments).run()
    };
    for (test, arguments, message) in [
        ("no_such_file", ["--image", "nowhere.png"], "error: cannot read nowhere.png"),
        ("no_such_model", ["--model", "none/such"], "error: the service rejected the request"),
        ("failed", ["--width", "640"], "error: generation gen_"),
        ("zero", ["--width", "0"], "error: width and height are pixels"),
    ] {
        let (said, directory) = run(test, arguments).await;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(message), "{said:?}");
        assert!(!said.err.contains("panicked"), "{said:?}");
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0);
    }
    assert!(run("why", ["--width", "640"]).await.0.err.contains("The service says: "));

    emulator.fault(fault(json!({"match": {"method": "POST"}, "drop": "after_reading"})));
    let (said, _) = run("uncertain", ["--width", "640"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("the create was not sent again"), "{said:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn quickstart_prints_the_id_when_it_is_stopped() {
    let emulator = emulator(json!({"speed": 0})).await;
    let mut example = Example::new("quickstart", "stopped").at(&emulator).args(["A cat"]);
    let child = example.command.spawn().unwrap();
    until(|| !emulator.requests().iter().any(|request| request.method == "GET")).await;
    interrupt(&child);
    let said = tokio::task::spawn_blocking(|| Said::from(child.wait_with_output().unwrap()));
    let said = said.await.unwrap();
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.err.contains("resume -- finish gen_"), "{said:?}");
}

/// Waits while the condition holds, for a minute at most.
async fn until(mut waiting: impl FnMut() -> bool) {
    let begun = Instant::now();
    while waiting() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing has happened for a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn watch_progress_prints_each_change() {
    let emulator = emulator(json!({"polls": ["in_progress", "completed"]})).await;
    let (said, _) = Example::new("watch_progress", "watch_progress").at(&emulator).run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines.len(), 3, "{said:?}");
    for (line, status) in lines.iter().zip([": queued", ": in_progress", ": completed"]) {
        assert!(line.contains(status), "{said:?}");
    }
}

#[tokio::test]
async fn watch_progress_prints_why_it_failed() {
    let emulator = emulator(json!({"polls": ["failed"]})).await;
    let (said, _) = Example::new("watch_progress", "watch_failed").at(&emulator).run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("provider: "), "{said:?}");
}

#[tokio::test]
async fn image_to_video_sends_the_image() {
    let emulator = emulator(json!({"polls": ["completed"]})).await;
    let arguments = ["cat.image", "Let it walk", "--out", "walk.mp4"];
    let example = Example::new("image_to_video", "image_to_video").at(&emulator).args(arguments);
    fs::write(example.directory.join("cat.image"), PNG).unwrap();
    let (said, directory) = example.run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_video(&directory.join("walk.mp4"), "video-1x1.mp4");
    let image = &created(&emulator)["input"][1]["content"][1]["image_url"];
    assert_eq!(image["detail"], "high");
    assert!(image["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
}

#[tokio::test]
async fn resume_continues_in_another_process() {
    let emulator = emulator(json!({"polls": ["queued", "completed"]})).await;
    let start = Example::new("resume", "resume_start").at(&emulator).args(["start", "A cat"]);
    let (said, _) = start.run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let id = said.out.trim();
    assert!(id.starts_with("gen_"), "{said:?}");

    let finish = Example::new("resume", "resume_finish").at(&emulator).args(["finish", id]);
    let (said, directory) = finish.run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_video(&directory.join("generation.mp4"), "video.mp4");
    let creates = emulator.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(creates, 1);
}

#[tokio::test]
async fn resume_prints_what_it_needs() {
    let (said, _) = Example::new("resume", "resume_no_key").args(["start", "A cat"]).run().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("PIPEVIDEO_API_KEY"), "{said:?}");
    assert!(said.err.contains("cargo run -p pipevideo-emulator"), "{said:?}");
}

#[tokio::test]
async fn many_completes_all() {
    let (said, _) = Example::new("many", "many").run().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("40 of 40 completed"), "{said:?}");
}

/// A process that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An emulator with webhooks. A generation takes 300 ms, and a rejected delivery is repeated after
/// 5 ms.
async fn sending() -> Emulator {
    emulator(json!({
        "median_seconds": 300, "sigma": 0, "speed": 1000, "webhook_secrets": [SECRET],
    }))
    .await
}

/// Starts the axum server. Returns it, the lines that it prints from now on, and its address.
fn serve(
    mut example: Example,
    emulator: &Emulator,
) -> (Server, Lines<BufReader<ChildStdout>>, String) {
    example.command.env("PIPEVIDEO_WEBHOOK_SECRET", SECRET).args(["--port", "0"]);
    let mut server = Server(example.command.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let url = line.strip_prefix("listening on ").unwrap().to_owned();
    emulator.set_webhook(WebhookEndpoint::to(&format!("{url}/webhooks"))).unwrap();
    (server, lines, url)
}

#[tokio::test]
async fn webhook_axum_handles_an_event_whose_first_handler_failed() {
    let emulator = sending().await;
    let example = Example::new("webhook_axum", "webhook_axum_fails").at(&emulator);
    // The handler cannot write its file until the directory is removed.
    let finished = example.directory.join("finished.txt");
    fs::create_dir(&finished).unwrap();
    let _server = serve(example, &emulator);
    let new: NewGeneration = serde_json::from_value(json!({"polls": ["queued"]})).unwrap();
    let id = emulator.add_generation(new).unwrap();
    emulator.settle(&id, Settlement::completed()).unwrap();
    emulator.wait_for_deliveries(1).await;
    fs::remove_dir(&finished).unwrap();

    let answered =
        || emulator.deliveries().iter().filter_map(|sent| sent.answered).collect::<Vec<_>>();
    until(|| answered().last() != Some(&204)).await;
    let answered = answered();
    let failures = &answered[..answered.len() - 1];
    assert!(!failures.is_empty() && failures.iter().all(|status| *status == 500), "{answered:?}");
    assert_eq!(fs::read_to_string(&finished).unwrap(), format!("{id} completed\n"));
}

#[tokio::test]
async fn webhook_axum_receives_events() {
    let emulator = sending().await;
    let example = Example::new("webhook_axum", "webhook_axum").at(&emulator);
    let (server, lines, url) = serve(example, &emulator);
    emulator.delivery_fault(serde_json::from_value(json!({"wrong_signature": true})).unwrap());
    emulator.delivery_fault(serde_json::from_value(json!({"twice": true})).unwrap());

    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        let head = "POST /videos HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        write!(stream, "{head}content-length: 5\r\n\r\nA cat").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = asked.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    // The forged delivery is rejected; the repeated one is accepted twice and reported once.
    let sent = emulator.wait_for_deliveries(3).await;
    let answered: Vec<_> = sent.iter().map(|sent| sent.answered.unwrap()).collect();
    assert_eq!(answered, [400, 204, 204]);
    let id = sent[0].body["generationId"].as_str().unwrap();
    assert!(answer.contains(&format!("{}/videos/{id}", emulator.video_base())), "{answer}");
    assert_eq!(emulator.requests().len(), 2, "a create and a poll");
    drop(server);
    let received: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(received, [format!("received the event of {id}")]);
}
