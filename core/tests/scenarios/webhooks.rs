//! Webhooks: a receiver for the emulator's deliveries, and deliveries that a scenario describes.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use pipevideo::{Client, Error, Webhook, WebhookEvent};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A server with a typical webhook handler, which keeps the results.
pub(crate) struct Receiver {
    pub(crate) url: String,
    taken: Arc<Taken>,
    server: AbortHandle,
}

struct Taken {
    client: Client,
    /// How many of the first deliveries the handler fails to handle.
    handler_failures: usize,
    events: Mutex<Vec<Result<Value, Value>>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(crate) async fn start(client: Client, handler_failures: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let count = watch::Sender::new(0);
        let taken = Arc::new(Taken { client, handler_failures, events: Mutex::default(), count });
        let serving = taken.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let taken = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| taken.clone().handle(request));
                    let builder = Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, taken, server: server.abort_handle() }
    }

    /// The results in order, once there are so many or no more arrive.
    pub(crate) async fn events(&self, count: usize) -> Vec<Result<Value, Value>> {
        let mut counts = self.taken.count.subscribe();
        let enough = counts.wait_for(|counted| *counted >= count);
        let _ = tokio::time::timeout(Duration::from_secs(10), enough).await;
        self.taken.events.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Taken {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let event = self.client.webhooks().unwrap(&body, &head.headers);
        let mut events = self.events.lock().unwrap();
        let status = match &event {
            Ok(_) if events.len() < self.handler_failures => 500,
            Ok(event) => {
                event.acknowledge();
                204
            }
            Err(_) => 400,
        };
        events.push(event.map(|event| shown(&event)).map_err(|e| super::shown::shown_error(&e)));
        drop(events);
        self.count.send_modify(|count| *count += 1);
        Ok(Response::builder().status(status).body(Full::default()).unwrap())
    }
}

pub(crate) fn shown(event: &WebhookEvent) -> Value {
    let mut shown = json!({
        "id": event.id,
        "timestamp": seconds_of(event.timestamp),
        "type": event.event_type,
        "generation_id": event.generation_id,
        "status": event.status.as_ref().map(|status| status.as_str()),
        "output_video_url": event.output_video_url,
        "error_message": event.error_message,
        "duplicate": event.duplicate,
    });
    shown.as_object_mut().unwrap().extend(event.extra.clone());
    shown
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn time_of(seconds: &Value) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.as_u64().unwrap())
}

fn secrets(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|secret| secret.as_str().unwrap()).collect()
}

/// `webhook.unwrap`, at the time of the scenario.
pub(crate) fn unwrap(args: &Map<String, Value>) -> Result<WebhookEvent, Error> {
    let webhook = Webhook::new(secrets(&args["secrets"]))?;
    let headers = args["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name, value.as_str().unwrap()));
    let body = args["body"].as_str().unwrap();
    webhook.unwrap_at(body, headers, time_of(&args["now"]))
}

/// `webhooks.unwrap`, which uses the current time: the delivery is moved to it.
pub(crate) fn unwrap_by_client(
    client: &Client,
    own: &Value,
    args: &Map<String, Value>,
) -> Result<WebhookEvent, Error> {
    let headers = moved(args, &secrets(own));
    let body = args["body"].as_str().unwrap();
    client.webhooks().unwrap(body, headers)
}

/// The headers as if `now` were the current time: the timestamp is moved, and a signature that was
/// valid for one of the secrets is made again.
fn moved(args: &Map<String, Value>, secrets: &[&str]) -> Vec<(String, String)> {
    let headers = args["headers"].as_object().unwrap();
    let mut headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().into()))
        .collect();
    for family in ["svix", "webhook"] {
        let at = |part: &str| {
            let name = format!("{family}-{part}");
            headers.iter().position(|header| header.0.eq_ignore_ascii_case(&name))
        };
        let (Some(id), Some(timestamp), Some(signature)) =
            (at("id"), at("timestamp"), at("signature"))
        else {
            continue;
        };
        let Ok(seconds) = headers[timestamp].1.parse::<u64>() else { continue };
        let present = seconds_of(SystemTime::now()) + seconds - args["now"].as_u64().unwrap();
        for secret in secrets {
            let sign = |seconds: u64| {
                let webhook = Webhook::new([secret]).unwrap();
                let [_, _, (_, signature)] = webhook.sign(
                    args["body"].as_str().unwrap(),
                    &headers[id].1,
                    time_of(&seconds.into()),
                );
                signature
            };
            let (right, anew) = (sign(seconds), sign(present));
            headers[signature].1 = headers[signature].1.replace(&right, &anew);
        }
        headers[timestamp].1 = present.to_string();
    }
    headers
}

/// `webhook.sign`
pub(crate) fn sign(args: &Map<String, Value>) -> Result<Value, Error> {
    let webhook = Webhook::new(secrets(&args["secrets"]))?;
    let (body, id) = (args["body"].as_str().unwrap(), args["id"].as_str().unwrap());
    let signed = webhook.sign(body, id, time_of(&args["timestamp"]));
    Ok(signed.map(|(name, value)| (name.to_owned(), Value::String(value))).into_iter().collect())
}
