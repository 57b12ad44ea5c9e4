//! A key that is a function of the host: the core calls it, and the host replies.

use std::sync::{Arc, Mutex};

use bindings_common::{ForeignError, lock};
use bindings_macros::barrier;
use pipevideo::TokenError;
use tokio::sync::oneshot;

/// The token function of the host. `call` returns at once, and the host sends the token by the reply.
#[uniffi::export(foreign)]
pub(crate) trait TokenSource: Send + Sync {
    fn call(&self, reply: Arc<TokenReply>) -> Arc<dyn TokenCall>;
}

/// One call of the token function, which the host runs.
#[uniffi::export(foreign)]
pub(crate) trait TokenCall: Send + Sync {
    /// Called when the token is no longer needed, also after a reply.
    fn cancel(&self);
}

/// An error that a token function threw. Only the host reads it.
#[uniffi::export(foreign)]
pub(crate) trait Thrown: Send + Sync {
    /// The name of its type.
    fn name(&self) -> String;
}

type Token = Result<String, ForeignError<Arc<dyn Thrown>>>;

/// Takes the token, or the error of the token function. Dropping it without either is a failure.
#[derive(uniffi::Object)]
pub(crate) struct TokenReply(Mutex<Option<oneshot::Sender<Token>>>);

#[barrier(default)]
#[uniffi::export]
impl TokenReply {
    pub(crate) fn succeed(&self, token: String) {
        self.send(Ok(token));
    }

    pub(crate) fn fail(&self, error: Arc<dyn Thrown>) {
        let description = error.name();
        self.send(Err(ForeignError::new(error, description)));
    }
}

impl TokenReply {
    fn send(&self, token: Token) {
        if let Some(sender) = lock(&self.0).take() {
            // The receiver is gone if the call was cancelled.
            let _ = sender.send(token);
        }
    }
}

/// Calls the token function, and waits for the reply.
pub(crate) async fn token(source: Arc<dyn TokenSource>) -> Result<String, TokenError> {
    let (sender, token) = oneshot::channel();
    let _guard = CancelOnDrop(source.call(Arc::new(TokenReply(Mutex::new(Some(sender))))));
    drop(source);
    Ok(token.await.map_err(|_| "the token function ended without a token or an error")??)
}

/// Cancels the call of the token function when the core's call is over. The host ignores that after a
/// reply.
struct CancelOnDrop(Arc<dyn TokenCall>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
