//! No error and no event of the log shows a secret, whatever the service and the network respond.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::events::collected::Events;
use super::*;
use crate::client::clock;
use crate::client::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::error::{Delivery, Error};
use crate::model::{Generation, Input, InputPart};
use crate::webhook::Webhook;

const KEY: &str = "pv_SECRET/KEY+1";
const PROMPT: &str = "a SECRET cat, walking";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const URL: &str = "https://me:SECRET@v.example/v.mp4;s=SECRET?sig=SECRET&t=1#SECRET";

/// The secrets, as servers quote them.
fn secret() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![KEY, PROMPT, URL]);
    (plain, 0..5_u8).prop_map(|(secret, spelling)| match spelling {
        0 => secret.to_owned(),
        1 => format!("Bearer {secret}"),
        2 => secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        3 => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        _ => serde_json::to_string(secret).unwrap_or_default(),
    })
}

/// What a hostile or a broken service does.
#[derive(Clone, Debug)]
struct Hostile {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Why the connection breaks, before the response (true) or in the middle of its body.
    failure: Option<(bool, String)>,
}

impl Transport for Hostile {
    fn send(&self, _: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let Self { status, headers, body, failure } = self.clone();
        let what = "the connection broke";
        let failed = move |cause: String| {
            let source = Some(Box::new(io::Error::other(io::Error::other(cause))) as _);
            TransportError { what, delivery: Delivery::Unknown, source }
        };
        let header = |(name, value): (&'static str, String)| {
            let value = HeaderValue::from_str(&value).ok()?;
            Some((HeaderName::from_static(name), value))
        };
        async move {
            let mut chunks = vec![Ok(Bytes::from(body))];
            match failure {
                Some((true, cause)) => return Err(failed(cause)),
                Some((false, cause)) => chunks.push(Err(failed(cause))),
                None => {}
            }
            Ok(HttpResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: headers.into_iter().filter_map(header).collect::<HeaderMap>(),
                body: stream::iter(chunks).boxed(),
            })
        }
        .boxed()
    }

    fn retire_connections(&self, _: Duration) {}
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "id",
        "status",
        "message",
        "code",
        "error",
        "detail",
        "data",
        "model",
        "engine",
        "created_at",
        "output_video_url",
        "output",
        "recent_requests",
        "extra",
    ];
    let value = prop_oneof![
        4 => secret().prop_map(Value::from),
        1 => secret().prop_map(|secret| json!({"message": secret, "code": secret})),
        1 => secret().prop_map(|secret| json!([{"id": secret, "status": secret}])),
        1 => prop::sample::select(vec![
            json!("gen_1"), json!("completed"), json!("failed"), json!("queued"), json!(7), json!(null),
        ]),
    ];
    let fields = prop::collection::btree_map(prop::sample::select(names.to_vec()), value, 0..8);
    let status = prop::option::of(prop::sample::select(vec!["completed", "failed", "queued"]));
    prop_oneof![
        4 => (fields, status, any::<bool>()).prop_map(|(fields, status, whole)| {
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            let mut body: Map<_, _> = fields.collect();
            // So that a generation can be read at times.
            if let Some(status) = status {
                body.insert("id".into(), "gen_1".into());
                body.insert("status".into(), status.into());
            }
            let mut text = Value::Object(body).to_string().into_bytes();
            if !whole {
                text.pop();
            }
            text
        }),
        1 => secret().prop_map(String::into_bytes),
        1 => secret().prop_map(|secret| format!("<html><h1>{secret}</h1>").into_bytes()),
    ]
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let names = vec![
        "x-request-id",
        "request-id",
        "retry-after",
        "content-type",
        "location",
        "etag",
        "last-modified",
        "content-range",
        "content-encoding",
        "server",
        "date",
    ];
    let headers = prop::collection::vec((prop::sample::select(names), secret()), 0..4);
    let status =
        prop_oneof![Just(200_u16), Just(206), Just(400), Just(401), Just(429), 201..600_u16];
    let failure = prop::option::weighted(0.2, (any::<bool>(), secret()));
    (status, headers, body(), failure).prop_map(|(status, headers, body, failure)| Hostile {
        status,
        headers,
        body,
        failure,
    })
}

/// All that a log, a traceback or a debugger prints of an error.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?} {:?}", error.code(), error.request_id());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(" {error} {error:?}");
        source = error.source();
    }
    text
}

/// Every error that the calls of a client end with.
async fn errors(client: &Client) -> Vec<Error> {
    let parts = vec![InputPart::text(PROMPT), InputPart::image(URL)];
    let request = || GenerationRequest::new("m", Input::from(parts.clone())).instructions(PROMPT);
    let completed = json!({"id": "gen_1", "status": "completed", "output_video_url": URL});
    let completed: Generation = serde_json::from_value(completed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    let responses = client.responses();
    let mut errors = vec![
        responses.create(request()).await.err(),
        client.generate(request()).deadline(S).await.err(),
        responses.retrieve("gen_1").await.err(),
        responses.retrieve(URL).await.err(),
        responses.wait("gen_1").deadline(S).await.err(),
        responses.wait(URL).deadline(S).await.err(),
        responses.download(completed, path.clone()).await.err(),
        responses.download("gen_1", path).await.err(),
        client.engines().list().await.err(),
        client.usage().retrieve().await.err(),
    ];
    if let Some(Some(uncertain)) = errors.first().cloned() {
        errors.push(responses.reconcile(&uncertain).await.err());
    }
    errors.into_iter().flatten().collect()
}

/// Delivers an event of which everything is a secret.
fn deliver(client: &Client, secret: &str) {
    let body = json!({"eventType": secret, "generationId": secret, "status": secret}).to_string();
    let headers = Webhook::new([WEBHOOK_SECRET]).unwrap().sign(&body, "msg_1", clock::wall());
    client.webhooks().unwrap(&body, headers).unwrap();
}

#[test]
fn of_the_causes_of_a_broken_connection_only_the_systems_number_is_shown() {
    let refused = io::Error::from_raw_os_error(111);
    for (cause, number) in [
        (io::Error::other("SECRET"), None),
        (io::Error::other(io::Error::other("SECRET")), None),
        (io::Error::other(refused), Some(111)),
    ] {
        let (what, delivery) = ("the connection broke", Delivery::Unknown);
        let error = TransportError { what, delivery, source: Some(Box::new(cause)) };
        let source = std::error::Error::source(&error);
        let source = source.and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.and_then(io::Error::raw_os_error), number);
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_shows_a_secret_of_the_request_or_the_response(
        hostile in hostile(),
        secret in secret(),
    ) {
        let builder = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let shown = builder.unwrap().block_on(async {
            let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
            let events = Events::default();
            let builder = Client::builder().api_key(KEY).max_retries(1).rate_limit(None);
            let builder = builder.log_to(events.subscriber()).webhook_secrets([WEBHOOK_SECRET]);
            let client = builder.build_with(base, Arc::new(hostile)).unwrap();
            let mut all = errors(&client).await.iter().map(shown).collect::<Vec<_>>();
            deliver(&client, &secret);
            super::events::check(&events.all());
            all.extend(events.all().iter().map(Value::to_string));
            assert!(!events.named("request").is_empty() && !events.named("webhook").is_empty());
            all
        });
        for text in shown {
            // In any spelling, and also a part of one.
            prop_assert!(!text.contains("SECRET") && !text.contains("%53%45"), "{text}");
        }
    }
}
