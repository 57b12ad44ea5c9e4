//! A generation's video: downloaded to a file, streamed, or received as bytes.

use std::future::IntoFuture;
use std::path::PathBuf;

use bindings_macros::barrier;
use bytes::Bytes;
use futures_util::stream::{BoxStream, unfold};
use futures_util::{FutureExt, StreamExt, TryFutureExt};
use pipevideo::{Client, DownloadSource, Error, Progress};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::arguments::{argument, integer};
use crate::call::Call;
use crate::call_state::Event;
use crate::callback::Callback;
use crate::observer::{Observed, with_headers};
use crate::outcome::Value;
use crate::steps::Steps;
use crate::token::TokenSource;
use crate::values::Generation;

/// A chunk, and how much there is with it.
pub(crate) type Chunk = (Bytes, Progress);
/// A video as chunks.
pub(crate) type Chunks = BoxStream<'static, Result<Chunk, Error>>;

/// The video of a generation, of which nothing has been requested.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Video {
    client: Client,
    source: DownloadSource,
    id: String,
    tokens: Option<Py<TokenSource>>,
}

impl Video {
    pub(crate) fn new(
        client: Client,
        generation: &Bound<'_, PyAny>,
        tokens: Option<Py<TokenSource>>,
    ) -> PyResult<Self> {
        let (id, source) = match generation.cast::<Generation>() {
            Ok(generation) => {
                let core = generation.get().core();
                (core.id.clone(), core.into())
            }
            Err(_) => {
                let id: String = argument(generation, "generation", "a Generation or its id")?;
                (id.clone(), id.into())
            }
        };
        Ok(Self { client, source, id, tokens })
    }

    fn tokens(&self, py: Python<'_>) -> Option<Py<TokenSource>> {
        self.tokens.as_ref().map(|tokens| tokens.clone_ref(py))
    }

    /// The stream, with the client of an observed call.
    fn stream(&self, client: &Client, max_bytes: Option<u64>) -> pipevideo::VideoStream {
        let stream = client.responses().stream(self.source.clone());
        match max_bytes {
            Some(max_bytes) => stream.max_bytes(max_bytes),
            None => stream,
        }
    }

    fn observed(&self, py: Python<'_>) -> (Client, Option<Observed>) {
        let observed = Observed::begin(py, "download", &self.id, &self.client, None);
        (with_headers(py, self.client.clone(), observed.as_ref()), observed)
    }
}

#[barrier]
#[pymethods]
impl Video {
    #[pyo3(signature = (
        path: "Path",
        max_bytes: "int | None",
        on_progress: "Callable[[Progress], object] | None",
    ) -> "Pending[PathResult]")]
    fn download(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyAny>,
        max_bytes: &Bound<'_, PyAny>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Call> {
        let path: PathBuf = argument(path, "path", "a path or a binary file")?;
        let max_bytes = integer(max_bytes, "max_bytes")?;
        let on_progress = Callback::new(py, on_progress, "on_progress")?;
        let (client, observed) = self.observed(py);
        let mut download = client.responses().download(self.source.clone(), path);
        if let Some(max_bytes) = max_bytes {
            download = download.max_bytes(max_bytes);
        }
        let progress = on_progress.is_some();
        let work = Box::new(move |call: std::sync::Arc<crate::call_state::CallState>| {
            if progress {
                download =
                    download.on_progress(move |progress| call.push(Event::Progress(progress)));
            }
            download.into_future().map_ok(Value::Path).boxed()
        });
        Ok(Call::new(work, on_progress, self.tokens(py)).observed(observed))
    }

    #[pyo3(signature = (max_bytes: "int | None") -> "Pending[bytes]")]
    fn bytes(&self, py: Python<'_>, max_bytes: &Bound<'_, PyAny>) -> PyResult<Call> {
        let max_bytes = integer(max_bytes, "max_bytes")?;
        let (client, observed) = self.observed(py);
        let stream = self.stream(&client, max_bytes);
        let work = Box::new(|_| stream.bytes().map_ok(Value::Bytes).boxed());
        Ok(Call::new(work, None, self.tokens(py)).observed(observed))
    }

    #[pyo3(signature = (max_bytes: "int | None"))]
    fn chunks(&self, py: Python<'_>, max_bytes: &Bound<'_, PyAny>) -> PyResult<VideoChunks> {
        let max_bytes = integer(max_bytes, "max_bytes")?;
        let (client, observed) = self.observed(py);
        let stream = self.stream(&client, max_bytes);
        let chunks: Chunks = unfold(stream, |mut stream| async {
            let next = stream.next().await?;
            Some((next.map(|chunk| (chunk, stream.progress())), stream))
        })
        .boxed();
        Ok(VideoChunks(Steps::new(chunks, Value::Chunk, self.tokens(py), observed)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tokens)
    }
}

/// The native half of what `stream` returns.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct VideoChunks(Steps<Chunks, Chunk>);

#[barrier]
#[pymethods]
impl VideoChunks {
    /// Returns the call that yields the next chunk and how much there is with it, or None (awaited:
    /// StopAsyncIteration) at the end.
    #[pyo3(signature = () -> "Pending[tuple[bytes, Progress] | None]")]
    fn next(&self, py: Python<'_>) -> PyResult<Call> {
        self.0.next(py)
    }

    /// Closes the connection; a step that waits ends, too.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
