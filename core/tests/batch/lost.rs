//! Creates with an unknown outcome.

use super::*;

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
