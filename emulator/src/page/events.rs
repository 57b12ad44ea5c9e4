//! The page's stream of server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::PageLog;
use crate::state::EmulatorState;

/// The time between two sets of events: short enough that a person sees things as they happen.
const INTERVAL: Duration = Duration::from_millis(200);

/// The body of the stream. It ends when the page closes the connection.
#[derive(Debug)]
pub(crate) struct Events(mpsc::Receiver<Bytes>);

/// What a page has been sent.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    started: bool,
    entries: usize,
    /// The views of the newest generations, by their numbers.
    generations: BTreeMap<usize, Value>,
}

impl Events {
    pub(super) fn start(state: Arc<EmulatorState>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut seen = Seen::default();
            // An error means that the connection is closed.
            while sender.send(state.page_events(&mut seen).into()).await.is_ok() {
                sleep(INTERVAL).await;
            }
        });
        Self(receiver)
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Seen {
    /// The first event of a stream, with which the page starts afresh.
    pub(crate) fn start(&mut self, base_url: &str) -> Option<String> {
        let first = !std::mem::replace(&mut self.started, true);
        first.then(|| event("start", &json!({ "base_url": base_url })))
    }

    /// The views of the generations that are new or have changed.
    pub(crate) fn changed(&mut self, views: impl Iterator<Item = (usize, Value)>) -> Vec<Value> {
        let before = std::mem::replace(&mut self.generations, views.collect());
        let changed =
            self.generations.iter().filter(|(index, view)| before.get(index) != Some(view));
        changed.map(|(_, view)| view.clone()).collect()
    }

    /// The new entries of the log.
    pub(crate) fn new_entries(&mut self, log: &PageLog) -> String {
        log.since(&mut self.entries).map(String::as_str).collect()
    }
}

/// An event as it is sent. JSON has no line breaks, which would end it.
pub(crate) fn event(name: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}
