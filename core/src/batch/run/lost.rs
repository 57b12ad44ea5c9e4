//! Creates with an unknown outcome: finding out what they have made.

use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::context::Context;
use crate::batch::adoption::{adoptable, plausible};
use crate::batch::journal::Fact;
use crate::client::clock;
use crate::client::events::Details;
use crate::client::reconcile::{LostCreate, Recent};
use crate::lock::{Mutex, lock};
use crate::model::Candidates;
use crate::spend::ledger::EntryNumber;

/// The creates of a batch with an unknown outcome.
#[derive(Default)]
pub(super) struct LostCreates {
    creates: Mutex<Vec<Lost>>,
    added: Notify,
}

/// A create with an unknown outcome.
struct Lost {
    key: String,
    model: String,
    sent_at: SystemTime,
    /// The time from then until it had certainly failed.
    failed_after: Duration,
    number: EntryNumber,
    candidates: Candidates,
    /// Whether the request was created again, knowingly. It still has candidates, and gets none.
    is_superseded: bool,
    /// Where the outcome is awaited.
    reply: Option<oneshot::Sender<Outcome>>,
}

/// What is known of a lost create after all.
pub(super) enum Outcome {
    /// It has made this generation.
    Made(String),
    /// It may have made any of these, or none.
    Unknown(Candidates),
}

/// How often the account's requests are listed while a create has no candidate: the service may list
/// a generation somewhat later than it makes it.
const ATTEMPTS: u32 = 3;

impl LostCreates {
    /// Returns once a create waits for its outcome.
    pub(super) async fn added(&self) {
        loop {
            let added = self.added.notified();
            if lock(&self.creates).iter().any(|lost| lost.reply.is_some()) {
                return;
            }
            added.await;
        }
    }

    /// Adds a create, and returns where its outcome comes once [`resolve`] has found it.
    pub(super) fn add(
        &self,
        key: &str,
        model: &str,
        sent_at: SystemTime,
        number: EntryNumber,
    ) -> oneshot::Receiver<Outcome> {
        let (reply, outcome) = oneshot::channel();
        self.push(key, model, sent_at, number, Some(reply));
        self.added.notify_waiters();
        outcome
    }

    /// Adds a create of an earlier run.
    pub(super) fn add_earlier(
        &self,
        key: &str,
        model: &str,
        sent_at: SystemTime,
        number: EntryNumber,
    ) {
        self.push(key, model, sent_at, number, None);
    }

    /// The request with this key is created again.
    pub(super) fn supersede(&self, key: &str) {
        for lost in lock(&self.creates).iter_mut().filter(|lost| lost.key == key) {
            lost.is_superseded = true;
        }
    }

    /// What the create of an earlier run with this key may have made.
    pub(super) fn candidates_of(&self, key: &str) -> Candidates {
        let creates = lock(&self.creates);
        let lost = creates.iter().find(|lost| lost.key == key);
        lost.map(|lost| lost.candidates.clone()).unwrap_or_default()
    }

    fn push(
        &self,
        key: &str,
        model: &str,
        sent_at: SystemTime,
        number: EntryNumber,
        reply: Option<oneshot::Sender<Outcome>>,
    ) {
        lock(&self.creates).push(Lost {
            key: key.to_owned(),
            model: model.to_owned(),
            sent_at,
            failed_after: clock::wall().duration_since(sent_at).unwrap_or(Duration::MAX),
            number,
            candidates: Candidates::default(),
            is_superseded: false,
            reply,
        });
    }
}

/// Finds out what the lost creates have made, as far as that is possible.
///
/// A create is sent neither before nor while the account's requests are listed: its generation would
/// be a candidate of all lost ones.
pub(super) async fn resolve(context: &Context) {
    // The semaphore is never closed.
    let Ok(exclusive) = context.sends.acquire_many(context.sends_at_once).await else { return };
    let mut pause = context.client.inner.config.polling.min_interval;
    for attempt in 1..=ATTEMPTS {
        if lock(&context.lost.creates).is_empty() {
            return;
        }
        // The next run lists them again, so a run that is stopped does not wait for it.
        let recent = context.cancel.run_until_cancelled(context.client.inner.recent_requests());
        let recent = match recent.await {
            Some(Ok(recent)) => recent,
            Some(Err(error)) => {
                context.client.inner.log.warning(
                    "what a create has made cannot be found out now: the next run tries again",
                    Details { error: Some(&error), ..Details::default() },
                );
                break;
            }
            None => break,
        };
        let found = list_candidates(context, &recent);
        // One of an earlier run was listed long ago, if at all.
        let is_missing =
            |(candidates, is_new): &(Vec<String>, bool)| *is_new && candidates.is_empty();
        if attempt < ATTEMPTS && found.iter().any(is_missing) {
            if context.cancel.run_until_cancelled(clock::sleep(pause)).await.is_none() {
                break;
            }
            pause = pause.saturating_mul(2).min(Duration::from_secs(10));
            continue;
        }
        let candidates: Vec<_> = found.into_iter().map(|(candidates, _)| candidates).collect();
        adopt(context, adoptable(&candidates)).await;
        break;
    }
    // The others stay, since their generations may be candidates of later ones too.
    for lost in lock(&context.lost.creates).iter_mut() {
        if let Some(reply) = lost.reply.take() {
            let _ = reply.send(Outcome::Unknown(lost.candidates.clone()));
        }
    }
    drop(exclusive);
}

/// Lists the candidates of each lost create: the plausible ones, and whether it is of this run.
fn list_candidates(context: &Context, recent: &Recent) -> Vec<(Vec<String>, bool)> {
    let mut creates = lock(&context.lost.creates);
    let replay = lock(&context.replay);
    let list = creates.iter_mut().map(|lost| {
        let Lost { model, sent_at, .. } = &*lost;
        let create = LostCreate { model, sent_at: *sent_at, generation_id: None };
        lost.candidates = context.client.inner.candidates(recent, create);
        // If the list does not reach back to the create, its generation may be missing in it.
        let covers = lost.candidates.covers_create;
        let claims = |id: &str| replay.claims(id);
        let found = plausible(&lost.candidates, lost.failed_after, claims);
        (if covers { found } else { Vec::new() }, lost.reply.is_some())
    });
    list.collect()
}

/// Gives the creates their generations, each of which is recorded first.
async fn adopt(context: &Context, made: Vec<Option<String>>) {
    let adopted: Vec<(EntryNumber, String, String)> = {
        let creates = lock(&context.lost.creates);
        let pairs = creates.iter().zip(made).filter(|(lost, _)| !lost.is_superseded);
        pairs.filter_map(|(lost, id)| Some((lost.number, lost.key.clone(), id?))).collect()
    };
    for (number, key, id) in adopted {
        if context.record(&key, Fact::Created { id: id.clone() }).await.is_err() {
            return;
        }
        lock(&context.replay).adopt(&key, &id);
        let mut creates = lock(&context.lost.creates);
        // A key may have several: each number is that of one create.
        let Some(index) = creates.iter().position(|lost| lost.number == number) else { continue };
        let lost = creates.swap_remove(index);
        drop(creates);
        context.with_ledger(|ledger, _| ledger.on_created(lost.number, &id));
        context.client.inner.state.ledger.on_candidates([&*id].into_iter());
        if let Some(reply) = lost.reply {
            let _ = reply.send(Outcome::Made(id));
        }
    }
}
