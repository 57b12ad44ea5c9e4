//! How event loops are woken: by a socket that they read or, if they cannot read sockets, by a callback.
//!
//! On Unix, asyncio's loops and uvloop have `add_reader`. Windows' default loop, the proactor, and some
//! loops of third parties have not.

#[cfg(unix)]
use std::io::Write;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::bridge::LoopQueue;
use crate::finalization::attached;
use crate::loop_reader::LoopReader;

/// How one event loop is woken.
pub(crate) enum LoopWake {
    /// A byte is written.
    #[cfg(unix)]
    Socket(UnixStream),
    /// Its reader is passed to `call_soon_threadsafe`. The loop belongs to Python.
    Callback(Py<PyWeakrefReference>),
}

/// Wakes loops; called on the runtime's thread.
pub(crate) fn wake(loops: Vec<Arc<LoopQueue>>) {
    let mut callbacks = Vec::new();
    for queue in loops {
        match queue.how_to_wake() {
            // An error is ignored: if the buffer is full, the loop is being woken already; if the other
            // end is closed, the loop is gone.
            #[cfg(unix)]
            LoopWake::Socket(socket) => drop((&*socket).write(&[0])),
            LoopWake::Callback(_) => callbacks.push(queue),
        }
    }
    if !callbacks.is_empty() {
        // On another thread, since it waits for the GIL.
        tokio::task::spawn_blocking(move || attached(|py| call_readers(py, &callbacks)));
    }
}

fn call_readers(py: Python<'_>, loops: &[Arc<LoopQueue>]) {
    for queue in loops {
        // A loop that is closed raises an exception. Nothing waits on it any more.
        let _ = call_reader(py, queue);
    }
}

fn call_reader(py: Python<'_>, queue: &LoopQueue) -> PyResult<()> {
    let event_loop = match queue.how_to_wake() {
        LoopWake::Callback(event_loop) => event_loop.bind(py).upgrade(),
        #[cfg(unix)]
        LoopWake::Socket(_) => None,
    };
    let Some(event_loop) = event_loop else { return Ok(()) };
    let reader = event_loop.getattr(LoopReader::attribute(py))?;
    event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (reader,))?;
    Ok(())
}
