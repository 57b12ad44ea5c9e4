//! Brings deliveries to their receiver, and tries again as the service does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::deliveries::{DeliveryFault, Notice, SentDelivery};
use crate::shared::Shared;
use crate::webhook::Receiver;

/// The pauses before the tries, in seconds before `speed`.
const PAUSES: [u64; 8] = [0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000];
/// How long a receiver may take; real time, whatever the `speed`.
const PATIENCE: Duration = Duration::from_secs(15);

/// Delivers until it is dropped, and what is under way with it.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut deliveries = JoinSet::new();
    loop {
        let (notices, next) = shared.take_notices();
        for notice in notices {
            deliveries.spawn(deliver(Arc::clone(&shared), notice));
        }
        while deliveries.try_join_next().is_some() {}
        let news = shared.deliveries.news.notified();
        match next {
            // Either will do: time has come, or there are news.
            Some(pause) => drop(timeout(pause, news).await),
            None => news.await,
        }
    }
}

async fn deliver(shared: Arc<Shared>, notice: Notice) {
    let id = shared.deliveries.new_id();
    for (before, seconds) in PAUSES.into_iter().enumerate() {
        match shared.sped_up(seconds) {
            Some(pause) => sleep(pause).await,
            // Nothing moves by itself.
            None => return,
        }
        if attempt(&shared, &notice, &id, before + 1).await {
            return;
        }
    }
}

/// Tries once; true if that is the end of it.
async fn attempt(shared: &Shared, notice: &Notice, id: &str, attempt: usize) -> bool {
    let fault = shared.deliveries.take_fault(&notice.generation_id);
    if fault.delay_ms > 0 {
        sleep(Duration::from_millis(fault.delay_ms)).await;
    }
    if let Some(count) = fault.after_deliveries {
        shared.deliveries.come_to(count).await;
    }
    let endpoint = shared.deliveries.endpoint();
    let Some(receiver) = &endpoint.receiver else {
        return true;
    };
    let mut succeeded = false;
    for _ in 0..if fault.twice { 2 } else { 1 } {
        let body = notice.body.to_string();
        let signed = if fault.wrong_signature { format!("{body} ") } else { body.clone() };
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "pipevideo-emulator".to_owned()),
        ];
        headers.extend(endpoint.sign(id, &signed, shared.wall()));
        let answered = send(&fault, receiver, &headers, body).await;
        succeeded |= answered.is_some_and(|status| (200..300).contains(&status));
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        shared.deliveries.log(SentDelivery {
            id: id.to_owned(),
            attempt,
            headers: BTreeMap::from_iter(headers),
            body: notice.body.clone(),
            answered,
            at: shared.running(),
        });
    }
    succeeded
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
    timeout(PATIENCE, post(receiver, headers, body)).await.ok().flatten()
}

/// The answer's status, if there is an answer.
async fn post(receiver: &Receiver, headers: &[(&str, String)], body: String) -> Option<u16> {
    let stream = TcpStream::connect(receiver.addresses.as_slice()).await.ok()?;
    // Without it the body waits for the acknowledgement of the head.
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // Dropped at the end, and the connection with it.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let mut request = Request::post(&receiver.path).header("host", &receiver.host);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body: Full<Bytes> = Full::new(body.into());
    let answer = sender.send_request(request.body(body).ok()?).await.ok()?;
    Some(answer.status().as_u16())
}
