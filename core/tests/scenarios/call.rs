//! Translates the calls and results of scenarios to and from this library.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, TryStreamExt};
use pipevideo::{
    App, CallOptions, Client, Detail, Download, Error, Generation, GenerationRequest, HeaderMap,
    Input, InputItem, InputPart, Media, Polling, RateLimit, Role, TokenError, Update, WebhookEvent,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::matching::decimal;
use super::shown::{engines, response, shown_candidates, shown_estimate, shown_spend, usage};
use super::{batches, webhooks};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) args: Map<String, Value>,
}

/// The result of a call.
pub(crate) enum Returned {
    Generation(Box<Generation>),
    Value(Value),
    Updates(Vec<Update>),
    Event(Box<WebhookEvent>),
}

/// The results of the named calls, and the webhook secrets of the client.
#[derive(Default)]
pub(crate) struct Results {
    generations: HashMap<String, Generation>,
    events: HashMap<String, WebhookEvent>,
    errors: HashMap<String, Error>,
    pub(crate) webhook_secrets: Value,
}

impl Results {
    pub(crate) fn keep(&mut self, name: String, result: Result<Returned, Error>) {
        match result {
            Ok(Returned::Generation(generation)) => {
                self.generations.insert(name, *generation);
            }
            Ok(Returned::Event(event)) => {
                self.events.insert(name, *event);
            }
            Err(error) => {
                self.errors.insert(name, error);
            }
            Ok(_) => {}
        }
    }
}

/// A token function that yields these tokens in turn, and from then on the last one. It fails where
/// there is none.
fn token_function(
    tokens: Vec<Option<String>>,
) -> impl Fn() -> Ready<Result<String, TokenError>> + Send + Sync {
    let calls = AtomicUsize::new(0);
    move || {
        let call = calls.fetch_add(1, Ordering::Relaxed).min(tokens.len() - 1);
        ready(tokens[call].clone().ok_or_else(|| "there is no token".into()))
    }
}

/// The client that a scenario asks for.
pub(crate) fn client(
    own: &Map<String, Value>,
    base_url: &str,
    api_key: &str,
    log: tracing::Dispatch,
) -> Result<Client, Error> {
    let mut builder = Client::builder().log_to(log);
    for (name, value) in super::with_defaults(own) {
        builder = match (name.as_str(), &value) {
            ("base_url", Value::String(url)) if url == "refused" => builder.base_url(refused()),
            ("base_url", Value::String(url)) => {
                builder.base_url(url.replace("{base_url}", base_url))
            }
            ("api_key", Value::Null) => builder,
            ("api_key", Value::String(key)) => builder.api_key(key.replace("{api_key}", api_key)),
            ("api_key", Value::Array(tokens)) => {
                let token = |token: &Value| Some(token.as_str()?.replace("{api_key}", api_key));
                builder.token(token_function(tokens.iter().map(token).collect()))
            }
            ("allow_insecure", value) => builder.allow_insecure(value.as_bool().unwrap()),
            ("request_timeout", value) => builder.request_timeout(seconds(value)),
            ("connect_timeout", value) => builder.connect_timeout(seconds(value)),
            ("max_retries", value) => builder.max_retries(value.as_u64().unwrap() as u32),
            ("rate_limit", Value::Null) => builder.rate_limit(None),
            ("rate_limit", value) => builder
                .rate_limit(RateLimit::new(value[0].as_u64().unwrap() as u32, seconds(&value[1]))),
            ("polling", value) => builder.polling(polling(value)),
            ("deadline", value) => builder.deadline(seconds(value)),
            ("webhook_secrets", value) => {
                let secrets = value.as_array().unwrap().iter();
                builder.webhook_secrets(secrets.map(|secret| secret.as_str().unwrap()))
            }
            ("app", value) => {
                let mut app = App::default();
                app.url = text(&value["url"]);
                app.title = text(&value["title"]);
                app.name = text(&value["name"]);
                builder.app(app)
            }
            ("spend_limit", value) => builder.spend_limit(decimal(&value.to_string()).unwrap()),
            ("headers", value) => builder.headers(headers(value)),
            ("proxy", value) => builder.proxy(value.as_str().unwrap()),
            ("ca_file", value) => builder.ca_file(value.as_str().unwrap()),
            (other, _) => panic!("this runner does not know the option {other}"),
        };
    }
    builder.build()
}

fn headers(value: &Value) -> HeaderMap {
    let headers = value.as_object().unwrap().iter();
    let header = |(name, value): (&String, &Value)| {
        (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap())
    };
    headers.map(header).collect()
}

/// The options of a call in its arguments.
fn call_options(args: &Map<String, Value>) -> CallOptions {
    let mut options = CallOptions::new();
    if let Some(timeout) = args.get("request_timeout") {
        options = options.request_timeout(seconds(timeout));
    }
    if let Some(retries) = args.get("max_retries") {
        options = options.max_retries(retries.as_u64().unwrap() as u32);
    }
    match args.get("headers") {
        Some(value) => options.headers(headers(value)),
        None => options,
    }
}

fn polling(value: &Value) -> Polling {
    let default = Polling::default();
    let get = |name: &str, default| value.get(name).map_or(default, seconds);
    default
        .min_interval(get("min_interval", default.min_interval))
        .max_interval(get("max_interval", default.max_interval))
        .safety_interval(get("safety_interval", default.safety_interval))
        .typical(get("typical", default.typical))
}

/// A loopback address at which no server listens.
fn refused() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(crate) fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl Call {
    pub(crate) async fn make(
        &self,
        client: &Client,
        folder: &Path,
        results: &Results,
    ) -> Result<Returned, Error> {
        let arg = |name: &str| self.args.get(name).unwrap_or(&Value::Null);
        let named = |name: &str| arg(name).as_str().and_then(|text| text.strip_prefix('@'));
        let id = || match named("id") {
            Some(name) => String::from(&results.generations[name]),
            None => arg("id").as_str().unwrap_or_default().to_owned(),
        };
        let deadline = self.args.get("deadline").map(seconds);
        // `headers` of a webhook are those of the delivery.
        let is_local = self.operation.contains("webhook");
        let options = if is_local { CallOptions::new() } else { call_options(&self.args) };
        let client = &client.with_options(&options)?;
        let responses = client.responses();
        let generation = |generation| Returned::Generation(Box::new(generation));
        let event = |event| Returned::Event(Box::new(event));
        match self.operation.as_str() {
            "responses.create" => {
                responses.create(request(self.args.clone(), folder)?).await.map(generation)
            }
            "responses.retrieve" => responses.retrieve(id()).await.map(generation),
            "responses.wait" => {
                let wait = responses.wait(id());
                match deadline {
                    Some(deadline) => wait.deadline(deadline).await.map(generation),
                    None => wait.await.map(generation),
                }
            }
            "responses.watch" => responses.watch(id()).try_collect().await.map(Returned::Updates),
            "generate" => {
                let generate = client.generate(request(self.args.clone(), folder)?);
                match deadline {
                    Some(deadline) => generate.deadline(deadline).await.map(generation),
                    None => generate.await.map(generation),
                }
            }
            "responses.download" => {
                let path = folder.join(arg("path").as_str().unwrap());
                let download = match named("generation") {
                    Some(name) => responses.download(&results.generations[name], path),
                    None => responses.download(id(), path),
                };
                let max_bytes = arg("max_bytes").as_u64().unwrap_or(Download::MAX_BYTES);
                download.max_bytes(max_bytes).await.map(|path| Returned::Value(json!(path)))
            }
            "responses.stream" | "responses.bytes" => {
                let mut video = match named("generation") {
                    Some(name) => responses.stream(&results.generations[name]),
                    None => responses.stream(id()),
                };
                if let Some(max_bytes) = arg("max_bytes").as_u64() {
                    video = video.max_bytes(max_bytes);
                }
                let path = folder.join(arg("path").as_str().unwrap());
                if self.operation == "responses.bytes" {
                    std::fs::write(path, video.bytes().await?).unwrap();
                } else {
                    let mut file = std::fs::File::create(path).unwrap();
                    let chunks = arg("chunks").as_u64().map_or(usize::MAX, |n| n as usize);
                    let mut video = video.take(chunks);
                    while let Some(chunk) = video.try_next().await? {
                        file.write_all(&chunk).unwrap();
                    }
                }
                Ok(Returned::Value(Value::Null))
            }
            "get" => client.get(arg("path").as_str().unwrap()).await.map(response),
            "post" => client.post(arg("path").as_str().unwrap(), arg("body")).await.map(response),
            "responses.reconcile" => {
                let error = &results.errors[named("error").unwrap()];
                let candidates = responses.reconcile(error).await?;
                Ok(Returned::Value(shown_candidates(&candidates)))
            }
            "estimate" => {
                let mut request = GenerationRequest::new(arg("model").as_str().unwrap(), "");
                request.engine = text(arg("engine"));
                let estimate = client.estimate(&request).count(arg("count").as_u64().unwrap_or(1));
                estimate.await.map(|estimate| Returned::Value(shown_estimate(&estimate)))
            }
            "batch" => batches::run(client, &self.args, folder).await.map(Returned::Value),
            "spend" => Ok(Returned::Value(shown_spend(&client.spend()))),
            "engines.list" => client.engines().list().await.map(|c| Returned::Value(engines(&c))),
            "webhook.unwrap" => webhooks::unwrap(&self.args).map(event),
            "webhook.sign" => webhooks::sign(&self.args).map(Returned::Value),
            "webhooks.unwrap" => {
                webhooks::unwrap_by_client(client, &results.webhook_secrets, &self.args).map(event)
            }
            "event.acknowledge" => {
                assert!(results.events[named("event").unwrap()].acknowledge());
                Ok(Returned::Value(Value::Null))
            }
            "usage.retrieve" => client.usage().retrieve().await.map(|u| Returned::Value(usage(&u))),
            other => panic!("this runner does not know the operation {other}"),
        }
    }
}

/// The request with these arguments of create.
pub(crate) fn request(
    mut args: Map<String, Value>,
    folder: &Path,
) -> Result<GenerationRequest, Error> {
    let input = input(&args["input"], folder)?;
    args.insert("input".to_owned(), json!(""));
    for option in ["deadline", "request_timeout", "max_retries", "headers"] {
        args.remove(option);
    }
    if let Some(Value::Object(extra)) = args.remove("extra_body") {
        args.extend(extra);
    }
    let mut request: GenerationRequest = serde_json::from_value(args.into()).unwrap();
    request.input = input;
    Ok(request)
}

fn input(value: &Value, folder: &Path) -> Result<Input, Error> {
    let Value::Array(list) = value else { return Ok(value.as_str().unwrap().into()) };
    let parts = |list: &Vec<Value>| list.iter().map(|p| part(p, folder)).collect();
    if list.iter().all(|entry| entry.get("role").is_none()) {
        let parts: Result<Vec<InputPart>, Error> = parts(list);
        return Ok(parts?.into());
    }
    let items = list.iter().map(|item| {
        let role: Role = serde_json::from_value(item["role"].clone()).unwrap();
        Ok(InputItem::new(role, parts(item["content"].as_array().unwrap())?))
    });
    items.collect::<Result<Vec<_>, Error>>().map(Input::from)
}

fn part(value: &Value, folder: &Path) -> Result<InputPart, Error> {
    if let Some(text) = value["text"].as_str() {
        return Ok(InputPart::text(text));
    }
    let media = |source: &Value| match source {
        Value::String(url) => Ok(url.as_str().into()),
        source => match source["path"].as_str() {
            Some(path) => Media::file(folder.join(path)),
            None => {
                Media::bytes(BASE64_STANDARD.decode(source["base64"].as_str().unwrap()).unwrap())
            }
        },
    };
    match (value.get("image"), value.get("video"), value.get("detail")) {
        (Some(image), _, None) => media(image).map(InputPart::image),
        (Some(image), _, Some(detail)) => {
            let detail: Detail = serde_json::from_value(detail.clone()).unwrap();
            Ok(InputPart::image_with_detail(media(image)?, detail))
        }
        (_, Some(video), _) => media(video).map(InputPart::video),
        _ => panic!("this runner does not know the part {value}"),
    }
}
