//! What stops a batch, and what it takes.

use super::*;

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
async fn requests_are_taken_as_there_is_room() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let endless = (0..).map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat {n}"))
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
async fn a_negative_limit_is_refused() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let run = client.batch(requests(1)).spend_limit(Decimal::NEGATIVE_ONE).run();
    assert_eq!(error_of(run).await.kind(), ErrorKind::Configuration);
    assert_eq!(posts(&emulator), 0);
}
