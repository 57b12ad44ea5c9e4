//! Passes results to event loops: each Node environment has a queue, and one thread-safe function
//! that empties it.
//!
//! The process has one runtime, which all environments (the main thread's and those of worker
//! threads) share. Its thread never runs JavaScript: it puts events into the queues and calls each
//! function once before it parks, so that many results cost one wake-up. The function does not keep
//! the process alive; calls in progress do, by `ref` and `unref`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bindings_common::{BackgroundRuntime, catch, catch_async, lock, lost};
use bindings_macros::barrier;
use futures_util::future::{AbortHandle, abortable};
use napi::bindgen_prelude::{Buffer, Either4, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, sys};
use napi_derive::napi;

use crate::errors::{self, Failure};
use crate::values::Value;

static RUNTIME: BackgroundRuntime = BackgroundRuntime::new(wake_changed);

/// The number of events at which the loop is woken although the runtime has more to do, so that the
/// two threads work side by side through a long burst.
const MAX_BATCH: usize = 64;

/// The size from which the wire's JSON is passed as bytes, which are not decoded on the event loop.
/// The JSON of a generation is far smaller; an engine catalog or an `output` may be larger.
const LARGE: usize = 64 << 10;

/// The channels that have events since their loops were last woken.
static CHANGED: Mutex<Vec<Arc<Channel>>> = Mutex::new(Vec::new());

/// What JavaScript receives: for each event its call, its kind, a text, and the wire's JSON.
type Events = Vec<Either4<u32, String, Buffer, ()>>;
type Wake = ThreadsafeFunction<(), (), FnArgs<(Events,)>, Status, false, true>;

/// The kinds of events, for `lib/calls.js`.
#[napi]
pub enum EventKind {
    Failed,
    Done,
    Notified,
    TokenNeeded,
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
}

impl Event {
    fn into_parts(self) -> (EventKind, Value) {
        match self {
            Self::Failed(text) => (EventKind::Failed, Value::text(text)),
            Self::Done(value) => (EventKind::Done, value),
            Self::Notified(value) => (EventKind::Notified, value),
            Self::TokenNeeded(id) => (EventKind::TokenNeeded, Value::text(id.to_string())),
        }
    }
}

/// The runtime's end of a bridge.
pub(crate) struct Channel {
    events: Mutex<Vec<(u32, Event)>>,
    /// `None` before it is set up, and after the environment has ended.
    wake: Mutex<Option<Wake>>,
    /// The calls in progress, by number.
    calls: Mutex<HashMap<u32, AbortHandle>>,
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

    fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    fn take_events(&self) -> Events {
        let taken = std::mem::take(&mut *lock(&self.events));
        let mut events = Vec::with_capacity(taken.len().saturating_mul(4));
        for (call, event) in taken {
            let (kind, value) = event.into_parts();
            events.push(Either4::A(call));
            events.push(Either4::A(kind as u32));
            events.push(Either4::B(value.text));
            events.push(match value.raw {
                None => Either4::D(()),
                Some(raw) if raw.len() > LARGE => Either4::C(raw.into_bytes().into()),
                Some(raw) => Either4::B(raw),
            });
        }
        events
    }

    /// Starts a call. Its events have its number; the last one is `Failed` or `Done`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: u32,
        work: impl Future<Output = std::result::Result<Value, Failure>> + Send + 'static,
    ) -> Result<()> {
        let (work, abort) = abortable(catch_async(work));
        lock(&self.calls).insert(call, abort);
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
        lock(&self.calls).drain().for_each(|(_, call)| call.abort());
        lock(&self.events).clear();
    }
}

/// Ends a call with an error if it is dropped before the call has an outcome.
struct EndGuard(Arc<Channel>, u32);

impl EndGuard {
    fn end(&self, event: Event) {
        // A call that was cancelled has been removed, and nothing waits for its outcome.
        if lock(&self.0.calls).remove(&self.1).is_some() {
            self.0.push(self.1, event);
        }
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

/// The event loop's end of a bridge; each environment has one.
#[napi]
pub struct Bridge(Arc<Channel>);

#[barrier]
#[napi]
impl Bridge {
    /// Makes a bridge that passes its events to this function.
    #[napi(constructor)]
    pub fn new(env: Env, take: Function<'_, FnArgs<(Events,)>, ()>) -> Result<Self> {
        let channel = Arc::new(Channel {
            events: Mutex::default(),
            wake: Mutex::default(),
            calls: Mutex::default(),
        });
        let queue = channel.clone();
        let wake = take
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build_callback(move |_| {
                let events = catch(|| queue.take_events()).unwrap_or_default();
                Ok(FnArgs::from((events,)))
            })?;
        *lock(&channel.wake) = Some(wake);
        // Hooks run in reverse order: this one before the one that closes the thread-safe function,
        // which must not be called any more then.
        let closing = channel.clone();
        env.add_env_cleanup_hook((), move |()| drop(catch(|| closing.close())))?;
        Ok(Self(channel))
    }

    /// Keeps the process alive while a call is in progress.
    #[napi(js_name = "ref")]
    pub fn reference(&self, env: Env) {
        self.set_reference(env, sys::napi_ref_threadsafe_function);
    }

    /// Lets the process end when no call is in progress.
    #[napi(js_name = "unref")]
    pub fn unreference(&self, env: Env) {
        self.set_reference(env, sys::napi_unref_threadsafe_function);
    }

    /// Panics, for the tests of the barrier: at once, or in the call of this number.
    #[napi(js_name = "_panic")]
    pub fn panic(&self, call: Option<u32>) -> Result<()> {
        let Some(call) = call else { panic!("a secret prompt") };
        self.0.begin(call, async { panic!("a secret prompt") })
    }

    /// Stops a call, and with it its request. After this only events that are on their way arrive.
    #[napi]
    pub fn cancel(&self, call: u32) {
        if let Some(call) = lock(&self.0.calls).remove(&call) {
            call.abort();
        }
    }
}

type SetReference = unsafe fn(sys::napi_env, sys::napi_threadsafe_function) -> sys::napi_status;

impl Bridge {
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.0
    }

    fn set_reference(&self, env: Env, set: SetReference) {
        if let Some(wake) = &*lock(&self.0.wake) {
            // napi-rs offers no call for it.
            // SAFETY: this is the environment's own thread, since `env` was passed in, and the
            // function is open as long as it is in `wake`.
            #[allow(unsafe_code)]
            let _ = unsafe { set(env.raw(), wake.raw()) };
        }
    }
}
