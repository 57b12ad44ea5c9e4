//! The reset that a child of a `fork` does first. It has a program of its own, since it affects the
//! whole process.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use pipevideo::{Client, reset_shared_state};
use pipevideo_emulator::{Emulator, Options};

#[tokio::test]
async fn clients_built_after_a_reset_share_a_new_budget() {
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
