//! A TCP stream that reports when everything written so far has left the process.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream that reports its flushes to the connection's [`FlushWatch`].
#[derive(Debug)]
pub(crate) struct WatchedStream {
    stream: TcpStream,
    flushes: FlushWatch,
}

impl WatchedStream {
    /// Watches a stream. The second value reports its flushes.
    pub(crate) fn new(stream: TcpStream) -> (Self, FlushWatch) {
        let flushes = FlushWatch::default();
        (Self { stream, flushes: flushes.clone() }, flushes)
    }
}

/// Reports when the kernel has accepted all bytes that a response body has yielded.
///
/// hyper buffers what a body yields and drops its buffer when the body fails. A body that promises
/// that its first bytes arrive therefore waits for a flush before it fails: hyper flushes the stream
/// only when its own buffer is empty. After that, closing the socket loses nothing, because the kernel
/// sends what it has accepted before it ends the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlushWatch(Arc<Mutex<Flush>>);

#[derive(Debug, Default)]
enum Flush {
    #[default]
    NotAwaited,
    Awaited(Waker),
    Done,
}

impl FlushWatch {
    fn state(&self) -> MutexGuard<'_, Flush> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready after the first flush that follows the first call.
    pub(crate) fn poll_flushed(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if let Flush::Done = *state {
            return Poll::Ready(());
        }
        *state = Flush::Awaited(context.waker().clone());
        Poll::Pending
    }

    fn on_flush(&self) {
        let mut state = self.state();
        if let Flush::Awaited(waker) = &*state {
            waker.wake_by_ref();
            *state = Flush::Done;
        }
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            self.flushes.on_flush();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
