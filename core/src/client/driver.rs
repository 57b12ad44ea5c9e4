//! The one task that drives the planner: it looks at generations and tells those who wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_channel::mpsc as events;
use tokio::runtime::Id;
use tokio::sync::mpsc;
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tracing::{Instrument, debug_span};

use super::client_state::{Shared, lock};
use super::followers::{Command, Event, Follow};
use super::{Inner, clock};
use crate::error::{Error, ErrorKind};
use crate::model::{Generation, Update, Via};
use crate::polling::planner::{Next, Planner};
use crate::polling::wait_state::{Ask, GRACE, Lifecycle, Snapshot};

/// No more looks than this are under way at once, whatever the budget: each may be a connection.
const MOST_LOOKS: usize = 50;
/// So long after its deadline a wait takes the answer of its last look.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// A generation that claims to be older than this says nothing about how long they take.
const OLDEST: Duration = Duration::from_secs(60 * 60);

/// The task's state.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Command>,
    planner: Planner,
    followed: HashMap<Arc<str>, Followed>,
    /// When waits end, whatever has come by then.
    deadlines: BTreeSet<(Duration, Arc<str>, u64)>,
    looks: JoinSet<Look>,
}

type Look = (Arc<str>, Result<Snapshot, Error>);

/// One generation, and all who wait for it.
struct Followed {
    client: Arc<Inner>,
    waits: Vec<Waiting>,
    look: Option<AbortHandle>,
    /// When it was last seen, and whether it is known when it was born.
    seen: Option<Duration>,
    birth_known: bool,
    /// What has made the next look due, and the one under way.
    next_via: Via,
    via: Via,
}

struct Waiting {
    number: u64,
    /// Its place among the deadlines.
    ends: Duration,
    lifecycle: Lifecycle,
    events: events::UnboundedSender<Event>,
    updates: bool,
}

impl Follower {
    /// Starts the task.
    pub(crate) fn spawn(
        shared: Arc<Shared>,
        inbox: mpsc::UnboundedReceiver<Command>,
        runtime: Id,
        typical: Duration,
    ) {
        let follower = Self {
            shared,
            inbox,
            planner: Planner::new(typical),
            followed: HashMap::new(),
            deadlines: BTreeSet::new(),
            looks: JoinSet::new(),
        };
        #[allow(clippy::disallowed_methods, reason = "the one task that is spawned")]
        tokio::spawn(follower.run(runtime));
    }

    async fn run(mut self, runtime: Id) {
        let shared = self.shared.clone();
        loop {
            let changed = shared.limiter.changed();
            let next = self.dispatch();
            self.meet_deadlines();
            if self.followed.is_empty() && shared.followers.leave(&self.inbox, runtime) {
                return;
            }
            let deadline = self.deadlines.first().map(|(deadline, ..)| *deadline);
            let wake = match &next {
                Next::At(at) => Some(deadline.map_or(*at, |deadline| deadline.min(*at))),
                _ => deadline,
            };
            tokio::select! {
                Some(command) = self.inbox.recv() => {
                    self.obey(command);
                    while let Ok(command) = self.inbox.try_recv() {
                        self.obey(command);
                    }
                }
                Some(look) = self.looks.join_next_with_id() => {
                    self.looked(look);
                    while let Some(look) = self.looks.try_join_next_with_id() {
                        self.looked(look);
                    }
                }
                () = changed, if next == Next::WhenChanged => {}
                () = clock::sleep_until(wake.unwrap_or(Duration::MAX)) => {}
            }
        }
    }

    /// Sends every look that is due and that the budget allows.
    fn dispatch(&mut self) -> Next {
        loop {
            if self.looks.len() >= MOST_LOOKS {
                return Next::WhenChanged;
            }
            let now = clock::now();
            let next = self.planner.next(now, &mut self.shared.limiter.budget());
            let Next::Look(id) = next else { return next };
            let permit = self.shared.limiter.poll_permit();
            let followed = self.followed.get_mut(&id).expect("what is planned is followed");
            followed.waits.iter_mut().for_each(|wait| wait.lifecycle.look());
            followed.via = std::mem::replace(&mut followed.next_via, Via::Poll);
            let client = followed.client.clone();
            let span = debug_span!(
                "look",
                id = &*id,
                status = tracing::field::Empty,
                budget_left = tracing::field::Empty,
            );
            let look = async move {
                let result = client.poll(&id, permit).await;
                (id, result)
            };
            followed.look = Some(self.looks.spawn(look.instrument(span)));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Follow(follow, events, number) => self.begin(follow, events, number),
            Command::Told(id) => self.wake(&id),
            Command::Leave(id, number) => {
                if let Some(followed) = self.followed.get_mut(&id) {
                    let deadlines = &mut self.deadlines;
                    followed.waits.retain(|wait| {
                        let stays = wait.number != number;
                        if !stays {
                            deadlines.remove(&(wait.ends, id.clone(), number));
                        }
                        stays
                    });
                    self.forget_if_unwanted(&id);
                }
            }
        }
    }

    fn begin(&mut self, follow: Follow, events: events::UnboundedSender<Event>, number: u64) {
        let Follow { client, id, deadline, created, updates } = follow;
        let now = clock::now();
        let created_at = lock(&self.shared.created).get(&id);
        let grace = created_at.map_or(Duration::ZERO, |created_at| created_at + GRACE);
        self.deadlines.insert((deadline, id.clone(), number));
        let lifecycle = Lifecycle::new(deadline, grace, created.clone());
        let wait = Waiting { number, ends: deadline, lifecycle, events, updates };
        if let Some(followed) = self.followed.get_mut(&id) {
            followed.waits.push(wait);
            self.planner.join(&id, client.config.polling, client.webhook.is_some());
        } else {
            let kind =
                created.as_ref().map(|created| kind(&created.generation)).unwrap_or_default();
            let born = created_at.unwrap_or(now);
            self.planner.add(id.clone(), kind, born, created_at, client.config.polling);
            if client.webhook.is_some() {
                self.planner.rest(&id);
            }
            let followed = Followed {
                client,
                waits: vec![wait],
                look: None,
                seen: created_at,
                birth_known: created_at.is_some(),
                next_via: Via::Poll,
                via: Via::Poll,
            };
            self.followed.insert(id.clone(), followed);
        }
        if lock(&self.shared.inbox).has_told(&id, now) {
            self.wake(&id);
        }
        if let Some(created) = created {
            let (elapsed, expected) = self.planner.progress(now, &id);
            if let Some(wait) = self.followed.get(&id).and_then(|followed| followed.waits.last()) {
                wait.tell(&created.generation, elapsed, expected, Via::Poll);
            }
            if created.generation.is_final() {
                // A create that is answered with an end needs no look.
                self.told(&id, &created);
            }
        }
    }

    /// A webhook says that a generation has ended: the service is asked at once.
    fn wake(&mut self, id: &Arc<str>) {
        let Some(followed) = self.followed.get_mut(id) else { return };
        followed.next_via = Via::Webhook;
        let mut hurry = false;
        for wait in &mut followed.waits {
            hurry |= matches!(wait.lifecycle.webhook(), Ask::Now);
        }
        if hurry {
            self.planner.hurry(id);
        }
    }

    /// A look has come back, or has been given up.
    fn looked(&mut self, look: Result<(task::Id, Look), JoinError>) {
        let task = look.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let is_it =
            |followed: &&mut Followed| followed.look.as_ref().map(AbortHandle::id) == Some(task);
        match look {
            Ok((_, (id, result))) => {
                // Of a look that was given up too late, nobody waits for the answer.
                let Some(followed) = self.followed.get_mut(&id).filter(is_it) else { return };
                followed.look = None;
                match result {
                    Ok(snapshot) => self.told(&id, &snapshot),
                    Err(error) => self.missed(&id, &error),
                }
            }
            Err(gone) if gone.is_panic() => {
                let mut all = self.followed.iter_mut();
                let Some((id, followed)) = all.find(|(_, followed)| is_it(followed)) else {
                    return;
                };
                followed.look = None;
                let id = id.clone();
                let message =
                    "the token function panicked. The generation goes on: wait for its id again.";
                let error = Error::new(ErrorKind::Authentication, message).with_generation_id(&id);
                self.missed(&id, &error);
            }
            Err(_) => {}
        }
    }

    /// The service has told how a generation is.
    fn told(&mut self, id: &Arc<str>, snapshot: &Snapshot) {
        let generation = &snapshot.generation;
        let now = clock::now();
        let Some(followed) = self.followed.get_mut(id) else { return };
        let mut born = None;
        if followed.seen.is_none() || !followed.birth_known {
            born = generation
                .created_at
                .and_then(|at| birth(at, now))
                .filter(|_| !followed.birth_known);
            followed.birth_known |= born.is_some();
            self.planner.describe(id, kind(generation));
        }
        self.planner.seen(now, id, born);
        let (elapsed, expected) = self.planner.progress(now, id);
        if generation.is_final() && followed.birth_known {
            let unseen = now.saturating_sub(followed.seen.unwrap_or(now));
            let took = took(generation, elapsed, unseen);
            self.planner.forecast.learn(&kind(generation), took);
        }
        followed.seen = Some(now);
        let mut hurry = false;
        for wait in &mut followed.waits {
            let (news, ask) = wait.lifecycle.snapshot(now, snapshot);
            if news {
                wait.tell(generation, elapsed, expected, followed.via);
            }
            match ask {
                Ask::End(end) => wait.end(end),
                Ask::Now => hurry = true,
                _ => {}
            }
        }
        if hurry {
            self.planner.hurry(id);
        }
        self.forget_ended(id);
    }

    /// A look at a generation has failed.
    fn missed(&mut self, id: &Arc<str>, error: &Error) {
        let now = clock::now();
        let Some(followed) = self.followed.get_mut(id) else { return };
        let entropy = clock::entropy();
        let mut not_before = now;
        for wait in &mut followed.waits {
            match wait.lifecycle.failure(now, id, error, entropy) {
                Ask::NotBefore(at) => not_before = not_before.max(at),
                Ask::End(end) => wait.end(end),
                _ => {}
            }
        }
        self.planner.missed(now, id, not_before);
        self.forget_ended(id);
    }

    /// At its deadline a wait has one last look, or takes the answer of the one under way if that
    /// comes soon; without budget for one, it ends at once.
    fn meet_deadlines(&mut self) {
        let now = clock::now();
        let mut met = BTreeSet::new();
        while self.deadlines.first().is_some_and(|(ends, ..)| *ends <= now)
            && let Some((_, id, _)) = self.deadlines.pop_first()
        {
            if self.followed.get(&id).is_some_and(|followed| followed.look.is_none()) {
                self.planner.hurry(&id);
            }
            met.insert(id);
        }
        if met.is_empty() {
            return;
        }
        self.dispatch();
        for id in met {
            let Some(followed) = self.followed.get_mut(&id) else { continue };
            for wait in followed.waits.iter_mut().filter(|wait| wait.ends <= now) {
                let last = wait.lifecycle.deadline().saturating_add(LAST_LOOK);
                if followed.look.is_some() && now < last {
                    wait.ends = last;
                    self.deadlines.insert((last, id.clone(), wait.number));
                } else if let Ask::End(end) = wait.lifecycle.expire(&id) {
                    wait.end(end);
                }
            }
            self.forget_ended(&id);
        }
    }

    fn forget_ended(&mut self, id: &Arc<str>) {
        if let Some(followed) = self.followed.get_mut(id) {
            let deadlines = &mut self.deadlines;
            followed.waits.retain(|wait| {
                let ended = wait.events.is_closed();
                if ended {
                    deadlines.remove(&(wait.ends, id.clone(), wait.number));
                }
                !ended
            });
            self.forget_if_unwanted(id);
        }
    }

    fn forget_if_unwanted(&mut self, id: &Arc<str>) {
        if self.followed.get(id).is_some_and(|followed| followed.waits.is_empty()) {
            self.planner.remove(id);
            if let Some(look) = self.followed.remove(id).and_then(|followed| followed.look) {
                look.abort();
            }
        }
    }
}

impl Waiting {
    fn tell(&self, generation: &Generation, elapsed: Duration, expected: Duration, via: Via) {
        if self.updates {
            let generation = generation.clone();
            let update = Update { generation, elapsed, expected, via };
            // Whoever has gone will be taken off the list.
            let _ = self.events.unbounded_send(Event::Update(Box::new(update)));
        }
    }

    fn end(&self, end: Result<Arc<Generation>, Error>) {
        let _ = self.events.unbounded_send(Event::End(end));
        self.events.close_channel();
    }
}

/// What generations are told apart by when it comes to how long they take.
fn kind(generation: &Generation) -> String {
    let engine = generation.engine.as_deref().unwrap_or_default();
    let model = generation.model.as_deref().unwrap_or_default();
    format!("{engine} {model}")
}

/// When a generation was born, by the service's clock, if that can be.
fn birth(created_at: std::time::SystemTime, now: Duration) -> Option<Duration> {
    let age = clock::wall().duration_since(created_at).ok()?;
    (age <= OLDEST).then(|| now.saturating_sub(age))
}

/// How long a generation took: as the service says if that can be, else about the middle of the
/// time in which its end was not seen.
fn took(generation: &Generation, age: Duration, unseen: Duration) -> Duration {
    let earliest = age.saturating_sub(unseen);
    match generation.latency_ms.map(Duration::from_millis) {
        Some(latency) => latency.clamp(earliest, age),
        None => earliest + unseen / 2,
    }
}
