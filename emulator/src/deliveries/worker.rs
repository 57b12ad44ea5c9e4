//! The delivery worker: sends webhooks to the receiver and retries as the service does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::endpoint::Receiver;
use super::{DeliveryFault, SentDelivery, WebhookEvent};
use crate::state::EmulatorState;

/// The seconds after each attempt, divided by `speed`: Svix's published retry schedule, which the
/// service uses. The first attempt is at once, and the last one has none after it.
const RETRY_SCHEDULE: [u64; 8] = [5, 300, 1800, 7200, 18_000, 36_000, 36_000, 0];

/// How long the receiver may take to respond, as with Svix. It is real time, whatever the `speed`.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

/// Delivers events until the future is dropped, which also ends the deliveries in progress.
pub(crate) async fn run(state: Arc<EmulatorState>) {
    let mut deliveries = JoinSet::new();
    loop {
        let (events, next) = state.take_events();
        for event in events {
            deliveries.spawn(deliver(Arc::clone(&state), event));
        }
        while deliveries.try_join_next().is_some() {}
        let woken = state.deliveries.wake_worker.notified();
        match next {
            // The timeout is expected: it is when the next generation changes by time.
            Some(pause) => drop(timeout(pause, woken).await),
            None => woken.await,
        }
    }
}

async fn deliver(state: Arc<EmulatorState>, event: WebhookEvent) {
    let id = state.deliveries.new_id();
    for (before, seconds) in RETRY_SCHEDULE.into_iter().enumerate() {
        match attempt(&state, &event, &id, before + 1, seconds).await {
            Some(next) => state.sleep_until(next).await,
            None => return,
        }
    }
}

/// Makes one attempt. Returns when the next one is due, this many seconds later; None if the delivery is
/// finished.
async fn attempt(
    state: &EmulatorState,
    event: &WebhookEvent,
    id: &str,
    attempt: usize,
    seconds: u64,
) -> Option<Duration> {
    let fault = state.deliveries.take_fault(&event.generation_id);
    if fault.delay_ms > 0 {
        sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    if let Some(count) = fault.after_deliveries {
        state.deliveries.wait_for_deliveries(count).await;
    }
    let endpoint = state.deliveries.endpoint();
    let receiver = endpoint.receiver.as_ref()?;
    let (mut succeeded, mut next) = (false, None);
    for _ in 0..if fault.twice { 2 } else { 1 } {
        let body = event.body.to_string();
        let signed = if fault.wrong_signature { format!("{body} ") } else { body.clone() };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "pipevideo-emulator".to_owned()),
        ];
        headers.extend(endpoint.sign(id, &signed, state.now().real));
        let answered = send(&fault, receiver, &headers, body).await;
        succeeded |= answered.is_some_and(|status| (200..300).contains(&status));
        let at = state.uptime().as_secs_f64();
        // Before it is in the log: a test that has seen it there may advance time at once.
        next = Some(state.after(seconds));
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        state.log_delivery(SentDelivery {
            id: id.to_owned(),
            attempt,
            headers: BTreeMap::from_iter(headers),
            body: event.body.clone(),
            answered,
            at,
        });
    }
    next.filter(|_| !succeeded)
}

async fn send(
    fault: &DeliveryFault,
    receiver: &Receiver,
    headers: &[(&str, String)],
    body: String,
) -> Option<u16> {
    if fault.lost {
        return None;
    }
    timeout(ATTEMPT_TIMEOUT, post(receiver, headers, body)).await.ok().flatten()
}

/// Posts a delivery and returns the status of the response, or None if there is none.
async fn post(receiver: &Receiver, headers: &[(&str, String)], body: String) -> Option<u16> {
    let stream = TcpStream::connect(receiver.addresses.as_slice()).await.ok()?;
    // With Nagle's algorithm, the body would wait for the delayed ACK of the headers.
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // The set ends the connection when this function returns or its future is dropped.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let mut request = hyper::Request::post(&receiver.path).header("host", &receiver.host);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body: Full<Bytes> = Full::new(body.into());
    let response = sender.send_request(request.body(body).ok()?).await.ok()?;
    Some(response.status().as_u16())
}
