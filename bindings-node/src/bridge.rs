//! Passes results to event loops: each copy of `lib/` has a queue, and a thread-safe function that
//! empties it. A Node environment has one copy, unless its module registry is reset, as Jest does for
//! each file.
//!
//! The process has one runtime, which all environments (the main thread's and those of worker
//! threads) share. Its thread never runs JavaScript: it puts events into the queues and calls each
//! function once before it parks, so that many results cost one wake-up. The function is open while
//! calls are in progress, and keeps the process and its copy of `lib/` alive as long. Left open, it
//! would keep the copies of all of Jest's files: with it Node keeps the asynchronous context in which it
//! was made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bindings_common::{BackgroundRuntime, LogQueue, LogRecord, catch, catch_async, lock, lost};
use bindings_macros::barrier;
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, abortable};
use napi::bindgen_prelude::{Buffer, Either4, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{CleanupEnvHook, Env, Result, Status, sys};
use napi_derive::napi;
use pipevideo::{Batch, BatchRun, Submission};

use crate::errors::{self, Failure};
use crate::options;
use crate::values::{Raw, Value};

static RUNTIME: BackgroundRuntime = BackgroundRuntime::new(wake_changed);

/// The number of events at which the loop is woken although the runtime has more to do, so that the
/// two threads work side by side through a long burst.
const MAX_BATCH: usize = 64;

/// The size from which the wire's JSON is passed as bytes, which are not decoded on the event loop.
/// The JSON of a generation is far smaller; an engine catalog or an `output` may be larger.
const LARGE: usize = 64 << 10;

/// The channels that have events since their loops were last woken.
static CHANGED: Mutex<Vec<Arc<Channel>>> = Mutex::new(Vec::new());

/// Starts the run of a batch on the runtime.
pub(crate) fn start(batch: Batch) -> Result<BatchRun> {
    // The first job starts the runtime.
    RUNTIME.spawn(async {})?;
    Ok(RUNTIME.enter(|| batch.run()))
}

/// What JavaScript receives: for each event its call, its kind, a text, and the wire's JSON or bytes of a
/// video.
type Events = Vec<Either4<u32, String, Buffer, ()>>;
type Wake = ThreadsafeFunction<(), (), FnArgs<(Events,)>, Status, false, false>;

/// The kinds of events, for `lib/calls.js`.
#[napi]
pub enum EventKind {
    Failed,
    Done,
    Notified,
    TokenNeeded,
    Logged,
    Created,
}

/// An event of a call.
pub(crate) enum Event {
    /// The call failed; this is its last event.
    Failed(String),
    /// The call succeeded with this value; this is its last event.
    Done(Value),
    /// The call's callback receives this value.
    Notified(Value),
    /// A request for a token, with the request's number. The call's number is the client's.
    TokenNeeded(u32),
    /// The call has created the generation with this id.
    Created(String),
}

impl Event {
    fn into_parts(self) -> (EventKind, Value) {
        match self {
            Self::Failed(text) => (EventKind::Failed, Value::text(text)),
            Self::Done(value) => (EventKind::Done, value),
            Self::Notified(value) => (EventKind::Notified, value),
            Self::TokenNeeded(id) => (EventKind::TokenNeeded, Value::text(id.to_string())),
            Self::Created(id) => (EventKind::Created, Value::text(id)),
        }
    }
}

/// The runtime's end of a bridge.
#[derive(Default)]
pub(crate) struct Channel {
    events: Mutex<Vec<(u32, Event)>>,
    /// The records of the log, with the number of the client that each belongs to.
    records: LogQueue<(u32, LogRecord)>,
    /// `None` while no call is in progress, and after the environment has ended.
    wake: Mutex<Option<Wake>>,
    /// The calls in progress, and those of which JavaScript may not have handled the last event yet.
    calls: Mutex<HashMap<u32, CallState>>,
    /// The calls of which the last events were taken last.
    taken: Mutex<Vec<u32>>,
    /// How many users there are that may have events although no call is in progress: streams of
    /// updates, of which the polls may need a token, and clients that log.
    users: AtomicUsize,
}

/// Counts a user of a channel until it is dropped.
pub(crate) struct ChannelUser(Arc<Channel>);

impl ChannelUser {
    pub(crate) fn new(channel: &Arc<Channel>) -> Self {
        channel.users.fetch_add(1, Ordering::Relaxed);
        Self(channel.clone())
    }
}

impl Drop for ChannelUser {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call, as far as cancelling it is concerned.
struct CallState {
    abort: AbortHandle,
    /// What is known of its create, if it makes one.
    submission: Option<Submission>,
    outcome: Option<Outcome>,
}

#[derive(PartialEq)]
enum Outcome {
    Done,
    Failed,
}

impl Channel {
    /// Puts an event into the queue; on the runtime's thread.
    pub(crate) fn push(self: &Arc<Self>, call: u32, event: Event) {
        let mut events = lock(&self.events);
        events.push((call, event));
        match events.len() {
            1 => lock(&CHANGED).push(self.clone()),
            MAX_BATCH => {
                drop(events);
                self.wake();
            }
            _ => {}
        }
    }

    /// Puts a record of a client into the queue; on any thread.
    pub(crate) fn log(&self, client: u32, record: LogRecord) {
        if self.records.push((client, record)) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    fn take_events(&self) -> Events {
        let taken = std::mem::take(&mut *lock(&self.events));
        self.forget_handled(&taken);
        let mut events = Vec::with_capacity(taken.len().saturating_mul(4));
        // Taken after the outcomes, and passed on before them: what led to an outcome is logged by then.
        for (client, record) in self.take_records() {
            events.push(Either4::A(client));
            events.push(Either4::A(EventKind::Logged as u32));
            events.push(Either4::B(options::record(record)));
            events.push(Either4::D(()));
        }
        for (call, event) in taken {
            let (kind, value) = event.into_parts();
            events.push(Either4::A(call));
            events.push(Either4::A(kind as u32));
            events.push(Either4::B(value.text));
            events.push(match value.raw {
                None => Either4::D(()),
                Some(Raw::Json(raw)) if raw.len() > LARGE => Either4::C(raw.into_bytes().into()),
                Some(Raw::Json(raw)) => Either4::B(raw),
                Some(Raw::Bytes(bytes)) => Either4::C(Vec::from(bytes).into()),
            });
        }
        events
    }

    fn take_records(&self) -> Vec<(u32, LogRecord)> {
        let (mut records, dropped) = self.records.take();
        if dropped > 0
            && let Some((client, _)) = records.last()
        {
            records.push((*client, LogRecord::dropped(dropped)));
        }
        records
    }

    /// Removes the calls of which JavaScript has handled the last events: those of the batch before this one.
    fn forget_handled(&self, events: &[(u32, Event)]) {
        let is_last = |event: &Event| matches!(event, Event::Done(_) | Event::Failed(_));
        let ending = events.iter().filter(|(_, event)| is_last(event)).map(|(call, _)| *call);
        let handled = std::mem::replace(&mut *lock(&self.taken), ending.collect());
        let mut calls = lock(&self.calls);
        for call in handled {
            calls.remove(&call);
        }
    }

    /// Starts a call. Its events have its number; the last one is `Failed` or `Done`. `submission`
    /// shows what is known of the create that it makes.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: u32,
        submission: Option<Submission>,
        work: impl Future<Output = std::result::Result<Value, Failure>> + Send + 'static,
    ) -> Result<()> {
        let (work, abort) = abortable(catch_async(work));
        lock(&self.calls).insert(call, CallState { abort, submission, outcome: None });
        let guard = EndGuard(self.clone(), call);
        RUNTIME.spawn(async move {
            if let Ok(result) = work.await {
                guard.end(match result.unwrap_or_else(|error| Err(error.into())) {
                    Ok(value) => Event::Done(value),
                    Err(Failure(error)) => Event::Failed(error),
                });
            }
        })?;
        Ok(())
    }

    /// Stops all calls, since the environment is about to end.
    fn close(&self) {
        let wake = lock(&self.wake).take();
        drop(wake);
        lock(&self.calls).drain().for_each(|(_, call)| call.abort.abort());
        lock(&self.events).clear();
        drop(self.records.take());
    }
}

/// Ends a call with an error if it is dropped before the call has an outcome.
struct EndGuard(Arc<Channel>, u32);

impl EndGuard {
    fn end(&self, event: Event) {
        let mut calls = lock(&self.0.calls);
        // A call that was cancelled has been removed, and nothing waits for its outcome.
        let Some(call) = calls.get_mut(&self.1).filter(|call| call.outcome.is_none()) else {
            return;
        };
        let failed = matches!(event, Event::Failed(_));
        call.outcome = Some(if failed { Outcome::Failed } else { Outcome::Done });
        drop(calls);
        self.0.push(self.1, event);
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.end(Event::Failed(errors::to_json(&lost())));
    }
}

/// Wakes the loops that have new events. The runtime calls it before it parks.
fn wake_changed() {
    let changed = std::mem::take(&mut *lock(&CHANGED));
    changed.iter().for_each(|channel| channel.wake());
}

/// The event loop's end of a bridge.
#[napi]
pub struct Bridge {
    channel: Arc<Channel>,
    /// Stops all calls before the environment ends.
    hook: Option<CleanupEnvHook<()>>,
}

#[barrier]
#[napi]
impl Bridge {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self { channel: Arc::default(), hook: None }
    }

    /// Passes events to this function from now on, and keeps the process alive.
    #[napi]
    pub fn open(&mut self, env: Env, take: Function<'_, FnArgs<(Events,)>, ()>) -> Result<()> {
        let mut wake = lock(&self.channel.wake);
        if let Some(wake) = &*wake {
            set_reference(env, wake, sys::napi_ref_threadsafe_function);
            return Ok(());
        }
        let queue = self.channel.clone();
        *wake = Some(
            take.build_threadsafe_function::<()>()
                .weak::<false>()
                .callee_handled::<false>()
                .build_callback(move |_| {
                    let events = catch(|| queue.take_events()).unwrap_or_default();
                    Ok(FnArgs::from((events,)))
                })?,
        );
        drop(wake);
        // Hooks run in reverse order: this one before the one that closes the thread-safe function,
        // which must not be called any more then.
        let closing = self.channel.clone();
        self.hook = Some(env.add_env_cleanup_hook((), move |()| drop(catch(|| closing.close())))?);
        // The first call has begun already, and its events may have come.
        if !lock(&self.channel.events).is_empty() {
            self.channel.wake();
        }
        Ok(())
    }

    /// Returns what has come by now, for a process that is about to end.
    #[napi]
    pub fn take(&self) -> Events {
        self.channel.take_events()
    }

    /// Called when no call is in progress: lets the process end, and the function be collected. As long
    /// as the channel has users, the function is kept.
    #[napi]
    pub fn rest(&mut self, env: Env) -> Result<()> {
        let mut wake = lock(&self.channel.wake);
        if self.channel.users.load(Ordering::Relaxed) > 0 {
            if let Some(wake) = &*wake {
                set_reference(env, wake, sys::napi_unref_threadsafe_function);
            }
            return Ok(());
        }
        // If it is closed already, the environment has ended, and its hooks have run.
        let Some(wake) = wake.take() else { return Ok(()) };
        drop(wake);
        self.hook.take().map_or(Ok(()), |hook| env.remove_env_cleanup_hook(hook))
    }

    /// Panics, for the tests of the barrier: at once, or in the call of this number.
    #[napi(js_name = "_panic")]
    pub fn panic(&self, call: Option<u32>) -> Result<()> {
        let Some(call) = call else { panic!("a secret prompt") };
        self.channel.begin(call, None, async { panic!("a secret prompt") })
    }

    /// Has the id of what a call creates passed on as soon as it is known.
    #[napi]
    pub fn await_created(&self, call: u32) -> Result<()> {
        let calls = lock(&self.channel.calls);
        let submission = calls.get(&call).and_then(|state| state.submission.clone());
        drop(calls);
        let Some(submission) = submission else { return Ok(()) };
        let channel = self.channel.clone();
        let announce = catch_async(async move {
            if let Some(id) = submission.created().await
                && lock(&channel.calls).contains_key(&call)
            {
                channel.push(call, Event::Created(id));
            }
        });
        RUNTIME.spawn(announce.map(drop))?;
        Ok(())
    }

    /// Stops a call, and with it its request. Returns the error of its create as JSON if that may have
    /// been sent, else an empty text; or null if the call has failed by itself, and its last event is
    /// on its way.
    #[napi]
    pub fn cancel(&self, call: u32) -> Option<String> {
        let CallState { abort, submission, outcome } = lock(&self.channel.calls).remove(&call)?;
        if outcome == Some(Outcome::Failed) {
            return None;
        }
        abort.abort();
        let uncertain = submission.and_then(|submission| submission.cancel());
        Some(uncertain.map_or_else(String::new, |error| errors::to_json(&error)))
    }
}

impl Bridge {
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }
}

type SetReference = unsafe fn(sys::napi_env, sys::napi_threadsafe_function) -> sys::napi_status;

/// Keeps the process alive by the thread-safe function, or lets it end.
fn set_reference(env: Env, wake: &Wake, set: SetReference) {
    // napi-rs offers no call for it.
    // SAFETY: this is the environment's own thread, since `env` was passed in, and the function is open
    // as long as it is in a channel.
    #[allow(unsafe_code)]
    let _ = unsafe { set(env.raw(), wake.raw()) };
}
