//! The texts of errors that are found before anything is sent.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use pipevideo::{
    App, Client, ClientBuilder, Error, GenerationRequest, HeaderMap, Input, InputPart, Media,
    Polling, RateLimit, Webhook, WebhookEvent, WebhookReason,
};
use serde_json::json;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn check(name: &str, errors: impl IntoIterator<Item = Error>) {
    let texts: String = errors.into_iter().map(|e| format!("{}: {e}\n", e.kind())).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, texts);
    });
}

fn builder() -> ClientBuilder {
    let none: [(&str, &str); 0] = [];
    Client::builder().environment(none).api_key("pv_example").polling(Polling::default())
}

#[test]
fn texts_of_configuration() {
    let none: [(&str, &str); 0] = [];
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "x".parse().unwrap());
    let builders = [
        Client::builder().environment(none),
        builder().api_key("pv a"),
        builder().base_url("api"),
        builder().base_url("http://api.example"),
        builder().request_timeout(Duration::ZERO),
        builder().rate_limit(RateLimit::new(0, Duration::from_secs(60))),
        builder().headers(headers),
        builder().app(App::default().url("cats")),
        builder().app(App::default().title("é".repeat(300))),
        builder().proxy("://"),
        builder().proxy("socks://127.0.0.1:1080"),
        builder().webhook_secrets(["whsec_"]),
    ];
    let errors = builders.map(|builder| builder.build().unwrap_err());
    let no_secret = Webhook::new([""; 0]).unwrap_err();
    check("error_texts_of_configuration", errors.into_iter().chain([no_secret]));
}

#[tokio::test]
async fn texts_of_invalid_requests() {
    let client = builder().build().unwrap();
    let image = |url: &str| {
        let parts = vec![InputPart::text("A cat"), InputPart::image(url)];
        GenerationRequest::new("m", parts)
    };
    let other: Input = serde_json::from_value(json!([
        {"type": "input_text", "text": "A cat"}, {"type": "input_image", "url": "x"},
    ]))
    .unwrap();
    let mut errors = vec![Media::bytes(b"text").unwrap_err()];
    for request in [
        GenerationRequest::new(" ", "A cat"),
        GenerationRequest::new("m", " "),
        GenerationRequest::new("m", "A cat").width(0),
        GenerationRequest::new("m", "A cat").extra("model", "x"),
        image("http://example.com/cat.png"),
        image("data:image/png;base64,?"),
        GenerationRequest::new("m", other),
    ] {
        errors.push(client.responses().create(request).await.unwrap_err());
    }
    for id in ["", ".."] {
        errors.push(client.responses().retrieve(id).await.unwrap_err());
    }
    check("error_texts_of_invalid_requests", errors);
}

#[test]
fn texts_of_webhooks() {
    let webhook = Webhook::new([SECRET]).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let hour = Duration::from_secs(3600);
    let at = |time| webhook.unwrap_at("{}", webhook.sign("{}", "msg_1", time), now).unwrap_err();
    let mut malformed = webhook.sign("{}", "msg_1", now);
    malformed[1].1 = "today".to_owned();
    let changed = webhook.unwrap_at("{ }", webhook.sign("{}", "msg_1", now), now);
    let errors = [
        webhook.unwrap_at("{}", &HeaderMap::new(), now).unwrap_err(),
        webhook.unwrap_at("{}", malformed, now).unwrap_err(),
        at(now - hour),
        at(now + hour),
        changed.unwrap_err(),
        WebhookEvent::read(b"{}", "msg_1", now).unwrap_err(),
    ];
    assert_eq!(errors[5].reason(), Some(WebhookReason::BadPayload));
    check("error_texts_of_webhooks", errors);
}
