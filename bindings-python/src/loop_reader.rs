//! The end of a [bridge](crate::bridge) that an event loop reads.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bindings_macros::barrier;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::bridge::LoopQueue;
use crate::errors::report_unraisable;
use crate::logs;
use crate::process::process;

/// What an event loop calls when its socket has bytes to read.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct LoopReader {
    queue: Arc<LoopQueue>,
    socket: UnixStream,
    process: u64,
}

impl LoopReader {
    /// Returns the queue of an event loop, and makes one if the loop has none. The reader is an
    /// attribute of the loop, so it lives as long as the loop.
    pub(crate) fn queue_of(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<LoopQueue>> {
        let py = event_loop.py();
        let name = intern!(py, "_pipevideo_reader");
        if let Ok(reader) = event_loop.getattr(name)
            && let Ok(reader) = reader.cast::<Self>()
            && reader.get().process == process()
        {
            return Ok(reader.get().queue.clone());
        }
        let (socket, wake) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        let queue = LoopQueue::new(wake);
        let reader = Self { queue: queue.clone(), socket, process: process() };
        let reader = Bound::new(py, reader)?;
        event_loop.call_method1(intern!(py, "add_reader"), (fd, &reader))?;
        event_loop.setattr(name, &reader)?;
        Ok(queue)
    }
}

#[barrier]
#[pymethods]
impl LoopReader {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mut bytes = [0; 64];
        // Bytes that are left in the socket make the loop call again.
        let _ = (&self.socket).read(&mut bytes);
        // An exception of one call must not keep the others from being resolved.
        let mut result = logs::emit(py);
        for call in self.queue.take_changed() {
            if let Err(raised) = self.queue.resolve(py, &call) {
                result = result.and(report_unraisable(py, raised));
            }
        }
        for requests in self.queue.take_token_requests() {
            result = result.and(requests.serve(py));
        }
        result
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.queue.traverse(&visit)
    }

    fn __clear__(&self) {
        self.queue.clear_futures();
    }
}

impl Drop for LoopReader {
    fn drop(&mut self) {
        self.queue.clear_futures();
    }
}
