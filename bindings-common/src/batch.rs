//! A batch of which the requests come from a host language, one after another.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::stream;
use pipevideo::{Batch, BatchRequest, Client, Decimal, FailureCategory};
use tokio::sync::mpsc;

use crate::lock;

/// The options of a batch, converted. What is `None` has the core's default.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the methods of `Batch`, documented there")]
pub struct BatchOptions {
    pub journal: Option<PathBuf>,
    pub download_to: Option<PathBuf>,
    pub max_in_flight: Option<usize>,
    pub spend_limit: Option<Decimal>,
    pub deadline: Option<Duration>,
    pub retries: Option<u32>,
    pub retry_categories: Option<Vec<FailureCategory>>,
    pub retry_uncertain: bool,
    pub stop_after_failures: Option<u64>,
    pub keep_prompts: bool,
    /// Whether the run yields events.
    pub events: bool,
    /// The number of requests, if the host knows it.
    pub total: Option<u64>,
}

/// The end of a batch into which the host passes its requests.
#[derive(Debug)]
pub struct BatchFeed(Mutex<Option<mpsc::Sender<BatchRequest>>>);

impl BatchFeed {
    /// Passes a request, and returns once the run has room for it. Returns false if the run takes no
    /// more requests.
    pub async fn push(&self, request: BatchRequest) -> bool {
        let sender = lock(&self.0).clone();
        match sender {
            Some(sender) => sender.send(request).await.is_ok(),
            None => false,
        }
    }

    /// Returns once the run has room for a request, or false if it takes no more. For a host with one
    /// feeder, which then calls [`try_push`](Self::try_push).
    pub async fn ready(&self) -> bool {
        let sender = lock(&self.0).clone();
        match sender {
            Some(sender) => sender.reserve().await.is_ok(),
            None => false,
        }
    }

    /// Passes a request if the run has room for it. Returns false if it has none or takes no more.
    pub fn try_push(&self, request: BatchRequest) -> bool {
        lock(&self.0).as_ref().is_some_and(|sender| sender.try_send(request).is_ok())
    }

    /// There are no more requests.
    pub fn finish(&self) {
        lock(&self.0).take();
    }
}

impl BatchOptions {
    /// Makes the batch, and the feed for its requests.
    pub fn batch(self, client: &Client) -> (Batch, BatchFeed) {
        // A request is passed on when the one before it is taken: they may hold videos.
        let (sender, receiver) = mpsc::channel(1);
        let requests = stream::unfold(receiver, |mut receiver| async {
            let request = receiver.recv().await?;
            Some((Ok(request), receiver))
        });
        let mut batch = client
            .batch_stream(requests)
            .spend_limit(self.spend_limit)
            .retry_uncertain(self.retry_uncertain)
            .keep_prompts(self.keep_prompts)
            .with_events(self.events)
            .with_total(self.total);
        if let Some(journal) = self.journal {
            batch = batch.journal(journal);
        }
        if let Some(folder) = self.download_to {
            batch = batch.download_to(folder);
        }
        if let Some(maximum) = self.max_in_flight {
            batch = batch.max_in_flight(maximum);
        }
        if let Some(deadline) = self.deadline {
            batch = batch.deadline(deadline);
        }
        if let Some(retries) = self.retries {
            batch = batch.retries(retries);
        }
        if let Some(categories) = self.retry_categories {
            batch = batch.retry_categories(categories);
        }
        if let Some(failures) = self.stop_after_failures {
            batch = batch.stop_after_failures(failures);
        }
        (batch, BatchFeed(Mutex::new(Some(sender))))
    }
}

/// The category of failures with this name.
///
/// # Errors
/// The message for a name that no category has.
pub fn failure_category(name: &str) -> Result<FailureCategory, String> {
    use FailureCategory::{InsufficientCredits, InvalidPrompt, Other, Provider, Unavailable};
    let all = [InsufficientCredits, Provider, Unavailable, InvalidPrompt, Other];
    all.into_iter().find(|category| category.as_str() == name).ok_or_else(|| {
        let known = all.map(FailureCategory::as_str).join(", ");
        format!("{name:?} is not a category of failures. The categories are {known}.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipevideo::GenerationRequest;

    #[tokio::test]
    async fn requests_are_passed_until_the_run_takes_no_more() {
        let client = Client::builder().api_key("pv_example").base_url("http://127.0.0.1:9");
        let client =
            client.connect_timeout(Duration::from_millis(50)).max_retries(0).build().unwrap();
        let options = BatchOptions { stop_after_failures: Some(1), ..BatchOptions::default() };
        let (batch, feed) = options.batch(&client);
        let mut run = batch.run();
        let request = || BatchRequest::new(GenerationRequest::new("m", "A cat"));
        assert!(feed.ready().await);
        assert!(feed.try_push(request()));
        assert!(!feed.try_push(request()), "it has room for one");
        assert!(feed.push(request()).await);
        assert!(run.next().await.unwrap().unwrap().error.is_some(), "nothing listens there");
        assert!(run.next().await.is_none());
        assert!(!feed.push(request()).await && !feed.ready().await);
        feed.finish();
        assert!(!feed.push(request()).await);
    }

    #[test]
    fn categories_are_found_by_their_names() {
        assert_eq!(failure_category("provider"), Ok(FailureCategory::Provider));
        assert!(failure_category("weather").unwrap_err().contains("invalid_prompt"));
    }
}
