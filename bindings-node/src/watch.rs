//! The stream of a generation's updates.

use std::sync::Arc;

use bindings_macros::barrier;
use napi::Result;
use napi_derive::napi;
use tokio::sync::Mutex;

use crate::bridge::{Channel, ChannelUser};
use crate::values::{self, Value};

type Stream = Arc<Mutex<Option<(pipevideo::Watch, ChannelUser)>>>;

/// The native half of `Updates`. Dropping it stops the polling, but not the generation.
#[napi]
pub struct Watch {
    stream: Option<Stream>,
    channel: Arc<Channel>,
}

impl Watch {
    pub(crate) fn new(watch: pipevideo::Watch, channel: Arc<Channel>) -> Self {
        let stream = Mutex::new(Some((watch, ChannelUser::new(&channel))));
        Self { stream: Some(Arc::new(stream)), channel }
    }
}

#[barrier]
#[napi]
impl Watch {
    /// Starts the call that yields the next update, or null at the end.
    #[napi]
    pub fn next(&self, call: u32) -> Result<()> {
        let stream = self.stream.clone();
        self.channel.begin(call, None, async move {
            let Some(stream) = stream else { return Ok(Value::none()) };
            let mut stream = stream.lock().await;
            let Some((watch, _)) = stream.as_mut() else { return Ok(Value::none()) };
            let next = watch.next().await;
            if !matches!(next, Some(Ok(_))) {
                *stream = None;
            }
            Ok(next.transpose()?.map_or_else(Value::none, |update| values::update(&update)))
        })
    }

    /// Stops the polling.
    #[napi]
    pub fn close(&mut self) {
        self.stream = None;
    }
}
