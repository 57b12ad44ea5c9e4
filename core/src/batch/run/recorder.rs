//! Records in the journal that a create is sent, before it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;

use super::context::Context;
use crate::batch::journal::{Fact, Hash};
use crate::client::clock;
use crate::client::submission::SendRecorder;
use crate::error::Error;
use crate::lock::{Mutex, lock};

/// Records the sends of one create.
pub(super) struct Recorder {
    pub(super) context: Arc<Context>,
    pub(super) key: String,
    pub(super) model: String,
    pub(super) hash: Hash,
    pub(super) attempt: u32,
    /// The request's JSON, if prompts are kept.
    pub(super) json: Option<Vec<u8>>,
    /// Held while what the create has made is not known.
    pub(super) sending: Mutex<Option<OwnedSemaphorePermit>>,
    /// Set if the request was not sent because the run creates nothing more.
    pub(super) was_stopped: AtomicBool,
    /// Set once the journal may have that the request is sent.
    pub(super) was_recorded: AtomicBool,
}

impl Recorder {
    /// What the create has made is known by now, or that it is not known.
    pub(super) fn end(&self) {
        lock(&self.sending).take();
    }

    fn fact(&self) -> Fact {
        let at = clock::wall();
        match &self.json {
            Some(json) => Fact::sending(json, &self.model, self.attempt, at, true),
            None => Fact::Sending {
                request: self.hash,
                model: self.model.clone(),
                attempt: self.attempt,
                at,
                body: None,
            },
        }
    }
}

impl SendRecorder for Recorder {
    fn before_send(&self) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            self.end();
            // The semaphore is never closed.
            let sending = self.context.sends.clone().acquire_owned().await.ok();
            if let Some(stopped) = self.context.stopped() {
                self.was_stopped.store(true, Ordering::Relaxed);
                return Err(stopped);
            }
            // Not after: a call that is dropped meanwhile is recorded all the same.
            self.was_recorded.store(true, Ordering::Relaxed);
            self.context.record(&self.key, self.fact()).await?;
            *lock(&self.sending) = sending;
            Ok(())
        }
        .boxed()
    }

    fn on_not_processed(&self) {
        self.context.note(&self.key, Fact::NotCreated { error: None });
        self.end();
    }
}
