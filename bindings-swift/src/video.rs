//! A generation's video, streamed or received as bytes.

use std::sync::{Arc, Mutex};

use bindings_common::lock;
use bindings_macros::barrier;
use pipevideo::{DownloadSource, Generation};

use crate::call::CancelHandle;
use crate::client::NativeClient;
use crate::errors::Failure;
use crate::options::CallOptions;

/// A generation of which the video is received, as a snapshot or by its id.
#[derive(uniffi::Enum)]
pub(crate) enum Video {
    Id { id: String },
    Generation { generation: Box<Generation> },
}

impl From<Video> for DownloadSource {
    fn from(video: Video) -> Self {
        match video {
            Video::Id { id } => id.into(),
            Video::Generation { generation } => (*generation).into(),
        }
    }
}

/// A stream of a video's bytes. Dropping it closes the connection.
#[derive(Default, uniffi::Object)]
pub(crate) struct VideoChunks {
    /// `None` while a call waits for a chunk, and after the end. What is wrong with the options is thrown
    /// in place of the first chunk.
    stream: Arc<Mutex<Option<Result<pipevideo::VideoStream, Failure>>>>,
}

#[barrier(default)]
#[uniffi::export]
impl VideoChunks {
    /// Returns the next chunk, or `None` at the end. Cancelling the call ends the stream.
    pub(crate) async fn next(&self, cancel: Arc<CancelHandle>) -> Result<Option<Vec<u8>>, Failure> {
        let Some(stream) = lock(&self.stream).take() else { return Ok(None) };
        let mut stream = stream?;
        let slot = self.stream.clone();
        let work = async move {
            let next = stream.next().await.transpose()?;
            if next.is_some() {
                *lock(&slot) = Some(Ok(stream));
            }
            Ok(next.map(Vec::from))
        };
        cancel.run(work).await
    }
}

impl NativeClient {
    fn video(
        &self,
        video: Video,
        max_bytes: Option<u64>,
        options: CallOptions,
    ) -> Result<pipevideo::VideoStream, Failure> {
        let stream = options.client(&self.client)?.responses().stream(video);
        Ok(match max_bytes {
            Some(max_bytes) => stream.max_bytes(max_bytes),
            None => stream,
        })
    }
}

#[barrier(default)]
#[uniffi::export]
impl NativeClient {
    pub(crate) fn stream(
        &self,
        video: Video,
        max_bytes: Option<u64>,
        options: CallOptions,
    ) -> VideoChunks {
        let stream = self.video(video, max_bytes, options);
        VideoChunks { stream: Arc::new(Mutex::new(Some(stream))) }
    }

    pub(crate) async fn bytes(
        &self,
        video: Video,
        max_bytes: Option<u64>,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Vec<u8>, Failure> {
        let stream = self.video(video, max_bytes, options)?;
        cancel.run(async move { Ok(stream.bytes().await?.into()) }).await
    }
}
