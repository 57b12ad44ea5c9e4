//! Where a wait meets the follower: what it asks for, and what it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_channel::mpsc as events;
use tokio::runtime::{Handle, Id};
use tokio::sync::mpsc;

use super::Inner;
use super::client_state::lock;
use super::driver::Follower;
use crate::error::Error;
use crate::model::{Generation, Update};
use crate::polling::wait_state::Snapshot;

/// The follower tasks of one key: one for each runtime that waits on it.
#[derive(Default)]
pub(crate) struct Followers(Mutex<HashMap<Id, mpsc::UnboundedSender<Command>>>);

/// What somebody who waits is told.
pub(crate) enum Event {
    Update(Box<Update>),
    End(Result<Arc<Generation>, Error>),
}

/// A wish to follow a generation.
pub(crate) struct Follow {
    pub(crate) client: Arc<Inner>,
    pub(crate) id: Arc<str>,
    /// The time until which to wait.
    pub(crate) deadline: Duration,
    /// What its create has just answered.
    pub(crate) created: Option<Snapshot>,
    /// Whether updates are wanted, or only the end.
    pub(crate) updates: bool,
}

pub(crate) enum Command {
    Follow(Follow, events::UnboundedSender<Event>, u64),
    Leave(Arc<str>, u64),
    /// A webhook says that this generation has ended.
    Told(Arc<str>),
}

/// A place among those who wait. Dropping it gives it up, and stops a look that nobody else needs.
pub(crate) struct Subscription {
    pub(crate) events: events::UnboundedReceiver<Event>,
    commands: mpsc::UnboundedSender<Command>,
    id: Arc<str>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // A follower that is gone has nobody to take off its list.
        let _ = self.commands.send(Command::Leave(self.id.clone(), self.number));
    }
}

impl Followers {
    /// Whether nobody is followed.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// A follower wants to end: whether it may, since nobody has just come.
    pub(crate) fn leave(&self, inbox: &mpsc::UnboundedReceiver<Command>, runtime: Id) -> bool {
        // Whoever comes sends while holding the same lock.
        let mut all = lock(&self.0);
        inbox.is_empty() && all.remove(&runtime).is_some()
    }

    /// Wakes the waits of a generation: a webhook says that it has ended.
    pub(crate) fn wake(&self, id: &str) {
        for commands in lock(&self.0).values() {
            // A follower that is gone has nobody to wake.
            let _ = commands.send(Command::Told(id.into()));
        }
    }

    /// Follows a generation from now on.
    pub(crate) fn follow(&self, follow: Follow) -> Subscription {
        let (sender, events) = events::unbounded();
        let (id, number) = (follow.id.clone(), fastrand::u64(..));
        let shared = follow.client.shared.clone();
        let typical = follow.client.config.polling.typical;
        let runtime = Handle::current().id();
        let mut all = lock(&self.0);
        // Those of runtimes that have been shut down.
        all.retain(|_, commands| !commands.is_closed());
        let mut command = Command::Follow(follow, sender, number);
        if let Some(commands) = all.get(&runtime) {
            match commands.send(command) {
                Ok(()) => {
                    return Subscription { events, commands: commands.clone(), id, number };
                }
                Err(mpsc::error::SendError(unsent)) => command = unsent,
            }
        }
        let (commands, inbox) = mpsc::unbounded_channel();
        if commands.send(command).is_ok() {
            all.insert(runtime, commands.clone());
        }
        Follower::spawn(shared, inbox, runtime, typical);
        Subscription { events, commands, id, number }
    }
}
