//! The body of a request, which the HTTP library takes in pieces. Hence it is known whether the
//! request may have been sent completely, and when the upload last made progress.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::clock;
use crate::lock::lock;

/// The size of a piece. At [`SLOWEST_UPLOAD`] one is taken each second.
const PIECE: usize = 64 << 10;
/// The pause between pieces, which allows 64 MB a second. A server may respond to the headers, with
/// 401 or 413, and close. hyper reads before it writes, but loses the response if the connection is
/// reset in between: over loopback in half of all uploads without the pause, in one of 24 with it.
/// The upload is then repeated, as one that was not completed.
const PAUSE: Duration = Duration::from_millis(1);
/// A poor mobile uplink, in bytes a second.
const SLOWEST_UPLOAD: usize = 64 << 10;
/// How much of a body may be on its way when the last piece is taken: Linux lets the send buffer of
/// a socket grow to 4 MiB (`net.ipv4.tcp_wmem`), other systems to less.
const SEND_BUFFER: usize = 4 << 20;

/// A body and the progress of its upload, which clones share.
#[derive(Clone)]
pub(crate) struct Upload {
    body: Bytes,
    progress: Arc<Mutex<Progress>>,
}

struct Progress {
    last: Duration,
    complete: bool,
}

impl Upload {
    pub(crate) fn new(body: Bytes) -> Self {
        let progress = Progress { last: clock::now(), complete: body.is_empty() };
        Self { body, progress: Arc::new(Mutex::new(progress)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether the last piece was taken. Until then the service cannot have received the request, and
    /// what it has received is no valid JSON.
    pub(crate) fn is_complete(&self) -> bool {
        lock(&self.progress).complete
    }

    /// Records that a response has begun: the service has the request, however much of it was taken.
    pub(crate) fn on_response(&self) {
        lock(&self.progress).complete = true;
    }

    /// When a request times out. The timeout begins with each piece, since an upload that is slow but
    /// moving is no silence. After the last piece there is extra time for what is still on its way.
    pub(crate) fn times_out_at(&self, timeout: Duration) -> Duration {
        let progress = lock(&self.progress);
        let on_its_way = if progress.complete { self.body.len().min(SEND_BUFFER) } else { 0 };
        let draining = Duration::from_millis((on_its_way * 1000 / SLOWEST_UPLOAD) as u64);
        progress.last.saturating_add(timeout).saturating_add(draining)
    }

    /// The body from its beginning. A redirect sends it once more; it then stays complete if it was
    /// so before.
    pub(crate) fn pieces(&self) -> Pieces {
        Pieces { rest: self.body.clone(), upload: self.clone(), pause: None }
    }
}

/// The pieces that were not taken yet.
pub(crate) struct Pieces {
    rest: Bytes,
    upload: Upload,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl Pieces {
    /// Takes the next piece.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        let mut progress = lock(&self.upload.progress);
        progress.last = clock::now();
        progress.complete |= self.rest.is_empty();
        Some(piece)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let piece = self.take();
        if !self.rest.is_empty() {
            self.pause = Some(Box::pin(clock::sleep(PAUSE)));
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
