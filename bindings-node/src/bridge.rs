//! How results reach an event loop: for each Node environment a queue, and one thread-safe function
//! that empties it.
//!
//! The runtime's thread puts what has happened into the queue and calls the function once when it
//! has nothing else to do, so that many results cost one wake-up. The function does not keep the
//! process alive; calls under way do, by `hold` and `release`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::future::{AbortHandle, abortable};
use napi::bindgen_prelude::{Buffer, Either4, FnArgs, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, sys};
use napi_derive::napi;

use crate::errors::Failure;
use crate::runtime::{self, lock};
use crate::values::Value;

/// With so many events the loop is woken even if the runtime has more to do.
const MANY: usize = 64;

/// The channels that have something new since their loops were last woken.
static CHANGED: Mutex<Vec<Arc<Channel>>> = Mutex::new(Vec::new());

/// What JavaScript gets: for each event its call, its kind, a text, and the wire's JSON.
type Events = Vec<Either4<u32, String, Buffer, ()>>;
type Wake = ThreadsafeFunction<(), (), FnArgs<(Events,)>, Status, false, true>;

/// Something that has happened to a call. The kinds' numbers are those in `lib/calls.js`.
pub(crate) enum Event {
    /// It is over: it failed.
    Failed(String),
    /// It is over: this is its value.
    Done(Value),
    /// A callback is to be told of this.
    Told(Value),
    /// A token is wanted; the call's number is the client's.
    Token(u32),
    /// It ended without an outcome: a panic, most likely.
    Lost,
}

/// The runtime's end of a bridge.
pub(crate) struct Channel {
    events: Mutex<Vec<(u32, Event)>>,
    /// None before it is set up, and after the environment has ended.
    wake: Mutex<Option<Wake>>,
    /// The calls under way, by number.
    calls: Mutex<HashMap<u32, AbortHandle>>,
}

impl Channel {
    /// Puts an event into the queue; on the runtime's thread.
    pub(crate) fn push(self: &Arc<Self>, call: u32, event: Event) {
        let mut events = lock(&self.events);
        events.push((call, event));
        match events.len() {
            1 => lock(&CHANGED).push(self.clone()),
            MANY => {
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
        let mut events = Vec::with_capacity(taken.len() * 4);
        for (call, event) in taken {
            let (kind, value) = match event {
                Event::Failed(text) => (0, Value::text(text)),
                Event::Done(value) => (1, value),
                Event::Told(value) => (2, value),
                Event::Token(request) => (3, Value::text(request.to_string())),
                Event::Lost => (4, Value::text(String::new())),
            };
            events.push(Either4::A(call));
            events.push(Either4::A(kind));
            events.push(Either4::B(value.text));
            events.push(match value.raw {
                None => Either4::D(()),
                Some(raw) if raw.len() > LARGE => Either4::C(raw.into_bytes().into()),
                Some(raw) => Either4::B(raw),
            });
        }
        events
    }

    /// Starts a call. Its events come under its number; the last one is `Failed`, `Done` or `Lost`.
    pub(crate) fn begin(
        self: &Arc<Self>,
        call: u32,
        work: impl Future<Output = std::result::Result<Value, Failure>> + Send + 'static,
    ) -> Result<()> {
        let (work, abort) = abortable(work);
        lock(&self.calls).insert(call, abort);
        let ending = Ending(self.clone(), call);
        runtime::spawn(Box::pin(async move {
            if let Ok(result) = work.await {
                ending.end(match result {
                    Ok(value) => Event::Done(value),
                    Err(Failure(error)) => Event::Failed(error),
                });
            }
        }))?;
        Ok(())
    }

    /// Stops everything: the environment is about to end.
    fn close(&self) {
        let wake = lock(&self.wake).take();
        drop(wake);
        lock(&self.calls).drain().for_each(|(_, call)| call.abort());
        lock(&self.events).clear();
    }
}

/// A longer text is handed over as bytes, without being read on the event loop.
const LARGE: usize = 64 << 10;

/// Ends a call without an outcome when it is dropped before there is one.
struct Ending(Arc<Channel>, u32);

impl Ending {
    fn end(&self, event: Event) {
        // A call that was cancelled is not there any more, and nobody waits for it.
        if lock(&self.0.calls).remove(&self.1).is_some() {
            self.0.push(self.1, event);
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.end(Event::Lost);
    }
}

/// Wakes the loops that have something new. The runtime calls it before it rests.
pub(crate) fn wake_changed() {
    let changed = std::mem::take(&mut *lock(&CHANGED));
    changed.iter().for_each(|channel| channel.wake());
}

/// The event loop's end of a bridge; each environment has one.
#[napi]
pub struct Bridge(Arc<Channel>);

#[napi]
impl Bridge {
    /// A bridge whose events go to this function.
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
            .build_callback(move |_| Ok(FnArgs::from((queue.take_events(),))))?;
        *lock(&channel.wake) = Some(wake);
        // Hooks run in reverse: this one before the thread-safe function is closed under us.
        let closing = channel.clone();
        env.add_env_cleanup_hook((), move |()| closing.close())?;
        Ok(Self(channel))
    }

    /// Keeps the process alive: a call is under way.
    #[napi]
    pub fn hold(&self, env: Env) {
        self.refer(env, sys::napi_ref_threadsafe_function);
    }

    /// Lets the process end: no call is under way any more.
    #[napi]
    pub fn release(&self, env: Env) {
        self.refer(env, sys::napi_unref_threadsafe_function);
    }

    /// Stops a call, and with it its request. No event of it comes any more but those on their way.
    #[napi]
    pub fn cancel(&self, call: u32) {
        if let Some(call) = lock(&self.0.calls).remove(&call) {
            call.abort();
        }
    }
}

type Refer = unsafe fn(sys::napi_env, sys::napi_threadsafe_function) -> sys::napi_status;

impl Bridge {
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.0
    }

    fn refer(&self, env: Env, refer: Refer) {
        if let Some(wake) = &*lock(&self.0.wake) {
            // Not offered by napi-rs.
            // SAFETY: this is the environment's own thread, since `env` was passed in, and the
            // function is open as long as it is in `wake`.
            #[allow(unsafe_code)]
            let _ = unsafe { refer(env.raw(), wake.raw()) };
        }
    }
}
