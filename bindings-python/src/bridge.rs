//! Passes results to event loops: each loop has a queue and is [woken](crate::loop_wake) to read it.
//!
//! The runtime's thread puts calls that have news into the queue and wakes the loop before it parks.
//! The [loop's reader](crate::loop_reader) resolves the futures of these calls on the loop's own
//! thread. The runtime's thread never runs Python: a thread that attaches to an interpreter which is
//! being finalized aborts the process, and one that waits for the GIL delays all calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use bindings_common::lock;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::call_state::CallState;
use crate::loop_wake::{self, LoopWake};
use crate::token::TokenRequests;

/// The number of calls at which a loop is woken although the runtime has more to do, so that the two
/// threads work side by side through a long burst.
const MAX_BATCH: usize = 64;

/// The queues that have news since their loops were last woken.
static CHANGED: Mutex<Vec<Arc<LoopQueue>>> = Mutex::new(Vec::new());

/// The queues of all loops that have one.
static LOOPS: Mutex<Vec<Weak<LoopQueue>>> = Mutex::new(Vec::new());

/// The queue of one event loop. Its reader owns it, and the loop owns the reader.
pub(crate) struct LoopQueue {
    changed: Mutex<Vec<Arc<CallState>>>,
    /// The clients that need a token.
    token_requests: Mutex<Vec<Arc<TokenRequests>>>,
    /// The futures that calls wait for. They belong to the loop, as those that wait for a socket do,
    /// and keep its tasks alive. If the runtime owned them, no loop could be garbage collected.
    futures: Mutex<HashMap<usize, Py<PyAny>>>,
    wake: LoopWake,
}

impl LoopQueue {
    pub(crate) fn new(wake: LoopWake) -> Arc<Self> {
        let queue = Arc::new(Self {
            changed: Mutex::default(),
            token_requests: Mutex::default(),
            futures: Mutex::default(),
            wake,
        });
        lock(&LOOPS).push(Arc::downgrade(&queue));
        queue
    }

    /// Adds a call that has news for its waiter; called on the runtime's thread.
    pub(crate) fn push(self: &Arc<Self>, call: Arc<CallState>) {
        let mut changed = lock(&self.changed);
        changed.push(call);
        match changed.len() {
            1 => lock(&CHANGED).push(self.clone()),
            MAX_BATCH => loop_wake::wake(vec![self.clone()]),
            _ => {}
        }
    }

    /// Adds a client that needs a token; called on the runtime's thread.
    pub(crate) fn request_token(self: &Arc<Self>, requests: Arc<TokenRequests>) {
        let mut waiting = lock(&self.token_requests);
        if !waiting.iter().any(|other| Arc::ptr_eq(other, &requests)) {
            waiting.push(requests);
            lock(&CHANGED).push(self.clone());
        }
    }

    /// Takes the calls that have news.
    pub(crate) fn take_changed(&self) -> Vec<Arc<CallState>> {
        std::mem::take(&mut *lock(&self.changed))
    }

    /// Takes the clients that need a token.
    pub(crate) fn take_token_requests(&self) -> Vec<Arc<TokenRequests>> {
        std::mem::take(&mut *lock(&self.token_requests))
    }

    /// Sets the future that is resolved when the call has news; called on the loop's thread.
    pub(crate) fn set_future(&self, call: &Arc<CallState>, future: Py<PyAny>) {
        // The old future is dropped without the lock: its destructor may run Python code, which may
        // come back here.
        let old = lock(&self.futures).insert(call.key(), future);
        drop(old);
    }

    pub(crate) fn take_future(&self, call: &Arc<CallState>) -> Option<Py<PyAny>> {
        lock(&self.futures).remove(&call.key())
    }

    /// Resolves the future of a call that has news.
    pub(crate) fn resolve(&self, py: Python<'_>, call: &Arc<CallState>) -> PyResult<()> {
        call.set_dequeued();
        let Some(future) = self.take_future(call) else { return Ok(()) };
        let future = future.bind(py);
        if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(())
    }

    pub(crate) fn how_to_wake(&self) -> &LoopWake {
        &self.wake
    }

    /// Visits the futures, for the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.futures.try_lock() {
            Ok(futures) => futures.values().try_for_each(|future| visit.call(future)),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn clear_futures(&self) {
        let futures = std::mem::take(&mut *lock(&self.futures));
        drop(futures);
    }
}

/// Wakes the loops that have news. The runtime calls it before it parks.
pub(crate) fn wake_changed() {
    let changed = std::mem::take(&mut *lock(&CHANGED));
    loop_wake::wake(changed);
}

/// Marks every loop as changed, for news that belong to no call.
pub(crate) fn wake_all() {
    let mut loops = lock(&LOOPS);
    loops.retain(|queue| queue.strong_count() > 0);
    lock(&CHANGED).extend(loops.iter().filter_map(Weak::upgrade));
}

/// Removes all loops. A forked child calls it: the loops belong to the parent.
pub(crate) fn reset_loops() {
    std::mem::forget(std::mem::take(&mut *lock(&CHANGED)));
    std::mem::forget(std::mem::take(&mut *lock(&LOOPS)));
}
