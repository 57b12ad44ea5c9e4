//! The end of a [bridge](crate::bridge) that an event loop reads.

#[cfg(unix)]
use std::io::Read;
#[cfg(unix)]
use std::os::fd::AsRawFd;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bindings_macros::barrier;
#[cfg(unix)]
use pyo3::exceptions::{PyAttributeError, PyNotImplementedError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::bridge::LoopQueue;
use crate::errors::report_unraisable;
use crate::logs;
use crate::loop_wake::LoopWake;
use crate::process::process;

/// What an event loop calls when there is something in its queue.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct LoopReader {
    queue: Arc<LoopQueue>,
    /// The socket that the loop reads, if it can.
    #[cfg(unix)]
    socket: Option<UnixStream>,
    process: u64,
}

impl LoopReader {
    /// Returns the queue of an event loop, and makes one if the loop has none. The reader is an
    /// attribute of the loop, so it lives as long as the loop.
    pub(crate) fn queue_of(event_loop: &Bound<'_, PyAny>) -> PyResult<Arc<LoopQueue>> {
        let name = Self::attribute(event_loop.py());
        if let Ok(reader) = event_loop.getattr(name)
            && let Ok(reader) = reader.cast::<Self>()
            && reader.get().process == process()
        {
            return Ok(reader.get().queue.clone());
        }
        let reader = Self::new(event_loop)?;
        event_loop.setattr(name, &reader)?;
        Ok(reader.get().queue.clone())
    }

    /// The name of the attribute of a loop that is its reader.
    pub(crate) fn attribute(py: Python<'_>) -> &Bound<'_, PyString> {
        intern!(py, "_pipevideo_reader")
    }

    fn new<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        #[cfg(unix)]
        match Self::with_socket(event_loop) {
            Err(raised) if is_missing(event_loop.py(), &raised) => {}
            made => return made,
        }
        let wake = LoopWake::Callback(PyWeakrefReference::new(event_loop)?.unbind());
        let reader = Self {
            queue: LoopQueue::new(wake),
            #[cfg(unix)]
            socket: None,
            process: process(),
        };
        Bound::new(event_loop.py(), reader)
    }

    #[cfg(unix)]
    fn with_socket<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        let (socket, wake) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        let queue = LoopQueue::new(LoopWake::Socket(wake));
        let reader = Bound::new(py, Self { queue, socket: Some(socket), process: process() })?;
        event_loop.call_method1(intern!(py, "add_reader"), (fd, &reader))?;
        Ok(reader)
    }
}

/// Whether a loop has no `add_reader`.
#[cfg(unix)]
fn is_missing(py: Python<'_>, raised: &PyErr) -> bool {
    raised.is_instance_of::<PyNotImplementedError>(py)
        || raised.is_instance_of::<PyAttributeError>(py)
}

#[barrier]
#[pymethods]
impl LoopReader {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        #[cfg(unix)]
        if let Some(mut socket) = self.socket.as_ref() {
            // Bytes that are left in the socket make the loop call again.
            let _ = socket.read(&mut [0; 64]);
        }
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
