//! Numbers at the ends of their ranges neither panic nor overflow.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use pipevideo::{Client, Polling, RateLimit};
use pipevideo_emulator::{Emulator, Options};
use serde_json::json;

#[tokio::test]
async fn options_at_the_ends_of_their_ranges_work() {
    let options: Options = serde_json::from_value(json!({"rate_limit": null})).unwrap();
    let emulator = Emulator::start(options).await.unwrap();
    let generation = serde_json::from_value(json!({"polls": ["completed"]})).unwrap();
    let id = emulator.add_generation(generation).unwrap();
    let (most, least) = (Duration::MAX, Duration::from_nanos(1));
    let builder = || {
        Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key()).rate_limit(None)
    };
    let every = |interval| {
        let polling = Polling::default().min_interval(interval).max_interval(interval);
        polling.safety_interval(interval).typical(interval)
    };
    for builder in [
        builder().request_timeout(most).connect_timeout(most),
        builder().deadline(most).max_retries(u32::MAX),
        builder().polling(every(most)),
        builder().polling(every(Duration::ZERO)),
        builder().rate_limit(RateLimit::new(u32::MAX, most)),
        builder().rate_limit(RateLimit::new(u32::MAX, least)),
        builder().rate_limit(RateLimit::new(1, least)),
    ] {
        let client = builder.build().unwrap();
        assert!(client.responses().retrieve(&id).await.unwrap().is_final());
        assert!(client.responses().wait(&id).deadline(most).await.unwrap().is_final());
        // The second is the latest time of Windows.
        let latest = [i64::MAX.unsigned_abs(), 910_692_730_085].map(Duration::from_secs);
        let latest = latest.into_iter().find_map(|it| SystemTime::UNIX_EPOCH.checked_add(it));
        let latest = latest.unwrap();
        for sent_at in [SystemTime::UNIX_EPOCH, latest] {
            client.responses().reconcile_since("m", sent_at).await.unwrap();
        }
    }
}
