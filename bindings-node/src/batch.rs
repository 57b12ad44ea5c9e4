//! Batches, and the items in a journal.

use std::path::PathBuf;
use std::sync::Arc;

use bindings_common::{BatchFeed, BatchOptions, catch, failure_category, lost};
use bindings_macros::barrier;
use napi::Result;
use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;
use pipevideo::{BatchHandle, BatchItem, BatchOutput, BatchRequest, Client, Error};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::bridge::{self, Bridge, Channel};
use crate::errors::{self, Failure};
use crate::options::amount;
use crate::request;
use crate::values::{self, Value, duration};

/// The native half of `BatchRun`. Dropping it stops the run.
#[napi]
pub struct NativeBatch {
    run: Arc<Mutex<pipevideo::BatchRun>>,
    handle: BatchHandle,
    feed: Arc<BatchFeed>,
    channel: Arc<Channel>,
}

/// Starts a batch with these options (JSON), or returns the error as JSON.
pub(crate) fn open(
    client: &Client,
    options: &str,
    channel: Arc<Channel>,
) -> Result<Either<NativeBatch, String>> {
    let options = match read_options(options) {
        Ok(options) => options,
        Err(Failure(error)) => return Ok(Either::B(error)),
    };
    let (batch, feed) = options.batch(client);
    let run = bridge::start(batch)?;
    let handle = run.handle();
    let run = Arc::new(Mutex::new(run));
    Ok(Either::A(NativeBatch { run, handle, feed: Arc::new(feed), channel }))
}

/// What `lib/batch.js` writes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    journal: Option<PathBuf>,
    download_to: Option<PathBuf>,
    max_in_flight: Option<usize>,
    /// The text of a decimal number.
    spend_limit: Option<String>,
    deadline_ms: Option<f64>,
    retries: Option<u32>,
    retry_categories: Option<Vec<String>>,
    #[serde(default)]
    retry_uncertain: bool,
    stop_after_failures: Option<u64>,
    #[serde(default)]
    keep_prompts: bool,
    events: bool,
    total: Option<u64>,
}

fn read_options(options: &str) -> std::result::Result<BatchOptions, Failure> {
    let options: Options = serde_json::from_str(options)
        .map_err(|error| errors::invalid(&format!("the options are malformed: {error}.")))?;
    let category = |name: &String| failure_category(name);
    let categories = |names: Vec<String>| names.iter().map(category).collect();
    let categories = options.retry_categories.map(categories).transpose();
    Ok(BatchOptions {
        journal: options.journal,
        download_to: options.download_to,
        max_in_flight: options.max_in_flight,
        spend_limit: amount("spend_limit", options.spend_limit)?,
        deadline: options.deadline_ms.map(duration),
        retries: options.retries,
        retry_categories: categories.map_err(|message| errors::invalid(&message))?,
        retry_uncertain: options.retry_uncertain,
        stop_after_failures: options.stop_after_failures,
        keep_prompts: options.keep_prompts,
        events: options.events,
        total: options.total,
    })
}

#[barrier]
#[napi]
impl NativeBatch {
    /// Starts the call that passes a request to the run once it has room, and yields whether the run
    /// has taken it.
    #[napi]
    pub fn push(
        &self,
        call: u32,
        key: Option<String>,
        request: String,
        media: Vec<Either<String, Uint8Array>>,
    ) -> Result<()> {
        let (feed, media) = (self.feed.clone(), request::sources(media));
        self.channel.begin(call, None, async move {
            let mut request = BatchRequest::new(request::read(request, media).await?);
            if let Some(key) = key {
                request = request.key(key);
            }
            Ok(Value::text(feed.push(request).await.to_string()))
        })
    }

    /// There are no more requests.
    #[napi]
    pub fn finish(&self) {
        self.feed.finish();
    }

    /// Starts the call that yields the next event or item, or null once the run has ended.
    #[napi]
    pub fn next(&self, call: u32) -> Result<()> {
        let (run, handle) = (self.run.clone(), self.handle.clone());
        self.channel.begin(call, None, async move {
            Ok(match run.lock().await.next_output().await.transpose()? {
                Some(BatchOutput::Event(event)) => values::batch_event(&event),
                Some(BatchOutput::Item(item)) => values::batch_item(&item, handle.has_stopped()),
                None => Value::none(),
            })
        })
    }

    /// Stops the run, which ends when the creates that are being sent have their response.
    #[napi]
    pub fn stop(&self) {
        self.handle.stop();
        self.feed.finish();
    }

    /// Returns JSON.
    #[napi]
    pub fn summary(&self) -> Result<String> {
        Ok(values::batch_summary(&self.handle.summary()))
    }
}

type Items = Box<dyn Iterator<Item = std::result::Result<BatchItem, Error>> + Send>;

/// Reads the items in a journal, one after another.
#[napi]
pub struct JournalReader {
    path: PathBuf,
    items: Arc<std::sync::Mutex<Option<Items>>>,
    channel: Arc<Channel>,
}

/// Starts the call that writes a report about the journal of a batch.
#[barrier]
#[napi]
pub fn write_report(bridge: &Bridge, call: u32, journal: String, report: String) -> Result<()> {
    let write = move || -> std::result::Result<Value, Failure> {
        pipevideo::write_report(journal, report)?;
        Ok(Value::none())
    };
    bridge.channel().begin(call, None, async {
        let writing = tokio::task::spawn_blocking(|| catch(write));
        writing.await.unwrap_or_else(|_| Err(lost()))?
    })
}

#[barrier]
#[napi]
impl JournalReader {
    #[napi(constructor)]
    pub fn new(bridge: &Bridge, path: String) -> Self {
        Self { path: path.into(), items: Arc::default(), channel: bridge.channel().clone() }
    }

    /// Starts the call that yields the next item, or null after the last one.
    #[napi]
    pub fn next(&self, call: u32) -> Result<()> {
        let (path, items) = (self.path.clone(), self.items.clone());
        let read = move || -> std::result::Result<Value, Failure> {
            let mut items = bindings_common::lock(&items);
            let items = match &mut *items {
                Some(items) => items,
                none => none.insert(Box::new(pipevideo::read_journal(path)?)),
            };
            let item = items.next().transpose()?;
            Ok(item.map_or_else(Value::none, |item| values::batch_item(&item, false)))
        };
        self.channel.begin(call, None, async {
            let reading = tokio::task::spawn_blocking(|| catch(read));
            reading.await.unwrap_or_else(|_| Err(lost()))?
        })
    }
}
