//! When a request counts, and from when on it no longer does.
#![allow(clippy::disallowed_methods, reason = "the clock is paused here")]

use futures_util::FutureExt;

use super::*;

const S: Duration = Duration::from_secs(1);

fn limiter(requests: u32) -> Arc<Limiter> {
    Arc::new(Limiter::new(Some(RateLimit::new(requests, S * 10))))
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_from_its_start_until_a_window_after_its_end() {
    let limiter = limiter(2);
    assert_eq!(limiter.left(), Some(2));
    let mut permit = limiter.acquire().await;
    permit.start();
    clock::sleep(S * 20).await;
    assert_eq!(limiter.left(), Some(1));
    drop(permit);
    clock::sleep(S * 9).await;
    assert_eq!(limiter.left(), Some(1));
    clock::sleep(S).await;
    assert_eq!(limiter.left(), Some(2));
    assert_eq!(Limiter::new(None).left(), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_not_sent_does_not_count() {
    let limiter = limiter(2);
    drop(limiter.acquire().await);
    assert_eq!(limiter.left(), Some(2), "it was never started");
    let mut refused = limiter.acquire().await;
    refused.start();
    refused.not_sent();
    assert_eq!(limiter.left(), Some(2));
}

/// The permit of a call belongs to its future, which may never be polled again.
#[tokio::test(start_paused = true)]
async fn a_request_in_flight_gives_its_slot_back_after_a_minute() {
    let limiter = limiter(2);
    let mut first = limiter.acquire().await;
    first.start();
    clock::sleep(S * 5).await;
    let second = limiter.acquire().await;
    let expires = |limiter: &Arc<Limiter>| limiter.poll_with(|_| ()).1 - clock::now();
    assert_eq!(expires(&limiter), S * 55);
    clock::sleep(S * 55).await;
    assert_eq!(expires(&limiter), S * 5, "the other one is next");
    clock::sleep(S * 9).await;
    let _ = limiter.poll_with(|_| ());
    assert_eq!(limiter.left(), Some(0), "both count for a window more");
    clock::sleep(S).await;
    assert_eq!(limiter.left(), Some(1));
    drop((first, second));
    clock::sleep(S * 10).await;
    assert_eq!(limiter.left(), Some(2), "their own ends change nothing");
    assert_eq!(limiter.poll_with(|_| ()).1, Duration::MAX);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_let_through_when_a_lease_ends() {
    let limiter = limiter(1);
    let _held = limiter.acquire().await;
    let began = clock::now();
    drop(limiter.acquire().await);
    assert_eq!(clock::now() - began, S * 70, "a minute, and a window more");
}

#[tokio::test(start_paused = true)]
async fn calls_of_which_the_first_is_refused_again_halve_the_rate_once() {
    let limiter = limiter(100);
    for nth in 0..5 {
        let mut permit = limiter.acquire().await.of_call(nth > 0);
        permit.start();
        permit.on_rate_limited(Some(S));
    }
    assert_eq!(limiter.left(), Some(0), "calls stop for the pause");
    clock::sleep(S).await;
    let left = limiter.left().unwrap();
    assert!((45..=55).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_request_is_a_change() {
    let limiter = limiter(2);
    let permit = limiter.acquire().await;
    let mut changed = Box::pin(limiter.changed.notified());
    assert_eq!(changed.as_mut().now_or_never(), None);
    drop(permit);
    assert_eq!(changed.now_or_never(), Some(()));
    // And so is that of a call which waits for its turn.
    let _held = [limiter.acquire().await, limiter.acquire().await];
    let mut waiting = Box::pin(limiter.acquire());
    assert!(waiting.as_mut().now_or_never().is_none());
    let mut changed = Box::pin(limiter.changed.notified());
    assert_eq!(changed.as_mut().now_or_never(), None);
    drop(waiting);
    assert_eq!(changed.now_or_never(), Some(()));
}

#[cfg(feature = "redis")]
#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_other_processes_is_reported_at_once() {
    use crate::polling::budget::shared::ByClass;

    let limiter = limiter(4);
    limiter.share();
    assert!(!limiter.is_out_of_reach() && !limiter.is_report_due());
    assert_eq!(limiter.left(), Some(4));
    limiter.on_used(ByClass { direct: 3, poll: 0 });
    assert_eq!(limiter.left(), Some(1));
    let mut call = Box::pin(limiter.acquire());
    assert!((&mut call).now_or_never().is_none());
    assert!(limiter.is_report_due());
    limiter.cut_off();
    assert!(limiter.is_out_of_reach() && !limiter.awaits_others());
    assert!(call.now_or_never().is_some());
}
