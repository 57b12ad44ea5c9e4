//! Webhook deliveries: their content, their faults and their log.

mod endpoint;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::bounded_log::{BoundedLog, Weigh, headers_weight, value_weight};
use crate::control::ControlError;
use crate::faults::FaultCount;

pub(crate) use endpoint::Endpoint;
pub use endpoint::{WebhookEndpoint, WebhookFamily};
pub(crate) use worker::run as run_worker;

/// A fault that is applied to attempts to deliver a webhook.
///
/// As with [`Fault`](crate::Fault), the default changes nothing and matches the next attempt; faults
/// are tried in the order in which they were added, and only the first that matches is applied. Every
/// attempt counts: with `lost` and the default `times` of 1, the second attempt of a delivery arrives.
///
/// ```
/// use pipevideo_emulator::DeliveryFault;
///
/// // The first delivery is sent after another one: out of order.
/// let late = DeliveryFault { after_deliveries: Some(1), ..DeliveryFault::default() };
/// // No delivery for this generation ever arrives.
/// let lost = DeliveryFault {
///     generation_id: Some("gen_1".to_owned()),
///     lost: true,
///     times: None,
///     ..DeliveryFault::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryFault {
    /// The generation that the deliveries have to be about. None: all generations.
    pub generation_id: Option<String>,
    /// The first matching attempt that the fault is applied to, counted from 1.
    pub nth: u32,
    /// How many attempts the fault is applied to. None: all from the `nth` on.
    pub times: Option<u32>,
    /// Whether the attempt is not sent, as if it was lost on the way.
    pub lost: bool,
    /// How many milliseconds to wait before the attempt.
    pub delay_ms: u64,
    /// How many attempts, of any deliveries, must have ended before this one is sent. Use it to have
    /// deliveries arrive out of order.
    pub after_deliveries: Option<usize>,
    /// Whether the attempt is sent twice.
    pub twice: bool,
    /// Whether the signature is that of another body.
    pub wrong_signature: bool,
}

impl Default for DeliveryFault {
    fn default() -> Self {
        Self {
            generation_id: None,
            nth: 1,
            times: Some(1),
            lost: false,
            delay_ms: 0,
            after_deliveries: None,
            twice: false,
            wrong_signature: false,
        }
    }
}

/// An attempt to deliver a webhook, and its result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentDelivery {
    /// The id of the delivery, which all its attempts share.
    pub id: String,
    /// The number of the attempt, counted from 1.
    pub attempt: usize,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
    /// The status of the receiver's response. None if there was no response.
    pub answered: Option<u16>,
    /// When the attempt ended, in seconds since the start of the emulator.
    pub at: f64,
}

impl Weigh for SentDelivery {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.id.len() + headers_weight(&self.headers) + value_weight(&self.body)
    }
}

/// The content of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct WebhookEvent {
    pub(crate) generation_id: String,
    pub(crate) body: Value,
}

impl WebhookEvent {
    /// The event of a generation that has ended, made from its response.
    pub(crate) fn of_response(response: &Map<String, Value>) -> Self {
        let get = |name: &str| response.get(name).unwrap_or(&Value::Null);
        Self::new(get("id"), get("status"), get("output_video_url"), &get("error")["message"])
    }

    /// An event that claims a status, whether the generation has it or not.
    pub(crate) fn claim(response: &Value, status: &str) -> Self {
        Self::new(&response["id"], &status.into(), &Value::Null, &Value::Null)
    }

    fn new(id: &Value, status: &Value, url: &Value, message: &Value) -> Self {
        Self {
            generation_id: id.as_str().unwrap_or_default().to_owned(),
            body: json!({
                "eventType": "video.generation.completed",
                "generationId": id,
                "status": status,
                "outputUrl": url,
                "errorMessage": message,
            }),
        }
    }
}

/// The state of all deliveries: where they are sent, their faults and their log.
#[derive(Debug)]
pub(crate) struct Deliveries {
    state: Mutex<DeliveryState>,
    /// Wakes the delivery worker, because there may be an event to deliver.
    pub(crate) wake_worker: Notify,
    logged: Notify,
}

#[derive(Debug)]
struct DeliveryState {
    endpoint: Endpoint,
    faults: Vec<(DeliveryFault, FaultCount)>,
    sent: BoundedLog<SentDelivery>,
    /// How many attempts have ended.
    ended: usize,
    ids: fastrand::Rng,
}

impl Deliveries {
    pub(crate) fn new(endpoint: Endpoint, seed: u64) -> Self {
        let ids = fastrand::Rng::with_seed(seed);
        let state = DeliveryState {
            endpoint,
            faults: Vec::new(),
            sent: BoundedLog::default(),
            ended: 0,
            ids,
        };
        Self { state: Mutex::new(state), wake_worker: Notify::new(), logged: Notify::new() }
    }

    /// A panic of another thread leaves no half-made change here.
    fn lock(&self) -> MutexGuard<'_, DeliveryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.lock().endpoint.clone()
    }

    pub(crate) fn set_endpoint(&self, change: &WebhookEndpoint) -> Result<(), ControlError> {
        self.lock().endpoint.update(change)
    }

    pub(crate) fn new_id(&self) -> String {
        let mut state = self.lock();
        let mut id = "msg_".to_owned();
        id.extend(std::iter::repeat_with(|| state.ids.alphanumeric()).take(24));
        id
    }

    pub(crate) fn add_fault(&self, fault: DeliveryFault) {
        self.lock().faults.push((fault, FaultCount::default()));
    }

    pub(crate) fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Takes the fault that should be applied to an attempt. The default changes nothing.
    pub(crate) fn take_fault(&self, generation_id: &str) -> DeliveryFault {
        let mut state = self.lock();
        let taken = state.faults.iter_mut().find_map(|(fault, count)| {
            let matches =
                fault.generation_id.as_deref().is_none_or(|wanted| wanted == generation_id);
            (matches && count.should_apply(fault.nth, fault.times)).then(|| fault.clone())
        });
        taken.unwrap_or_default()
    }

    pub(crate) fn log(&self, sent: SentDelivery) {
        let mut state = self.lock();
        state.sent.push(sent);
        state.ended = state.ended.saturating_add(1);
        drop(state);
        self.logged.notify_waiters();
    }

    pub(crate) fn sent(&self) -> Vec<SentDelivery> {
        self.lock().sent.entries()
    }

    /// Waits until `count` attempts have ended.
    pub(crate) async fn wait_for_deliveries(&self, count: usize) {
        loop {
            // Created before the count is read, so that an attempt logged in between is not missed.
            let logged = self.logged.notified();
            if self.lock().ended >= count {
                return;
            }
            logged.await;
        }
    }
}
