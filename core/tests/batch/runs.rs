//! Runs, their journals and their results.

use super::*;

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
async fn closing_the_client_ends_a_run_with_the_ids() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = emulator(json!({"polls": ["in_progress"]})).await;
    // Most requests are not taken when the client is closed, and the source of the other run has none.
    let closed = client(&emulator);
    let mut run = batch(&closed, requests(50), folder.path()).max_in_flight(3).run();
    let mut idle = closed.batch_stream(futures_util::stream::pending()).run();
    while emulator.requests().iter().filter(|request| request.method == "GET").count() < 3 {
        tokio::task::yield_now().await;
    }
    closed.close();
    let items = items(&mut run).await;
    assert_eq!((items.len(), with_status(&items, ItemStatus::Pending)), (3, 3));
    assert!(items.iter().all(|item| item.generation_id.is_some() && item.error.is_some()));
    assert_eq!(run.summary().stopped_by, Some(StopReason::Cancelled));
    assert!(idle.next().await.is_none());
    for item in &items {
        let id = item.generation_id.as_deref().unwrap();
        emulator.settle(id, Settlement::completed()).unwrap();
    }
    let other = client(&emulator);
    let again = self::items(&mut batch(&other, requests(3), folder.path()).run()).await;
    assert_eq!((with_status(&again, ItemStatus::Completed), posts(&emulator)), (3, 3));
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
    assert!(format!("{run:?}").contains("BatchRun { summary: BatchSummary"), "{run:?}");
    items(&mut run).await;
    let handle = run.handle();
    assert!(!handle.has_stopped(), "it has ended");
    assert!(format!("{handle:?}").contains("BatchHandle { summary: BatchSummary"), "{handle:?}");
    let events = events.lock().unwrap();
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(BatchEventKind::Created), count(BatchEventKind::Completed)), (6, 6));
    let last = events.last().unwrap();
    assert_eq!((last.counts.completed, last.counts.in_flight, last.total), (6, 0, Some(6)));
    assert_eq!(last.spend.spent, run.summary().cost_usd);
    assert_eq!(last.ends_in, Some(Duration::ZERO));
}

/// As the bindings take them.
#[tokio::test]
async fn events_come_between_the_items_for_one_that_takes_both() {
    let emulator = emulator(json!({})).await;
    let batch = client(&emulator).batch(requests(2));
    let shown = format!("{batch:?}");
    assert!(shown.starts_with("Batch { options:") && !shown.contains("Cat"), "{shown}");
    let mut run = batch.on_event(|_| {}).run();
    let (mut events, mut items) = (Vec::new(), 0);
    while let Some(output) = run.next_output().await {
        match output.unwrap() {
            BatchOutput::Event(event) => events.push(event.kind),
            BatchOutput::Item(item) => {
                assert_eq!(item.status, ItemStatus::Completed);
                items += 1;
            }
        }
    }
    let created = events.iter().filter(|kind| **kind == BatchEventKind::Created).count();
    assert_eq!((items, created), (2, 2));
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
    assert!(run.handle().has_stopped());
}
