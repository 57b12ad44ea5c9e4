//! Batches against the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, spawn and time"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use pipevideo::{
    Batch, BatchEventKind, BatchItem, BatchRequest, BatchRun, Client, Decimal, ErrorKind,
    GenerationRequest, ItemStatus, Polling, StopReason, read_journal,
};
use pipevideo_emulator::{Emulator, Options, Settlement};
use serde_json::{Value, json};

async fn emulator(options: Value) -> Emulator {
    let mut all = json!({"rate_limit": null, "polls": ["queued", "completed"]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let options: Options = serde_json::from_value(all).unwrap();
    Emulator::start(options).await.unwrap()
}

fn client(emulator: &Emulator) -> Client {
    let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    builder.rate_limit(None).polling(polling).build().unwrap()
}

fn requests(count: usize) -> Vec<BatchRequest> {
    let request = |n| GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat number {n}"));
    (0..count).map(|n| BatchRequest::new(request(n)).key(format!("cat-{n}"))).collect()
}

async fn items(run: &mut BatchRun) -> Vec<BatchItem> {
    let mut items = Vec::new();
    while let Some(item) = run.next().await {
        items.push(item.unwrap());
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

#[tokio::test]
async fn a_batch_creates_waits_downloads_and_the_next_run_takes_all_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let batch = || {
        let batch = client.batch(requests(30)).journal(folder.path().join("run.jsonl"));
        batch.download_to(folder.path().join("videos")).max_in_flight(7)
    };
    let mut run = batch().run();
    let first = items(&mut run).await;
    assert_eq!(first.len(), 30);
    let summary = run.summary();
    assert_eq!((summary.counts.completed, summary.counts.downloaded), (30, 30));
    assert_eq!(summary.cost_usd, client.spend().spent);
    drop(run);
    let mut run = batch().run();
    let second = items(&mut run).await;
    assert_eq!(run.summary().counts.from_journal, 30);
    assert_eq!((run.summary().cost_usd, posts(&emulator)), (summary.cost_usd, 30));
    for (a, b) in first.iter().zip(&second) {
        assert_eq!((&a.key, &a.generation_id, &a.path), (&b.key, &b.generation_id, &b.path));
        assert_eq!(
            a.path.as_ref().unwrap().file_name().unwrap().to_str(),
            Some(&*format!("{}.mp4", a.key))
        );
        assert_eq!(a.status, ItemStatus::Completed);
    }
    let read: Vec<_> =
        read_journal(folder.path().join("run.jsonl")).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), 30);
    assert!(read.iter().all(|item| item.bytes.is_some() && item.cost_usd.is_some()));
}

/// A batch with its journal in a folder.
fn batch(client: &Client, requests: Vec<BatchRequest>, folder: &Path) -> Batch {
    client.batch(requests).journal(folder.join("run.jsonl"))
}

/// The error that ends a run, which must have one.
async fn error_of(mut run: BatchRun) -> pipevideo::Error {
    loop {
        if let Err(error) = run.next().await.expect("the run ends with an error") {
            assert!(run.next().await.is_none(), "the error is the last item");
            return error;
        }
    }
}

fn with_status(items: &[BatchItem], status: ItemStatus) -> usize {
    items.iter().filter(|item| item.status == status).count()
}

fn lose_response(emulator: &Emulator, times: u32) {
    let fault = json!({"match": {"method": "POST", "path": "/v1/responses"}, "drop": "after_reading", "times": times});
    emulator.fault(serde_json::from_value(fault).unwrap());
}

#[tokio::test]
async fn a_journal_of_other_requests_and_one_in_use_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    items(&mut batch(&client, requests(3), folder.path()).run()).await;
    let before = std::fs::read(folder.path().join("run.jsonl")).unwrap();

    let mut changed = requests(3);
    changed[1] = BatchRequest::new(GenerationRequest::new("m", "A dog")).key("cat-1");
    let error = error_of(batch(&client, changed, folder.path()).run()).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("cat-1"), "{error}");

    let other = requests(5).split_off(4);
    let error = error_of(batch(&client, other, folder.path()).run()).await;
    assert_eq!(error.kind(), ErrorKind::Configuration);

    let mut twice = requests(2);
    twice.push(BatchRequest::new(GenerationRequest::new("m", "A dog")).key("cat-0"));
    let error = error_of(batch(&client, twice, folder.path()).run()).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(std::fs::read(folder.path().join("run.jsonl")).unwrap(), before);
    assert_eq!(posts(&emulator), 3);

    // The first run has not ended.
    let mut endless = batch(&client, requests(3), folder.path()).run();
    endless.next().await.unwrap().unwrap();
    let held = batch(&client, requests(3), &folder.path().join("../nowhere")).run();
    assert_eq!(error_of(held).await.kind(), ErrorKind::Configuration);
}

#[tokio::test]
async fn a_lost_create_gets_its_generation_if_nothing_else_can_have_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    lose_response(&emulator, 1);
    let mut run = batch(&client, requests(30), folder.path()).max_in_flight(8).run();
    let items = items(&mut run).await;
    assert_eq!(with_status(&items, ItemStatus::Completed), 30);
    let mut ids: Vec<_> = items.iter().map(|item| item.generation_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), posts(&emulator)), (30, 30));
    let spend = client.spend();
    assert_eq!((spend.spent, spend.uncertain_count), (run.summary().cost_usd, 0));
}

#[tokio::test]
async fn several_lost_creates_stay_uncertain_until_they_are_retried_knowingly() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    lose_response(&emulator, 2);
    let run = |retry| {
        let batch = batch(&client, requests(4), folder.path()).max_in_flight(4);
        batch.retry_uncertain(retry).run()
    };
    for _ in 0..2 {
        let items = items(&mut run(false)).await;
        assert_eq!(with_status(&items, ItemStatus::Completed), 2);
        for item in items.iter().filter(|item| item.status == ItemStatus::Uncertain) {
            assert_eq!(item.candidates.len(), 2, "{item:?}");
        }
        assert_eq!(posts(&emulator), 4, "an uncertain create is not sent again by itself");
    }
    let mut retried = run(true);
    assert_eq!(with_status(&items(&mut retried).await, ItemStatus::Completed), 4);
    assert_eq!(posts(&emulator), 6);
    let spend = retried.summary();
    assert_eq!(spend.counts.uncertain, 0);
}

#[tokio::test]
async fn an_uncertain_create_stays_uncertain_if_its_retry_was_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    lose_response(&emulator, 2);
    let run = async |client: &Client, retry| {
        let batch = batch(client, requests(3), folder.path());
        let items = items(&mut batch.retry_uncertain(retry).run()).await;
        (with_status(&items, ItemStatus::Uncertain), posts(&emulator))
    };
    assert_eq!(run(&client, false).await, (2, 3));
    // The generation that has completed has cost more than this limit: nothing is sent.
    let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
    let limited = builder.rate_limit(None).spend_limit(Decimal::new(1, 6)).build().unwrap();
    assert_eq!(run(&limited, true).await.1, 3);
    assert_eq!(run(&client, false).await, (2, 3));
}

#[tokio::test]
async fn the_spend_limit_stops_creating_and_a_higher_one_continues() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let run = |limit: &str| {
        let limit = Decimal::from_str_exact(limit).unwrap();
        batch(&client, requests(40), folder.path()).max_in_flight(4).spend_limit(limit).run()
    };
    // A generation costs from 0.4 to 1.6 cents.
    let mut before = 0;
    for limit in ["0.05", "0.20"] {
        let mut run = run(limit);
        let items = items(&mut run).await;
        let completed = with_status(&items, ItemStatus::Completed);
        assert!(before < completed && completed < 40, "{limit}: {completed}");
        before = completed;
        let summary = run.summary();
        assert_eq!(summary.stopped_by, Some(StopReason::SpendLimit));
        // An estimate is a mean: four in flight may each cost a cent more.
        assert!(summary.cost_usd <= Decimal::from_str_exact(limit).unwrap() + Decimal::new(5, 2));
        assert_eq!(posts(&emulator), completed, "{limit}");
        for item in items.iter().filter(|item| item.status == ItemStatus::Failed) {
            assert_eq!(item.error.as_ref().unwrap().kind(), ErrorKind::SpendLimit);
        }
    }
    let mut run = run("5");
    assert_eq!(with_status(&items(&mut run).await, ItemStatus::Completed), 40);
    assert_eq!((posts(&emulator), run.summary().stopped_by), (40, None));
}

#[tokio::test]
async fn credits_that_run_out_stop_creating() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({"balance_cents": 0})).await;
    let client = client(&emulator);
    let mut run = batch(&client, requests(100), folder.path()).max_in_flight(3).run();
    let items = items(&mut run).await;
    assert!((1..=3).contains(&items.len()), "{}", items.len());
    assert!(posts(&emulator) <= 3);
    assert_eq!(run.summary().stopped_by, Some(StopReason::InsufficientCredits));
}

#[tokio::test]
async fn a_failed_generation_is_retried_only_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let failed =
        json!({"status": "failed", "error": {"code": "provider_error", "message": "render"}});
    let emulator = emulator(json!({"polls": ["queued", failed]})).await;
    let client = client(&emulator);
    let items_of = async |batch: Batch| {
        let mut run = batch.max_in_flight(1).run();
        let items = items(&mut run).await;
        (items, run.summary())
    };
    let (items, summary) = items_of(batch(&client, requests(3), folder.path())).await;
    assert_eq!((with_status(&items, ItemStatus::Failed), posts(&emulator)), (3, 3));
    assert_eq!(summary.failures["provider"], 3);
    let (items, _) = items_of(batch(&client, requests(3), folder.path()).retries(1)).await;
    assert_eq!(posts(&emulator), 6);
    assert!(items.iter().all(|item| item.attempts == 2 && item.status == ItemStatus::Failed));
    let batch = batch(&client, requests(3), folder.path()).retries(5).retry_categories([]);
    items_of(batch).await;
    assert_eq!(posts(&emulator), 6);
    let other = folder.path().join("other.jsonl");
    let stopped = client.batch(requests(9)).journal(other).stop_after_failures(2);
    let (items, summary) = items_of(stopped).await;
    assert_eq!((items.len(), summary.stopped_by), (2, Some(StopReason::Failures)));
}

#[tokio::test]
async fn a_retry_that_was_not_created_is_not_created_by_a_run_without_retries() {
    let folder = tempfile::tempdir().unwrap();
    let failed =
        json!({"status": "failed", "error": {"code": "provider_error", "message": "render"}});
    let emulator = emulator(json!({"polls": [failed]})).await;
    let client = client(&emulator);
    let create = json!({"method": "POST", "path": "/v1/responses"});
    let refused = json!({"match": create, "nth": 2, "status": 403});
    emulator.fault(serde_json::from_value(refused).unwrap());
    let item = async |retries| {
        let mut run = batch(&client, requests(1), folder.path()).retries(retries).run();
        let item = items(&mut run).await.remove(0);
        (item.status, item.attempts, item.error.unwrap().kind(), posts(&emulator))
    };
    let failed = ItemStatus::Failed;
    assert_eq!(item(1).await, (failed, 1, ErrorKind::PermissionDenied, 2));
    assert_eq!(item(0).await, (failed, 1, ErrorKind::InvalidRequest, 2));
    assert_eq!(item(1).await, (failed, 2, ErrorKind::GenerationFailed, 3));
    assert_eq!(item(1).await, (failed, 2, ErrorKind::GenerationFailed, 3));
}

#[tokio::test]
async fn a_request_that_costs_more_than_its_own_maximum_fails_alone() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let model = "moonshotai/kimi-k2.5";
    client.generate(GenerationRequest::new(model, "A cat")).await.unwrap();
    let cheap = GenerationRequest::new(model, "A dog").max_cost_usd(Decimal::new(1, 6));
    let mut all = requests(3);
    all.insert(1, BatchRequest::new(cheap).key("dog"));
    let mut run = client.batch(all).max_in_flight(1).run();
    let items = items(&mut run).await;
    assert_eq!(with_status(&items, ItemStatus::Completed), 3);
    assert_eq!(items[3].error.as_ref().unwrap().kind(), ErrorKind::SpendLimit);
    assert_eq!((posts(&emulator), run.summary().stopped_by), (4, None));
}

#[tokio::test]
async fn a_source_that_panics_ends_the_run_after_what_is_under_way() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let mut all = requests(2).into_iter();
    let (panic, panics) = std::sync::mpsc::channel::<()>();
    // It panics at the third request, once the first two have ended.
    let source = std::iter::from_fn(move || {
        all.next().or_else(|| {
            assert!(panics.try_recv().is_err(), "a mistake of the caller");
            None
        })
    });
    let source = futures_util::stream::iter(source.map(Ok)).chain(futures_util::stream::pending());
    let mut run = client.batch_stream(source).max_in_flight(1).run();
    panic.send(()).unwrap();
    assert_eq!(run.next().await.unwrap().unwrap().status, ItemStatus::Completed);
    assert_eq!(run.next().await.unwrap().unwrap().status, ItemStatus::Completed);
    let error = run.next().await.unwrap().unwrap_err();
    assert!(error.message().contains("panicked"), "{error}");
    assert!(run.next().await.is_none());
}

#[tokio::test]
async fn an_id_in_any_error_is_kept_and_awaited() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let id = emulator.add_generation(Default::default()).unwrap();
    let body = json!({"id": id, "message": "a duplicate"});
    let create = json!({"method": "POST", "path": "/v1/responses"});
    let fault = json!({"match": create, "status": 400, "body": body});
    emulator.fault(serde_json::from_value(fault).unwrap());
    let items = items(&mut client.batch(requests(1)).run()).await;
    assert_eq!(items[0].generation_id, Some(id));
    assert_eq!(items[0].status, ItemStatus::Completed);
}

#[tokio::test]
async fn a_key_that_is_retried_and_lost_again_gets_the_generation_of_the_retry() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let create = json!({"method": "POST", "path": "/v1/responses"});
    // Two creates make nothing, and then the retry of one is lost.
    let refused = json!({"match": create, "status": 500, "times": 2});
    emulator.fault(serde_json::from_value(refused).unwrap());
    let batch = |retry| {
        let batch = batch(&client, requests(2), folder.path()).max_in_flight(1);
        batch.retry_uncertain(retry).run()
    };
    assert_eq!(with_status(&items(&mut batch(false)).await, ItemStatus::Uncertain), 2);
    lose_response(&emulator, 1);
    let items = items(&mut batch(true)).await;
    // Its generation may be that of the first attempt as well, of which nothing came of either.
    assert_eq!(with_status(&items, ItemStatus::Completed), 1);
    assert_eq!(with_status(&items, ItemStatus::Uncertain), 1);
    assert_eq!(posts(&emulator), 4);
}

#[tokio::test]
async fn requests_are_taken_as_there_is_room() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let endless = (0..).map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        GenerationRequest::new("m", format!("Cat {n}"))
    });
    let mut run = client.batch(endless).max_in_flight(5).run();
    for n in 1..=20 {
        run.next().await.unwrap().unwrap();
        assert!(taken.load(Ordering::Relaxed) <= n + 1000 + 5 + 1);
    }
    run.stop().await;
    assert_eq!(posts(&emulator), taken.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_a_journal_that_continues() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({"polls": null, "median_seconds": 0.02})).await;
    let client = client(&emulator);
    for n in 0..6 {
        let mut run = batch(&client, requests(20), folder.path()).max_in_flight(5).run();
        for _ in 0..n {
            run.next().await.unwrap().unwrap();
        }
        if n % 2 == 0 { drop(run) } else { drop(run.stop().await) }
    }
    let items = items(&mut batch(&client, requests(20), folder.path()).run()).await;
    assert_eq!((with_status(&items, ItemStatus::Completed), posts(&emulator)), (20, 20));
}

#[tokio::test]
async fn what_was_created_is_awaited_also_if_its_request_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({"polls": null, "median_seconds": 1000.0})).await;
    let client = client(&emulator);
    let short = batch(&client, requests(4), folder.path()).deadline(Duration::ZERO);
    let first = items(&mut short.run()).await;
    assert_eq!(with_status(&first, ItemStatus::Pending), 4);
    for item in &first {
        let id = item.generation_id.as_deref().unwrap();
        emulator.settle(id, Settlement::completed()).unwrap();
    }
    let items = items(&mut batch(&client, requests(1), folder.path()).run()).await;
    assert_eq!((with_status(&items, ItemStatus::Completed), posts(&emulator)), (4, 4));
}

#[tokio::test]
async fn a_video_that_was_not_downloaded_is_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let videos = folder.path().join("videos");
    std::fs::create_dir_all(videos.join("cat-1.mp4")).unwrap();
    let run = || batch(&client, requests(3), folder.path()).download_to(&videos).run();
    let first = items(&mut run()).await;
    assert_eq!(with_status(&first, ItemStatus::Completed), 3);
    assert!(first[1].path.is_none() && first[1].error.is_some());
    std::fs::remove_dir(videos.join("cat-1.mp4")).unwrap();
    std::fs::remove_file(videos.join("cat-2.mp4")).unwrap();
    let second = items(&mut run()).await;
    assert!(second.iter().all(|item| item.path.as_ref().is_some_and(|path| path.is_file())));
    assert_eq!(posts(&emulator), 3);
}

#[tokio::test]
async fn events_show_counts_spend_and_the_end() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let shown = events.clone();
    let batch = client.batch(requests(6)).max_in_flight(2);
    let mut run = batch.on_event(move |event| shown.lock().unwrap().push(event.clone())).run();
    items(&mut run).await;
    let events = events.lock().unwrap();
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(BatchEventKind::Created), count(BatchEventKind::Completed)), (6, 6));
    let last = events.last().unwrap();
    assert_eq!((last.counts.completed, last.counts.in_flight, last.total), (6, 0, Some(6)));
    assert_eq!(last.spend.spent, run.summary().cost_usd);
    assert_eq!(last.ends_in, Some(Duration::ZERO));
}

#[tokio::test]
async fn the_journal_has_no_prompt_unless_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    for (name, keeps) in [("without", false), ("with", true)] {
        let path = folder.path().join(name);
        let batch = client.batch(requests(2)).journal(&path).keep_prompts(keeps);
        items(&mut batch.run()).await;
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.contains("Cat number 1"), keeps, "{name}");
    }
}

#[tokio::test]
async fn an_error_of_the_source_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let request = GenerationRequest::new("m", "A cat");
    let error = client.estimate(request).count(0).await.unwrap_err();
    let (fail, failed) = tokio::sync::oneshot::channel::<()>();
    let source = futures_util::stream::iter(requests(2).into_iter().map(Ok)).chain(
        futures_util::stream::once(async move {
            failed.await.unwrap();
            Err(error)
        }),
    );
    let mut run = client.batch_stream(source).journal(folder.path().join("run.jsonl")).run();
    for _ in 0..2 {
        assert_eq!(run.next().await.unwrap().unwrap().status, ItemStatus::Completed);
    }
    fail.send(()).unwrap();
    assert_eq!(run.next().await.unwrap().unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(run.next().await.is_none());
    assert_eq!(run.summary().stopped_by, Some(StopReason::Error));
}
