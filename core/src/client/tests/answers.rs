//! Responses that are torn, wrapped, or about something else.

use http::{HeaderValue, header};

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;

const WHOLE: &str = r#"{"id":"gen_1","status":"queued","model":"m","output":[{"id":"gen_1_msg"}]}"#;

#[tokio::test(start_paused = true)]
async fn a_create_keeps_any_id_that_was_received() {
    let torn = || WHOLE.as_bytes()[..WHOLE.len() - 5].to_vec();
    let long = [WHOLE.as_bytes()[..WHOLE.len() - 1].to_vec(), vec![b' '; 5 << 20]].concat();
    for (case, reply, status) in [
        ("torn", Reply::Respond(200, String::from_utf8(torn()).unwrap()), Some(200)),
        ("cut", Reply::Cut(200, torn()), None),
        ("stalled", Reply::Stalled(200, torn()), None),
        ("far too long", Reply::Respond(200, String::from_utf8(long).unwrap()), Some(200)),
        ("odd types", Reply::Respond(201, r#"{"status":7,"id":"gen_1"}"#.into()), Some(201)),
        ("an error", Reply::Respond(500, WHOLE.into()), Some(500)),
        ("an error, cut", Reply::Cut(502, torn()), Some(502)),
        ("an odd status", Reply::Respond(409, WHOLE.into()), Some(409)),
        ("a redirect", Reply::Respond(303, WHOLE.into()), Some(303)),
        (
            "a 429",
            Reply::Respond(429, format!(r#"{{"message":"late","data":{WHOLE}}}"#)),
            Some(429),
        ),
    ] {
        let mut reply = Some(reply);
        let fake = Fake::new(move |_, _| reply.take().expect("it is sent once"));
        let error = client(&fake).responses().create(request()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SubmissionUncertain, "{case}: {error}");
        assert_eq!((error.generation_id(), error.status()), (Some("gen_1"), status), "{case}");
        assert!(error.message().contains("names gen_1: wait for that id"), "{case}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_generation_is_accepted_whatever_surrounds_it() {
    for reply in [
        Reply::Respond(200, format!("\u{feff}{WHOLE}")),
        Reply::Respond(200, format!("{WHOLE}<!-- proxy -->")),
        Reply::Respond(200, format!(r#"{{"data":{WHOLE}}}"#)),
        Reply::Cut(200, WHOLE.into()),
        Reply::Stalled(200, WHOLE.into()),
        Reply::Cut(200, crate::wire::gzip(WHOLE.as_bytes())),
    ] {
        let mut replies = [reply, shows("completed")].into_iter();
        let fake = Fake::new(move |_, _| replies.next().expect("each is sent once"));
        let client = client(&fake);
        assert_eq!(client.responses().create(request()).await.unwrap().id, "gen_1");
        assert_eq!(
            client.responses().retrieve("gen_1").await.unwrap().status.as_str(),
            "completed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_about_another_generation_is_no_result_of_any_call() {
    let fake = Fake::new(|_, before| match before {
        0 | 1 => Reply::Respond(200, r#"{"id":"gen_2","status":"completed"}"#.into()),
        // Without an id it may be about any.
        2 => Reply::Respond(200, r#"{"status":"completed"}"#.into()),
        _ => shows("completed"),
    });
    let client = client(&fake);
    let error = client.responses().retrieve("gen_1").await.unwrap_err();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Decode, Some("gen_1")));
    let path = std::env::temp_dir().join("pipevideo_never_written.mp4");
    let error = client.responses().download("gen_1", path).await.unwrap_err();
    assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Decode, Some("gen_1")));
    assert_eq!(client.responses().wait("gen_1").await.unwrap().id, "gen_1");
    assert_eq!(fake.count("GET"), 4);
}

#[tokio::test(start_paused = true)]
async fn only_codings_that_are_understood_are_asked_for() {
    let fake = Fake::new(|_, _| shows("queued"));
    let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static("br, zstd"))];
    let client = build(&fake, Client::builder().headers(headers.into_iter().collect()));
    client.responses().retrieve("gen_1").await.unwrap();
    assert_eq!(fake.headers(0)["accept-encoding"], "gzip");
}
