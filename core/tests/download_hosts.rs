//! Downloads from hosts that send what no regular host does. The service is never requested.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use pipevideo::{Client, Download, ErrorKind, Generation};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn client(max_retries: u32) -> Client {
    let builder = Client::builder().base_url("http://127.0.0.1:9").api_key("pv_test");
    builder.max_retries(max_retries).build().unwrap()
}

fn generation(id: &str, url: &str) -> Generation {
    let json = json!({"id": id, "status": "completed", "output_video_url": url});
    serde_json::from_value(json).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A video host that sends these responses, one per connection: returns its URL, and the heads of the
/// requests as they arrive.
async fn host(answers: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/video.mp4", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let head = read_head(&mut connection).await;
            seen.lock().unwrap().push(head);
            // A client that has enough closes the connection.
            let _ = connection.write_all(&answer).await;
            let _ = connection.shutdown().await;
        }
    });
    (url, heads)
}

async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// A response with this status line and headers, after which the connection is closed.
fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = head.replace('|', "\r\n");
    [format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes(), body.as_ref()].concat()
}

/// Downloads this generation from a host that sends these responses, without repeating failures.
/// Returns the outcome and the heads of the requests.
async fn download_from(
    folder: &Path,
    answers: Vec<Vec<u8>>,
    max_retries: u32,
    options: impl FnOnce(Download) -> Download,
) -> (Result<Vec<u8>, pipevideo::Error>, Vec<String>) {
    let (url, heads) = host(answers).await;
    let client = client(max_retries);
    let download = client.responses().download(generation("gen_1", &url), folder.join("out.mp4"));
    let outcome = options(download).await.map(|path| std::fs::read(path).unwrap());
    let heads = heads.lock().unwrap().clone();
    (outcome, heads)
}

#[tokio::test]
async fn an_empty_or_partial_body_or_another_file_is_not_taken_for_the_video() {
    type Case = (&'static str, &'static [&'static str], &'static [&'static str]);
    let cases: [Case; 3] = [
        (
            "an end that nothing came before",
            &[
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwhol",
            ],
            &["", "", ""],
        ),
        (
            "a part of a file of unknown length",
            &[
                "HTTP/1.1 206 Partial Content\r\netag: \"a\"\r\ncontent-range: bytes 0-1/*\r\n\
                 content-length: 2\r\n\r\nwh",
                "HTTP/1.1 206 Partial Content\r\netag: \"a\"\r\ncontent-range: bytes 2-3/*\r\n\
                 content-length: 2\r\n\r\nol",
                "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */4\r\n\
                 content-length: 0\r\n\r\n",
            ],
            &["", "range: bytes=2-", "range: bytes=4-"],
        ),
        (
            "another file, recognized by its date only",
            &[
                "HTTP/1.1 200 OK\r\nlast-modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n\
                 date: Tue, 03 Nov 2026 00:00:00 GMT\r\ncontent-length: 4\r\n\r\nan",
                "HTTP/1.1 206 Partial Content\r\nlast-modified: Mon, 02 Nov 2026 00:00:00 GMT\r\n\
                 content-range: bytes 2-3/4\r\ncontent-length: 2\r\n\r\nol",
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwhol",
            ],
            &["", "range: bytes=2-", ""],
        ),
    ];
    for (name, answers, ranges) in cases {
        let folder = tempfile::tempdir().unwrap();
        let answers = answers.iter().map(|answer| answer.as_bytes().to_vec()).collect();
        let (outcome, heads) = download_from(folder.path(), answers, 4, |d| d).await;
        assert_eq!(outcome.expect(name), b"whol", "{name}");
        assert_eq!(heads.len(), ranges.len(), "{name}");
        for (head, range) in heads.iter().zip(ranges) {
            assert!(
                head.contains(range) && (!range.is_empty() || !head.contains("range:")),
                "{name}: {head}"
            );
        }
    }
}

#[tokio::test]
async fn half_a_video_without_a_length_is_not_taken_for_the_whole() {
    let video = include_bytes!("../../emulator/assets/video.mp4");
    let (first, rest) = video.split_at(video.len() / 2);
    let folder = tempfile::tempdir().unwrap();
    let cut = || answer("200 OK|etag: \"a\"", first);
    let (outcome, _) = download_from(folder.path(), vec![cut()], 0, |d| d).await;
    let error = outcome.unwrap_err();
    assert!(error.message().contains("cut off") && error.is_retryable(), "{error}");
    assert_eq!(names(folder.path()), ["out.mp4.part", "out.mp4.part.json"]);

    // The rest is requested; a host without validators sends all of it again.
    let head = format!("206 Partial|content-range: bytes {}-25863/25864", first.len());
    let (outcome, heads) = download_from(folder.path(), vec![answer(&head, rest)], 0, |d| d).await;
    assert_eq!(outcome.unwrap(), video);
    assert!(heads[0].contains(&format!("range: bytes={}-", first.len())), "{heads:?}");
    let answers = vec![answer("200 OK", first), answer("200 OK", video)];
    let (outcome, heads) = download_from(folder.path(), answers, 1, |d| d).await;
    assert_eq!(outcome.unwrap(), video);
    assert!(heads.iter().all(|head| !head.contains("range:")), "{heads:?}");

    // Whatever the boxes say, a host that has no more bytes has sent all of them.
    let end = answer(&format!("416 None|content-range: bytes */{}", first.len()), "");
    let (outcome, _) = download_from(folder.path(), vec![cut(), end], 1, |d| d).await;
    assert_eq!(outcome.unwrap(), first);
}

/// It cannot be continued: its host says that these bytes are the whole file.
#[tokio::test]
async fn an_animation_that_is_cut_off_at_its_announced_length_is_discarded() {
    let cut = || answer("200 OK|etag: \"a\"|content-length: 11", r#"{"layers":["#);
    let whole = || answer("200 OK|content-length: 13", r#"{"layers":[]}"#);
    for (answers, max_retries) in [(vec![cut()], 0), (vec![cut(), whole()], 1)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.json");
        let (url, heads) = host(answers).await;
        let json = json!({"id": "gen_1", "status": "completed", "engine": "lottie",
            "output_video_url": url});
        let generation: Generation = serde_json::from_value(json).unwrap();
        match client(max_retries).responses().download(generation, &path).await {
            Ok(path) => assert_eq!(std::fs::read(path).unwrap(), br#"{"layers":[]}"#),
            Err(error) => {
                assert_eq!(max_retries, 0, "{error}");
                assert!(error.message().contains("something other than a video"), "{error}");
            }
        }
        let heads = heads.lock().unwrap().clone();
        assert_eq!(heads.len() as u32, max_retries + 1);
        assert!(heads.iter().all(|head| !head.contains("range:")), "{heads:?}");
    }
}

#[tokio::test]
async fn no_more_is_stored_than_a_host_has_announced() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("out.mp4.part");
    let more = answer("206 Partial|etag: \"a\"|content-range: bytes 0-99/200", vec![b'x'; 100_000]);
    let (outcome, _) = download_from(folder.path(), vec![more], 0, |d| d).await;
    let error = outcome.unwrap_err();
    assert!(error.message().contains("more or less"), "{error}");
    assert_eq!(std::fs::metadata(&part).unwrap().len(), 100);
    // A file of which all announced bytes are there is still not taken for complete.
    let rest = answer("206 Partial|content-range: bytes 100-199/200", vec![b'y'; 100_000]);
    let all = answer("200 OK|content-length: 3", "all");
    let (outcome, _) = download_from(folder.path(), vec![rest, all], 1, |d| d).await;
    assert_eq!(outcome.unwrap(), b"all");
}

#[tokio::test]
async fn a_host_cannot_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("out.mp4.part");
    let limit = |download: Download| download.max_bytes(1000);
    for (head, stored) in [
        ("200 OK|content-length: 5000", 0),
        ("206 Partial|content-range: bytes 0-4999/5000", 0),
        ("206 Partial|content-range: bytes 0-1999/*", 0),
        ("200 OK|etag: \"a\"", 1000),
    ] {
        let answers = vec![answer(head, vec![b'x'; 5000])];
        let (outcome, heads) = download_from(folder.path(), answers, 3, limit).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), heads.len()), (ErrorKind::Download, 1), "{head}");
        assert!(error.message().contains("max_bytes (1000)") && !error.is_retryable(), "{error}");
        assert_eq!(std::fs::metadata(&part).unwrap().len(), stored, "{head}");
    }
    let exact = answer("200 OK|content-length: 1000", vec![b'x'; 1000]);
    let (outcome, _) = download_from(folder.path(), vec![exact], 0, limit).await;
    assert_eq!(outcome.unwrap().len(), 1000);
}

#[tokio::test]
async fn a_video_that_has_just_been_modified_is_not_resumed_by_its_date() {
    let folder = tempfile::tempdir().unwrap();
    let date = "Sun, 01 Nov 2026 00:00:00 GMT";
    let head = format!("200 OK|last-modified: {date}|date: {date}|content-length: 4");
    let answers = vec![answer(&head, "ol"), answer("200 OK|content-length: 4", "new!")];
    let (outcome, heads) = download_from(folder.path(), answers, 1, |d| d).await;
    assert_eq!(outcome.unwrap(), b"new!");
    assert!(!heads[1].contains("range:"), "{heads:?}");
}

#[tokio::test]
async fn an_etag_without_quotes_is_sent_back_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let same = "etag: abc|last-modified: Sun, 01 Nov 2026 00:00:00 GMT|\
                date: Tue, 03 Nov 2026 00:00:00 GMT";
    let answers = vec![
        answer(&format!("200 OK|{same}|content-length: 4"), "wh"),
        answer(&format!("206 Partial|{same}|content-range: bytes 2-3/4"), "ol"),
    ];
    let (outcome, heads) = download_from(folder.path(), answers, 1, |d| d).await;
    assert_eq!(outcome.unwrap(), b"whol");
    assert!(heads[1].contains("range: bytes=2-") && heads[1].contains("if-range: abc\r\n"));
}

/// A complete part is compared with the end of the host's file, in the version of its description.
#[tokio::test]
async fn a_complete_part_is_not_accepted_without_a_request() {
    let all = vec![b'v'; 5000];
    let end = |byte: u8| {
        let head = "206 Partial|etag: \"a\"|content-range: bytes 904-4999/5000";
        answer(head, vec![byte; 4096])
    };
    let whole = || answer("200 OK|etag: \"b\"|content-length: 5000", [b'v'; 5000]);
    for (name, seeded, answers, requests) in [
        ("the same end", b'v', vec![end(b'v')], 1),
        ("another end", b'x', vec![end(b'v'), whole()], 2),
        (
            "half of the end",
            b'v',
            vec![answer("206 Partial|content-range: bytes 904-4999/5000", [b'v'; 2000]), end(b'v')],
            2,
        ),
        ("another version", b'x', vec![whole()], 1),
        ("a shorter file", b'x', vec![answer("416 None|content-range: bytes */9", ""), whole()], 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let description = json!({"generation_id": "gen_1", "validator": {"etag": "\"a\""},
            "length": 5000, "stored": 5000});
        std::fs::write(folder.path().join("out.mp4.part"), vec![seeded; 5000]).unwrap();
        std::fs::write(folder.path().join("out.mp4.part.json"), description.to_string()).unwrap();
        let (outcome, heads) = download_from(folder.path(), answers, 1, |d| d).await;
        assert_eq!(outcome.expect(name), all, "{name}");
        assert_eq!(heads.len(), requests, "{name}");
        assert!(heads[0].contains("range: bytes=904-"), "{name}: {}", heads[0]);
        assert!(heads[0].contains("if-range: \"a\""), "{name}: {}", heads[0]);
    }
}

#[tokio::test]
async fn texts_of_downloads() {
    let mut texts = String::new();
    for (head, body) in [
        ("503 Busy|content-length: 0", ""),
        ("302 Found|content-length: 0", ""),
        ("400 Bad|content-length: 0", ""),
        ("200 OK|content-type: text/html", "<html>"),
        ("200 OK|content-encoding: gzip", "gzip"),
        ("200 OK|content-length: 4", "vi"),
        ("200 OK", ""),
        ("200 OK", "\0\0\0\x18ftypmp42"),
        ("200 OK", "larger than ten bytes"),
        ("206 Partial|content-range: bytes 0-1/*", "vi"),
        ("206 Partial|content-range: bytes 0-1/4", "vid"),
        ("206 Partial|content-range: bytes 2-3/4", "eo"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let limit = |download: Download| download.max_bytes(16);
        let answers = vec![answer(head, body)];
        let (outcome, _) = download_from(folder.path(), answers, 0, limit).await;
        texts += &format!("{head}\n    {}\n", outcome.unwrap_err());
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("error_texts_of_downloads", texts);
    });
}

#[tokio::test]
async fn a_video_on_a_private_host_is_refused_unless_the_service_is_on_one() {
    let folder = tempfile::tempdir().unwrap();
    let (url, heads) = host(vec![answer("200 OK|content-length: 5", "video")]).await;
    let generation = generation("gen_1", &url);
    let builder = || Client::builder().base_url("https://api.example.com").api_key("pv_test");
    let client = builder().build().unwrap();
    let path = folder.path().join("out.mp4");
    let error = client.responses().download(&generation, &path).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Download, false));
    assert!(error.message().contains("allow_insecure"), "{error}");
    assert!(!error.message().contains("127.0.0.1"), "{error}");
    assert_eq!((names(folder.path()).len(), heads.lock().unwrap().len()), (0, 0));
    let client = builder().allow_insecure(true).build().unwrap();
    client.responses().download(&generation, &path).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"video");
}

/// The description is planted after the download has begun, when its path has been checked already.
#[cfg(unix)]
#[tokio::test]
async fn a_link_that_is_planted_during_a_download_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim.txt");
    std::fs::write(&victim, "precious").unwrap();
    let description = folder.path().join("out.mp4.part.json");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/video.mp4", listener.local_addr().unwrap());
    let (planted, sent) = (description.clone(), victim.clone());
    let served = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        read_head(&mut connection).await;
        let _ = std::fs::remove_file(&planted);
        std::os::unix::fs::symlink(&sent, &planted).unwrap();
        let half = answer("200 OK|etag: \"a\"|content-length: 4", "wh");
        connection.write_all(&half).await.unwrap();
    });
    let client = client(0);
    let path = folder.path().join("out.mp4");
    let download = client.responses().download(generation("gen_1", &url), path);
    assert_eq!(download.await.unwrap_err().kind(), ErrorKind::Download);
    served.await.unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

/// Two generations, each downloaded by several clients on threads of their own, to one path.
#[test]
fn downloads_of_two_videos_to_one_path_do_not_mix() {
    const LENGTH: usize = 200_000;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    let server = runtime();
    // Each first response breaks off in the middle, so that all downloads resume.
    let serve = |byte: u8| {
        let half = LENGTH / 2;
        let first =
            answer(&format!("200 OK|etag: \"{byte}\"|content-length: {LENGTH}"), vec![byte; half]);
        let rest = answer(
            &format!(
                "206 Partial|etag: \"{byte}\"|content-range: bytes {half}-{}/{LENGTH}",
                LENGTH - 1
            ),
            vec![byte; half],
        );
        server.block_on(ranges(first, rest))
    };
    let urls = [serve(b'a'), serve(b'b')];
    let runs: Vec<_> = (0..8)
        .map(|index| {
            let (path, url) = (path.clone(), urls[index % 2].clone());
            std::thread::spawn(move || {
                let generation = generation(&format!("gen_{}", index % 2), &url);
                let outcome = runtime()
                    .block_on(async { client(4).responses().download(generation, &path).await });
                outcome.map(|path| std::fs::read(path).unwrap())
            })
        })
        .collect();
    let finished = std::thread::spawn(move || {
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    let outcomes = server.block_on(async { tokio::task::spawn_blocking(|| finished.join()).await });
    let outcomes = outcomes.unwrap().unwrap();
    assert!(outcomes.iter().any(Result::is_ok));
    for outcome in outcomes {
        match outcome {
            Ok(video) => {
                assert_eq!(video.len(), LENGTH);
                assert!(video.iter().all(|byte| *byte == video[0]), "two videos are mixed");
            }
            Err(error) => assert!(error.message().contains("another download"), "{error}"),
        }
    }
}

/// A host that sends `first` to a request for all of the file, and `rest` to one for a range.
async fn ranges(first: Vec<u8>, rest: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/video.mp4", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let is_range = read_head(&mut connection).await.contains("range:");
            let answer = if is_range { &rest } else { &first };
            let _ = connection.write_all(answer).await;
            let _ = connection.shutdown().await;
        }
    });
    url
}
