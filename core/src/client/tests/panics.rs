//! A panic, of this library or of the caller's code, leaves no call without an outcome.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tracing::span;

use super::fake::{Fake, Reply, shows};
use super::*;
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_poll_that_panics_ends_the_wait_with_its_id() {
    let fake = Fake::new(|_, _| panic!("a secret prompt"));
    let error = client(&fake).responses().wait("gen_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.generation_id(), Some("gen_1"));
    assert!(!format!("{error} {error:?}").contains("secret"));
}

/// A subscriber for traces, which is the caller's code that runs inside the driver. It panics once.
struct Panicking(AtomicBool);

impl tracing::Subscriber for Panicking {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.name() == "retry"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        assert!(self.0.swap(true, Ordering::Relaxed), "the subscriber panics");
    }

    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_panics_ends_its_waits_with_their_ids_and_the_next_one_starts_anew() {
    // With a single subscriber, tracing asks the thread that first reaches an event, which may be another
    // test's, whether it is enabled at all.
    let _second = tracing::Dispatch::new(Panicking(AtomicBool::new(true)));
    let _guard = tracing::subscriber::set_default(Panicking(AtomicBool::new(false)));
    // The driver logs that it polls again.
    let fake = Fake::new(|_, before| match before {
        0 => Reply::Respond(503, String::new()),
        _ => shows("completed"),
    });
    let client = client(&fake);
    let ids = ["gen_1", "gen_2", "gen_3"];
    let began = tokio::time::Instant::now();
    let ends = join_all(ids.map(|id| client.responses().wait(id).into_future())).await;
    for (id, end) in ids.into_iter().zip(ends) {
        let error = end.unwrap_err();
        assert_eq!((error.kind(), error.generation_id()), (ErrorKind::Internal, Some(id)));
        assert!(error.message().contains("call wait with its id again"), "{error}");
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "and not at their deadline");
    assert!(client.responses().wait("gen_1").await.unwrap().is_final());
}

#[tokio::test(start_paused = true)]
async fn a_token_function_that_panics_is_an_error_of_the_token_function() {
    let fake = Fake::new(|_, _| shows("completed"));
    let base = crate::wire::BaseUrl::parse("http://127.0.0.1:9", false).unwrap();
    let builder = Client::builder().token(|| async { panic!("a secret token") });
    let client = builder.build_with(base, fake.transport()).unwrap();
    let calls =
        [client.responses().create(request()).await, client.responses().retrieve("gen_1").await];
    for error in calls.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    assert_eq!(fake.count(""), 0);
}
