//! What a service, a disk or a caller may do to a batch.

use super::*;

fn fault(emulator: &Emulator, fault: Value) {
    emulator.fault(serde_json::from_value(fault).unwrap());
}

/// The sum that the service has charged, in US dollars.
async fn charged(client: &Client) -> Decimal {
    let totals = client.usage().retrieve().await.unwrap().totals;
    (totals.total_cost_cents.unwrap() / Decimal::ONE_HUNDRED).normalize()
}

#[tokio::test]
async fn runs_that_are_stopped_at_random_pay_once_and_their_costs_add_up() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({"polls": null, "median_seconds": 0.03})).await;
    let client = client(&emulator);
    let run = || batch(&client, requests(60), folder.path()).max_in_flight(50).run();
    for _ in 0..12 {
        let mut run = run();
        let handle = run.handle();
        let stops_after = random.usize(0..30);
        let mut taken = 0;
        while taken < stops_after && run.next().await.is_some() {
            taken += 1;
        }
        match random.u32(..3) {
            0 => drop(run),
            1 => drop(run.stop().await),
            _ => handle.stop(),
        }
    }
    let mut run = run();
    let items = items(&mut run).await;
    assert_eq!((with_status(&items, ItemStatus::Completed), posts(&emulator)), (60, 60));
    assert_eq!(run.summary().cost_usd, charged(&client).await);
}

#[tokio::test]
async fn a_run_that_is_stopped_does_not_wait_for_a_service_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator).with_request_timeout(Duration::from_secs(2)).unwrap();
    lose_response(&emulator, 1);
    let usage = json!({"method": "GET", "path": "/v1/usage"});
    fault(&emulator, json!({"match": usage, "times": null, "delay_ms": 600_000}));
    let mut run = batch(&client, requests(9), folder.path()).max_in_flight(3).run();
    // The run searches for the lost create, and sends nothing more meanwhile.
    while !emulator.requests().iter().any(|request| request.path == "/v1/usage") {
        tokio::task::yield_now().await;
    }
    // Far below the ten minutes of the service, and the retries of a read.
    tokio::time::timeout(Duration::from_secs(60), run.stop()).await.unwrap();
    emulator.clear_faults();
    let items = items(&mut batch(&client, requests(9), folder.path()).run()).await;
    assert_eq!((with_status(&items, ItemStatus::Completed), posts(&emulator)), (9, 9));
}

#[tokio::test]
async fn a_lost_create_stays_uncertain_if_another_process_may_have_made_the_candidate() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    // Nothing distinguishes the two.
    let foreign = json!({"model": "moonshotai/kimi-k2.5"});
    emulator.add_generation(serde_json::from_value(foreign).unwrap()).unwrap();
    lose_response(&emulator, 1);
    let items = items(&mut client.batch(requests(1)).run()).await;
    assert_eq!((items[0].status, items[0].candidates.len()), (ItemStatus::Uncertain, 2));
}

#[tokio::test]
async fn a_usage_of_another_shape_leaves_a_lost_create_uncertain() {
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    lose_response(&emulator, 1);
    let usage = json!({"method": "GET", "path": "/v1/usage"});
    fault(&emulator, json!({"match": usage, "times": null, "body": {"requests": []}}));
    let items = items(&mut client.batch(requests(3)).max_in_flight(1).run()).await;
    assert_eq!(with_status(&items, ItemStatus::Uncertain), 1);
    assert_eq!((with_status(&items, ItemStatus::Completed), posts(&emulator)), (2, 3));
}

#[tokio::test]
async fn a_key_that_is_refused_in_the_middle_stops_creating() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    let create = json!({"method": "POST", "path": "/v1/responses"});
    fault(&emulator, json!({"match": create, "nth": 4, "times": null, "status": 401}));
    let mut run = batch(&client, requests(200), folder.path()).max_in_flight(2).run();
    let first = items(&mut run).await;
    assert_eq!(with_status(&first, ItemStatus::Completed), 3);
    assert_eq!(run.summary().stopped_by, Some(StopReason::Error));
    assert!(posts(&emulator) <= 5, "{}", posts(&emulator));
    emulator.clear_faults();
    let items = items(&mut batch(&client, requests(200), folder.path()).run()).await;
    assert_eq!(with_status(&items, ItemStatus::Completed), 200);
}

#[tokio::test]
async fn clients_of_one_key_share_the_limit_in_their_batches() {
    let emulator = emulator(json!({"api_key": "pv_shared_by_batches"})).await;
    let limit = Decimal::new(20, 2);
    let polling = Polling::default().min_interval(Duration::ZERO).max_interval(Duration::ZERO);
    let limited = || {
        let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
        builder.rate_limit(None).polling(polling).spend_limit(limit).build().unwrap()
    };
    let (a, b) = (limited(), limited());
    let (mut first, mut second) = (
        a.batch(requests(40)).max_in_flight(3).run(),
        b.batch(requests(40)).max_in_flight(3).run(),
    );
    tokio::join!(items(&mut first), items(&mut second));
    let spent = charged(&a).await;
    // Six in flight may each cost a cent more than their estimate.
    assert!(spent <= limit + Decimal::new(6, 2), "{spent}");
    assert_eq!(a.spend().spent, spent);
    for run in [first, second] {
        assert_eq!(run.summary().stopped_by, Some(StopReason::SpendLimit));
    }
}

#[tokio::test]
async fn a_caller_that_takes_nothing_does_not_hold_up_what_is_under_way() {
    let emulator = emulator(json!({"polls": ["completed"]})).await;
    let client = client(&emulator);
    let run = client
        .batch((0..).map(|n| GenerationRequest::new("moonshotai/kimi-k2.5", format!("Cat {n}"))));
    let run = run.max_in_flight(8).run();
    let handle = run.handle();
    // It takes so many requests, and no more: the others stay with their source.
    while handle.summary().counts.completed + handle.summary().counts.failed < 1008 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let counts = handle.summary().counts;
    assert_eq!((counts.completed, counts.in_flight, posts(&emulator)), (1008, 0, 1008));
}

#[tokio::test]
async fn a_folder_of_videos_that_disappears_in_the_middle_loses_no_generation() {
    let folder = tempfile::tempdir().unwrap();
    let videos = folder.path().join("videos");
    let emulator = emulator(json!({})).await;
    let client = client(&emulator);
    // A file in its place also stops root.
    let gone = videos.clone();
    let mut first = batch(&client, requests(5), folder.path()).download_to(&videos);
    first = first.on_event(move |_| {
        // A download that writes there at this moment may prevent it; then the next event tries again.
        if gone.is_dir() && std::fs::remove_dir_all(&gone).is_ok() {
            let _ = std::fs::write(&gone, "");
        }
    });
    let first = items(&mut first.max_in_flight(1).run()).await;
    assert!(first.iter().any(|item| item.path.is_none() && item.error.is_some()), "{first:?}");
    std::fs::remove_file(&videos).unwrap();
    let second = batch(&client, requests(5), folder.path()).download_to(&videos);
    let second = items(&mut second.run()).await;
    assert!(second.iter().all(|item| item.path.as_ref().is_some_and(|path| path.is_file())));
    assert_eq!((with_status(&second, ItemStatus::Completed), posts(&emulator)), (5, 5));
}
