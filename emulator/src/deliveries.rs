//! Deliveries: what they say, what goes wrong with them, and what became of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::faults::Count;
use crate::script::Refused;
use crate::webhook::{Endpoint, WebhookEndpoint};

/// Something that goes wrong with the tries of deliveries.
///
/// As with [`Fault`](crate::Fault), the default is harmless and fits any try once, faults are asked in
/// the order in which they were added, and the first that fits is applied. Each try counts: the one
/// after a try that was lost is fine again unless `times` says otherwise.
///
/// ```
/// use pipevideo_emulator::DeliveryFault;
///
/// // The first delivery comes when another has been answered: out of order.
/// let late = DeliveryFault { after_deliveries: Some(1), ..DeliveryFault::default() };
/// // No try of this generation's delivery ever arrives.
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
    /// The generation whose deliveries it fits; None: any.
    pub generation_id: Option<String>,
    /// From the n-th try on, counted from 1.
    pub nth: u32,
    /// So many times; None: for ever.
    pub times: Option<u32>,
    /// It does not arrive.
    pub lost: bool,
    /// It arrives so many milliseconds later.
    pub delay_ms: u64,
    /// It arrives when so many tries of any deliveries have been answered, or lost: out of order.
    pub after_deliveries: Option<usize>,
    /// It arrives once more.
    pub twice: bool,
    /// Its signature is another body's.
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

/// One try of a delivery, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentDelivery {
    /// The delivery's id, the same each time that it is tried.
    pub id: String,
    /// Which try it was, counted from 1.
    pub attempt: usize,
    /// Its headers, the names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What it said.
    pub body: Value,
    /// The status that the receiver answered; None if it was lost or not answered.
    pub answered: Option<u16>,
    /// Seconds since the emulator's start, when that was known.
    pub at: f64,
}

/// What a delivery says.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) generation_id: String,
    pub(crate) body: Value,
}

impl Notice {
    /// What there is to say of a generation that has ended, by its answer.
    pub(crate) fn of(answer: &Map<String, Value>) -> Self {
        let get = |name: &str| answer.get(name).unwrap_or(&Value::Null);
        Self::new(get("id"), get("status"), get("output_video_url"), &get("error")["message"])
    }

    /// What is not so, perhaps.
    pub(crate) fn claim(answer: &Value, status: &str) -> Self {
        Self::new(&answer["id"], &status.into(), &Value::Null, &Value::Null)
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

/// The deliveries' own state: where they go, what goes wrong, what became of them.
#[derive(Debug)]
pub(crate) struct Deliveries {
    state: Mutex<State>,
    /// There may be something to deliver.
    pub(crate) news: Notify,
    logged: Notify,
}

#[derive(Debug)]
struct State {
    endpoint: Endpoint,
    faults: Vec<(DeliveryFault, Count)>,
    sent: Vec<SentDelivery>,
    ids: fastrand::Rng,
}

impl Deliveries {
    pub(crate) fn new(endpoint: Endpoint, seed: u64) -> Self {
        let ids = fastrand::Rng::with_seed(seed);
        let state = State { endpoint, faults: Vec::new(), sent: Vec::new(), ids };
        Self { state: Mutex::new(state), news: Notify::new(), logged: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.state().endpoint.clone()
    }

    pub(crate) fn set_endpoint(&self, to: &WebhookEndpoint) -> Result<(), Refused> {
        self.state().endpoint.change(to)
    }

    pub(crate) fn new_id(&self) -> String {
        let mut state = self.state();
        let mut id = "msg_".to_owned();
        id.extend(std::iter::repeat_with(|| state.ids.alphanumeric()).take(24));
        id
    }

    pub(crate) fn add_fault(&self, fault: DeliveryFault) {
        self.state().faults.push((fault, Count::default()));
    }

    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// What goes wrong with this try.
    pub(crate) fn take_fault(&self, generation_id: &str) -> DeliveryFault {
        let mut state = self.state();
        let taken = state.faults.iter_mut().find_map(|(fault, count)| {
            let fits = fault.generation_id.as_deref().is_none_or(|wanted| wanted == generation_id);
            (fits && count.hit(fault.nth, fault.times)).then(|| fault.clone())
        });
        taken.unwrap_or_default()
    }

    pub(crate) fn log(&self, sent: SentDelivery) {
        self.state().sent.push(sent);
        self.logged.notify_waiters();
    }

    pub(crate) fn sent(&self) -> Vec<SentDelivery> {
        self.state().sent.clone()
    }

    /// When there have been so many tries.
    pub(crate) async fn come_to(&self, count: usize) {
        loop {
            // Made before the look: what is logged in between is not missed.
            let logged = self.logged.notified();
            if self.state().sent.len() >= count {
                return;
            }
            logged.await;
        }
    }
}
