//! How results reach an event loop: for each loop a queue and a socket that the loop reads.
//!
//! The runtime's thread puts what has changed into the queue and writes one byte when it has nothing
//! else to do; the loop reads it on its own thread and wakes whoever waits.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, Weak};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::logs;
use crate::runtime::{self, lock};
use crate::shared::Shared;
use crate::token::TokenHost;

/// With so many results a loop is woken even if the runtime has more to do.
const MANY: usize = 64;

/// The queues that have something new since their loops were last woken.
static CHANGED: Mutex<Vec<Arc<LoopQueue>>> = Mutex::new(Vec::new());

/// All loops that have a bridge.
static LOOPS: Mutex<Vec<Weak<LoopQueue>>> = Mutex::new(Vec::new());

/// The runtime's end of a bridge. The bridge owns it: it goes with its loop.
pub(crate) struct LoopQueue {
    changed: Mutex<Vec<Arc<Shared>>>,
    /// The clients that wish for a token.
    asked: Mutex<Vec<Arc<TokenHost>>>,
    /// The futures that calls wait for. The loop holds them here, and so its tasks, as it does those
    /// that wait for a socket; the runtime never does, or no loop could be collected.
    futures: Mutex<HashMap<usize, Py<PyAny>>>,
    wake: UnixStream,
}

impl LoopQueue {
    /// Says that a call has something for its waiter; on the runtime's thread.
    pub(crate) fn push(self: &Arc<Self>, call: Arc<Shared>) {
        let mut changed = lock(&self.changed);
        changed.push(call);
        match changed.len() {
            1 => lock(&CHANGED).push(self.clone()),
            MANY => self.wake(),
            _ => {}
        }
    }

    /// Says that a client wishes for a token; on the runtime's thread.
    pub(crate) fn ask(self: &Arc<Self>, host: Arc<TokenHost>) {
        let mut asked = lock(&self.asked);
        if !asked.iter().any(|other| Arc::ptr_eq(other, &host)) {
            asked.push(host);
            lock(&CHANGED).push(self.clone());
        }
    }

    /// Resolves this future when there are news of the call; on the loop's thread.
    pub(crate) fn set_future(&self, call: &Arc<Shared>, future: Py<PyAny>) {
        // A destructor may run Python, which must not find the lock held.
        let old = lock(&self.futures).insert(call.key(), future);
        drop(old);
    }

    pub(crate) fn future<'py>(
        &self,
        py: Python<'py>,
        call: &Arc<Shared>,
    ) -> Option<Bound<'py, PyAny>> {
        lock(&self.futures).get(&call.key()).map(|future| future.bind(py).clone())
    }

    pub(crate) fn take_future(&self, call: &Arc<Shared>) -> Option<Py<PyAny>> {
        lock(&self.futures).remove(&call.key())
    }

    fn resolve(&self, py: Python<'_>, call: &Arc<Shared>) -> PyResult<()> {
        call.taken();
        let Some(future) = self.take_future(call) else { return Ok(()) };
        let future = future.bind(py);
        if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
            future.call_method1(intern!(py, "set_result"), (py.None(),))?;
        }
        Ok(())
    }

    fn wake(&self) {
        // If the buffer is full, or nobody reads any more, there is nothing left to say.
        let _ = (&self.wake).write(&[0]);
    }
}

/// Wakes the loops that have something new. The runtime calls it before it rests.
pub(crate) fn wake_loops() {
    let changed = std::mem::take(&mut *lock(&CHANGED));
    changed.iter().for_each(|queue| queue.wake());
}

/// Wakes every loop, for what is not a call's.
pub(crate) fn wake_all() {
    let mut loops = lock(&LOOPS);
    loops.retain(|queue| queue.strong_count() > 0);
    lock(&CHANGED).extend(loops.iter().filter_map(Weak::upgrade));
}

/// In a forked child the loops are the parent's.
pub(crate) fn forget_loops() {
    std::mem::forget(std::mem::take(&mut *lock(&CHANGED)));
    std::mem::forget(std::mem::take(&mut *lock(&LOOPS)));
}

/// The loop's end of a bridge: what the loop calls when there is something to read.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Bridge {
    queue: Arc<LoopQueue>,
    socket: UnixStream,
    process: u64,
}

impl Bridge {
    /// The queue of an event loop, whose bridge is built if it has none. It lives in an attribute of
    /// the loop, so that it goes with it.
    pub(crate) fn queue_of(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<LoopQueue>> {
        let py = event_loop.py();
        let name = intern!(py, "_pipevideo_bridge");
        if let Ok(bridge) = event_loop.getattr(name)
            && let Ok(bridge) = bridge.cast::<Self>()
            && bridge.get().process == runtime::process()
        {
            return Ok(bridge.get().queue.clone());
        }
        let (socket, wake) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        let queue = Arc::new(LoopQueue {
            changed: Mutex::default(),
            asked: Mutex::default(),
            futures: Mutex::default(),
            wake,
        });
        let bridge = Self { queue: queue.clone(), socket, process: runtime::process() };
        let bridge = Bound::new(py, bridge)?;
        event_loop.call_method1(intern!(py, "add_reader"), (fd, &bridge))?;
        event_loop.setattr(name, &bridge)?;
        lock(&LOOPS).push(Arc::downgrade(&queue));
        Ok(queue)
    }
}

#[pymethods]
impl Bridge {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mut bytes = [0; 64];
        // What is left in the socket calls again.
        let _ = (&self.socket).read(&mut bytes);
        // Whatever one of them raises, the others are woken.
        let mut result = logs::emit(py);
        for call in std::mem::take(&mut *lock(&self.queue.changed)) {
            if let Err(raised) = self.queue.resolve(py, &call) {
                result = result.and(logs::aside(py, raised));
            }
        }
        for host in std::mem::take(&mut *lock(&self.queue.asked)) {
            result = result.and(host.answer(py));
        }
        result
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.queue.futures.try_lock() {
            Ok(futures) => futures.values().try_for_each(|future| visit.call(future)),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let futures = std::mem::take(&mut *lock(&self.queue.futures));
        drop(futures);
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.__clear__();
    }
}
