//! What a child of a `fork` does first. Alone in its program: it forgets for the whole process.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use pipevideo::{Client, reset_shared_state};
use pipevideo_emulator::{Emulator, Options};

#[tokio::test]
async fn clients_built_after_forgetting_share_anew() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let build = || {
        let builder = Client::builder().base_url(emulator.base_url()).api_key(emulator.api_key());
        builder.build().unwrap()
    };
    let (first, second) = (build(), build());
    first.usage().retrieve().await.unwrap();
    assert_eq!((first.budget_left(), second.budget_left()), (Some(99), Some(99)));

    reset_shared_state();
    let (third, fourth) = (build(), build());
    assert_eq!((first.budget_left(), third.budget_left()), (Some(99), Some(100)));
    third.usage().retrieve().await.unwrap();
    assert_eq!((first.budget_left(), fourth.budget_left()), (Some(99), Some(99)));
}
