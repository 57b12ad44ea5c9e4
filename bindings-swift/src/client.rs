//! The client: each operation is one call of the core.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::SystemTime;

use bindings_macros::barrier;
use pipevideo::{
    AccountUsage, Candidates, Client, CostEstimate, EngineCatalog, Generation, GenerationRequest,
    Spend, Submission, WebhookEvent,
};
use serde_json::value::RawValue;

use crate::call::CancelHandle;
use crate::errors::Failure;
use crate::log::LogReceiver;
use crate::options::{self, CallOptions, Options};
use crate::reports::{DownloadReports, Updates};
use crate::request::Arguments;
use crate::response::{AnsweredGeneration, Response};
use crate::runtime::runtime;
use crate::token::TokenSource;
use crate::video::Video;
use crate::watch::Watch;
use crate::webhook::Header;

/// A client of the core.
#[derive(uniffi::Object)]
pub(crate) struct NativeClient {
    pub(crate) client: Client,
    logs: bool,
}

#[barrier(default)]
#[uniffi::export]
impl NativeClient {
    #[uniffi::constructor]
    pub(crate) fn new(
        options: Options,
        tokens: Option<Arc<dyn TokenSource>>,
        log: Arc<dyn LogReceiver>,
    ) -> Result<Self, Failure> {
        let (client, logs) = options.client(tokens, log)?;
        runtime()?;
        Ok(Self { client, logs })
    }

    /// Whether the client logs.
    pub(crate) fn logs(&self) -> bool {
        self.logs
    }

    pub(crate) fn budget_left(&self) -> Option<u64> {
        self.client.budget_left().map(|left| left as u64)
    }

    pub(crate) fn spend(&self) -> Spend {
        self.client.spend()
    }

    pub(crate) async fn estimate(
        &self,
        model: String,
        engine: Option<String>,
        count: u64,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<CostEstimate, Failure> {
        let mut request = GenerationRequest::new(model, "");
        request.engine = engine;
        let estimate = options.client(&self.client)?.estimate(request).count(count).into_future();
        cancel.run(async move { Ok(estimate.await?) }).await
    }

    pub(crate) async fn create(
        &self,
        arguments: Arguments,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<AnsweredGeneration, Failure> {
        let client = options.client(&self.client)?;
        let submission = Submission::new();
        let kept = submission.clone();
        let work = async move {
            let request = arguments.request().await?;
            let create = client.responses().create_with(request, &kept);
            Ok(create.with_response().await?.into())
        };
        cancel.run_create(submission, work).await
    }

    pub(crate) async fn retrieve(
        &self,
        id: String,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<AnsweredGeneration, Failure> {
        let client = options.client(&self.client)?;
        let retrieve = client.responses().retrieve(id).with_response();
        cancel.run(async move { Ok(retrieve.await?.into()) }).await
    }

    pub(crate) async fn get(
        &self,
        path: String,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Arc<Response>, Failure> {
        let get = options.client(&self.client)?.get(path);
        cancel.run(async move { Ok(Arc::new(get.await?.into())) }).await
    }

    /// `body` is JSON.
    pub(crate) async fn post(
        &self,
        path: String,
        body: String,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Arc<Response>, Failure> {
        let body = RawValue::from_string(body)
            .map_err(|_| Failure::invalid("the body is not JSON. Pass a value that is."))?;
        let post = options.client(&self.client)?.post(path, &body);
        cancel.run(async move { Ok(Arc::new(post.await?.into())) }).await
    }

    pub(crate) async fn wait(
        &self,
        id: String,
        deadline: Option<f64>,
        updates: Option<Arc<Updates>>,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Generation, Failure> {
        let mut wait = options.client(&self.client)?.responses().wait(id);
        if let Some(deadline) = options::deadline(deadline)? {
            wait = wait.deadline(deadline);
        }
        if let Some(updates) = updates {
            wait = wait.on_update(move |update| updates.add(update));
        }
        let wait = wait.into_future();
        cancel.run(async move { Ok(wait.await?) }).await
    }

    pub(crate) async fn generate(
        &self,
        arguments: Arguments,
        deadline: Option<f64>,
        updates: Option<Arc<Updates>>,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Generation, Failure> {
        let client = options.client(&self.client)?;
        let deadline = options::deadline(deadline)?;
        let submission = Submission::new();
        let kept = submission.clone();
        let work = async move {
            let request = arguments.request().await?;
            let mut generate = client.generate(request).submission(&kept);
            drop(client);
            if let Some(deadline) = deadline {
                generate = generate.deadline(deadline);
            }
            if let Some(updates) = updates {
                generate = generate.on_update(move |update| updates.add(update));
            }
            Ok(generate.await?)
        };
        cancel.run_create(submission, work).await
    }

    pub(crate) fn watch(&self, id: String, deadline: Option<f64>, options: CallOptions) -> Watch {
        let watch = || {
            let watch = options.client(&self.client)?.responses().watch(id);
            Ok(match options::deadline(deadline)? {
                Some(deadline) => watch.deadline(deadline),
                None => watch,
            })
        };
        Watch::new(watch())
    }

    pub(crate) async fn download(
        &self,
        video: Video,
        path: String,
        max_bytes: Option<u64>,
        reports: Option<Arc<DownloadReports>>,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<(), Failure> {
        let mut download = options.client(&self.client)?.responses().download(video, path);
        if let Some(max_bytes) = max_bytes {
            download = download.max_bytes(max_bytes);
        }
        if let Some(reports) = reports {
            download = download.on_progress(move |progress| reports.set(progress));
        }
        let download = download.into_future();
        cancel.run(async move { Ok(download.await.map(drop)?) }).await
    }

    pub(crate) async fn reconcile(
        &self,
        model: String,
        sent_at: SystemTime,
        generation_id: Option<String>,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<Candidates, Failure> {
        let client = options.client(&self.client)?;
        let work = async move {
            let id = generation_id.as_deref();
            Ok(pipevideo::reconcile_stored(&client, &model, sent_at, id).await?)
        };
        cancel.run(work).await
    }

    pub(crate) async fn engines(
        &self,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<EngineCatalog, Failure> {
        let client = options.client(&self.client)?;
        cancel.run(async move { Ok(client.engines().list().await?) }).await
    }

    pub(crate) async fn usage(
        &self,
        options: CallOptions,
        cancel: Arc<CancelHandle>,
    ) -> Result<AccountUsage, Failure> {
        let client = options.client(&self.client)?;
        cancel.run(async move { Ok(client.usage().retrieve().await?) }).await
    }

    pub(crate) fn unwrap_webhook(
        &self,
        body: Vec<u8>,
        headers: Vec<Header>,
    ) -> Result<WebhookEvent, Failure> {
        Ok(self.client.webhooks().unwrap(body, Header::pairs(headers))?)
    }

    pub(crate) fn wake(&self, generation_id: String) {
        self.client.webhooks().wake(&generation_id);
    }
}
