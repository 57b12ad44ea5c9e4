//! A key that is a Swift function: the core asks, Swift starts a task that answers.

use std::fmt;
use std::sync::{Arc, Mutex};

use pipevideo::TokenError;
use tokio::sync::oneshot;

use crate::call::lock;

/// Whoever yields tokens. `ask` returns at once; the answer comes by the reply.
#[uniffi::export(foreign)]
pub(crate) trait TokenSource: Send + Sync {
    fn ask(&self, reply: Arc<TokenReply>) -> Arc<dyn Asked>;
}

/// What answers, until nobody waits for it any more.
#[uniffi::export(foreign)]
pub(crate) trait Asked: Send + Sync {
    fn cancel(&self);
}

/// What a token function has thrown, which only Swift looks into.
#[uniffi::export(foreign)]
pub(crate) trait Thrown: Send + Sync {
    /// The name of its type.
    fn name(&self) -> String;
}

type Answer = Result<String, Raised>;

/// Where the answer goes. One that is dropped without an answer is a failure.
#[derive(uniffi::Object)]
pub(crate) struct TokenReply(Mutex<Option<oneshot::Sender<Answer>>>);

#[uniffi::export]
impl TokenReply {
    pub(crate) fn succeed(&self, token: String) {
        self.send(Ok(token));
    }

    pub(crate) fn fail(&self, error: Arc<dyn Thrown>) {
        self.send(Err(Raised(Held(error))));
    }
}

impl TokenReply {
    fn send(&self, answer: Answer) {
        if let Some(sender) = lock(&self.0).take() {
            // Nobody waits for it if the call has been cancelled.
            let _ = sender.send(answer);
        }
    }
}

pub(crate) async fn token(source: Arc<dyn TokenSource>) -> Result<String, TokenError> {
    let (sender, answer) = oneshot::channel();
    let _asked = Asking(source.ask(Arc::new(TokenReply(Mutex::new(Some(sender))))));
    drop(source);
    Ok(answer.await.map_err(|_| "the token function ended without an answer")??)
}

/// Cancels what answers when the call is over; where it has answered, that is nothing.
struct Asking(Arc<dyn Asked>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The failure of a token function, on its way through the core and back.
#[derive(Debug)]
struct Raised(Held);

/// What was thrown, found again as the source of [`Raised`].
#[derive(Clone)]
pub(crate) struct Held(pub(crate) Arc<dyn Thrown>);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function threw an error")
    }
}

impl std::error::Error for Raised {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Debug for Held {
    /// What a function throws may quote the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(..)")
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name())
    }
}

impl std::error::Error for Held {}
