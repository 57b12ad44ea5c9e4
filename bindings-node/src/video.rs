//! A generation's video: downloaded to a file, streamed, or received as bytes.

use std::sync::Arc;

use bindings_macros::barrier;
use napi::Result;
use napi_derive::napi;
use pipevideo::{Client, DownloadSource, Generation};
use tokio::sync::Mutex;

use crate::bridge::Channel;
use crate::values::{self, Value};

/// What to receive: a generation's wire JSON, or else its id.
pub(crate) fn source(id: String, generation: Option<String>) -> DownloadSource {
    let read = generation.and_then(|text| serde_json::from_str::<Generation>(&text).ok());
    read.map_or_else(|| DownloadSource::from(id), DownloadSource::from)
}

pub(crate) fn stream(
    client: &Client,
    source: DownloadSource,
    max_bytes: Option<f64>,
) -> pipevideo::VideoStream {
    let stream = client.responses().stream(source);
    match max_bytes {
        Some(max_bytes) => stream.max_bytes(max_bytes as u64),
        None => stream,
    }
}

type Shared = Arc<Mutex<Option<pipevideo::VideoStream>>>;

/// The native half of a stream of bytes. Dropping it closes the connection.
#[napi]
pub struct VideoStream {
    stream: Option<Shared>,
    channel: Arc<Channel>,
}

impl VideoStream {
    pub(crate) fn new(stream: pipevideo::VideoStream, channel: Arc<Channel>) -> Self {
        Self { stream: Some(Arc::new(Mutex::new(Some(stream)))), channel }
    }
}

#[barrier]
#[napi]
impl VideoStream {
    /// Starts the call that yields the next chunk, or null at the end.
    #[napi]
    pub fn next(&self, call: u32) -> Result<()> {
        let stream = self.stream.clone();
        self.channel.begin(call, None, async move {
            let Some(stream) = stream else { return Ok(Value::none()) };
            let mut stream = stream.lock().await;
            let Some(video) = stream.as_mut() else { return Ok(Value::none()) };
            let next = video.next().await;
            let progress = video.progress();
            if !matches!(next, Some(Ok(_))) {
                *stream = None;
            }
            Ok(next.transpose()?.map_or_else(Value::none, |chunk| values::chunk(chunk, progress)))
        })
    }

    /// Closes the connection.
    #[napi]
    pub fn close(&mut self) {
        self.stream = None;
    }
}
