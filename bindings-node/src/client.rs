//! The client: each operation is one call of the core.

use std::sync::Arc;
use std::time::Duration;

use bindings_common::LogLevel;
use bindings_macros::barrier;
use napi::Result;
use napi::bindgen_prelude::{Either, Uint8Array};
use napi_derive::napi;
use pipevideo::{Client, GenerationRequest, Submission};
use serde_json::value::RawValue;

use crate::batch::{self, NativeBatch};
use crate::bridge::{Bridge, Channel, ChannelUser, Event};
use crate::errors::{self, Failure};
use crate::options;
use crate::request;
use crate::values::{self, Value, duration, time};
use crate::video::{self, VideoStream};
use crate::watch::Watch;
use crate::webhook::{self, UnwrappedEvent};

/// The native half of `Pipevideo`. `lib/` has checked the types of all arguments.
#[napi]
pub struct NativeClient {
    client: Option<Client>,
    channel: Arc<Channel>,
    /// Present if the client logs.
    logs: Option<ChannelUser>,
    /// The lowest level of the records that are for the client's logger.
    level: Option<LogLevel>,
}

/// Makes a client with these options (JSON), or returns the error as JSON. With `token` the key is
/// the function that JavaScript keeps under this number. Records of the log have the number `log`, and
/// are of every level if the client is `traced`.
#[barrier]
#[napi]
pub(crate) fn open(
    bridge: &Bridge,
    options: String,
    token: Option<u32>,
    log: u32,
    has_logger: bool,
    traced: bool,
) -> Either<NativeClient, String> {
    let channel = bridge.channel().clone();
    let token = token.map(|client| (channel.clone(), client));
    match options::client(&options, token, (channel.clone(), log), has_logger, traced) {
        Ok((client, level)) => {
            let logs = (traced || level.is_some()).then(|| ChannelUser::new(&channel));
            Either::A(NativeClient { client: Some(client), channel, logs, level })
        }
        Err(error) => Either::B(error),
    }
}

/// The options of a call, with times in milliseconds.
#[napi(object)]
pub struct CallOptions {
    pub request_timeout_ms: Option<f64>,
    pub max_retries: Option<f64>,
    /// Alternating names and values.
    pub headers: Option<Vec<String>>,
    pub deadline_ms: Option<f64>,
    pub max_bytes: Option<f64>,
    /// Whether a callback receives updates or progress.
    pub notify: Option<bool>,
}

impl CallOptions {
    fn deadline(&self) -> Option<Duration> {
        self.deadline_ms.map(duration)
    }

    /// The client with these options, or the error as JSON.
    fn client(&self, client: &Client) -> std::result::Result<Client, String> {
        let headers = self.headers.as_deref().unwrap_or_default();
        let options = options::call(self.request_timeout_ms, self.max_retries, headers)?;
        client.with_options(&options).map_err(|error| errors::to_json(&error))
    }
}

impl NativeClient {
    /// Starts a call of the core with the client that has the call's own options.
    fn call<F>(
        &self,
        call: u32,
        options: &CallOptions,
        submission: Option<Submission>,
        work: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Result<()>
    where
        F: Future<Output = std::result::Result<Value, Failure>> + Send + 'static,
    {
        match options.client(&self.client()?) {
            Ok(client) => self.channel.begin(call, submission, work(client)),
            Err(error) => self.channel.begin(call, None, async { Err(Failure(error)) }),
        }
    }

    fn client(&self) -> Result<Client> {
        self.client.clone().ok_or_else(|| napi::Error::from_reason("the client is closed"))
    }

    /// Returns the function that passes updates or progress to the call's callback.
    fn notifier(
        &self,
        call: u32,
        options: &CallOptions,
    ) -> Option<impl Fn(Value) + Send + Sync + 'static> {
        let channel = self.channel.clone();
        let notify = options.notify.unwrap_or_default();
        notify.then_some(move |value| channel.push(call, Event::Notified(value)))
    }
}

#[barrier]
#[napi]
impl NativeClient {
    #[napi]
    pub fn close(&mut self) {
        self.logs = None;
        if let Some(client) = self.client.take() {
            client.close();
        }
    }

    /// Whether the client has records.
    #[napi]
    pub fn logs(&self) -> bool {
        self.logs.is_some()
    }

    /// The lowest level of the records that are for the client's logger.
    #[napi]
    pub fn log_level(&self) -> Option<&'static str> {
        self.level.map(LogLevel::as_str)
    }

    #[napi(js_name = "baseURL")]
    pub fn base_url(&self) -> Result<String> {
        Ok(self.client()?.base_url())
    }

    #[napi]
    pub fn budget_left(&self) -> Result<Option<u32>> {
        Ok(self.client()?.budget_left().map(|left| u32::try_from(left).unwrap_or(u32::MAX)))
    }

    #[napi]
    pub fn peers(&self) -> Result<u32> {
        Ok(u32::try_from(self.client()?.peers()).unwrap_or(u32::MAX))
    }

    /// Returns JSON.
    #[napi]
    pub fn spend(&self) -> Result<String> {
        Ok(values::spend(&self.client()?.spend()).to_string())
    }

    #[napi]
    pub fn estimate(
        &self,
        call: u32,
        options: CallOptions,
        model: String,
        engine: Option<String>,
        count: Option<f64>,
    ) -> Result<()> {
        let mut request = GenerationRequest::new(model, "");
        request.engine = engine;
        self.call(call, &options, None, move |client| async move {
            let mut estimate = client.estimate(request);
            if let Some(count) = count {
                estimate = estimate.count(count as u64);
            }
            Ok(values::estimate(&estimate.await?))
        })
    }

    /// Returns the number of the call in the log.
    #[napi]
    pub fn create(
        &self,
        call: u32,
        options: CallOptions,
        request: String,
        media: Vec<Either<String, Uint8Array>>,
    ) -> Result<f64> {
        let media = request::sources(media);
        let submission = Submission::new();
        let number = submission.call() as f64;
        self.call(call, &options, Some(submission.clone()), |client| async move {
            let request = request::read(request, media).await?;
            let create = client.responses().create_with(request, &submission);
            Ok(values::answered(&create.with_response().await?))
        })?;
        Ok(number)
    }

    /// Returns the number of the call in the log.
    #[napi]
    pub fn generate(
        &self,
        call: u32,
        options: CallOptions,
        request: String,
        media: Vec<Either<String, Uint8Array>>,
    ) -> Result<f64> {
        let media = request::sources(media);
        let (deadline, notify) = (options.deadline(), self.notifier(call, &options));
        let submission = Submission::new();
        let number = submission.call() as f64;
        self.call(call, &options, Some(submission.clone()), move |client| async move {
            let request = request::read(request, media).await?;
            let mut generate = client.generate(request).submission(&submission);
            if let Some(deadline) = deadline {
                generate = generate.deadline(deadline);
            }
            if let Some(notify) = notify {
                generate = generate.on_update(move |update| notify(values::update(update)));
            }
            Ok(values::generation(&generate.await?))
        })?;
        Ok(number)
    }

    #[napi]
    pub fn retrieve(&self, call: u32, options: CallOptions, id: String) -> Result<()> {
        self.call(call, &options, None, |client| async move {
            Ok(values::answered(&client.responses().retrieve(id).with_response().await?))
        })
    }

    #[napi]
    pub fn wait(&self, call: u32, options: CallOptions, id: String) -> Result<()> {
        let (deadline, notify) = (options.deadline(), self.notifier(call, &options));
        self.call(call, &options, None, move |client| {
            let mut wait = client.responses().wait(id);
            if let Some(deadline) = deadline {
                wait = wait.deadline(deadline);
            }
            if let Some(notify) = notify {
                wait = wait.on_update(move |update| notify(values::update(update)));
            }
            async move { Ok(values::generation(&wait.await?)) }
        })
    }

    #[napi]
    pub fn watch(&self, options: CallOptions, id: String) -> Result<Either<Watch, String>> {
        let client = match options.client(&self.client()?) {
            Ok(client) => client,
            Err(error) => return Ok(Either::B(error)),
        };
        let mut watch = client.responses().watch(id);
        if let Some(deadline) = options.deadline() {
            watch = watch.deadline(deadline);
        }
        Ok(Either::A(Watch::new(watch, self.channel.clone())))
    }

    /// Starts a batch with these options (JSON), or returns the error as JSON.
    #[napi]
    pub fn batch(&self, options: String) -> Result<Either<NativeBatch, String>> {
        batch::open(&self.client()?, &options, self.channel.clone())
    }

    /// `generation` is the wire's JSON of a generation, or null to download by the id.
    #[napi]
    pub fn download(
        &self,
        call: u32,
        options: CallOptions,
        id: String,
        generation: Option<String>,
        path: String,
    ) -> Result<()> {
        let notify = self.notifier(call, &options);
        let max_bytes = options.max_bytes;
        self.call(call, &options, None, move |client| async move {
            let mut download = client.responses().download(video::source(id, generation), path);
            if let Some(max_bytes) = max_bytes {
                download = download.max_bytes(max_bytes as u64);
            }
            if let Some(notify) = notify {
                download = download.on_progress(move |progress| notify(values::progress(progress)));
            }
            let path = download.await?;
            Ok(Value::text(values::json(&path.to_string_lossy())))
        })
    }

    #[napi]
    pub fn stream(
        &self,
        options: CallOptions,
        id: String,
        generation: Option<String>,
    ) -> Result<Either<VideoStream, String>> {
        let source = video::source(id, generation);
        Ok(match options.client(&self.client()?) {
            Ok(client) => {
                let stream = video::stream(&client, source, options.max_bytes);
                Either::A(VideoStream::new(stream, self.channel.clone()))
            }
            Err(error) => Either::B(error),
        })
    }

    #[napi]
    pub fn bytes(
        &self,
        call: u32,
        options: CallOptions,
        id: String,
        generation: Option<String>,
    ) -> Result<()> {
        let max_bytes = options.max_bytes;
        self.call(call, &options, None, move |client| async move {
            let stream = video::stream(&client, video::source(id, generation), max_bytes);
            Ok(Value::bytes(stream.bytes().await?))
        })
    }

    /// `sent_at` is in milliseconds since 1970.
    #[napi]
    pub fn reconcile(
        &self,
        call: u32,
        options: CallOptions,
        model: String,
        sent_at: f64,
        generation_id: Option<String>,
    ) -> Result<()> {
        let sent_at = time(sent_at);
        self.call(call, &options, None, move |client| async move {
            let id = generation_id.as_deref();
            let found = pipevideo::reconcile_stored(&client, &model, sent_at, id).await?;
            Ok(Value::text(values::candidates(&found).to_string()))
        })
    }

    #[napi]
    pub fn engines(&self, call: u32, options: CallOptions) -> Result<()> {
        self.call(call, &options, None, |client| async move {
            Ok(values::engines(&client.engines().list().await?))
        })
    }

    #[napi]
    pub fn usage(&self, call: u32, options: CallOptions) -> Result<()> {
        self.call(call, &options, None, |client| async move {
            Ok(values::usage(&client.usage().retrieve().await?))
        })
    }

    #[napi]
    pub fn get(&self, call: u32, options: CallOptions, path: String) -> Result<()> {
        self.call(call, &options, None, |client| async move {
            Ok(values::response(&client.get(path).await?))
        })
    }

    /// `body` is JSON.
    #[napi]
    pub fn post(&self, call: u32, options: CallOptions, path: String, body: String) -> Result<()> {
        self.call(call, &options, None, |client| async move {
            let body = RawValue::from_string(body)
                .map_err(|_| errors::invalid("the body is not JSON. Pass a value that is."))?;
            Ok(values::response(&client.post(path, &body).await?))
        })
    }

    /// Returns the event, or the error as JSON; `now` is in milliseconds since 1970.
    #[napi]
    pub fn unwrap(
        &self,
        body: &[u8],
        headers: Vec<String>,
        now: f64,
    ) -> Result<Either<UnwrappedEvent, String>> {
        let (client, headers) = (self.client()?, webhook::pairs(&headers));
        Ok(webhook::unwrapped(client.webhooks().unwrap_at(body, headers, values::time(now))))
    }

    #[napi]
    pub fn wake(&self, generation_id: String) -> Result<()> {
        self.client()?.webhooks().wake(&generation_id);
        Ok(())
    }
}
